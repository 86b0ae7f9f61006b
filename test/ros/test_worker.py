"""The worker's mailbox keeps the newest item; the worker does everything on one thread."""

from __future__ import annotations

import threading
import time

import pytest

from im2hands_ros.ros.worker import Mailbox, Worker


def test_the_mailbox_gives_the_newest_item_once():
    mailbox: Mailbox[int] = Mailbox()
    assert not mailbox.put(1)
    assert mailbox.put(2)
    assert mailbox.take(0) == 2
    assert mailbox.take(0) is None


def test_closing_the_mailbox_wakes_the_reader():
    mailbox: Mailbox[int] = Mailbox()
    threading.Timer(0.05, mailbox.close).start()
    assert mailbox.take(1000) is None
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
    # Idle periods between the slices would take five times as long as `wait_until` waits.
    wait_until(lambda: len(slices) >= 100 and 2 in slices)
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
