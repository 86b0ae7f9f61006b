"""`refine_keypoints` and `refine_occupancy`: which networks run, and what comes out refined."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_node import REFINED
from harness import Client, NodeProcess, hand
from im2hands_ros.msg import HandKeypoints
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

ALL = ("--stages", "initial,keypoints,refinement")


class Listener:
    """A client that also keeps refined keypoints."""

    def __init__(self, client: Client, others: int) -> None:
        self.client = client
        client.received["refined_keypoints"] = []
        client.node.create_subscription(
            HandKeypoints, "refined_keypoints", client.received["refined_keypoints"].append, 20
        )
        client.wait_until(lambda: client.count("subscribers") == others + 1, "the subscription")

    def keypoints(self, stamp: float, **hands: bool) -> HandKeypoints:
        self.client.send_frame(stamp, **hands)
        return self.client.wait_for_frame(stamp, "refined_keypoints")

    def set(self, name: str, value: bool) -> None:
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        answer = self.client.call(SetParameters, "im2hands/set_parameters", request)
        assert answer.results[0].successful


def right_hand(message: HandKeypoints) -> np.ndarray:
    return np.array(message.right_xyz).reshape(21, 3)


def missing_lines(process: NodeProcess) -> list[str]:
    return [line for line in process.log.splitlines() if "the weights hold" in line]


def test_stages_that_the_weights_hold_run_and_are_switched_while_running(start, connect):
    process = start(options=ALL)
    listener = Listener(connect(process), 3)
    message = listener.keypoints(1.0)
    assert np.allclose(right_hand(message), hand("right") + REFINED, atol=1e-6)
    assert list(message.left_confidence) == list(message.right_confidence) == [0.5] * 21
    assert listener.client.diagnostics()["stages"] == "keypoints, initial, refinement"
    # The model under test is a stand-in.
    assert listener.client.diagnostics()["kernels"] == "torch"
    assert process.log.count("kernels: torch") == 1
    meshes = listener.client.wait_for_frame(1.0).hands
    assert np.array(meshes[1].vertices)[2::3].mean() == pytest.approx(0.52, abs=1e-3)

    listener.set("refine_keypoints", False)
    listener.set("refine_occupancy", False)
    message = listener.keypoints(2.0)
    assert np.allclose(right_hand(message), hand("right"), atol=1e-6)
    assert list(message.right_confidence) == [1.0] * 21
    assert listener.client.diagnostics()["stages"] == "initial"

    listener.set("refine_keypoints", True)
    assert np.allclose(right_hand(listener.keypoints(3.0)), hand("right") + REFINED, atol=1e-6)
    assert listener.client.diagnostics()["stages"] == "keypoints, initial"
    assert not missing_lines(process)


def test_what_the_weights_do_not_hold_is_said_once_and_is_no_error(start, connect):
    process = start()
    listener = Listener(connect(process), 3)
    for stamp in (1.0, 2.0, 3.0):
        assert np.allclose(right_hand(listener.keypoints(stamp)), hand("right"), atol=1e-6)
    (line,) = missing_lines(process)
    assert "refine_keypoints and refine_occupancy cannot refine anything" in line
    assert "[INFO]" in line
    assert listener.client.diagnostics()["stages"] == "initial"
    assert listener.client.verdict == "fine"


def test_refined_keypoints_alone_need_the_network_but_no_surface(start, connect):
    client = connect(start(options=(*ALL, "--delay", "0.5")), listen=False)
    listener = Listener(client, 0)
    message = listener.keypoints(1.0, left=False)
    assert np.allclose(right_hand(message), hand("right") + REFINED, atol=1e-6)
    assert list(message.right_confidence) == [0.5] * 21
    assert (message.left_valid, len(message.left_confidence)) == (False, 0)
    assert "stage.extract.median_ms" not in client.diagnostics()
