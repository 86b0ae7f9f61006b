"""The detector on a stream for minutes: does its memory grow, does it go on finding hands?

    python test/support/detector_soak.py [--minutes 10] [--out FILE.json]

The packaged networks on the pictures of the demo, forwards and back, as fast as they come; every
minute the clock is set back, as a bag that loops does. Prints the counts and the slope of the
process's memory; exit status 1 when it grows by more than 10 MiB an hour beyond what can be told,
or when hands are found more seldom at the end than in the beginning.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

PERIOD = 1 / 30
SETTLING = 0.25  # share of the run after which memory is looked at
CLOCK_LOOP = 60.0  # seconds of stamps after which they start over
MOST_GROWTH = 10.0  # MiB an hour


def soak(detector: HandDetector, seconds: float) -> dict[str, object]:
    """What became of a stream of so many seconds of wall time."""
    sequence = load_demo_sequence()
    frames = [*sequence.frames, *sequence.frames[::-1]]
    process, started = psutil.Process(), time.monotonic()
    times: list[float] = []
    memory: list[float] = []
    found: list[int] = []
    while (elapsed := time.monotonic() - started) < seconds:
        number = len(found)
        stamp = 1.0 + number * PERIOD % CLOCK_LOOP
        image = frames[number % len(frames)].image
        hands = detector.detect(image, sequence.camera, stamp=stamp)
        found.append(sum(hand is not None for hand in hands.values()))
        if elapsed > SETTLING * seconds and number % 20 == 0:
            times.append(elapsed)
            memory.append(process.memory_info().rss / 2**20)
    (growth, _), covariance = np.polyfit(np.array(times) / 3600, memory, 1, cov=True)
    quarter = len(found) // 4
    return {
        "seconds": round(seconds),
        "frames": len(found),
        "hands_per_frame": {
            "first_quarter": round(float(np.mean(found[:quarter])), 3),
            "last_quarter": round(float(np.mean(found[-quarter:])), 3),
        },
        "memory_mib": {
            "first": round(memory[0], 1),
            "last": round(memory[-1], 1),
            "growth_per_hour": round(float(growth), 2),
            "growth_error": round(float(np.sqrt(covariance[0, 0])), 2),
        },
    }


def passed(result: dict) -> bool:
    """No growth beyond what can be told, and as many hands at the end as in the beginning."""
    memory, hands = result["memory_mib"], result["hands_per_frame"]
    grows = memory["growth_per_hour"] > MOST_GROWTH + 2 * memory["growth_error"]
    return not grows and hands["last_quarter"] > 0.95 * hands["first_quarter"]


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    result = {"torch": torch.__version__} | soak(HandDetector.load(), 60 * args.minutes)
    result["passed"] = passed(result)
    text = json.dumps(result, indent=2)
    print(text)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
