"""The compact networks on a device, each step recorded once for its shapes and replayed.

The host computes the hands' frames and gets the refined joints back; everything else of a frame
stays on the device until its surfaces are read (surface/device_search.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.kernels.canonical import FRAME_SHAPES
from im2hands_ros.kernels.gpu.field import Blocks, DeviceField, Evaluator
from im2hands_ros.kernels.gpu.graph import Recorded
from im2hands_ros.networks.compact import packing
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.initial_occupancy import InitialContext, InitialOccupancy
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement, RefinedKeypoints
from im2hands_ros.networks.compact.refined_occupancy import RefinedOccupancy
from im2hands_ros.networks.protocol import HandContext
from im2hands_ros.precision import autocast_disabled


@dataclass(frozen=True, eq=False)
class DeviceContext(HandContext):
    """A field whose query points the device evaluates; the hands' frames are on the host.

    Attributes:
        field: of the hands.
    """

    field: DeviceField

    @property
    def device_field(self) -> DeviceField:
        return self.field

    def logits(self, points_palm: Tensor) -> Tensor:
        """Millimetres of depth inside of each hand, of points on the host or the device."""
        device = self.field.blocks.hands.device
        return self.field(points_palm.to(device)).to(points_palm.device)


@dataclass(frozen=True, eq=False)
class _Initial(InitialContext):
    """An initial context whose query points the device's kernel evaluates."""

    field: DeviceField

    def logits(self, points_palm: Tensor) -> Tensor:
        return self.field(points_palm)


class DeviceNetworks:
    """The steps of a frame; each reads what the step before left on the device.

    Args:
        evaluator: of the packed weights of `initial` and `refinement`.
    """

    def __init__(
        self,
        initial: InitialOccupancy,
        keypoints: KeypointRefinement | None,
        refinement: RefinedOccupancy | None,
        evaluator: Evaluator,
        device: torch.device,
    ) -> None:
        self._initial, self._keypoints, self._refinement = initial, keypoints, refinement
        self._evaluator, self._device = evaluator, device
        self._features: ImageFeatures | None = None
        self._contexts: dict[int, _Initial] = {}
        self._encode = Recorded(initial.encoder, device)
        self._refine_keypoints = Recorded(self._refined_joints, device)
        self._bind = Recorded(self._bound, device)
        self._refine = {hands: Recorded(self._anchored(hands), device) for hands in (1, 2)}

    def encode(self, pixels: Tensor) -> ImageFeatures:
        """Image features, which the next call overwrites."""
        self._features = self._encode(pixels)
        return self._features

    def refine_keypoints(self, coarse: CoarseHands) -> RefinedKeypoints:
        """On the host, of the frame that was encoded last."""
        flat = torch.cat(
            [coarse.joints.flatten(), coarse.intrinsics.flatten(), coarse.present.float()[0]]
        )
        joints, spread, present, swapped = self._refine_keypoints(flat).cpu().split((126, 42, 2, 1))
        return RefinedKeypoints(
            joints.view(1, 2, 21, 3), present.view(1, 2) > 0, spread.view(1, 2, 21), swapped, ()
        )

    def initial_context(self, hands: CanonicalHands, intrinsics: Tensor) -> DeviceContext:
        """Of the frame that was encoded last; hands and intrinsics (3, 3) on the host."""
        flat = torch.cat(
            [_flattened(hands), intrinsics.expand(len(hands.wrist), 3, 3).flatten(1)], 1
        )
        rows = self._bind(flat).clone()
        numbers = torch.arange(len(rows), device=self._device)
        return DeviceContext(hands, DeviceField(self._evaluator, Blocks(rows, None, numbers)))

    def refine_occupancy(self, context: DeviceContext) -> DeviceContext:
        """Of the context that was made last."""
        blocks = context.field.blocks
        anchors = self._refine[len(blocks.numbers)]().clone()
        return DeviceContext(
            context.hands, DeviceField(self._evaluator, blocks._replace(anchors=anchors))
        )

    def _refined_joints(self, flat: Tensor) -> Tensor:
        joints, intrinsics, present = flat.split((126, 9, 2))
        coarse = CoarseHands(
            joints.view(1, 2, 21, 3), present.view(1, 2) > 0, intrinsics.view(1, 3, 3)
        )
        assert self._keypoints is not None
        refined = self._keypoints(self._features, coarse)
        parts = (refined.joints, refined.spread, refined.present, refined.swapped)
        return torch.cat([part.float().flatten() for part in parts])

    def _bound(self, flat: Tensor) -> Tensor:
        """Packed hands (H, count) of their frames."""
        hands, intrinsics = _canonical(flat[:, :-9]), flat[:, -9:].unflatten(1, (3, 3))
        assert self._features is not None
        index = torch.zeros(len(flat), dtype=torch.long, device=flat.device)
        context = self._initial.context(self._features, index, intrinsics, hands)
        with autocast_disabled(flat):
            rows = packing.hand_rows(context)
        numbers = torch.arange(len(rows), device=rows.device)
        values = {each.name: getattr(context, each.name) for each in fields(context)}
        field = DeviceField(self._evaluator, Blocks(rows, None, numbers))
        self._contexts[len(rows)] = _Initial(**values, field=field)
        return rows

    def _anchored(self, hands: int) -> Callable[[], Tensor]:
        """Makes the packed anchors (H, count) of so many hands."""

        def anchors() -> Tensor:
            assert self._refinement is not None
            partner = torch.arange(hands - 1, -1, -1, device=self._device)
            accompanied = torch.full_like(partner, hands > 1, dtype=torch.bool)
            context = self._refinement.context(self._contexts[hands], partner, accompanied)
            with autocast_disabled(partner):
                return packing.anchor_rows(context)

        return anchors


def _flattened(hands: CanonicalHands) -> Tensor:
    """(H, count) floats of the frames."""
    return torch.cat(
        [part.float().flatten(1) for part in (*hands[:-1], hands.mirrored[:, None])], 1
    )


def _canonical(flat: Tensor) -> CanonicalHands:
    """The frames of (H, count) floats."""
    sizes = [shape.numel() for shape in FRAME_SHAPES]
    parts = flat[:, :-1].split(sizes, 1)
    shaped = [part.unflatten(1, shape) for part, shape in zip(parts, FRAME_SHAPES, strict=True)]
    return CanonicalHands._make([*shaped, flat[:, -1] > 0])
