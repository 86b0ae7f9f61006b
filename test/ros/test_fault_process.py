"""Processes that are killed, and parameters that are wrong: what comes after works."""

from __future__ import annotations

import itertools

import pytest
from harness import Client
from rcl_interfaces.srv import GetParameters, SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter

_stamps = itertools.count(1.0)


def test_a_killed_node_s_successor_serves_the_same_clients(start, connect):
    process = start()
    client = connect(process)
    for _ in range(2):
        client.send_frame(next(_stamps))
        client.spin(0.05)
        process.kill()
        process = start(namespace=process.namespace)
        process.wait_for_log("active")
        client.forget()
        answered_by_the_successor(client)
    assert process.interrupt() == 0, process.log


def answered_by_the_successor(client: Client) -> None:
    """Publishers still wait for the dead one's discovery to lapse: frames until one is answered."""

    def answered() -> bool:
        client.send_frame(next(_stamps))
        client.spin(0.1)
        return bool(client.received["meshes"])

    client.wait_until(answered, "an answer of the successor")


def parameters(**values: object) -> list:
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]


def resolution(client: Client) -> int:
    request = GetParameters.Request(names=["resolution"])
    answer = client.call(GetParameters, "im2hands/get_parameters", request)
    return answer.values[0].integer_value


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"resolution": "large"}, "expected 'Type.INTEGER' got 'Type.STRING'"),
        ({"resolution": 64.5}, "expected 'Type.INTEGER' got 'Type.DOUBLE'"),
        ({"resolution": 10**9}, "resolution"),
        ({"sync_slop": float("nan")}, "sync_slop"),
        ({"refine_keypoints": 1}, "expected 'Type.BOOL' got 'Type.INTEGER'"),
        ({"device": "cuda"}, "device"),
        ({"unheard_of": 1}, "undeclared parameter"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(client, values, said):
    request = SetParameters.Request(parameters=parameters(**values))
    (result,) = client.call(SetParameters, "im2hands/set_parameters", request).results
    assert not result.successful
    assert said in result.reason
    stamp = next(_stamps) + 100
    client.send_frame(stamp)
    client.wait_for_frame(stamp)


def test_values_that_are_set_together_are_all_taken_or_none(client):
    before = resolution(client)
    for wrong in ({"occupancy_threshold": 2.0}, {"device": "cuda"}):
        request = SetParametersAtomically.Request(parameters=parameters(resolution=96, **wrong))
        service = "im2hands/set_parameters_atomically"
        answer = client.call(SetParametersAtomically, service, request)
        assert not answer.result.successful
        assert resolution(client) == before
    request.parameters = parameters(resolution=96, occupancy_threshold=0.4)
    assert client.call(SetParametersAtomically, service, request).result.successful
    assert resolution(client) == 96
