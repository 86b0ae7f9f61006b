"""A frame on the worker's thread: messages in, `HandTracker.update`, messages out."""

from __future__ import annotations

import time

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera, lens_problem
from im2hands_ros.checks import check_depth
from im2hands_ros.messages.camera_info import camera_from_info, unlike_frame, unusable_frame
from im2hands_ros.messages.images import read_depth, read_image
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.inputs import SyncedFrame
from im2hands_ros.ros.outputs import Outputs
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.queries import Queries
from im2hands_ros.tracking.budget import LatencyBudget
from im2hands_ros.tracking.tracker import Extent, HandTracker, TrackedFrame


class Processing:
    """Turns a frame into published hands and notes how long each stage took.

    Args:
        node: gives the settings of the next frame; counts, warns and tells the age of a stamp.
        outputs: where results go.
        queries: keeps each frame's field to be evaluated at any point.
    """

    def __init__(self, node: BaseNode[Settings], outputs: Outputs, queries: Queries) -> None:
        self._node, self._health = node, node.health
        self._outputs, self._queries = outputs, queries
        self._budget = LatencyBudget()
        self._running = self._missing = self._kernels = ""

    @property
    def values(self) -> dict[str, str]:
        """Stages that run, kernels and resolution, for diagnostics; empty before the model."""
        running = {"stages": self._running, "kernels": self._kernels} if self._running else {}
        return running | self._budget.values

    @property
    def notice(self) -> str:
        """Says that the resolution is reduced; empty when it is not."""
        return self._budget.notice

    def set_up(self, tracker: HandTracker) -> None:
        """Make the tracker ready for its first frame."""
        tracker.warm_up()
        self._kernels = tracker.kernels
        self._node.get_logger().info(f"kernels: {self._kernels}")
        self._note_stages(tracker)

    def process(self, tracker: HandTracker, frame: SyncedFrame) -> None:
        """Decode, track, publish; no step that nobody has subscribed to.

        Raises:
            BadInput: an image, calibration or keypoints that cannot be used.
            Exception: whatever the model raised.
        """
        settings, header = self._node.settings, frame.image.header
        if not self._outputs.is_open or self._is_too_old(header.stamp, settings.max_age):
            return
        started = time.perf_counter()
        with self._health.stage("frame"):
            with self._health.stage("decode"):
                image = read_image(frame.image)
                camera = camera_from_info(frame.camera_info, image.shape[1::-1], frame.topic)
            if problem := lens_problem(camera):
                self._node.warn_throttled("lens", problem)
            extent = self._extent()
            tracker.settings = self._frame_settings(settings)
            stamp = header.stamp.sec + header.stamp.nanosec / 1e9
            given, depth = frame.keypoints, self._depth(frame, camera)
            hands = tracker.update(
                image,
                stamp,
                camera,
                given.hands,
                depth,
                confidence=given.confidence,
                convention=given.convention,
                extent=extent,
            )
            self._note(tracker, frame, hands)
            if hands.scene is not None or extent >= Extent.FIELD:
                self._queries.set_field(header, hands.scene)
            with self._health.stage("publish"):
                published = self._outputs.publish(
                    header,
                    hands.present,
                    hands.surfaces if extent == Extent.SURFACES else None,
                    settings,
                )
        if extent == Extent.SURFACES and hands.scene is not None:
            self._budget.note(1e3 * (time.perf_counter() - started))
        if published:
            self._node.count_published(header.stamp)

    def _depth(self, frame: SyncedFrame, camera: Camera) -> NDArray[np.float32] | None:
        """The frame's depth image, metres; one that cannot be used is counted and left out."""
        if frame.depth is None:
            return None
        try:
            with self._health.stage("decode_depth"):
                depth = read_depth(frame.depth)
            check_depth(depth, camera)
        except BadInput as problem:
            self._health.drop(problem.reason)
            self._node.warn_throttled(problem.reason, f"depth: {problem}")
            return None
        return depth

    def _extent(self) -> Extent:
        if self._outputs.has_surface_subscribers():
            return Extent.SURFACES
        return Extent.FIELD if self._queries.are_active else Extent.KEYPOINTS

    def _frame_settings(self, settings: Settings) -> Settings:
        resolution = self._budget.resolution(settings.resolution, settings.latency_budget_ms)
        return settings.changed({"resolution": resolution})

    def _note(self, tracker: HandTracker, frame: SyncedFrame, hands: TrackedFrame) -> None:
        self._note_stages(tracker)
        frames = frame.camera_info.header.frame_id, frame.image.header.frame_id
        other_frame = unlike_frame(*frames)
        unusable = unusable_frame(frame.image.header.frame_id)
        of_frames = ("camera_info_frame", other_frame), ("frame_id", unusable)
        warnings = hands.warnings + tuple(each for each in of_frames if each[1])
        for stage, milliseconds in hands.timings_ms.items():
            self._health.took(stage, milliseconds)
        for kind, text in warnings:
            self._health.suspect(kind)
            self._node.warn_throttled(kind, text)

    def _note_stages(self, tracker: HandTracker) -> None:
        self._running = ", ".join(tracker.running_stages)
        missing = tracker.missing_stages
        if missing and missing != self._missing:
            self._node.get_logger().info(missing)
        self._missing = missing

    def _is_too_old(self, stamp: Time, max_age: float) -> bool:
        age = self._node.age(stamp)
        if not 0 < max_age < age:
            return False
        self._health.drop("too_old")
        self._node.warn_throttled(
            "too_old",
            f"a frame is {age:.3g} s old: set use_sim_time for bags, or raise max_age "
            f"({max_age} s)",
        )
        return True
