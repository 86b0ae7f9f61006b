"""What the hand detector costs: a frame of a stream with both hands, and a picture by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.provenance import describe
from im2hands_ros.stopwatch import median_and_p95
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

_MOST_PICTURES = 20
Row = dict[str, Any]


def report(frames: int, threads: int | None = None) -> Row:
    """Milliseconds, by the clock (``wall``) and of the processor (``processor``); prints a line.

    followed: frames of the bundled demo in which both hands are known from the frame before.
    by_itself: its pictures, nothing known, until both hands are found or all views were tried.

    Args:
        frames: of the stream; the demo is played again when it is over.
        threads: of the processor; None: torch's choice.
    """
    if threads:
        torch.set_num_threads(threads)
    detector, sequence = HandDetector.load(), load_demo_sequence()
    shown, camera = sequence.frames, sequence.camera
    images = [frame.image for frame in shown]
    detector.detect(images[0], camera)  # to warm up
    followed, known = [], False
    for number in range(frames + 1):
        image, stamp = images[number % len(images)], number / sequence.rate
        times, hands = _timed(partial(detector.detect, image, camera, stamp=stamp))
        if known:
            followed.append(times)
        known = all(hands.values())
    alone = [
        _timed(partial(detector.detect, image, camera))[0]
        for image in images[:: max(len(images) // _MOST_PICTURES, 1)]
    ]
    rows = {"followed": _row(followed), "by_itself": _row(alone)}
    for name, row in rows.items():
        print(f"detector, {name}: {row['frames']} frames, {row['processor_ms']['median']:.0f} ms")
    return {"machine": describe(), "frames": frames, "detector": rows}


def _timed(work: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    started = time.perf_counter(), time.process_time()
    result = work()
    return (time.perf_counter() - started[0], time.process_time() - started[1]), result


def _row(times: list[tuple[float, float]]) -> Row:
    wall, processor = zip(*times, strict=True)
    return {
        "frames": len(times),
        "wall_ms": median_and_p95([1e3 * each for each in wall]),
        "processor_ms": median_and_p95([1e3 * each for each in processor]),
    }
