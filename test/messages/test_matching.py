"""Images and keypoints are paired by stamp, whatever the order and whatever the clock does."""

from __future__ import annotations

import threading
import time
from collections import Counter

import numpy as np
import pytest

from im2hands_ros.messages.matching import Mailbox, StampMatcher
from im2hands_ros.ros.worker import Worker

MS = 1_000_000
START = 1_000_000 * MS


class Matching:
    """A matcher that remembers its pairs and drops; stamps in milliseconds after the start."""

    def __init__(self, slop: float = 0.01, capacity: int = 8) -> None:
        self.drops: Counter[str] = Counter()
        self.details: list[str] = []
        self.pairs: list[tuple[int, int]] = []
        self.matcher = StampMatcher(slop, capacity, self._on_drop)

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
    assert "the nearest stamp of keypoints is 4.600 s away" in matching.details


def test_forgetting_lets_old_stamps_in_again(matching):
    matching.both(1000)
    matching.matcher.clear()
    matching.both(900)
    assert matching.pairs == [(1000, 1000), (900, 900)]


def test_the_mailbox_gives_the_newest_item_once():
    mailbox: Mailbox[int] = Mailbox()
    assert not mailbox.put(1)
    assert mailbox.put(2)
    assert mailbox.take(0) == 2
    assert mailbox.take(0) is None


def test_closing_the_mailbox_wakes_the_reader():
    mailbox: Mailbox[int] = Mailbox()
    threading.Timer(0.05, mailbox.close).start()
    start = time.monotonic()
    assert mailbox.take(10) is None
    assert time.monotonic() - start < 5
    assert mailbox.closed


class Diary:
    """A worker's callbacks; notes what happens and on which thread."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.errors: list[str] = []
        self.threads: set[str] = set()
        self.idle_calls = 0
        self.busy = threading.Event()

    def set_up(self) -> str:
        self.threads.add(threading.current_thread().name)
        return "model"

    def work(self, model: str, item: int) -> None:
        assert model == "model"
        self.threads.add(threading.current_thread().name)
        self.busy.set()
        time.sleep(0.02)
        if item < 0:
            raise RuntimeError(f"item {item}")
        self.items.append(item)

    def idle(self) -> None:
        self.idle_calls += 1

    def on_error(self, error: Exception) -> None:
        self.errors.append(str(error))

    def worker(self) -> Worker:
        return Worker(self.set_up, self.work, self.idle, self.on_error)


def wait_until(done: object) -> None:
    deadline = time.monotonic() + 5
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_worker_does_everything_on_one_thread_and_takes_the_newest_item():
    diary = Diary()
    worker = diary.worker()
    worker.start()
    worker.post(0)
    assert diary.busy.wait(5)
    overwritten = [worker.post(item) for item in (1, 2, 3)]
    wait_until(lambda: diary.items == [0, 3])
    assert overwritten == [False, True, True]
    assert diary.threads == {"im2hands_worker"}
    assert worker.stop(5)


def test_the_worker_outlives_an_exception_and_idles_in_between():
    diary = Diary()
    worker = diary.worker()
    worker.start()
    worker.post(-1)
    wait_until(lambda: diary.errors == ["item -1"])
    worker.post(1)
    wait_until(lambda: diary.items == [1])
    wait_until(lambda: diary.idle_calls > 0)
    assert worker.stop(5)


def test_spare_time_is_given_between_items_and_at_once_when_asked_for():
    diary, slices = Diary(), []

    def spare() -> bool:
        if diary.items:
            slices.append(len(diary.items))
        return 0 < len(slices) < 100

    worker = Worker(diary.set_up, diary.work, diary.idle, diary.on_error, spare)
    worker.start()
    worker.post(1)
    wait_until(lambda: slices)
    worker.post(2)
    started = time.monotonic()
    wait_until(lambda: len(slices) >= 100 and 2 in slices)
    assert time.monotonic() - started < 1
    before = len(slices)
    worker.nudge()
    wait_until(lambda: len(slices) > before)
    assert worker.stop(5)


def test_a_failed_set_up_is_raised_where_the_worker_is_started():
    def fail() -> None:
        raise FileNotFoundError("no weights")

    worker = Worker(fail, lambda model, item: None, lambda: None, lambda error: None)
    with pytest.raises(FileNotFoundError, match="no weights"):
        worker.start()
    assert worker.stop(5)


def test_a_slow_set_up_can_be_given_up():
    let_go = threading.Event()
    worker = Worker(let_go.wait, lambda model, item: None, lambda: None, lambda error: None)
    with pytest.raises(InterruptedError):
        worker.start(cancelled=lambda: True)
    assert not worker.stop(0.05)
    let_go.set()
    assert worker.stop(5)
