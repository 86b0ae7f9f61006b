"""Any transition, from anybody, at any time: an answer comes and the node lives."""

from __future__ import annotations

import pytest
import rclpy
from harness import Client
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from im2hands_ros.ros.node import Im2HandsNode

CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DEACTIVATE, CLEANUP = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP


def change(client: Client, transition: int, label: str = "") -> bool:
    request = ChangeState.Request(transition=Transition(id=transition, label=label))
    return client.call(ChangeState, "im2hands/change_state", request).success


def state(client: Client) -> int:
    return client.look_up(GetState, "im2hands/get_state", GetState.Request()).current_state.id


def test_illegal_transitions_are_answered_in_every_state(start):
    process = start("auto_activate:=false")
    client = Client(process.namespace)
    for step in (0, CONFIGURE, ACTIVATE):
        assert not step or change(client, step)
        before = state(client)
        legal = {0: {1, 5}, CONFIGURE: {3, 2, 6}, ACTIVATE: {4, 7}}[step]
        for illegal in sorted({*range(9), 10, 60, 99, 255} - legal):
            assert not change(client, illegal), illegal
        assert not change(client, CONFIGURE, "no such transition")
        assert state(client) == before
    assert before == State.PRIMARY_STATE_ACTIVE
    assert not change(client, 0, "configure") and change(client, 0, "deactivate")
    assert process.is_alive
    assert "is refused: the node is unconfigured: use configure or shutdown" in process.log
    assert change(client, 0, "shutdown") and not change(client, CONFIGURE)
    assert process.is_alive
    client.close()


def test_the_node_that_activated_itself_refuses_what_its_users_send_first(start):
    process = start()
    client = Client(process.namespace)
    client.wait_until(lambda: state(client) == State.PRIMARY_STATE_ACTIVE, "activation")
    for _ in range(2):
        assert not change(client, CONFIGURE) and not change(client, ACTIVATE)
    assert state(client) == State.PRIMARY_STATE_ACTIVE and process.is_alive
    client.send_frame(10.0)
    client.wait_for_frame(10.0)
    client.close()


def test_transitions_that_come_at_once_are_answered_one_after_the_other(start):
    process = start("auto_activate:=false")
    client = Client(process.namespace)
    service = client.node.create_client(ChangeState, "im2hands/change_state")
    client.wait_until(service.service_is_ready, "the service")
    request = ChangeState.Request(transition=Transition(id=CONFIGURE))
    answers = [service.call_async(request) for _ in range(5)]
    client.wait_until(lambda: all(each.done() for each in answers), "five answers")
    assert sum(each.result().success for each in answers) == 1
    assert state(client) == State.PRIMARY_STATE_INACTIVE and process.is_alive
    client.close()


@pytest.mark.parametrize("name", ["configure", "activate", "deactivate", "cleanup", "shutdown"])
def test_an_exception_in_a_transition_is_answered_and_the_node_is_alive(name):
    def fail(self: Im2HandsNode, state: object) -> None:
        raise KeyError(f"broken {name}")

    faulty = type("Faulty", (Im2HandsNode,), {f"on_{name}": fail})
    lines: list[str] = []
    node = faulty(lambda settings: Quiet(), namespace=f"/faulty_{name}")
    node.get_logger = lambda: Lines(lines)
    client = Client(node.get_namespace())
    client._executor.add_node(node)
    steps = {"configure": (), "activate": (CONFIGURE,), "shutdown": ()}
    for step in steps.get(name, (CONFIGURE, ACTIVATE) if name == "deactivate" else (CONFIGURE,)):
        assert change(client, step)
    assert not change(client, 0, name)
    assert any(f"failed: KeyError: 'broken {name}'" in line for line in lines), lines
    assert state(client) == State.PRIMARY_STATE_UNCONFIGURED
    client._executor.remove_node(node)
    client.close()
    node.close()
    node.destroy_node()
    assert rclpy.ok()


class Quiet:
    """A model that is never given a frame."""

    stages = ("initial",)
    refine_keypoints = refine_occupancy = False

    def warm_up(self, resolution: int) -> None: ...


class Lines:
    """A logger that keeps its lines."""

    def __init__(self, lines: list[str]) -> None:
        self.info = self.warning = self.error = lines.append
