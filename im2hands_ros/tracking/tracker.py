"""The frame engine: a stream of images in, both hands of each out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_image, check_keypoints
from im2hands_ros.keypoint_convention import DETECTED, OWN
from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.scene import Hands
from im2hands_ros.skeleton import JOINT_COUNT, SIDES
from im2hands_ros.tracking.interfaces import Detector, EncodedScene, FrameModel, Joints
from im2hands_ros.tracking.joint_confidence import undeclared
from im2hands_ros.tracking.own_joints import OwnJoints
from im2hands_ros.tracking.picture_looks import looks_on
from im2hands_ros.tracking.plausibility import Plausibility, Warnings, severed_pieces
from im2hands_ros.tracking.received_joints import ReceivedJoints
from im2hands_ros.tracking.settings import FrameSettings
from im2hands_ros.tracking.stages import missing_stages, running_stages, switch_stages
from im2hands_ros.tracking.stream_filters import StreamFilters
from im2hands_ros.tracking.tracked_frame import Extent, TrackedFrame, TrackedHand
from im2hands_ros.unseen_joints import Shares, joint_shares

__all__ = ["Extent", "HandTracker", "TrackedFrame", "TrackedHand"]

_UNUSED_DEPTH = (
    "depth images come and are not used, these networks give no depths: use the preset 'compact', "
    "or set use_depth to false"
)


class HandTracker:
    """Turns the frames of one camera into hands, one after the other. For one thread.

    Args:
        model: a loaded `Im2Hands`.
        settings: may be replaced between two frames (attribute `settings`).
        detector: finds the keypoints of frames that come without; None: they must be given.

    Raises:
        FileNotFoundError, ValueError: a ``calibration`` in the settings that cannot be read.
    """

    def __init__(
        self,
        model: FrameModel,
        settings: FrameSettings | None = None,
        detector: Detector | None = None,
    ) -> None:
        self._model, self._detector = model, detector
        self.settings = settings or FrameSettings()
        self._own_joints = OwnJoints(self.settings)
        self._filters = StreamFilters(self._own_joints.lengths)
        # A detector has looked at the picture itself.
        device = getattr(model, "device", None) if detector is None else None
        self._plausibility = Plausibility(None if device is None else looks_on(device))
        self._refined: Mapping[str, Joints | None] = {}  # of the last frame
        self._has_depth_without_use = False

    def update(
        self,
        image: NDArray[np.uint8],
        stamp: float,
        camera: Camera,
        keypoints: Mapping[str, Joints | None] | None = None,
        depth: NDArray[np.float32] | None = None,
        *,
        confidence: Mapping[str, Shares | None] | None = None,
        convention: str = OWN,
        extent: Extent = Extent.SURFACES,
    ) -> TrackedFrame:
        """The hands of the next frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            stamp: when it was taken, seconds; a step back starts the filters afresh.
            camera: intrinsics of the image.
            keypoints: "left" and "right" -> (21, 3) metres, camera frame, MANO order, NaN for
                joints that were not seen, None for an absent hand; None altogether: the detector's.
            depth: (H, W) metres, registered to the image, 0 or NaN where unknown: for the detector
                and, with ``use_depth``, for the places of the hands.
            confidence: side -> (21,) shares in [0, 1] of the given joints, 0: not seen; None: 1.
            convention: where the tracker has its joints, by their order, if the setting
                ``keypoint_convention`` is auto.
            extent: how far the frame is taken.

        Raises:
            BadInput: an image or keypoints that cannot be used.
            ValueError: neither keypoints nor a detector.
        """
        switch_stages(self._model, self.settings)
        check_image(image, camera)
        if keypoints is None:
            keypoints, confidence = self._detect(image, stamp, camera, depth)
            convention = DETECTED
        received, warnings = self._receive(keypoints, confidence, convention)
        joints = self._filters.expect(received.joints, stamp, self.settings)
        self._refined = {}
        if not joints:
            return TrackedFrame(warnings=warnings)
        warnings += tuple(undeclared(keypoints, confidence)) + self._unused_depth(depth)
        depth = depth if self._uses_depth(depth) else None
        needed = extent > Extent.KEYPOINTS or self._model.refine_keypoints or depth is not None
        scene = self._encode(image, joints, camera, depth, received) if needed else None
        warnings += self._plausibility.check(image, camera, received.joints, scene, depth)
        if scene is None:
            kept = self._settle(received, False, EstimatedJoints.as_given(HandPair(**joints)))
            return received.frame(self._hands(kept.joints), warnings=warnings)
        return self._frame(received, scene, extent, warnings)

    def _receive(
        self,
        keypoints: Mapping[str, Joints | None],
        confidence: Mapping[str, Shares | None] | None,
        convention: str,
    ) -> tuple[ReceivedJoints, Warnings]:
        """The joints where this package has them, checked, and what the user should know."""
        shares = joint_shares(keypoints, confidence)
        checked = check_keypoints(keypoints, shares)
        given, warnings = self._own_joints(checked, convention, self.settings)
        return ReceivedJoints(given, shares), warnings

    def _encode(
        self,
        image: NDArray[np.uint8],
        joints: Mapping[str, Joints],
        camera: Camera,
        depth: NDArray[np.float32] | None,
        received: ReceivedJoints,
    ) -> EncodedScene:
        both = {side: joints.get(side) for side in SIDES}
        settle = partial(self._settle, received, depth is not None)
        scene = self._model.encode(image, both, camera, depth, settle=settle)
        self._refined = scene.keypoints
        return scene

    def _settle(
        self, received: ReceivedJoints, has_depth: bool, estimate: EstimatedJoints
    ) -> EstimatedJoints:
        """The joints as the filters have them, the more so the less a tracker is sure of them."""
        if estimate.fitted:
            return self._filters.fit(estimate)
        return self._filters.settle(received.trust(estimate), before_fit=has_depth)

    def _uses_depth(self, depth: NDArray[np.float32] | None) -> bool:
        return depth is not None and self.settings.use_depth and self._model.can_use_depth

    def _unused_depth(self, depth: NDArray[np.float32] | None) -> Warnings:
        """Says once that depth images come to nothing."""
        wanted = depth is not None and self.settings.use_depth
        if not wanted or self._model.can_use_depth or self._has_depth_without_use:
            return ()
        self._has_depth_without_use = True
        return (("depth_unused", _UNUSED_DEPTH),)

    def _frame(
        self, received: ReceivedJoints, scene: EncodedScene, extent: Extent, warnings: Warnings
    ) -> TrackedFrame:
        """An encoded frame, taken as far as is wanted."""
        if extent < Extent.SURFACES:
            hands = self._hands(scene.keypoints, scene.confidence)
            return received.frame(hands, scene, warnings=warnings)
        surfaces = self._surfaces(scene)
        warnings += severed_pieces(surfaces.present)
        hands = self._with_surfaces(surfaces)
        return received.frame(hands, scene, surfaces.timings_ms, warnings)

    def _surfaces(self, scene: EncodedScene) -> Hands:
        return scene.reconstruct(
            resolution=self.settings.resolution,
            threshold=self.settings.occupancy_threshold,
            voxel_size=self.settings.occupancy_voxel_size,
        )

    def _hands(
        self,
        keypoints: Mapping[str, Joints | None],
        confidence: Mapping[str, float | None] | None = None,
    ) -> dict[str, TrackedHand]:
        ages = self._filters.ages
        return {
            side: TrackedHand(xyz, (confidence or {}).get(side), age=ages.get(side, 0.0))
            for side, xyz in keypoints.items()
            if xyz is not None
        }

    def _with_surfaces(self, hands: Hands) -> dict[str, TrackedHand]:
        ages = self._filters.ages
        return {
            side: TrackedHand(surface.keypoints, surface.confidence, surface, ages.get(side, 0.0))
            for side, surface in hands.present.items()
        }

    def warm_up(self) -> None:
        """Run a made-up frame, so that the first real one takes no longer than the others."""
        switch_stages(self._model, self.settings)
        self._model.warm_up(self.settings.resolution)

    @property
    def kernels(self) -> str:
        """What evaluates the model's fields: ``native`` (`im2hands_ros.kernels`), ``triton`` on a
        GPU, or ``torch``."""
        return getattr(self._model, "kernels", "torch")

    @property
    def running_stages(self) -> tuple[str, ...]:
        """The model's stages that the settings let run, in the order of the work."""
        return running_stages(self._model, self.settings)

    @property
    def missing_stages(self) -> str:
        """What the settings switch on and the weights lack, in a line; empty when nothing."""
        return missing_stages(self._model, self.settings)

    def _detect(
        self,
        image: NDArray[np.uint8],
        stamp: float,
        camera: Camera,
        depth: NDArray[np.float32] | None,
    ) -> tuple[dict[str, Joints | None], dict[str, Shares]]:
        """Joints and their confidence, which is the hand's."""
        if self._detector is None:
            raise ValueError("no keypoints and no detector: give one of them")
        previous = self._refined
        found = self._detector.detect(image, camera, depth, stamp=stamp, previous=previous)
        present = {side: hand for side in SIDES if (hand := found.get(side)) is not None}
        joints = {side: present[side].keypoints if side in present else None for side in SIDES}
        return joints, {
            side: np.full(JOINT_COUNT, hand.confidence, np.float32)
            for side, hand in present.items()
        }
