"""Keypoints of another convention under the packaged networks: named, and right ones are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import ORDER_INTERHAND, to_mano_order
from im2hands_ros.synthetic.demo_sequence import DemoSequence, load_demo_sequence
from im2hands_ros.tracking.tracker import Extent, HandTracker

Hands = dict[str, np.ndarray]
FRAMES = (20, 40, 60)


@pytest.fixture(scope="module")
def demo() -> DemoSequence:
    return load_demo_sequence()


@pytest.fixture(scope="module")
def model() -> Im2Hands:
    return Im2Hands.load(device="cpu")


def each(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Hands], Hands]:
    return lambda hands: {side: change(xyz).astype(np.float32) for side, xyz in hands.items()}


def interhand_order(xyz: np.ndarray) -> np.ndarray:
    sent = np.empty_like(xyz)
    sent[to_mano_order(np.arange(63).reshape(21, 3), ORDER_INTERHAND)[:, 0] // 3] = xyz
    return sent


CONVENTIONS: dict[str, tuple[Callable[[Hands], Hands], set[str]]] = {
    "right": (each(lambda xyz: xyz), set()),
    "sides swapped": (lambda hands: {"left": hands["right"], "right": hands["left"]}, {"swapped"}),
    "y up": (each(lambda xyz: xyz * [1, -1, 1]), {"mirrored_axis"}),
    "InterHand order as MANO": (each(interhand_order), {"joint_order"}),
    "another focal length": (each(lambda xyz: xyz * 1.9), {"palm_length"}),
    "6 m away": (each(lambda xyz: xyz + [0, 0, 5.6]), {"tiny_hand"}),
    "outside the picture": (each(lambda xyz: xyz + [0.6, 0, 0]), {"outside_image"}),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_convention_is_named_in_every_frame(demo, model, name):
    change, kinds = CONVENTIONS[name]
    tracker = HandTracker(model)
    for number in FRAMES:
        frame = demo.frames[number]
        hands = {side: xyz for side, xyz in frame.keypoints.items() if xyz is not None}
        assert len(hands) == 2
        given, stamp = change(hands), number / demo.rate
        found = tracker.update(frame.image, stamp, demo.camera, given, extent=Extent.FIELD)
        assert {kind for kind, _ in found.warnings} == kinds
