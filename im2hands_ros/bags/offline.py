"""A frame of a bag to its results, in this process and without ROS: the node's steps in a row."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from im2hands_ros.bags.frames import Decoder, Frame
from im2hands_ros.bags.stage_times import StageTimes
from im2hands_ros.messages.encoding import ResultEncoder
from im2hands_ros.messages.errors import BadInput
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.stages import Stages
from im2hands_ros.scene import Hands
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.one_euro import OneEuro

Keypoints = dict[str, "np.ndarray | None"]


class Offline:
    """Reconstructs frames in their order. Use as a context manager.

    Args:
        settings: the node's parameters.
        decoder: makes pixels and a camera of a frame.

    Attributes:
        times: of the stages.
    """

    def __init__(self, settings: Settings, decoder: Decoder) -> None:
        self._settings, self._decoder = settings, decoder
        self._model: Any = Im2Hands.load(
            weights=settings.weights or None,
            preset=settings.preset,
            device=settings.device,
            precision=settings.precision,
        )
        Stages(lambda text: print(f"im2hands replay: {text}", file=sys.stderr)).apply(
            self._model, settings
        )
        self._encoder = ResultEncoder()
        self._filters = {side: OneEuro() for side in SIDES}
        self.times = StageTimes()

    def __enter__(self) -> Offline:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held beyond this object."""

    def __call__(self, frame: Frame) -> list[tuple[str, bytes]]:
        """(topic, serialised message) of a frame's results.

        Raises:
            BadInput: an image, calibration or keypoints that cannot be used.
        """
        with self.times.stage("decode"):
            image, camera = self._decoder(frame)
        hands = self._reconstruct(image, self._smoothed(frame), camera)
        for stage, milliseconds in hands.timings_ms.items():
            self.times.took(stage, milliseconds)
        with self.times.stage("serialise"):
            voxel_size = self._settings.occupancy_voxel_size
            return list(self._encoder.encode(frame.header, hands, voxel_size))

    def _smoothed(self, frame: Frame) -> Keypoints:
        cutoff, stamp = self._settings.smoothing, frame.header.stamp
        hands = dict(frame.keypoints.hands)
        for side, points in hands.items():
            if points is None or not cutoff:
                self._filters[side].reset()
            else:
                seconds = stamp.sec + stamp.nanosec / 1e9
                hands[side] = self._filters[side](points, seconds, cutoff)
        return hands

    def _reconstruct(self, image: np.ndarray, keypoints: Keypoints, camera: Any) -> Hands:
        if all(points is None for points in keypoints.values()):
            return Hands(None, None)
        try:
            scene = self._model.encode(image, keypoints, camera)
        except ValueError as error:
            raise BadInput("refused", str(error)) from error
        return scene.reconstruct(
            resolution=self._settings.resolution,
            threshold=self._settings.occupancy_threshold,
            voxel_size=self._settings.occupancy_voxel_size,
        )
