"""A stream of images to a written bag of what the tracker found, with a bar."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from tqdm import tqdm

from im2hands_ros.bad_input import BadInput
from im2hands_ros.bags.definitions import Topic, standard_types
from im2hands_ros.bags.output import Output
from im2hands_ros.bags.reader import RawMessage
from im2hands_ros.bags.running import Once, stop_on_signal
from im2hands_ros.bags.topics import CAMERA_INFO, COMPRESSED_IMAGE, HAND_KEYPOINTS
from im2hands_ros.camera import Camera
from im2hands_ros.messages.camera_info import Calibration, write_camera_info
from im2hands_ros.messages.header import Header, Stamp
from im2hands_ros.messages.images import write_compressed_image
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.messages.results import ResultEncoder
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.tracking.image_stream import ImageStream
from im2hands_ros.tracking.tracker import HandTracker, TrackedFrame

_NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")
_INPUTS = (
    Topic("/image/compressed", COMPRESSED_IMAGE, 0, _NO_DEFINITION),
    Topic("/camera_info", CAMERA_INFO, 0, _NO_DEFINITION),
    Topic("/keypoints", HAND_KEYPOINTS, 0, _NO_DEFINITION),
)
_FIRST_STAMP = 1.0  # seconds; zero would mean that there is none


class FrameSink(Protocol):
    """Takes the frames that were tracked, as `viewing.overlay.OverlayVideo` does."""

    def add(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        meshes: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int32]]],
    ) -> None: ...

    def close(self) -> None: ...


class Track:
    """Reads, tracks and writes, frame by frame, and counts what became of it.

    Args:
        stream: the frames.
        camera: their intrinsics.
        frame_id: of all results.
        path: bag folder or .mcap file to write.
        with_inputs: images, calibration and keypoints are written as well.
        overlay: takes every frame with its meshes.

    Attributes:
        frames: how many were read. hands: how many surfaces were found, by side.
        skipped: reason -> frames that came to nothing.
    """

    def __init__(
        self,
        stream: ImageStream,
        camera: Camera,
        frame_id: str,
        path: Path,
        with_inputs: bool,
        overlay: FrameSink | None = None,
    ) -> None:
        self._stream, self._camera, self._frame_id = stream, camera, frame_id
        self._with_inputs, self._overlay = with_inputs, overlay
        self.output = Output(path, _INPUTS if with_inputs else (), standard_types())
        self._encoder = ResultEncoder()
        self._look = (0.0, True)  # voxel size, smooth markers
        self.frames, self.seconds, self.interrupted = 0, 0.0, False
        self.hands: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.times = Stopwatch()

    def run(self, tracker: HandTracker, warn: Callable[[str], None]) -> None:
        """Track to the end, or until a signal; what is written is completed whatever happens.

        Args:
            tracker: with a detector.
            warn: called with what the user should know, once for each kind.
        """
        started = time.perf_counter()
        once = Once(warn)
        settings = tracker.settings
        self._look = settings.occupancy_voxel_size, settings.smooth_markers
        try:
            with stop_on_signal(self), tqdm(total=self._stream.count or None, unit="frame") as bar:
                for image in self._stream:
                    if self.interrupted:
                        break
                    self._take(tracker, image, once)
                    self.frames += 1
                    bar.update()
        finally:
            self.output.close()
            if self._overlay is not None:
                self._overlay.close()
            self.seconds = time.perf_counter() - started

    def _take(self, tracker: HandTracker, image: NDArray[np.uint8], warn: Once) -> None:
        stamp = _FIRST_STAMP + self.frames / self._stream.rate
        frame = TrackedFrame()
        try:
            with self.times.stage("track"):
                frame = tracker.update(image, stamp, self._camera)
        except BadInput as problem:
            self.skipped[problem.reason] += 1
            warn(problem.reason, str(problem))
        except Exception as error:  # noqa: BLE001 - one bad frame does not end a stream
            self.skipped["pipeline_error"] += 1
            warn("pipeline_error", f"a frame failed: {type(error).__name__}: {error}")
        for kind, text in frame.warnings:
            warn(kind, text)
        with self.times.stage("write"):
            self._write(image, round(1e9 * stamp), frame)

    def _write(self, image: NDArray[np.uint8], stamp_ns: int, frame: TrackedFrame) -> None:
        header = Header(Stamp(*divmod(stamp_ns, 10**9)), self._frame_id)
        if self._with_inputs:
            for topic, data in self._inputs(header, image, frame):
                self.output.copy(RawMessage(topic, stamp_ns, data))
        results = self._encoder.encode(header, frame.surfaces, *self._look, frame.present)
        self.output.write(results, stamp_ns)
        meshes = {
            side: (hand.surface.vertices, hand.surface.triangles)
            for side, hand in frame.present.items()
            if hand.surface is not None
        }
        self.hands.update(meshes.keys())
        if self._overlay is not None:
            self._overlay.add(image, self._camera, meshes)

    def _inputs(
        self, header: Header, image: NDArray[np.uint8], frame: TrackedFrame
    ) -> Iterator[tuple[str, bytes]]:
        yield "/camera_info", write_camera_info(header, Calibration.of(self._camera))
        yield "/keypoints", write_keypoints(header, frame.given, dict.fromkeys(frame.given, 1.0))
        yield "/image/compressed", write_compressed_image(header, image)
