"""Hundreds of messages with a mistake of a known kind: none is taken without a word.

The networks do not run here: these are the mistakes that keypoints and calibration alone show.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from new_messages import MESSAGES

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_keypoints
from im2hands_ros.messages.camera_info import camera_from_info
from im2hands_ros.messages.keypoints import CheckedKeypoints, read_keypoints
from im2hands_ros.skeleton import ORDER_INTERHAND, SIDES, to_mano_order
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.tracking.joint_confidence import undeclared
from im2hands_ros.tracking.plausibility import unlikely_inputs

DEMO = load_demo_sequence()
CAMERA = DEMO.camera
GREY = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)
GREY[:, ::16] += 20
Hands = dict[str, np.ndarray]
Random = np.random.Generator


def demo_hands(random: Random) -> Hands:
    """Both hands of some frame, with a tracker's noise."""
    frame = DEMO.frames[int(random.integers(len(DEMO.frames)))]
    hands = {side: xyz for side, xyz in frame.keypoints.items() if xyz is not None}
    return {side: xyz + random.normal(scale=0.002, size=xyz.shape) for side, xyz in hands.items()}


def each(change: Callable[[np.ndarray, Random], np.ndarray]) -> Callable[[Hands, Random], Hands]:
    return lambda hands, random: {side: change(xyz, random) for side, xyz in hands.items()}


def pixels(xyz: np.ndarray, random: Random) -> np.ndarray:
    depth = xyz[:, 2] if random.random() < 0.5 else 400 * (xyz[:, 2] - xyz[0, 2])
    return np.column_stack([CAMERA.project(xyz), depth])


def normalised(xyz: np.ndarray, random: Random) -> np.ndarray:
    inside = CAMERA.project(xyz) / (CAMERA.width, CAMERA.height)
    return np.column_stack([inside, random.uniform(0.5, 2) * (xyz[:, 2] - xyz[0, 2])])


def interhand_order(xyz: np.ndarray, random: Random) -> np.ndarray:
    sent = np.empty_like(xyz)
    sent[to_mano_order(np.arange(63).reshape(21, 3), ORDER_INTERHAND)[:, 0] // 3] = xyz
    return sent


def with_nan(xyz: np.ndarray, random: Random) -> np.ndarray:
    """Up to ten joints with one number that is none."""
    chosen = random.choice(21, random.integers(1, 11), replace=False)
    xyz[chosen, random.integers(3)] = random.choice([np.nan, np.inf, -np.inf])
    return xyz


MISTAKES: dict[str, Callable[[Hands, Random], Hands]] = {
    "millimetres": each(lambda xyz, random: 1000 * xyz),
    "centimetres": each(lambda xyz, random: 100 * xyz),
    "another scale": each(lambda xyz, random: xyz * random.choice([0.1, 0.3, 2.0, 5.0, 10.0])),
    "pixels": each(pixels),
    "normalised": each(normalised),
    "wrist-relative": each(lambda xyz, random: xyz - xyz[0]),
    "OpenGL": each(lambda xyz, random: xyz * [1, -1, -1]),
    "z up": each(lambda xyz, random: xyz[:, [0, 2, 1]] * [1, 1, -1]),
    "zeros": each(lambda xyz, random: 0 * xyz),
    "InterHand order": each(interhand_order),
    "outside": each(lambda xyz, random: xyz + [random.choice([-1, 1]) * 0.9, 0, 0]),
    "far away": each(lambda xyz, random: xyz + [0, 0, random.uniform(6, 30)]),
    "one hand twice": lambda hands, random: dict.fromkeys(SIDES, hands[random.choice([*hands])]),
    "another count": each(lambda xyz, random: xyz[: random.integers(1, 21)]),
}


def read(hands: Hands, **fields: object) -> CheckedKeypoints:
    sent = {f"{side}_xyz": xyz.astype(np.float32).ravel() for side, xyz in hands.items()}
    valid = {f"{side}_valid": True for side in hands}
    return read_keypoints(MESSAGES.new("im2hands_ros/msg/HandKeypoints", **sent, **valid, **fields))


def words(message: CheckedKeypoints, camera: Camera = CAMERA) -> list[str]:
    """All that is said of a message."""
    present = {side: xyz for side, xyz in message.hands.items() if xyz is not None}
    return [*map(str, message.problems), *(t for _, t in unlikely_inputs(GREY, camera, present))]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_keypoints_with_a_mistake_are_never_taken_in_silence(mistake):
    random = np.random.default_rng(sum(mistake.encode()))
    silent = [
        number
        for number in range(36)
        if not words(read(MISTAKES[mistake](demo_hands(random), random)))
    ]
    assert silent == []


def test_joints_that_are_not_finite_are_named_and_the_others_stay():
    random = np.random.default_rng(8)
    for _ in range(36):
        hands = {side: with_nan(xyz, random) for side, xyz in demo_hands(random).items()}
        message = read(hands)
        assert not message.problems
        kinds = [kind for kind, _ in undeclared(message.hands, message.confidence)]
        assert kinds == ["unseen_joints"] * len(hands)
        for side, xyz in check_keypoints(message.hands).items():
            seen = np.isfinite(hands[side]).all(axis=1)
            assert np.isfinite(xyz).all()
            assert np.array_equal(xyz[seen], hands[side][seen].astype(np.float32))


def test_right_keypoints_are_taken_in_silence():
    random = np.random.default_rng(5)
    for _ in range(100):
        message = read(demo_hands(random))
        assert not message.problems and words(message) == []


@pytest.mark.parametrize("confidence", [-1.0, 1.01, 100.0, np.nan, np.inf, 0.0])
def test_confidences_that_are_none_are_named(confidence):
    hands = demo_hands(np.random.default_rng(6))
    wrong = np.full(21, confidence, np.float32)
    fields = {f"{side}_confidence": wrong for side in hands}
    assert len(read(hands, **fields).problems) == len(hands)


def infos(random: Random) -> dict[str, object]:
    """The fields of a camera_info with one mistake."""
    size = {"width": CAMERA.width, "height": CAMERA.height}
    k = CAMERA.K.ravel()
    other = random.choice([0.25, 0.375, 0.5, 2.0, 3.0, 4.0])
    scale = np.array([other, 1, other, 1, other, other, 1, 1, 1])
    return [
        {**size, "k": k * scale},
        {**size, "k": k * [1, 1, 0, 1, 1, 0, 1, 1, 1]},
        {**size, "k": k * [0.005, 1, 1, 1, 0.005, 1, 1, 1, 1]},
        {**size, "k": np.where(random.random(9) < 0.5, np.nan, k)},
        {"width": int(CAMERA.width * other), "height": int(CAMERA.height * other), "k": k},
        {"width": 0, "height": 0, "k": k},
        {**size, "k": 0 * k},
        {**size, "k": k, "distortion_model": "plumb_bob", "d": random.normal(size=3)},
    ][int(random.integers(8))]


def test_camera_infos_with_a_mistake_are_never_taken_in_silence():
    random = np.random.default_rng(7)
    hands = read(demo_hands(random))
    for number in range(200):
        fields = infos(random)
        if np.isfinite(fields["k"][[0, 2, 4, 5]]).all() and np.isnan(fields["k"]).any():
            continue  # numbers of K that are not read
        info = MESSAGES.new("sensor_msgs/msg/CameraInfo", **fields)
        try:
            camera = camera_from_info(info, (CAMERA.width, CAMERA.height))
        except BadInput:
            continue
        assert words(hands, camera), (number, fields)
