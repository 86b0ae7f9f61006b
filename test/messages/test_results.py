"""What is published of a frame: meshes, voxels and wrists, written and read back."""

from __future__ import annotations

import numpy as np
import pytest
from ball_surfaces import Hands, balls
from new_messages import new_header
from two_hands import joints

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.header import Header, nanoseconds, read_stamp
from im2hands_ros.messages.markers import write_markers
from im2hands_ros.messages.meshes import read_meshes, write_meshes
from im2hands_ros.messages.occupancy import (
    CLOUD_DTYPE,
    cloud_points,
    read_occupancy,
    voxel_size,
    write_occupancy,
)
from im2hands_ros.messages.results import RESULT_TYPES, ResultEncoder
from im2hands_ros.messages.wrist_poses import WristPoses

HEADER = Header.at(1_700_000_000_000_000_001, "camera")
LEFT, RIGHT = balls(joints("left")), balls(joints("right"), confidence=0.25)
HANDS = Hands(LEFT, RIGHT)
CORNERS = np.eye(3, dtype=np.float32)
MESHES, CLOUD, MARKERS = (RESULT_TYPES[topic] for topic in ("/meshes", "/occupancy", "/markers"))


@pytest.mark.parametrize("hands", [HANDS, Hands(LEFT, None), Hands(None, RIGHT), Hands(None, None)])
def test_meshes_and_voxels_are_read_back_as_they_were_written(parse, hands):
    message = parse(MESHES, write_meshes(HEADER, hands.present))
    meshes = read_meshes(message)
    voxels = read_occupancy(parse(CLOUD, write_occupancy(HEADER, hands.present)))
    present = hands.present
    assert list(meshes) == list(voxels) == list(present)
    assert nanoseconds(message.header.stamp) == 1_700_000_000_000_000_001
    assert [each.confidence for each in message.hands] == [s.confidence for s in present.values()]
    for side, surface in present.items():
        np.testing.assert_array_equal(meshes[side][0], surface.vertices)
        np.testing.assert_array_equal(meshes[side][1], surface.triangles)
        np.testing.assert_array_equal(voxels[side], surface.voxels)


def mesh(new, side: int, vertices: np.ndarray, triangles: list[int]) -> object:
    flat, corners = np.asarray(vertices, np.float32).ravel(), np.array(triangles, np.uint32)
    hand = new("im2hands_ros/msg/HandMesh", side=side, vertices=flat, triangles=corners)
    return new(MESHES, header=new_header(new, HEADER), hands=[hand])


def test_a_mesh_without_triangles_is_an_absent_hand(new):
    assert read_meshes(mesh(new, 0, np.empty((0, 3)), [])) == {}


@pytest.mark.parametrize(
    ("side", "vertices", "triangles", "reason"),
    [
        (2, CORNERS, [0, 1, 2], "mesh_layout"),
        (0, np.zeros(8), [0, 1, 2], "mesh_layout"),
        (0, CORNERS, [0, 1], "mesh_layout"),
        (0, CORNERS, [0, 1, 3], "mesh_values"),
        (0, CORNERS * np.nan, [0, 1, 2], "mesh_values"),
    ],
)
def test_arrays_that_are_no_mesh_are_refused(new, side, vertices, triangles, reason):
    with pytest.raises(BadInput) as refused:
        read_meshes(mesh(new, side, vertices, triangles))
    assert refused.value.reason == reason


def test_a_cloud_says_what_its_points_hold(parse):
    message = parse(CLOUD, write_occupancy(HEADER, HANDS.present))
    formats = {7: "<f4", 2: "u1"}  # sensor_msgs/PointField.FLOAT32, UINT8
    layout = {
        "names": [each.name for each in message.fields],
        "formats": [formats[each.datatype] for each in message.fields],
        "offsets": [each.offset for each in message.fields],
        "itemsize": message.point_step,
    }
    points = np.frombuffer(message.data, np.dtype(layout))
    assert layout["names"] == ["x", "y", "z", "occupancy", "side"]
    assert (message.width, message.height, message.row_step) == (42, 1, len(message.data))
    assert points["side"].tolist() == [0] * 21 + [1] * 21
    np.testing.assert_array_equal(points["x"][21:], RIGHT.voxels[:, 0])
    np.testing.assert_array_equal(points["occupancy"], np.ones(42, np.float32))
    assert points.dtype == CLOUD_DTYPE
    np.testing.assert_array_equal(points, cloud_points(HANDS.present))


def test_voxels_tell_their_size():
    lattice = 0.004 * np.float32([[0, 0, 9], [1, 0, 9], [3, 2, 9]]) + np.float32([0.1, 0, 0.4])
    assert voxel_size(lattice) == pytest.approx(0.004, abs=1e-5)
    assert voxel_size(lattice[:1]) is None


def test_a_cloud_of_another_kind_is_refused(parse):
    message = parse(CLOUD, write_occupancy(HEADER, HANDS.present))
    message.fields[4].offset = 20
    with pytest.raises(BadInput, match="do not fit a point"):
        read_occupancy(message)
    message.fields = message.fields[:3]
    with pytest.raises(BadInput, match="lacks side"):
        read_occupancy(message)


def test_a_cloud_with_less_data_than_it_says_is_refused(parse):
    message = parse(CLOUD, write_occupancy(HEADER, HANDS.present))
    message.width += 1
    with pytest.raises(BadInput, match="says 43 points but holds fewer"):
        read_occupancy(message)


def test_an_encoder_gives_each_topic_once_and_only_what_is_wanted():
    encoder = ResultEncoder()
    assert [topic for topic, _ in encoder.encode(HEADER, HANDS, 0.005)] == list(RESULT_TYPES)
    wanted = {"/right/wrist_pose", "/occupancy"}
    found = [
        *encoder.poses(HEADER, HANDS.present, wanted),
        *encoder.surfaces(HEADER, HANDS, 0.005, wanted),
    ]
    assert [topic for topic, _ in found] == ["/right/wrist_pose", "/occupancy"]


def test_lost_hands_are_deleted_once(parse):
    encoder = ResultEncoder()

    def namespaces(hands: Hands) -> list[tuple[int, str]]:
        found = dict(encoder.surfaces(HEADER, hands, 0.005))
        if "/markers" not in found:
            return []
        return sorted({(m.action, m.ns) for m in parse(MARKERS, found["/markers"]).markers})

    assert namespaces(Hands(None, None)) == []
    left = [(0, "left"), (0, "left_keypoints"), (0, "left_occupancy")]
    assert namespaces(Hands(LEFT, None)) == left
    deleted = [(2, name) for _, name in left]
    shown = [(0, "right"), (0, "right_keypoints"), (0, "right_occupancy")]
    assert namespaces(Hands(None, RIGHT)) == sorted(deleted + shown)
    assert namespaces(Hands(None, RIGHT)) == shown
    withdrawn = dict(encoder.withdraw(HEADER))
    markers = parse(MARKERS, withdrawn["/markers"]).markers
    assert {(each.action, each.ns) for each in markers} == {(2, name) for _, name in shown}
    assert parse(CLOUD, withdrawn["/occupancy"]).width == 0
    assert not dict(encoder.withdraw(HEADER))
    assert namespaces(Hands(None, None)) == []


def test_the_stamp_of_a_serialised_message_is_read_where_there_is_one():
    for topic, data in ResultEncoder().encode(HEADER, HANDS, 0.005):
        assert read_stamp(data, in_sequence=topic == "/markers") == 1_700_000_000_000_000_001
    assert read_stamp(b"too short") == 0
    assert read_stamp(write_markers(HEADER, []), in_sequence=True) == 0


def test_a_turning_wrist_does_not_jump_and_a_palm_seen_as_a_line_has_none(parse):
    encoder = ResultEncoder()
    last = None
    for angle in np.linspace(0, 4 * np.pi, 60):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.float32([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        hands = {"right": balls(joints("right") @ turn.T)}
        found = dict(encoder.poses(HEADER, hands))
        assert "/left/wrist_pose" not in found
        pose = parse(RESULT_TYPES["/right/wrist_pose"], found["/right/wrist_pose"]).pose
        orientation = np.array([getattr(pose.orientation, axis) for axis in "xyzw"])
        position = [getattr(pose.position, axis) for axis in "xyz"]
        np.testing.assert_array_equal(position, hands["right"].keypoints[0])
        assert np.linalg.norm(orientation) == pytest.approx(1)
        assert last is None or orientation @ last > 0.9
        last = orientation
    line = balls(np.linspace([0, 0, 0.5], [0.1, 0, 0.5], 21, dtype=np.float32))
    assert WristPoses().of({"left": line}) == {}
