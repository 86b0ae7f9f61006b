"""Depth images found again by the stamps of their images."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from im2hands_ros.ros.depth_images import DepthImages


def depth(nanoseconds: int) -> Image:
    stamp = Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
    return Image(header=Header(stamp=stamp))


def test_the_nearest_one_is_found_and_only_within_the_slop():
    kept = DepthImages()
    assert kept.near(10**9, 1.0) == (None, float("inf"))
    messages = [depth(10**9 + each * 33_000_000) for each in range(4)]
    for message in messages:
        kept.add(message)
    found, gap = kept.near(10**9 + 60_000_000, 0.02)
    assert found is messages[2] and np.isclose(gap, 0.006)
    found, gap = kept.near(10**9 + 150_000_000, 0.02)
    assert found is None and np.isclose(gap, 0.051)


def test_old_ones_go():
    kept = DepthImages()
    for each in range(30):
        kept.add(depth(10**9 * (each + 1)))
    assert kept.near(10**9, 0.1)[0] is None
    assert kept.near(30 * 10**9, 0.0)[0] is not None
