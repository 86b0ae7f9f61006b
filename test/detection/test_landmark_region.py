"""Our landmark encoder against MediaPipe itself, which follows a hand by the same region."""

from __future__ import annotations

import numpy as np

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.detection.landmarker import Landmarker
from im2hands_ros.networks.compact.landmark_encoder import LandmarkEncoder
from im2hands_ros.networks.compact.landmark_regions import region_of
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence


def test_what_is_seen_in_the_region_is_what_mediapipe_sees_in_its_next_frame() -> None:
    frame = load_demo_sequence().frames[25]
    find, encoder = Landmarker(find_bundle(), redetect=False), LandmarkEncoder.load()
    before, after = ([*find(frame.image, 1 + 0.05 * k)] for k in (0, 1))
    assert len(before) == len(after) == 2
    for hand in before:
        near = min(after, key=lambda each, at=hand.centre: float(np.hypot(*(each.centre - at))))
        region = region_of(hand.pixels)
        # MediaPipe cuts out half a pixel of the crop, less half of the picture's, off.
        off = 0.5 - region[:, :2] @ (0.5, 0.5)
        (seen,) = encoder(frame.image, [np.column_stack([region[:, :2], region[:, 2] + off])])
        pixels = seen.pixels + np.linalg.solve(region[:, :2], off)
        assert np.abs(pixels - near.pixels).max() < 0.5
        assert np.abs(seen.shape - near.shape).max() < 1e-3
        assert abs(seen.right - near.right) < 0.02
