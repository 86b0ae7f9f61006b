"""From frames to written results, with a bar, and an end in order on a signal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from im2hands_ros.bags.frames import Frame, Frames, Message
from im2hands_ros.bags.output import Output
from im2hands_ros.messages.errors import BadInput

_BAR = "{percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} s [{elapsed}<{remaining}{postfix}]"


class Replayed:
    """Reads, reconstructs and writes, frame by frame, and counts what became of it."""

    def __init__(self, frames: Frames, output: Output, copies: bool) -> None:
        self.frames, self.output, self._copies = frames, output, copies
        self.written = 0
        self.seconds = 0.0
        self.interrupted = False
        self._camera_info: Message | None = None

    def run(self, engine: Any, window_ns: tuple[int, int]) -> None:
        """Replay to the end, or until a signal; the output is closed whatever happens."""
        started, first_ns = time.perf_counter(), window_ns[0]
        seconds = (window_ns[1] - first_ns) / 1e9
        try:
            with (
                tqdm(total=seconds, bar_format=_BAR, dynamic_ncols=True) as bar,
                _stop_on_signal(self),
            ):
                for frame, received_ns in self.frames.steps():
                    if frame is not None:
                        self._take(engine, frame)
                        bar.set_postfix_str(f"{self.written} frames", refresh=False)
                    bar.update(max(0.0, min(seconds, (received_ns - first_ns) / 1e9) - bar.n))
                    if self.interrupted:
                        break
                else:
                    bar.update(seconds - bar.n)
        finally:
            self.output.close()
            self.seconds = time.perf_counter() - started

    def _take(self, engine: Any, frame: Frame) -> None:
        try:
            results = engine(frame)
        except BadInput as problem:
            self.frames.skip(problem.reason, str(problem))
            return
        with engine.times.stage("write"):
            if self._copies:
                self._copy(frame)
            self.output.write(results, frame.image.raw.received_ns)
        self.written += 1

    def _copy(self, frame: Frame) -> None:
        for message in (frame.camera_info, frame.keypoints_message, frame.image):
            if message is not None and message is not self._camera_info:
                self.output.copy(message.raw)
        self._camera_info = frame.camera_info  # it may serve many frames


@contextmanager
def _stop_on_signal(replayed: Replayed) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends after the frame at work; a second one at once."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, _: Any) -> None:
        replayed.interrupted = True
        signal.signal(number, before[signal.Signals(number)])

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
