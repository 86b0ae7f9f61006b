"""What the viewer remembers of images and results."""

from __future__ import annotations

import pytest

from im2hands_ros.ros.viewer.memory import RecentImages, ResultAge


def test_the_image_of_the_results_is_found_and_old_ones_make_room() -> None:
    images = RecentImages(room=25)
    assert images.of(1) is None
    for stamp in range(1, 5):
        images.add(stamp, bytes([stamp] * 10))
    assert images.of(3) == bytes([3] * 10)
    assert images.of(1) == bytes([4] * 10)  # gone: the newest stands in
    assert images.of(None) == bytes([4] * 10)


@pytest.mark.parametrize(
    ("between", "patience"), [(0.1, 2.0), (1.5, 4.5), (60.0, 8.0)], ids=["fast", "slow", "asleep"]
)
def test_results_are_given_up_after_three_times_their_pace_within_limits(
    monkeypatch: pytest.MonkeyPatch, between: float, patience: float
) -> None:
    clock = [100.0]
    monkeypatch.setattr("im2hands_ros.ros.viewer.memory.time.monotonic", lambda: clock[0])
    results = ResultAge(2.0, 8.0)
    assert not results.expire()  # none came: none can be late
    for stamp in (1, 2):
        clock[0] += between
        results.add(stamp)
        results.add(stamp)  # another topic of the same frame
    clock[0] += patience - 0.01
    assert not results.expire()
    assert results.stamp_ns == 2
    clock[0] += 0.02
    assert results.expire()
    assert results.stamp_ns is None
    assert not results.expire()  # told once
