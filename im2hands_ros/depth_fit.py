"""Moves the joints of both hands so that their surfaces go through the skin of a depth image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.camera import Camera
from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.checks import check_depth
from im2hands_ros.depth.likely_shifts import likely_shifts
from im2hands_ros.depth.pixels import depth_pixels
from im2hands_ros.depth.skin_fit import fitted_joints
from im2hands_ros.hand_mask import mask_at
from im2hands_ros.kernels.field import NativeField
from im2hands_ros.networks.protocol import EncodedFrame, EstimatedJoints, HandContext, HandNetworks
from im2hands_ros.pair import HandPair, KeypointPair
from im2hands_ros.precision import Precision

# Pixels below which nothing is tried.
_FEWEST = 25
_DOUBT = 0.05  # of what the image shows

ToTensor = Callable[[NDArray[Any]], Tensor]


class DepthFit:
    """Fits estimated joints to the skin that a depth image shows, by the hands' own fields.

    Args:
        networks: whose logits are depths. canonicalise: joints to the hands' frames.
    """

    def __init__(
        self,
        networks: HandNetworks[Any, Any],
        precision: Precision,
        canonicalise: Callable[[KeypointPair], CanonicalHands],
    ) -> None:
        self._networks, self._precision, self._canonicalise = networks, precision, canonicalise

    def __call__(
        self, estimate: EstimatedJoints, frame: EncodedFrame[Any], depth: NDArray[np.floating]
    ) -> EstimatedJoints:
        """The joints of hands whose surfaces go through the skin.

        Args:
            estimate: joints in the camera frame, metres. frame: with its picture.
            depth: (H, W) metres along z, registered to the image, 0 or NaN where unknown.

        Raises:
            BadInput: a depth image that does not fit the camera.
            ValueError: networks whose logits are no depths.
        """
        unit = self._networks.depth_unit
        if unit is None:
            raise ValueError("these networks give no depths: leave the depth image out (use_depth)")
        assert frame.picture is not None  # every frame of a pipeline has it
        camera = frame.picture.camera
        check_depth(depth, camera)
        joints = {side: xyz.astype(np.float64) for side, xyz in estimate.joints.present.items()}
        pixels = depth_pixels(depth, camera, joints)
        if len(pixels.depth) < _FEWEST:
            return estimate
        with self._precision.autocast():
            context = self._networks.initial_context(frame, self._canonicalise(estimate.joints))
            mask = self._networks.hand_mask_probability(frame)
        shown = shown_along(pixels.rays, mask, frame.camera)
        shifts = likely_shifts(pixels, joints, shown)
        fields = {
            side: _HandField(context, hand, unit, self._tensor) for hand, side in enumerate(joints)
        }
        fitted = fitted_joints(joints, pixels, shown, shifts, fields)
        moved = {side: xyz.astype(np.float32) for side, xyz in fitted.items()}
        return replace(estimate, joints=HandPair(**moved))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self._precision.device)


class _HandField:
    """The depth of camera-frame points under the skin of one of a context's hands, metres."""

    def __init__(self, context: HandContext, hand: int, unit: float, tensor: ToTensor) -> None:
        frames = context.hands
        native = context.native_field
        field = native[[hand]] if native else context.select(hand)
        self._logits = field if isinstance(field, NativeField) else field.logits
        self._around = field.logits_around
        self._unit, self._tensor = unit, tensor
        turn = frames.palm_from_hand[hand].double().cpu().numpy()
        sign = np.array([-1.0 if frames.mirrored[hand] else 1.0, 1, 1])
        self._palm_from_camera = turn * sign
        self._origin = turn @ frames.wrist[hand].double().cpu().numpy()

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._metres(self._logits(self._palm(points)))

    def around(self, points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
        values = self._metres(self._around(self._palm(points), step))
        # Differences along the palm's axes, to those along the camera's.
        along = (values[:, 1:] - values[:, :1]) @ self._palm_from_camera
        return np.hstack([values[:, :1], values[:, :1] + along])

    def _palm(self, points: NDArray[np.float64]) -> Tensor:
        return self._tensor(points @ self._palm_from_camera.T - self._origin)[None]

    def _metres(self, logits: Tensor) -> NDArray[np.float64]:
        return self._unit * logits[0].double().cpu().numpy()


def shown_along(rays: NDArray[np.float64], mask: Tensor, camera: Camera) -> NDArray[np.float64]:
    """(N,) probability that the image shows a hand along rays; never quite 0 or 1.

    rays: (N, 3) with z = 1. mask: (1, s, s) probability over a crop; camera: the crop's.
    """
    shown = mask_at(camera.pixels_of(rays[:, :2])[None], mask, camera)[0]
    return np.asarray(_DOUBT + (1 - 2 * _DOUBT) * shown.clamp(0, 1).cpu().double().numpy())
