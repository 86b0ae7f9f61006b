"""Moves the joints of both hands so that their surfaces go through the skin of a depth image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.checks import check_depth
from im2hands_ros.networks.protocol import EncodedFrame, EstimatedJoints, HandContext, HandNetworks
from im2hands_ros.observed_skin import Shown, observed_skin
from im2hands_ros.pair import HandPair, KeypointPair
from im2hands_ros.precision import Precision
from im2hands_ros.skeleton import SIDES
from im2hands_ros.skin_fit import fitted_joints

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
        joints = estimate.joints.present
        seen = observed_skin(depth, camera, joints, self._shown(frame))
        if not seen:
            return estimate
        with self._precision.autocast():
            context = self._networks.initial_context(frame, self._canonicalise(estimate.joints))
        fitted = dict(joints)
        for hand, side in enumerate(joints):
            if side in seen:
                field = _depth_of(context.select(hand), unit, self._tensor)
                points, shift = seen[side]
                moved = fitted_joints(joints[side], points - shift, field) + shift
                fitted[side] = moved.astype(np.float32)
        return replace(estimate, joints=HandPair(**fitted))

    def _shown(self, frame: EncodedFrame[Any]) -> Shown | None:
        """What the image says of which hand is where."""
        sides = self._networks.side_probability(frame)
        if sides is None:
            return None

        def shown(rays: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
            pixels = frame.camera.pixels_of(rays[:, :2])
            grid = self._tensor((2 * pixels + 1) / frame.camera.width - 1)
            sampled = F.grid_sample(sides[None], grid[None, None], align_corners=False)
            return dict(zip(SIDES, sampled[0, :, 0].cpu().double().numpy(), strict=True))

        return shown

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self._precision.device)


def _depth_of(
    context: HandContext, unit: float, tensor: ToTensor
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """The depth of (N, 3) camera-frame points under the skin of a context's only hand, metres."""

    def depth(points: NDArray[np.float64]) -> NDArray[np.float64]:
        points_palm = context.hands.palm_from_camera(tensor(points)[None])
        return unit * context.logits(points_palm)[0].double().cpu().numpy()

    return depth
