"""Keypoints that are late, or stamped otherwise than their images, are told apart and named."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from im2hands_ros.messages.matching import StampMatcher

PERIOD = 1 / 30
START = 100.0
FRAMES = 120


class Stream:
    """Images at 30 Hz and the keypoints of each, paired in the order of their arrival."""

    def __init__(self, slop: float = 0.01) -> None:
        self.drops: Counter[str] = Counter()
        self.details: dict[str, str] = {}
        self.matcher = StampMatcher(slop, self._on_drop)
        self.pairs: list[tuple[int, int]] = []

    def _on_drop(self, reason: str, detail: str) -> None:
        self.drops[reason] += 1
        self.details[reason] = detail

    def play(
        self, latency: np.ndarray, offset: np.ndarray, size: int = 0, every: int = 1
    ) -> Stream:
        """Send FRAMES images and keypoints `latency` later whose stamps are `offset` later."""
        stamps = START + PERIOD * np.arange(FRAMES)
        events = [(stamp + 0.005, 0, i) for i, stamp in enumerate(stamps)]
        events += [(stamps[i] + 0.005 + latency[i], 1, i) for i in range(0, FRAMES, every)]
        for arrival, kind, i in sorted(events):
            stamp_ns = round(1e9 * (stamps[i] + kind * offset[i]))
            if kind:
                pair = self.matcher.add_keypoints(stamp_ns, i, arrival=arrival)
            else:
                pair = self.matcher.add_image(stamp_ns, i, arrival=arrival, size=size)
            if pair is not None:
                self.pairs.append((pair.image, pair.keypoints))
        return self

    @property
    def warnings(self) -> dict[str, str]:
        return dict(self.matcher.timing.warnings(self.matcher.slop))


def constant(value: float) -> np.ndarray:
    return np.full(FRAMES, value)


def test_keypoints_with_the_stamps_of_their_images_give_no_warning():
    stream = Stream().play(constant(0.04), constant(0.0))
    assert len(stream.pairs) == FRAMES and stream.warnings == {} and not stream.drops
    values = stream.matcher.timing.values
    assert values["pairs.offset.mean_ms"] == values["pairs.offset.spread_ms"] == "0.0"
    assert values["pairs.arrival.mean_ms"] == "40.0" and values["image_period_ms"] == "33.3"


def test_late_keypoints_with_equal_stamps_find_their_images():
    random = np.random.default_rng(0)
    latency = np.sort(random.uniform(0.32, 0.80, FRAMES))
    stream = Stream().play(latency, constant(0.0))
    assert stream.pairs == [(i, i) for i in range(FRAMES)]
    assert stream.warnings == {} and not stream.drops
    assert 320 < float(stream.matcher.timing.values["pairs.arrival.mean_ms"]) < 800


def test_keypoints_stamped_on_sending_are_a_warning():
    sending = 0.08 + np.random.default_rng(1).normal(scale=0.015, size=FRAMES)
    stream = Stream().play(sending, sending)
    assert stream.pairs and all(image != keypoints for image, keypoints in stream.pairs)
    text = stream.warnings["stamps_never_equal"]
    assert "copy the stamp of the image" in text and "ms" in text
    for detail in stream.details.values():
        assert "copy the image's stamp" in detail or "newer one" in detail


@pytest.mark.parametrize("offset", [0.033, 0.040])
def test_a_constant_offset_of_about_a_frame_is_a_warning(offset):
    stream = Stream().play(constant(0.02), constant(offset))
    assert stream.pairs and all(image != keypoints for image, keypoints in stream.pairs)
    assert "stamps_never_equal" in stream.warnings


def test_an_offset_of_exactly_a_frame_comes_before_its_image():
    stream = Stream().play(constant(0.01), constant(PERIOD))
    assert stream.pairs and all(image == keypoints + 1 for image, keypoints in stream.pairs)
    assert "23 ± 0 ms before the image" in stream.warnings["keypoints_before_image"]


def test_a_slop_beyond_half_a_period_is_never_advised_and_a_warning_when_set():
    stream = Stream().play(constant(0.5), constant(PERIOD / 2 + 0.002), every=3)
    assert not any("sync_slop" in detail for detail in stream.details.values())
    stream = Stream(slop=0.1).play(constant(0.5), constant(0.05))
    assert "is more than half an image period, 0.017 s" in stream.warnings["sync_slop"]


def test_a_slop_that_would_do_is_advised_with_its_value():
    stream = Stream(slop=0.002).play(constant(0.02), constant(0.006))
    assert "raise sync_slop to 0.007" in stream.details["image_unmatched"]


def test_keypoints_whose_image_was_given_up_are_late_and_not_offset():
    stream = Stream().play(constant(2.5), constant(0.0))
    assert stream.pairs == [(i, i) for i in range(59, FRAMES)]  # nothing came after these
    assert stream.drops["keypoints_too_late"] == 59 and not stream.warnings
    assert "use a faster tracker" in stream.details["keypoints_too_late"]


def test_an_image_that_is_given_up_before_its_late_keypoints_lacks_no_stamp():
    for latency, size in ((2.5, 0), (0.5, 32 * 2**20)):
        stream = Stream()
        first: list[str] = []
        stream.matcher._on_drop = lambda reason, text, kept=first: kept.append((reason, text))
        stream.play(constant(latency), constant(0.0), size=size)
        texts = [text for reason, text in first if reason == "image_unmatched"]
        assert texts[0].startswith("no keypoints came yet, 2 s and 256 MiB of images are kept")
        assert texts[-1].startswith("its keypoints come too late, 2 s and 256 MiB")
        assert not any("stamp" in text for text in texts)


def test_images_that_are_delayed_on_their_way_are_not_called_other_ones_alone():
    matcher = StampMatcher(0.01, lambda *_: None)
    for i in range(40):  # a camera that tracks hands itself, with large images on a slow link
        stamp = round(1e9 * (START + i * PERIOD))
        matcher.add_keypoints(stamp, i, arrival=i * PERIOD + 0.01)
        assert matcher.add_image(stamp, i, arrival=i * PERIOD + 0.1).keypoints == i
    text = dict(matcher.timing.warnings(0.01))["keypoints_before_image"]
    assert "90 ± 0 ms before" in text and "or images are delayed on their way" in text


@pytest.mark.parametrize(("offset", "said"), [(0.0001, "0.0001 s away"), (0.004, "0.004 s away")])
def test_a_small_gap_is_said_with_its_digits(offset, said):
    stream = Stream(slop=0.0).play(constant(0.02), constant(offset))
    assert said in stream.details["image_unmatched"]


def test_some_pairs_of_other_images_are_a_warning_with_their_share():
    some = np.where(np.arange(FRAMES) % 5, 0.0, 0.030)  # taken for the next image, 3 ms away
    stream = Stream().play(constant(0.05), some)
    assert any(image != keypoints for image, keypoints in stream.pairs)
    text = stream.warnings["stamps_differ"]
    assert "differ in 2" in text and "% of the pairs, by up to 3 ms" in text


def test_stamps_that_are_rounded_to_milliseconds_are_no_warning():
    stamps = START + PERIOD * np.arange(FRAMES)
    stream = Stream().play(constant(0.04), np.round(stamps, 3) - stamps)
    assert stream.pairs == [(i, i) for i in range(FRAMES)]
    assert not stream.warnings


@pytest.mark.parametrize("rate", [15, 60, 90])
@pytest.mark.parametrize("offset", [0.033, -0.033, 0.04, 0.08])
def test_an_offset_is_a_warning_or_leads_to_nothing_at_any_rate(rate, offset):
    matcher, pairs, said = StampMatcher(0.01, lambda *_: None), [], set()
    events = [(i / rate, 0, i) for i in range(150)] + [(i / rate + 0.02, 1, i) for i in range(150)]
    for arrival, kind, i in sorted(events):
        stamp = round(1e9 * (START + i / rate + kind * offset))
        add = matcher.add_keypoints if kind else matcher.add_image
        pair = add(stamp, i, arrival=arrival)
        if pair is not None:
            pairs.append(pair.image - pair.keypoints)
            said |= dict(matcher.timing.warnings(matcher.slop)).keys()
    assert not pairs or said & {"stamps_never_equal", "sync_slop"}


def test_images_are_kept_by_memory():
    large = 32 * 2**20
    stream = Stream().play(constant(0.2), constant(0.0), size=large)
    assert len(stream.pairs) == FRAMES
    stream = Stream().play(constant(0.5), constant(0.0), size=large)
    assert stream.pairs == [(i, i) for i in range(FRAMES - 8, FRAMES)]


def test_stamps_of_another_clock_are_called_so():
    stream = Stream().play(constant(0.02), constant(1_795_788_000.0))
    assert "of another clock" in stream.details["image_unmatched"]


def test_images_of_refused_keypoints_do_not_lack_keypoints():
    stream = Stream()
    for i in range(FRAMES):
        stamp = round(1e9 * (START + i * PERIOD))
        stream.matcher.add_image(stamp, i)
        stream.matcher.refuse_keypoints(stamp)
    assert stream.drops.keys() == {"image_keypoints_refused"}


@pytest.mark.parametrize(
    ("offsets", "clock"),
    [
        (constant(0.0), "image"),
        (constant(0.004), "offset"),
        (constant(-0.003), "offset"),
        (np.random.default_rng(3).uniform(-0.008, 0.008, FRAMES), "own"),
        (np.where(np.arange(FRAMES) % 5, 0.0, 0.004), "mixed"),
    ],
)
def test_diagnostics_name_the_clock_that_keypoints_are_stamped_by(offsets, clock):
    stream = Stream().play(constant(0.04), offsets)
    assert stream.matcher.timing.values["pairs.clock"] == clock
    assert ("stamps_never_equal" in stream.warnings) == (clock in ("offset", "own"))


def test_a_tracker_with_a_clock_of_its_own_is_a_warning_for_as_long_as_it_runs():
    matcher = StampMatcher(0.01, lambda *_: None)
    random = np.random.default_rng(4)
    for i in range(2000):  # a camera at 30 Hz, a tracker at 90 Hz whose clock gains 0.1 %
        matcher.add_image(round(1e9 * (START + i / 30)), i, arrival=i / 30)
        for third in range(3):
            seconds = (i + third / 3) / 30 + random.normal(scale=1e-4)
            stamp_ns = round(1e9 * (START + 1.001 * seconds))
            matcher.add_keypoints(stamp_ns, i, arrival=seconds + 0.001)
        if i > 200:
            assert "stamps_never_equal" in dict(matcher.timing.warnings(matcher.slop))
    assert abs(float(matcher.timing.values["pairs.drift_ppm"]) - 1000) < 50
