"""What the tracker needs of a model and of a detector, whichever they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.pair import Keypoints
from im2hands_ros.pipeline import Settle
from im2hands_ros.scene import Hands

Joints = NDArray[np.float32]  # (21, 3) metres, camera frame, MANO order


class Field(Protocol):
    """The occupancy field of one hand, as `scene.HandField` is."""

    def occupancy(self, points: NDArray[np.floating]) -> NDArray[np.float32]: ...


class EncodedScene(Protocol):
    """What a model found in a frame, as `scene.Scene` is."""

    @property
    def keypoints(self) -> Mapping[str, Joints | None]: ...

    @property
    def confidence(self) -> Mapping[str, float | None]: ...

    @property
    def swapped(self) -> bool: ...

    @property
    def left(self) -> Field | None: ...

    @property
    def right(self) -> Field | None: ...

    def reconstruct(self, resolution: int, threshold: float, voxel_size: float) -> Hands: ...


class FrameModel(Protocol):
    """What the tracker needs of a model, as `Im2Hands` is."""

    refine_keypoints: bool
    refine_occupancy: bool

    @property
    def stages(self) -> tuple[str, ...]: ...

    @property
    def can_use_depth(self) -> bool: ...

    def encode(
        self,
        image: NDArray[np.uint8],
        keypoints: Keypoints,
        camera: Camera,
        depth: NDArray[np.float32] | None = None,
        *,
        settle: Settle | None = None,
    ) -> EncodedScene: ...

    def warm_up(self, resolution: int) -> None: ...


class Detection(Protocol):
    """One detected hand, as `detection.detector.DetectedHand` is."""

    @property
    def keypoints(self) -> Joints: ...

    @property
    def confidence(self) -> float: ...


class Detector(Protocol):
    """Finds hands in the images of a stream, as `detection.detector.HandDetector` does."""

    def detect(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        depth: NDArray[np.float32] | None = None,
        *,
        stamp: float | None = None,
        previous: Mapping[str, Joints | None] | None = None,
    ) -> Mapping[str, Detection | None]: ...
