"""The running node: what goes in, what comes out, when it works and how it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from harness import FRAME_ID, Client, camera_info, hand, image, keypoints, stamp_of
from im2hands_ros.msg import HandMesh
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from visualization_msgs.msg import Marker


def test_a_good_frame_gives_meshes_markers_and_occupancy_of_its_stamp(client):
    client.send_frame(10.5)
    outputs = {topic: client.wait_for_frame(10.5, topic) for topic in client.received}

    assert outputs["meshes"].header.frame_id == FRAME_ID
    assert outputs["occupancy"].header.frame_id == FRAME_ID
    assert {each.header.frame_id for each in outputs["markers"].markers} == {FRAME_ID}
    left, right = outputs["meshes"].hands
    assert (left.side, right.side) == (HandMesh.LEFT, HandMesh.RIGHT)
    vertices = np.array(right.vertices).reshape(-1, 3)
    assert np.allclose(vertices.reshape(21, -1, 3).mean(1), hand("right"), atol=1e-5)
    assert outputs["occupancy"].width == 42
    names = {(each.ns, each.type) for each in outputs["markers"].markers}
    assert names == {
        (side + suffix, kind)
        for side in ("left", "right")
        for suffix, kind in (
            ("", Marker.TRIANGLE_LIST),
            ("_occupancy", Marker.CUBE_LIST),
            ("_keypoints", Marker.LINE_LIST),
            ("_keypoints", Marker.SPHERE_LIST),
        )
    }


def test_keypoints_may_come_before_or_long_after_their_image(client):
    client.send(camera_info(20.0), keypoints(20.0), image(20.0))
    client.wait_for_frame(20.0)
    client.send(*(image(20.1 + 0.001 * i) for i in range(3)))
    client.spin(0.2)
    client.send(keypoints(20.102))
    client.wait_for_frame(20.102)


def test_a_lost_hand_is_deleted_once(client):
    client.send_frame(30.0)
    client.wait_for_frame(30.0, "markers")
    client.send_frame(30.1, left=False)
    message = client.wait_for_frame(30.1, "markers")
    deleted = [(each.ns, each.id) for each in message.markers if each.action == Marker.DELETE]
    assert sorted(deleted) == [
        ("left", 0),
        ("left_keypoints", 0),
        ("left_keypoints", 1),
        ("left_occupancy", 0),
    ]
    client.send_frame(30.2, left=False)
    message = client.wait_for_frame(30.2, "markers")
    assert all(each.action == Marker.ADD for each in message.markers)


def test_no_hand_gives_empty_meshes_and_deletes_all_markers(client):
    markers = client.received["markers"]
    for shown, gone in ((40.0, 40.1), (41.0, 41.1), (42.0, 42.1)):
        client.send_frame(shown)
        client.wait_for_frame(shown, "markers")
        seen = len(markers)
        client.send_frame(gone, left=False, right=False)
        assert not client.wait_for_frame(gone, "meshes").hands
        assert client.wait_for_frame(gone, "occupancy").width == 0
        client.wait_until(lambda before=seen: len(markers) > before, "the DELETE")
        if stamp_of(markers[seen]) == gone:  # on a busy machine the hands' time may be over first
            break
    assert stamp_of(markers[seen]) == gone
    assert len(markers[seen].markers) == 8
    assert {each.action for each in markers[seen].markers} == {Marker.DELETE}


def test_hands_are_deleted_when_nothing_comes_any_more(client):
    client.send_frame(50.0)
    client.wait_for_frame(50.0, "markers")
    assert client.wait_for_frame(50.0, "occupancy").width > 0
    client.wait_until(lambda: len(client.received["markers"]) > 1, "the DELETE")
    assert {each.action for each in client.received["markers"][-1].markers} == {Marker.DELETE}
    client.wait_until(lambda: len(client.received["occupancy"]) > 1, "the empty cloud")
    assert client.received["occupancy"][-1].width == 0


@pytest.mark.parametrize(
    "transition",
    [Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVE_SHUTDOWN],
    ids=["deactivate", "shutdown"],
)
def test_hands_and_voxels_are_taken_from_view_when_the_node_stops(start, connect, transition):
    process = start()
    client = connect(process)
    client.send_frame(50.0)
    assert client.wait_for_frame(50.0, "occupancy").width > 0
    request = ChangeState.Request(transition=Transition(id=transition))
    client.begin_call(ChangeState, "im2hands/change_state", request)
    client.wait_until(lambda: len(client.received["occupancy"]) > 1, "the empty cloud")
    client.wait_until(lambda: len(client.received["markers"]) > 1, "the DELETE")
    assert client.received["occupancy"][-1].width == 0
    assert {each.action for each in client.received["markers"][-1].markers} == {Marker.DELETE}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_hands_and_voxels_are_taken_from_view_when_a_signal_ends_the_node(start, connect, number):
    process = start()
    client = connect(process)
    client.send_frame(50.0)
    assert client.wait_for_frame(50.0, "occupancy").width > 0
    assert process.interrupt(number) == 0, process.log
    client.wait_until(lambda: len(client.received["occupancy"]) > 1, "the empty cloud")
    client.wait_until(lambda: len(client.received["markers"]) > 1, "the DELETE")
    assert client.received["occupancy"][-1].width == 0
    assert {each.action for each in client.received["markers"][-1].markers} == {Marker.DELETE}


def test_output_goes_on_after_the_clock_jumps_back(client):
    client.send_frame(1000.0)
    client.wait_for_frame(1000.0)
    for i in range(5):
        client.send_frame(900.0 + i / 10)
        client.spin(0.05)
    client.wait_for_frame(900.4)


def test_nothing_is_computed_while_nobody_listens(start, connect):
    client = connect(start(), listen=False)
    before = client.diagnostics()
    for i in range(3):
        client.send_frame(2000.0 + i)
        client.spin(0.02)
    client.wait_until(
        lambda: (
            client.count("dropped.nobody_subscribed")
            >= int(before.get("dropped.nobody_subscribed", 0)) + 3
        ),
        "the count of frames that nobody wanted",
    )
    assert client.count("published") == int(before.get("published", 0))


def test_the_newest_frame_wins_when_the_device_is_too_slow(start, connect):
    client = connect(start(options=("--delay", "0.15")))
    stamps = [100 + i / 100 for i in range(30)]
    for stamp in stamps:
        client.send_frame(stamp)
        client.spin(0.02)
    client.wait_for_frame(stamps[-1])
    received = client.stamps()
    assert received == sorted(received)
    assert len(received) < len(stamps) / 2
    values = client.diagnostics()
    # Best effort: a starved process may miss a message or two.
    assert 0 <= len(stamps) - len(received) - int(values["dropped.overwritten"]) <= 3
    # The delay and what the surface takes; a busy machine adds to both, but not a minute.
    assert 150 <= float(values["stage.extract.median_ms"]) < 60_000


def test_frames_that_waited_too_long_are_dropped_and_counted(start, connect):
    process = start("max_age:=1.0")
    client = connect(process)
    client.send_frame(100.0)
    process.wait_for_log("raise max_age")
    now = client.node.get_clock().now().nanoseconds // 1_000_000 / 1e3
    client.send_frame(now)
    client.wait_for_frame(now)
    client.wait_until(lambda: client.count("dropped.too_old") == 1, "the count")


@pytest.mark.parametrize("delay", ["0", "1"])
def test_an_interrupt_ends_the_process_cleanly(start, connect, delay):
    process = start(options=("--delay", delay))
    client = connect(process)
    client.send_frame(1.0)
    client.spin(0.2)
    assert process.interrupt() == 0, process.log
    assert "Traceback" not in process.log


def test_an_ended_node_leaves_no_shared_memory_behind(start):
    others = set(Path("/dev/shm").iterdir())
    process = start()
    process.wait_for_log("active")
    segments = process.shared_memory() - others
    assert segments
    process.interrupt()
    assert not [segment for segment in segments if segment.exists()]


def test_an_interrupt_while_the_device_hangs_ends_the_process_too(start, connect):
    process = start(options=("--delay", "60"))
    client = connect(process)
    client.send_frame(1.0)
    client.spin(0.2)
    assert process.interrupt() == 0, process.log


def test_a_lifecycle_manager_can_lead_the_node_through_its_states(start, connect):
    process = start("auto_activate:=false")
    client = Client(process.namespace)
    steps = [
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
        (Transition.TRANSITION_DEACTIVATE, "inactive"),
        (Transition.TRANSITION_CLEANUP, "unconfigured"),
    ]
    for round_number in range(2):
        for transition, state in steps:
            request = ChangeState.Request(transition=Transition(id=transition))
            assert client.call(ChangeState, "im2hands/change_state", request).success, process.log
            answer = client.look_up(GetState, "im2hands/get_state", GetState.Request())
            assert answer.current_state.label == state
            if state == "active":
                client.wait_for_node()
                client.send_frame(60.0 + round_number)
                client.wait_for_frame(60.0 + round_number)
    client.close()


def test_weights_that_cannot_be_loaded_end_the_process_with_one_line(start):
    process = start(options=("--refuse",))
    assert process.wait() == 1
    lines = [line for line in process.log.splitlines() if line.strip()]
    assert len(lines) == 1
    assert "nowhere.safetensors" in lines[0]


@pytest.mark.parametrize(
    ("override", "said"),
    [("resolution:=9000", "resolution"), ("device:=tpu", "auto, cpu, cuda"), ("sync_slop:=no", "")],
)
def test_a_wrong_parameter_at_start_ends_the_process_with_status_2(start, override, said):
    process = start(override)
    assert process.wait() == 2
    assert said in process.log
    assert "Traceback" not in process.log


def set_parameter(client, name: str, value: object) -> object:
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return client.call(SetParameters, "im2hands/set_parameters", request).results[0]


def test_parameters_are_checked_and_applied_while_running(client):
    assert set_parameter(client, "occupancy_voxel_size", 0.01).successful
    client.send_frame(3000.0)
    markers = client.wait_for_frame(3000.0, "markers").markers
    voxels = next(each for each in markers if each.ns == "left_occupancy")
    assert voxels.scale.x == pytest.approx(0.01)
    refused = [("resolution", 9000), ("device", "cuda"), ("occupancy_threshold", 1.5)]
    for name, value in refused:
        result = set_parameter(client, name, value)
        assert not result.successful
        assert result.reason


def test_meshes_are_shaded_smoothly_unless_flat_is_wanted(client):
    for stamp, shading in ((3100.0, None), (3101.0, "flat"), (3102.0, "smooth")):
        if shading is not None:
            assert set_parameter(client, "marker_shading", shading).successful
        client.send_frame(stamp)
        markers = client.wait_for_frame(stamp, "markers").markers
        meshes = [each for each in markers if each.type == Marker.TRIANGLE_LIST]
        wanted = [0 if shading == "flat" else len(each.points) for each in meshes]
        assert [len(each.colors) for each in meshes] == wanted and len(meshes) == 2
    assert "give smooth, flat" in set_parameter(client, "marker_shading", "round").reason
