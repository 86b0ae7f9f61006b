"""Another node's state is found out even when the middleware loses a response."""

from __future__ import annotations

import itertools

import pytest
import rclpy
from harness import Client
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from im2hands_ros.ros import node_state
from im2hands_ros.ros.node_state import NodeState

pytestmark = pytest.mark.dds
_names = itertools.count(1)


@pytest.fixture
def server():
    node = rclpy.create_node(f"managed_{next(_names)}")
    states = [State.PRIMARY_STATE_INACTIVE, State.PRIMARY_STATE_ACTIVE]

    def respond(request: GetState.Request, response: GetState.Response) -> GetState.Response:
        response.current_state.id = states.pop(0) if len(states) > 1 else states[0]
        return response

    node.service = node.create_service(GetState, f"{node.get_name()}/get_state", respond)
    yield node
    node.destroy_node()


@pytest.mark.parametrize("lost", [0, 2])
def test_a_node_is_active_once_it_says_so_and_lost_responses_are_requested_again(
    server, lost, monkeypatch
):
    monkeypatch.setattr(node_state, "RETRY", 0.2)
    send, requests = server.service.send_response, []

    def send_after_losses(response: GetState.Response, header: object) -> None:
        requests.append(header)
        if len(requests) > lost:
            send(response, header)

    monkeypatch.setattr(server.service, "send_response", send_after_losses)
    client = Client("/looking", listen=False)
    client._executor.add_node(server)
    state = NodeState(client.node, f"/{server.get_name()}")
    assert not state.is_active()
    client.wait_until(state.is_active, "an active node")
    assert len(requests) >= lost + (1 if lost else 2)
    client.close()


def test_no_name_counts_as_active():
    client = Client("/looking", listen=False)
    assert NodeState(client.node, "").is_active()
    client.close()
