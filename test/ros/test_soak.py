"""A short soak; `make soak` runs the long one."""

from __future__ import annotations

import json

import numpy as np
from soak import Result, run

SECONDS, RATE = 15, 30


def test_a_steady_stream_loses_no_image_and_grows_no_memory(tmp_path):
    result = run(SECONDS, RATE, networks=False, folder=tmp_path)
    print(f"\n{result}")
    assert result.sent > SECONDS  # a busy machine may not manage the whole rate
    assert result.received == result.sent
    assert result.lost == 0
    assert not result.other
    assert result.answered > 0
    assert result.beats >= result.expected_beats / 2
    # A whole image more or less is on its way at any time.
    assert np.median(result.memory_mib[-20:]) - np.median(result.memory_mib[:20]) < 5


def test_a_leak_and_a_loss_are_told():
    hours = np.linspace(0, 1, 60)
    noise = 0.05 * np.random.default_rng(0).normal(size=60)
    steady = Result(sent=9, answered=5, overwritten=3, times=3600 * hours, memory_mib=200 + noise)
    leaking = Result(sent=8, answered=8, times=3600 * hours, memory_mib=200 + 5 * hours + noise)
    assert (steady.lost, leaking.lost) == (1, 0)
    growth, error = steady.slope
    assert abs(growth) < 3 * error < 0.3
    growth, error = leaking.slope
    assert abs(growth - 5) < 3 * error < 0.3


def test_what_a_soak_says_can_be_stored_as_json():
    hours = 3600 * np.linspace(0, 1, 60)
    beats = {"beats": 60, "expected_beats": 60}
    flat = Result(sent=9, answered=6, overwritten=3, times=hours, **beats)
    flat.memory_mib = 200 + 0.05 * np.random.default_rng(0).normal(size=60)
    stored = json.loads(json.dumps(flat.as_dict()))
    assert (stored["sent"], stored["lost"], stored["passed"]) == (9, 0, True)
    assert abs(stored["memory_mib"]["growth_per_hour"]) < 0.2
    flat.beats = 40
    assert not flat.as_dict()["passed"]
    flat.beats, flat.answered = 60, 5
    assert not flat.as_dict()["passed"]
    flat.answered, flat.memory_mib = 6, flat.memory_mib + 5 * np.linspace(0, 1, 60)
    assert not flat.as_dict()["passed"]
