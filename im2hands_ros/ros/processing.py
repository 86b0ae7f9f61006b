"""The steps of a frame, on the worker's thread: decode, smooth, encode, reconstruct, publish."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image

from im2hands_ros.camera import Camera
from im2hands_ros.messages.camera_info import camera_of
from im2hands_ros.messages.images import compressed_image_to_rgb, image_to_rgb
from im2hands_ros.ros.diagnostics import Health
from im2hands_ros.ros.inputs import Frame
from im2hands_ros.ros.outputs import Outputs
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.queries import Queries
from im2hands_ros.ros.stages import Stages
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.budget import LatencyBudget
from im2hands_ros.tracking.one_euro import OneEuro

Keypoints = dict[str, np.ndarray | None]

_NO_HANDS = SimpleNamespace(left=None, right=None, timings_ms={})
_LONGEST_LATENCY = 60.0  # seconds; an older stamp is of another clock


def decode(message: Image | CompressedImage) -> np.ndarray:
    """(H, W, 3) uint8 RGB of either kind of image; raises BadInput."""
    compressed = isinstance(message, CompressedImage)
    return compressed_image_to_rgb(message) if compressed else image_to_rgb(message)


def _without_surfaces(keypoints: Keypoints, confidence: dict[str, float | None]) -> Any:
    """What wrist poses need; `left` and `right` as in the model's answer."""
    hands = {
        side: None
        if xyz is None
        else SimpleNamespace(keypoints=xyz, confidence=confidence.get(side))
        for side, xyz in keypoints.items()
    }
    return SimpleNamespace(**hands, timings_ms={})


class Processing:
    """Turns a frame into published hands and notes how long each stage took.

    Args:
        outputs: where results go.
        queries: keeps each frame's field to be asked about.
        budget: chooses the resolution.
        stages: chooses the networks.
        health: takes the times and counts.
        settings: gives the settings to use for the next frame.
        age: seconds since a stamp, by the node's clock.
        complain: called as `complain(kind, text)` for what a user must repair.
    """

    def __init__(
        self,
        outputs: Outputs,
        queries: Queries,
        budget: LatencyBudget,
        stages: Stages,
        health: Health,
        settings: Callable[[], Settings],
        age: Callable[[Time], float],
        complain: Callable[[str, str], None],
    ) -> None:
        self._outputs, self._queries = outputs, queries
        self._budget, self._stages, self._health = budget, stages, health
        self._settings, self._age, self._complain = settings, age, complain
        self._filters = {side: OneEuro() for side in SIDES}

    def process(self, model: Any, frame: Frame) -> None:
        """Decode, smooth, encode, reconstruct, publish; no step that nobody wants.

        Raises:
            BadInput: an image or calibration that cannot be used.
            Exception: whatever the model raised.
        """
        settings, header = self._settings(), frame.image.header
        if not self._outputs.is_open or self._is_too_old(header.stamp, settings.max_age):
            return
        started = time.perf_counter()
        self._stages.apply(model, settings)
        with self._health.stage("frame"):
            with self._health.stage("decode"):
                image = decode(frame.image)
                camera = camera_of(frame.camera_info, image.shape[1::-1])
            keypoints = self._smooth(frame.keypoints.hands, header.stamp, settings.smoothing)
            surfaces_wanted = self._outputs.wants_surfaces()
            scene = None
            if surfaces_wanted or self._queries.interested or model.refine_keypoints:
                scene = self._encode(model, image, keypoints, camera)
                self._queries.keep(header, scene)
                self._warn_of_exchanged_hands(model, scene)
            if surfaces_wanted:
                hands = self._reconstruct(scene, settings)
            elif scene is not None:
                hands = _without_surfaces(scene.keypoints, scene.confidence)
            else:
                hands = _without_surfaces(keypoints, {})
            with self._health.stage("publish"):
                published = self._outputs.publish(header, hands, settings.occupancy_voxel_size)
        if surfaces_wanted and scene is not None:
            self._budget.note(1e3 * (time.perf_counter() - started))
        if published:
            self._health.publish()
            self._note_latency(header.stamp)

    def _smooth(self, keypoints: Keypoints, stamp: Time, cutoff: float) -> Keypoints:
        seconds = stamp.sec + stamp.nanosec / 1e9
        smoothed = dict(keypoints)
        for side, points in keypoints.items():
            if points is None or not cutoff:
                self._filters[side].reset()
            else:
                smoothed[side] = self._filters[side](points, seconds, cutoff)
        return smoothed

    @staticmethod
    def _encode(model: Any, image: np.ndarray, keypoints: Keypoints, camera: Camera) -> Any:
        """The scene, or None without a hand."""
        if all(hand is None for hand in keypoints.values()):
            return None
        return model.encode(image, keypoints, camera)

    def _reconstruct(self, scene: Any, settings: Settings) -> Any:
        if scene is None:
            return _NO_HANDS
        hands = scene.reconstruct(
            resolution=self._budget.resolution(settings.resolution, settings.latency_budget_ms),
            threshold=settings.occupancy_threshold,
            voxel_size=settings.occupancy_voxel_size,
        )
        for stage, milliseconds in hands.timings_ms.items():
            self._health.took(stage, milliseconds)
        return hands

    def _warn_of_exchanged_hands(self, model: Any, scene: Any) -> None:
        if scene is not None and model.refine_keypoints and scene.exchanged:
            self._complain(
                "exchanged",
                "the keypoints call the left hand right and the right one left, which is put "
                "right: tell the tracker whether its images are mirrored",
            )

    def _is_too_old(self, stamp: Time, max_age: float) -> bool:
        age = self._age(stamp)
        if not 0 < max_age < age:
            return False
        self._health.drop("too_old")
        self._complain(
            "too_old",
            f"a frame is {age:.3g} s old: set use_sim_time for bags, or raise max_age "
            f"({max_age} s)",
        )
        return True

    def _note_latency(self, stamp: Time) -> None:
        age = self._age(stamp)
        if 0 <= age < _LONGEST_LATENCY:
            self._health.took("latency", 1e3 * age)
