"""The fast serialisation gives the bytes of the plain one."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from analytic_node import Hands, balls
from cdr_padding import without_padding
from harness import hand, header
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from im2hands_ros.messages.arrays import cloud_points
from im2hands_ros.messages.markers import draw
from im2hands_ros.messages.splicing import Template
from im2hands_ros.ros.cdr import cloud_bytes, marker_array_bytes, mesh_array_bytes
from im2hands_ros.ros.messages import cloud_message, marker_array_message, mesh_array_message

LEFT, RIGHT = balls(hand("left")), balls(hand("right"))
RIGHT.confidence = 0.25
COMBINATIONS = [
    Hands(LEFT, RIGHT),
    Hands(LEFT, None),
    Hands(None, RIGHT),
    Hands(None, None),
]
# Eight lengths: the frame's name moves all that follows by one byte at a time.
FRAMES = ["", "c", "ca", "cam", "camera", "camera_", "head/camera", "camera_optical_frame", "é"]


def in_frame(name: str) -> Header:
    message = header(1234.567)
    message.frame_id = name
    return message


@pytest.fixture(autouse=True)
def _short_triangle_lists(monkeypatch):
    """The plain path is slow: pad to little."""
    monkeypatch.setattr("im2hands_ros.messages.markers.TRIANGLE_BUCKET", 50)


def assert_same(fast: bytes, plain: object) -> None:
    data = serialize_message(plain)
    assert without_padding(fast, plain) == without_padding(data, plain)
    assert deserialize_message(fast, type(plain)) == deserialize_message(data, type(plain))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("hands", COMBINATIONS)
@pytest.mark.parametrize("lost", [(), (("left", 0), ("left_keypoints", 1))])
def test_markers_are_those_of_the_plain_path(frame, hands, lost):
    drawings = draw(hands, 0.005)
    plain = marker_array_message(in_frame(frame), drawings, lost)
    assert_same(marker_array_bytes(in_frame(frame), drawings, lost), plain)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("hands", COMBINATIONS)
def test_meshes_are_those_of_the_plain_path(frame, hands):
    plain = mesh_array_message(in_frame(frame), hands)
    assert_same(mesh_array_bytes(in_frame(frame), hands), plain)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("hands", COMBINATIONS)
def test_clouds_are_those_of_the_plain_path(frame, hands):
    points = cloud_points(hands)
    plain = cloud_message(in_frame(frame), points)
    assert_same(cloud_bytes(in_frame(frame), points), plain)


def test_sizes_change_from_frame_to_frame():
    random = np.random.default_rng(0)
    for _ in range(20):
        some = random.random(len(RIGHT.triangles)) < random.random()
        part = balls(hand("right") + random.normal(size=3).astype(np.float32))
        part.triangles = part.triangles[some]
        part.voxels = part.voxels[: int(random.integers(0, 21))]
        part.voxel_occupancy = part.voxel_occupancy[: len(part.voxels)]
        hands = Hands(LEFT, part)
        stamp = header(float(random.integers(1, 10**9)))
        drawings = draw(hands, 0.004)
        markers = marker_array_message(stamp, drawings)
        assert_same(marker_array_bytes(stamp, drawings), markers)
        assert_same(mesh_array_bytes(stamp, hands), mesh_array_message(stamp, hands))
        points = cloud_points(hands)
        assert_same(cloud_bytes(stamp, points), cloud_message(stamp, points))


def test_a_mark_that_is_missing_is_named():
    with pytest.raises(ValueError, match="the mark of data is 0 times in the template"):
        Template(serialize_message(header(1.0)), {}, {"data": np.arange(3.0)})


def milliseconds_of(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def test_it_is_much_faster_than_the_plain_path():
    drawings = draw(Hands(LEFT, RIGHT), 0.005)
    marker_array_bytes(header(1.0), drawings)
    fast = min(milliseconds_of(lambda: marker_array_bytes(header(1.0), drawings)) for _ in range(5))
    plain = milliseconds_of(lambda: serialize_message(marker_array_message(header(1.0), drawings)))
    assert plain > 5 * fast
