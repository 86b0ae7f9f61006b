"""The detector node with hands that need no network: an open right hand in every bright image.

    python posed_detector.py [--delay SECONDS] [--ros-args ...]

It finds nothing in dark images and raises on all-white ones.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from harness import camera_info, hand
from seen_hands import PerfectFinder

from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.messages.camera_info import camera_from_info
from im2hands_ros.ros.detector.node import main
from im2hands_ros.ros.detector.settings import DetectorSettings
from im2hands_ros.skeleton import JOINT_COUNT

RIGHT = 0.8  # the probability that it is a right hand


def posed(joints: np.ndarray) -> Landmarks:
    """What a perfect landmark network sees of joints that are all at one depth."""
    info = camera_info(1.0)
    pixels = camera_from_info(info, (info.width, info.height)).project(joints)
    shape = (joints - joints.mean(axis=0)).astype(np.float64)
    return Landmarks(pixels, np.zeros(JOINT_COUNT), shape, RIGHT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--lost", action="store_true", help="the weights are not there")
    arguments, rest = parser.parse_known_args()

    def hands_of(image: np.ndarray) -> dict[str, Landmarks]:
        time.sleep(arguments.delay)
        if image.min() == 255:
            raise RuntimeError("the image is all white")
        return {"right": posed(hand("right"))} if image.mean() > 50 else {}

    def load(settings: DetectorSettings) -> HandDetector:
        if arguments.lost:
            raise FileNotFoundError("weights file palms.safetensors does not exist")
        return HandDetector(PerfectFinder(hands_of))

    main([sys.argv[0], *rest], load)
