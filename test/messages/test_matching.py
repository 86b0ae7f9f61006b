"""Images and keypoints are paired by stamp, whatever the order and whatever the clock does."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from im2hands_ros.messages.matching import StampMatcher

MS = 1_000_000
START = 1_000_000 * MS


class Matching:
    """A matcher that remembers its pairs and drops; stamps in milliseconds after the start."""

    def __init__(self, slop: float = 0.01, capacity: int = 8) -> None:
        self.drops: Counter[str] = Counter()
        self.details: list[str] = []
        self.pairs: list[tuple[int, int]] = []
        self.matcher = StampMatcher(slop, self._on_drop, capacity)

    def _on_drop(self, reason: str, detail: str) -> None:
        self.drops[reason] += 1
        self.details.append(detail)

    def image(self, stamp: int) -> None:
        self._note(self.matcher.add_image(START + stamp * MS, stamp))

    def keypoints(self, stamp: int) -> None:
        self._note(self.matcher.add_keypoints(START + stamp * MS, stamp))

    def both(self, *stamps: int) -> None:
        for stamp in stamps:
            self.image(stamp)
            self.keypoints(stamp)

    def _note(self, pair: object) -> None:
        if pair is not None:
            assert pair.stamp == START + pair.image * MS
            self.pairs.append((pair.image, pair.keypoints))


@pytest.fixture
def matching():
    return Matching()


def test_equal_stamps_pair_in_either_order(matching):
    matching.image(0)
    matching.keypoints(0)
    matching.keypoints(33)
    matching.image(33)
    assert matching.pairs == [(0, 0), (33, 33)]
    assert not matching.drops


def test_stamps_within_the_slop_pair_and_others_do_not(matching):
    matching.image(0)
    matching.keypoints(11)
    assert not matching.pairs
    matching.keypoints(10)
    assert matching.pairs == [(0, 10)]


def test_the_nearest_partner_is_taken():
    matching = Matching(slop=0.05)
    for stamp in (0, 20, 40):
        matching.image(stamp)
    matching.keypoints(24)
    assert matching.pairs == [(20, 24)]
    assert matching.drops == {"image_skipped": 1}


def test_slow_keypoints_find_their_image_again(matching):
    for stamp in range(0, 200, 33):
        matching.image(stamp)
    matching.keypoints(33)
    matching.keypoints(132)
    assert matching.pairs == [(33, 33), (132, 132)]
    assert matching.drops == {"image_skipped": 3}


def test_messages_out_of_order_pair_and_pairs_rise(matching):
    matching.keypoints(66)
    matching.keypoints(33)
    matching.image(33)
    matching.image(66)
    matching.both(100)
    matching.both(90)
    assert matching.pairs == [(33, 33), (66, 66), (100, 100)]
    assert matching.drops == {"image_late": 1, "keypoints_late": 1}


def test_duplicates_are_counted_and_pair_once(matching):
    matching.image(0)
    matching.image(0)
    matching.keypoints(0)
    matching.keypoints(0)
    matching.image(0)
    assert matching.pairs == [(0, 0)]
    assert matching.drops == {"image_duplicate": 2, "keypoints_duplicate": 1}


def test_zero_stamps_are_refused(matching):
    assert matching.matcher.add_image(0, "image") is None
    assert matching.matcher.add_keypoints(0, "keypoints") is None
    assert matching.drops == {"image_zero_stamp": 1, "keypoints_zero_stamp": 1}


@pytest.mark.parametrize("jump", [100_000, 1_500, 300])
def test_pairs_flow_again_within_five_frames_of_a_clock_jump(matching, jump):
    matching.both(*range(200_000, 200_500, 33))
    before = len(matching.pairs)
    restart = 200_500 - jump
    matching.both(*range(restart, restart + 5 * 33, 33))
    assert len(matching.pairs) > before
    assert matching.pairs[-1] == (restart + 4 * 33,) * 2


def test_messages_of_the_old_clock_do_not_pair_with_the_new_one(matching):
    matching.both(50_000)
    matching.image(50_033)
    matching.both(100, 133)
    matching.keypoints(50_033)
    matching.both(166)
    assert matching.pairs == [(50_000, 50_000), (100, 100), (133, 133), (166, 166)]
    assert matching.drops["image_clock_jump"] == 1


def test_shuffled_streams_give_rising_pairs_within_the_slop():
    random = np.random.default_rng(3)
    matching = Matching(slop=0.004)
    messages = [("image", 33 * i) for i in range(200)]
    messages += [("keypoints", 33 * i + int(random.integers(-3, 4))) for i in range(200)]
    times = [stamp + random.uniform(0, 150) for _, stamp in messages]
    for place in np.argsort(times):
        name, stamp = messages[place]
        getattr(matching, name)(stamp + 1000)
    images = [image for image, _ in matching.pairs]
    assert images == sorted(set(images))
    assert all(abs(image - keypoints) <= 4 for image, keypoints in matching.pairs)
    assert len(matching.pairs) > 50


def test_every_message_is_paired_waiting_or_counted(matching):
    random = np.random.default_rng(4)
    for _ in range(500):
        name = "image" if random.random() < 0.5 else "keypoints"
        getattr(matching, name)(int(random.integers(0, 400)) * 10 + 1)
    accounted = 2 * len(matching.pairs) + sum(matching.drops.values())
    assert 500 - 2 * 8 <= accounted <= 500


def test_buffers_are_bounded_and_what_leaves_them_names_the_gap(matching):
    matching.keypoints(400)
    for stamp in range(0, 3000, 33):
        matching.image(stamp + 5000)
    assert matching.drops == {"image_unmatched": len(range(0, 3000, 33)) - 8}
    away = (
        "the nearest stamp of keypoints is 4.600 s away: copy the image's stamp into the keypoints"
    )
    assert away in matching.details


def test_forgetting_lets_old_stamps_in_again(matching):
    matching.both(1000)
    matching.matcher.clear()
    matching.both(900)
    assert matching.pairs == [(1000, 1000), (900, 900)]
