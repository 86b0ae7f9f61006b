"""A bag's frames to written results, with a bar, and an end in order on a signal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from im2hands_ros.bad_input import BadInput
from im2hands_ros.bags.frames import Decoder, Frame, Frames, Message
from im2hands_ros.bags.output import Output
from im2hands_ros.bags.running import Once, stop_on_signal
from im2hands_ros.camera import Camera, lens_problem
from im2hands_ros.checks import check_depth
from im2hands_ros.messages.images import read_depth
from im2hands_ros.messages.results import ResultEncoder
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.tracking.settings import ReplaySettings, load_model
from im2hands_ros.tracking.tracker import HandTracker, TrackedFrame

_BAR = "{percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} s [{elapsed}<{remaining}{postfix}]"

Results = list[tuple[str, bytes]]  # topic and serialised message


class Engine(Protocol):
    """Makes a frame's results; `times` are of its stages. Raises BadInput for a refused frame."""

    @property
    def times(self) -> Stopwatch: ...

    def __call__(self, frame: Frame) -> Results: ...


class TrackerEngine:
    """Reconstructs frames in their order, in this process and without ROS.

    Args:
        settings: the node's parameters.
        decoder: makes pixels and a camera of a frame.
        warn: called with what the user should know, once for each kind.
    """

    def __init__(
        self, settings: ReplaySettings, decoder: Decoder, warn: Callable[[str], None]
    ) -> None:
        self._settings, self._decoder, self._warn = settings, decoder, Once(warn)
        self._tracker = HandTracker(load_model(settings), settings)
        self._encoder = ResultEncoder()
        self.times = Stopwatch()
        if self._tracker.missing_stages:
            self._warn("missing_stages", self._tracker.missing_stages)

    def __call__(self, frame: Frame) -> Results:
        """The results that the node would publish for a frame."""
        with self.times.stage("decode"):
            image, camera = self._decoder(frame)
        if problem := lens_problem(camera):
            self._warn("lens", problem)
        tracked = self._track(frame, image, camera)
        for stage, milliseconds in tracked.timings_ms.items():
            self.times.add(stage, milliseconds)
        for kind, text in tracked.warnings:
            self._warn(kind, text)
        with self.times.stage("serialise"):
            size, smooth = self._settings.occupancy_voxel_size, self._settings.smooth_markers
            posed, surfaces = tracked.present, tracked.surfaces
            return list(self._encoder.encode(frame.header, surfaces, size, smooth, posed))

    def _track(self, frame: Frame, image: NDArray[np.uint8], camera: Camera) -> TrackedFrame:
        stamp = frame.header.stamp
        seconds = stamp.sec + stamp.nanosec / 1e9
        given, depth = frame.keypoints, self._depth(frame, camera)
        try:
            return self._tracker.update(
                image,
                seconds,
                camera,
                given.hands,
                depth,
                confidence=given.confidence,
                convention=given.convention,
            )
        except BadInput:
            raise
        except Exception as error:  # one bad frame does not end a stream, here as in the node
            text = f"a frame failed: {type(error).__name__}: {error}"
            raise BadInput("pipeline_error", text) from error

    def _depth(self, frame: Frame, camera: Camera) -> NDArray[np.float32] | None:
        """The frame's depth image, metres; one that cannot be used is left out and warned of."""
        if frame.depth is None:
            return None
        try:
            with self.times.stage("decode"):
                depth = read_depth(frame.depth.fields)
            check_depth(depth, camera)
        except BadInput as problem:
            self._warn(problem.reason, f"depth: {problem}")
            return None
        return depth


class Replay:
    """Reads, reconstructs and writes, frame by frame, and counts what became of it."""

    def __init__(self, frames: Frames, output: Output, copies: bool, bar: bool = True) -> None:
        self.frames, self.output, self._copies = frames, output, copies
        self._bar = bar
        self.written = 0
        self.seconds = 0.0
        self.interrupted = False
        self._camera_info: Message | None = None

    def run(self, engine: Engine, window_ns: tuple[int, int]) -> None:
        """Replay to the end, or until a signal; the output is closed whatever happens."""
        started, first_ns = time.perf_counter(), window_ns[0]
        seconds = (window_ns[1] - first_ns) / 1e9
        bar = tqdm(total=seconds, bar_format=_BAR, dynamic_ncols=True, disable=not self._bar)
        try:
            with bar, stop_on_signal(self):
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

    def _take(self, engine: Engine, frame: Frame) -> None:
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
        for message in (frame.camera_info, frame.keypoints_message, frame.depth, frame.image):
            if message is not None and message is not self._camera_info:
                self.output.copy(message.raw)
        self._camera_info = frame.camera_info  # it may serve many frames
