"""Counters and timings add up, and the verdict on them says what a user must do."""

from __future__ import annotations

import threading

import pytest

from im2hands_ros.ros.diagnostics import Health, Throttle, diagnostic_values, verdict


def test_counts_from_many_threads_add_up():
    health = Health()

    def count() -> None:
        for _ in range(1000):
            health.receive("image")
            health.drop("late")
            health.publish()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = health.snapshot()
    assert (now.received, now.dropped, now.published) == ({"image": 4000}, {"late": 4000}, 4000)


def test_stages_give_median_and_95th_percentile_of_recent_frames():
    health = Health()
    for milliseconds in [1000.0] * 200 + [float(i) for i in range(1, 121)]:
        health.took("encode", milliseconds)
    median, p95 = health.snapshot().stages_ms["encode"]
    assert median == pytest.approx(60.5)
    assert p95 == pytest.approx(114.05)


def test_a_stage_that_raises_is_not_timed():
    health = Health()
    with pytest.raises(RuntimeError), health.stage("encode"):
        raise RuntimeError
    with health.stage("publish"):
        pass
    assert list(health.snapshot().stages_ms) == ["publish"]


def test_diagnostics_carry_counts_rates_drops_and_stages():
    health = Health()
    before = health.snapshot()
    health.receive("image")
    health.publish()
    health.drop("overwritten")
    health.took("encode", 12.0)
    values = diagnostic_values(health.snapshot(), before)
    assert values["received.image"] == values["published"] == values["dropped.overwritten"] == "1"
    assert float(values["received.image.hz"]) > 0
    assert values["stage.encode.median_ms"] == values["stage.encode.p95_ms"] == "12.00"


def test_the_verdict_tells_ordinary_drops_from_those_to_be_repaired():
    health = Health()
    start = health.snapshot()
    health.drop("overwritten")
    first = health.snapshot()
    assert verdict(first, start, []) == (0, "fine")
    assert verdict(first, start, ["/image"]) == (1, "nothing comes on /image")
    health.drop("image_encoding")
    second = health.snapshot()
    assert verdict(second, first, []) == (1, "dropped: image_encoding 1x")
    health.drop("pipeline_error")
    assert verdict(health.snapshot(), second, []) == (2, "dropped: pipeline_error 1x")
    assert verdict(health.snapshot(), health.snapshot(), []) == (0, "fine")


def test_the_throttle_lets_one_line_of_each_kind_through():
    throttle = Throttle(60)
    assert throttle.pass_on("a", "text a") == "text a"
    assert throttle.pass_on("a", "text a") is None
    assert throttle.pass_on("b", "text b") == "text b"


def test_the_throttle_says_how_many_lines_it_held_back(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("im2hands_ros.ros.diagnostics.time.monotonic", lambda: clock[0])
    throttle = Throttle(5)
    assert throttle.pass_on("a", "text") == "text"
    for _ in range(3):
        clock[0] += 1
        assert throttle.pass_on("a", "text") is None
    clock[0] += 3
    assert throttle.pass_on("a", "text") == "text (3 more like this since the last line)"
