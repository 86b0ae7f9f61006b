"""How many frames a second this machine answers, so that the demo sends no more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.demo_sequence import DemoSequence

RATES = (15.0, 10.0, 5.0, 3.0, 1.0)
# Share of the time between two frames that the networks may take: DDS, the recorder and the node's
# messages take the rest.
_BUSY = 0.6
_FRAMES = 5


def frame_seconds(
    model: Im2Hands, sequence: DemoSequence, resolution: int, frames: int = _FRAMES
) -> float:
    """Median time of some of a sequence's frames, the networks warmed up."""
    model.warm_up(resolution)
    spacing = max(1, len(sequence.frames) // frames)
    times = []
    for frame in sequence.frames[::spacing][:frames]:
        image = frame.image  # decoded before the clock starts
        started = time.perf_counter()
        model.encode(image, frame.keypoints, sequence.camera).reconstruct(resolution)
        times.append(time.perf_counter() - started)
    return median(times)


def rate_for(seconds: float, rates: Sequence[float] = RATES) -> float:
    """The highest rate at which frames of so many seconds are answered in time, else the lowest."""
    return next((rate for rate in rates if seconds * rate <= _BUSY), rates[-1])
