"""A stream of pictures leaves nothing in the detector: `make soak-detector` watches for longer."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import pytest
import torch

from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

ROUND = 8  # frames


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held() -> tuple[int, int]:
    """Bytes of Python's and NumPy's objects, and of tensors."""
    gc.collect()
    tensors = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
    return tracemalloc.get_traced_memory()[0], sum(each.nbytes for each in tensors)


def test_frames_that_are_gone_are_not_kept_and_a_clock_may_start_over(traced: None) -> None:
    detector, sequence = HandDetector.load(), load_demo_sequence()
    kept, found = [], []
    for _ in range(4):  # each time the clock is set back, as a bag that loops does
        for number, frame in enumerate(sequence.frames[:ROUND]):
            hands = detector.detect(frame.image, sequence.camera, stamp=number / 30)
        found.append([side for side, hand in hands.items() if hand is not None])
        kept.append(held())
    assert found[0] and found == found[:1] * 4
    (memory, tensors), (later, later_tensors) = kept[1], kept[-1]
    assert later - memory < sequence.frames[0].image.nbytes / 4, kept
    assert later_tensors == tensors
