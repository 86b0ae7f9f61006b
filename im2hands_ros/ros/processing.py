"""A frame on the worker's thread: messages in, `HandTracker.update`, messages out."""

from __future__ import annotations

import time
from collections.abc import Callable

from builtin_interfaces.msg import Time

from im2hands_ros.messages.camera_info import camera_from_info
from im2hands_ros.messages.images import read_image
from im2hands_ros.ros.diagnostics import Health
from im2hands_ros.ros.inputs import Frame
from im2hands_ros.ros.outputs import Outputs
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.queries import Queries
from im2hands_ros.tracking.budget import LatencyBudget
from im2hands_ros.tracking.tracker import Extent, HandTracker, TrackedFrame

_LONGEST_LATENCY = 60.0  # seconds; an older stamp is of another clock


class Processing:
    """Turns a frame into published hands and notes how long each stage took.

    Args:
        outputs: where results go.
        queries: keeps each frame's field to be evaluated at any point.
        health: takes the times and counts.
        settings: gives the settings to use for the next frame.
        age: seconds since a stamp, by the node's clock.
        warn: called as `warn(kind, text)` for what a user must repair.
        inform: called with a line that is no problem.
    """

    def __init__(
        self,
        outputs: Outputs,
        queries: Queries,
        health: Health,
        settings: Callable[[], Settings],
        age: Callable[[Time], float],
        warn: Callable[[str, str], None],
        inform: Callable[[str], None],
    ) -> None:
        self._outputs, self._queries, self._health = outputs, queries, health
        self._settings, self._age = settings, age
        self._warn, self._inform = warn, inform
        self._budget = LatencyBudget()
        self._running = self._missing = ""

    @property
    def values(self) -> dict[str, str]:
        """Stages that run and resolution, for diagnostics; empty before the first frame."""
        running = {"stages": self._running} if self._running else {}
        return running | self._budget.values

    @property
    def notice(self) -> str:
        """Says that the resolution is reduced; empty when it is not."""
        return self._budget.notice

    def set_up(self, tracker: HandTracker) -> None:
        """Make the tracker ready for its first frame."""
        tracker.warm_up()
        self._note_stages(tracker)

    def process(self, tracker: HandTracker, frame: Frame) -> None:
        """Decode, track, publish; no step that nobody has subscribed to.

        Raises:
            BadInput: an image, calibration or keypoints that cannot be used.
            Exception: whatever the model raised.
        """
        settings, header = self._settings(), frame.image.header
        if not self._outputs.is_open or self._is_too_old(header.stamp, settings.max_age):
            return
        started = time.perf_counter()
        with self._health.stage("frame"):
            with self._health.stage("decode"):
                image = read_image(frame.image)
                camera = camera_from_info(frame.camera_info, image.shape[1::-1])
            extent = self._extent()
            tracker.settings = self._frame_settings(settings)
            stamp = header.stamp.sec + header.stamp.nanosec / 1e9
            hands = tracker.update(image, stamp, camera, frame.keypoints.hands, extent=extent)
            self._note(tracker, hands)
            if hands.scene is not None or extent >= Extent.FIELD:
                self._queries.keep(header, hands.scene)
            with self._health.stage("publish"):
                published = self._outputs.publish(
                    header,
                    hands,
                    hands.surfaces if extent == Extent.SURFACES else None,
                    settings.occupancy_voxel_size,
                )
        if extent == Extent.SURFACES and hands.scene is not None:
            self._budget.note(1e3 * (time.perf_counter() - started))
        if published:
            self._health.publish()
            self._note_latency(header.stamp)

    def _extent(self) -> Extent:
        if self._outputs.wants_surfaces():
            return Extent.SURFACES
        return Extent.FIELD if self._queries.interested else Extent.KEYPOINTS

    def _frame_settings(self, settings: Settings) -> Settings:
        resolution = self._budget.resolution(settings.resolution, settings.latency_budget_ms)
        return settings.changed({"resolution": resolution})

    def _note(self, tracker: HandTracker, hands: TrackedFrame) -> None:
        self._note_stages(tracker)
        for stage, milliseconds in hands.timings_ms.items():
            self._health.took(stage, milliseconds)
        for kind, text in hands.warnings:
            self._warn(kind, text)

    def _note_stages(self, tracker: HandTracker) -> None:
        self._running = ", ".join(tracker.running_stages)
        missing = tracker.missing_stages
        if missing and missing != self._missing:
            self._inform(missing)
        self._missing = missing

    def _is_too_old(self, stamp: Time, max_age: float) -> bool:
        age = self._age(stamp)
        if not 0 < max_age < age:
            return False
        self._health.drop("too_old")
        self._warn(
            "too_old",
            f"a frame is {age:.3g} s old: set use_sim_time for bags, or raise max_age "
            f"({max_age} s)",
        )
        return True

    def _note_latency(self, stamp: Time) -> None:
        age = self._age(stamp)
        if 0 <= age < _LONGEST_LATENCY:
            self._health.took("latency", 1e3 * age)
