"""Keypoints of trackers become arrays, arrays become messages; what cannot be a hand is refused."""

from __future__ import annotations

import numpy as np
import pytest
from new_messages import new_header
from two_hands import joints

from im2hands_ros.messages.header import Header
from im2hands_ros.messages.keypoints import read_keypoints, read_poses, write_keypoints
from im2hands_ros.skeleton import ORDER_INTERHAND, ORDER_MANO, ORDER_NAMES, ORDER_OPENXR

HAND_KEYPOINTS = "im2hands_ros/msg/HandKeypoints"
HEADER = Header.at(1_500_000_000, "camera")


def reordered(order: int) -> np.ndarray:
    """The right hand as a tracker of this joint order sends it."""
    mano = joints("right")
    fingers = mano[1:].reshape(5, 4, 3)
    if order == ORDER_INTERHAND:
        return np.concatenate([fingers[:, ::-1].reshape(20, 3), mano[:1]])
    if order == ORDER_OPENXR:
        palm = mano[[0, 9]].mean(0, keepdims=True)
        metacarpals = (mano[0] + fingers[1:, :1]) / 2
        others = np.concatenate([metacarpals, fingers[1:]], axis=1)
        return np.concatenate([palm, mano[:1], fingers[0], others.reshape(20, 3)])
    return mano


@pytest.mark.parametrize("order", [ORDER_MANO, ORDER_INTERHAND, ORDER_OPENXR])
def test_keypoints_of_every_joint_order_arrive_in_mano_order(new, order):
    sent = new(
        HAND_KEYPOINTS,
        header=new_header(new, HEADER),
        joint_order=order,
        right_valid=True,
        right_xyz=reordered(order).ravel(),
    )
    read = read_keypoints(sent)
    assert np.allclose(read.hands["right"], joints("right"))
    assert read.hands["left"] is None
    assert read.frame_id == "camera"
    assert read.usable
    assert not read.problems
    assert ORDER_NAMES[read.convention] == order


def test_openxr_joints_come_without_the_palm_as_webxr_lists_them(new):
    xyz = reordered(ORDER_OPENXR)[1:]
    sent = right_hand(new, joint_order=ORDER_OPENXR, right_xyz=xyz.ravel())
    assert np.allclose(read_keypoints(sent).hands["right"], joints("right"))


@pytest.mark.parametrize("sides", [(), ("left",), ("right",), ("left", "right")])
def test_written_keypoints_are_read_back_with_their_confidence(parse, sides):
    hands = {side: joints(side) if side in sides else None for side in ("left", "right")}
    message = parse(HAND_KEYPOINTS, write_keypoints(HEADER, hands, {"left": 0.25, "right": None}))
    read = read_keypoints(message)
    for side, xyz in hands.items():
        assert np.array_equal(read.hands[side], xyz) if side in sides else read.hands[side] is None
    assert list(message.left_confidence) == ([0.25] * 21 if "left" in sides else [])
    assert list(message.right_confidence) == []
    assert message.joint_order == ORDER_MANO
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)


SEEN = np.ones(21, np.float32)


def test_a_hand_of_which_half_was_seen_is_taken(new):
    seen = right_hand(new, right_confidence=SEEN * (np.arange(21) < 11))
    assert read_keypoints(seen).hands["right"] is not None


def right_hand(new, **changes: object) -> object:
    fields = {"right_valid": True, "right_xyz": joints("right").ravel(), **changes}
    return new(HAND_KEYPOINTS, header=new_header(new, HEADER), **fields)


def points(**changes: object) -> np.ndarray:
    """The right hand's numbers with joint 7's coordinates replaced."""
    xyz = joints("right")
    for axis, value in changes.items():
        xyz[7, "xyz".index(axis)] = value
    return xyz.ravel()


def lacking(count: int, value: float = np.nan) -> np.ndarray:
    """The right hand's numbers without the last so many joints."""
    xyz = joints("right")
    xyz[len(xyz) - count :, 1] = value
    return xyz.ravel()


LACKING = {count: lacking(count) for count in (1, 10, 11, 21)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [1, 10])
def test_a_joint_that_is_not_finite_costs_the_joint_and_not_the_hand(new, count, value):
    read = read_keypoints(right_hand(new, right_xyz=lacking(count, value)))
    seen = np.isfinite(read.hands["right"]).all(axis=1)
    assert not read.problems and seen[: 21 - count].all() and not seen[21 - count :].any()
    assert "right" not in read.confidence


@pytest.mark.parametrize("joint", [0, 8])
def test_a_joint_at_the_camera_s_centre_is_one_that_the_tracker_has_lost(new, joint):
    xyz = joints("right")
    xyz[joint] = 0
    read = read_keypoints(right_hand(new, right_xyz=xyz.ravel()))
    assert not read.problems and np.isnan(read.hands["right"][joint]).all()
    assert np.array_equal(np.delete(read.hands["right"], joint, 0), np.delete(xyz, joint, 0))
    read = read_poses(poses(new, None, xyz))
    assert not read.problems and read.confidence["right"][joint] == 0


def test_joints_relative_to_the_wrist_are_no_hand_that_lacks_it(new):
    relative = joints("right") - joints("right")[0]
    relative[1:, 2] += 0.1
    (problem,) = read_keypoints(right_hand(new, right_xyz=relative.ravel())).problems
    assert "has its wrist at the origin: add the wrist's position" in str(problem)


def test_a_joint_of_no_confidence_is_not_seen_wherever_it_lies(new):
    confidence = np.linspace(0, 1, 21, dtype=np.float32)
    xyz = joints("right")
    xyz[0] = [0.0, 0.0, -7.0]
    read = read_keypoints(right_hand(new, right_xyz=xyz.ravel(), right_confidence=confidence))
    assert np.isnan(read.hands["right"][0]).all() and np.isfinite(read.hands["right"][1:]).all()
    assert np.array_equal(read.confidence["right"], confidence)


def test_confidence_follows_the_joints_into_mano_order(new):
    confidence = np.linspace(0.1, 1, 21, dtype=np.float32)
    sent = right_hand(
        new,
        joint_order=ORDER_INTERHAND,
        right_xyz=reordered(ORDER_INTERHAND).ravel(),
        right_confidence=confidence,
    )
    assert list(read_keypoints(sent).confidence["right"][:3]) == list(confidence[[20, 3, 2]])


def test_written_keypoints_carry_a_confidence_of_every_joint(parse):
    shares = np.linspace(0.1, 1, 21, dtype=np.float32)
    message = parse(
        HAND_KEYPOINTS, write_keypoints(HEADER, {"left": joints("left")}, {"left": shares})
    )
    assert np.array_equal(read_keypoints(message).confidence["left"], shares)


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"right_xyz": LACKING[11]}, "keypoints_not_finite", "set right_valid to false"),
        ({"right_xyz": LACKING[21]}, "keypoints_not_finite", "21 of 21 keypoints of right_xyz"),
        ({"right_xyz": points()[:60]}, "keypoints_count", "holds 60 numbers"),
        ({"right_xyz": points()[:-1]}, "keypoints_count", "holds 62 numbers"),
        ({"right_xyz": np.tile(points(), 2)}, "keypoints_count", "holds 126 numbers"),
        ({"right_xyz": points()[:0]}, "keypoints_count", "holds 0 numbers"),
        ({"joint_order": ORDER_OPENXR}, "keypoints_count", "holds 63 numbers"),
        ({"joint_order": 9}, "keypoints_count", "joint order 9 is unknown"),
        ({"right_confidence": np.ones(5, np.float32)}, "keypoints_count", "give 21 or none"),
        ({"right_confidence": np.full(21, 1.5)}, "keypoints_confidence", "1.5: give shares"),
        ({"right_confidence": np.full(21, -0.1)}, "keypoints_confidence", "-0.1: give shares"),
        ({"right_confidence": np.full(21, np.nan)}, "keypoints_confidence", "nan: give shares"),
        ({"right_confidence": np.zeros(21)}, "keypoints_unseen", "not seen, for 21 of 21 joints"),
        ({"right_confidence": SEEN[:11][::-1]}, "keypoints_count", "11 numbers"),
        ({"right_confidence": SEEN * (np.arange(21) < 10)}, "keypoints_unseen", "for 11 of 21"),
        ({"right_xyz": points(x=1e9)}, "keypoints_range", "reaches 1e+09 m: give metres"),
        ({"right_xyz": points(z=-0.5)}, "keypoints_range", "optical frame"),
        ({"right_xyz": np.zeros(63, np.float32)}, "keypoints_zero", "zeros alone: set right_valid"),
        ({"right_xyz": np.float32([0, 0, 0.4] * 21)}, "keypoints_size", "0.000 m across"),
        ({"right_xyz": points(x=1.0)}, "keypoints_size", "m across"),
    ],
)
def test_what_cannot_be_a_hand_is_refused_with_a_reason(new, changes, reason, said):
    read = read_keypoints(right_hand(new, **changes))
    assert read.hands == {"left": None, "right": None}
    assert not read.usable
    assert [problem.reason for problem in read.problems] == [reason]
    assert said in str(read.problems[0])


def test_arbitrary_keypoints_are_read_or_refused(new):
    random = np.random.default_rng(0)
    for _ in range(300):
        scale = float(random.choice([0.1, 1.0, 1e9, 1e30]))
        length = int(random.choice([0, 1, 60, 63, 78, 126]))
        message = new(
            HAND_KEYPOINTS,
            joint_order=int(random.integers(0, 256)) if random.random() < 0.3 else 0,
            left_valid=bool(random.integers(2)),
            right_valid=bool(random.integers(2)),
            left_xyz=(scale * random.normal(size=length)).astype(np.float32),
            right_xyz=np.tile([0.0, 0.0, scale], 21).astype(np.float32),
            left_confidence=np.full(int(random.choice([0, 20, 21])), 0.5, np.float32),
        )
        read = read_keypoints(message)
        for xyz in read.hands.values():
            assert xyz is None or (xyz.shape == (21, 3) and np.isfinite(xyz).all(axis=1).sum() > 10)


def test_a_refused_hand_leaves_the_other_one(new):
    message = right_hand(new, left_valid=True, left_xyz=joints("left").ravel()[:3])
    read = read_keypoints(message)
    assert read.usable
    assert read.hands["left"] is None
    assert np.allclose(read.hands["right"], joints("right"))


def test_no_hand_is_a_usable_message(new):
    assert read_keypoints(new(HAND_KEYPOINTS)).usable


def poses(new, left: np.ndarray | None, right: np.ndarray | None) -> object:
    count = next((len(each) for each in (left, right) if each is not None), 21)
    both = [np.full((count, 3), np.nan) if each is None else each for each in (left, right)]
    positions = [
        new("geometry_msgs/msg/Point", x=x, y=y, z=z) for x, y, z in np.concatenate(both).tolist()
    ]
    return new(
        "geometry_msgs/msg/PoseArray",
        header=new_header(new, HEADER),
        poses=[new("geometry_msgs/msg/Pose", position=each) for each in positions],
    )


def test_a_pose_array_holds_the_left_block_first_and_nan_for_an_absent_hand(new):
    read = read_poses(poses(new, joints("left"), joints("right")))
    assert read.frame_id == "camera"
    assert np.array_equal(read.hands["left"], joints("left"))
    assert np.array_equal(read.hands["right"], joints("right"))
    read = read_poses(poses(new, None, joints("right")))
    assert read.hands["left"] is None
    assert read.hands["right"] is not None
    assert not read.problems
    assert read_poses(poses(new, None, None)).usable


@pytest.mark.parametrize("palms", [0, 1])
def test_a_pose_array_may_be_openxrs_with_and_without_palms(new, palms):
    right = reordered(ORDER_OPENXR)[1 - palms :]
    left = right + np.float32([-0.2, 0, 0])
    read = read_poses(poses(new, left, right))
    assert np.allclose(read.hands["right"], joints("right"))
    assert np.allclose(read.hands["left"], joints("right") + np.float32([-0.2, 0, 0]))
    alone = read_poses(poses(new, None, right))
    assert alone.hands["left"] is None and not alone.problems
    assert read.convention == "openxr"


def test_a_pose_that_is_nan_is_a_joint_that_was_not_seen(new):
    message = poses(new, joints("left"), joints("right"))
    message.poses[3].position.x = float("nan")
    read = read_poses(message)
    assert not read.problems and np.isnan(read.hands["left"][3]).any()
    assert read.confidence["left"].tolist() == [1, 1, 1, 0] + [1] * 17
    assert "right" not in read.confidence


def test_a_pose_array_that_cannot_be_hands_is_refused(new):
    left = joints("left")
    left[3:14] = np.nan
    message = poses(new, left, joints("right"))
    read = read_poses(message)
    assert read.hands["left"] is None
    assert read.hands["right"] is not None
    assert "11 of 21 keypoints of the block of the left hand are NaN" in str(read.problems[0])
    message.poses.pop()
    read = read_poses(message)
    assert not read.usable
    assert read.problems[0].reason == "keypoints_count"
    assert "41 poses: give 42" in str(read.problems[0])
