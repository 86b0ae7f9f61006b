"""Rendered hands in gloves: found where they are, or not at all."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from gloved_hands import GLOVES, gloved

from im2hands_ros.detection import HandDetector
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

ON_THE_HAND = 0.25  # of a hand's extent, as in `im2hands evaluate-detector`


@cache
def detector() -> HandDetector:
    return HandDetector.load()


def off(found: np.ndarray, true: np.ndarray) -> float:
    extent = float(np.linalg.norm(np.ptp(true, axis=0)))
    return float(np.linalg.norm(found - true, axis=1).mean()) / extent


@pytest.mark.parametrize("glove", GLOVES)
def test_a_gloved_hand_is_seen_in_its_place_or_not_at_all(glove: str) -> None:
    sequence = load_demo_sequence()
    found = 0
    for seed, number in enumerate((25, 80)):
        scene = gloved(sequence.frames[number], glove, seed)
        hands = detector().detect(scene.image, sequence.camera)
        for hand in hands.values():
            if hand is not None:
                found += 1
                errors = [off(hand.keypoints_px, true) for true in scene.true.values()]
                assert min(errors) < ON_THE_HAND
    assert found or glove in ("blue nitrile", "green rubber")
