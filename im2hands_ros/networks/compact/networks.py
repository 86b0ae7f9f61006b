"""The networks of the compact preset: one shared image encoder, and the stages that have weights.

A weights file holds any of them, each stage's tensors under its name: ``initial.…``,
``keypoints.…``, ``refinement.…``. Only the first is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.kernels import canonical, library
from im2hands_ros.kernels.field import NativeNetwork
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.initial_occupancy import InitialContext, InitialOccupancy
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement
from im2hands_ros.networks.compact.native import (
    native_initial,
    native_network,
    native_refined,
)
from im2hands_ros.networks.compact.presets import COMPACT, CompactPreset
from im2hands_ros.networks.compact.refined_occupancy import RefinedOccupancy
from im2hands_ros.networks.native_attention import use_native_attention
from im2hands_ros.networks.protocol import (
    STAGES,
    EncodedFrame,
    EstimatedJoints,
    HandContext,
    HandNetworks,
)
from im2hands_ros.pair import HandPair, KeypointPair
from im2hands_ros.skeleton import SIDES

CompactFrame: TypeAlias = EncodedFrame[ImageFeatures]

# A joint's confidence is the probability that it is this near to the truth, metres.
_NEAR = 0.01


class CompactNetworks(HandNetworks[ImageFeatures, InitialContext]):
    """The stages, None where there are no weights.

    Attributes:
        initial: occupancy of each hand; owns the encoder that all stages share.
        keypoints: coarse to refined keypoints.
        refinement: occupancy of two interacting hands.
    """

    crop_margin = 0.3

    def __init__(self, preset: CompactPreset = COMPACT, stages: tuple[str, ...] = STAGES) -> None:
        super().__init__()
        encoder = preset.initial.encoder
        self.image_size = encoder.image_size
        self.native: NativeNetwork | None = None
        self.initial = InitialOccupancy(preset.initial)
        self.keypoints = (
            KeypointRefinement(preset.keypoints, encoder) if "keypoints" in stages else None
        )
        self.refinement = (
            RefinedOccupancy(preset.refinement, encoder) if "refinement" in stages else None
        )

    @classmethod
    def load(cls, path: Path) -> tuple[CompactNetworks, dict[str, Any]]:
        """The stages that a weights file holds, and its record; raises as
        ``checkpoints.load_into``."""
        found = {name.partition(".")[0] for name in checkpoints.names_in(path)}
        networks = cls(stages=("initial", *found))
        return networks, checkpoints.load_into(networks, path)

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(name for name in STAGES if getattr(self, name) is not None)

    @property
    def encoders(self) -> tuple[nn.Module, ...]:
        return (self.initial.encoder,)

    @property
    def has_kernels(self) -> bool:
        return self.native is not None

    def use_kernels(self) -> None:
        """By the library that there is, else in torch."""
        kernels = library.chosen()
        if kernels:
            self.native = native_network(kernels, self.initial, self.refinement)
        if kernels and self.native:
            use_native_attention(self, kernels)

    def canonicalise(self, joints: Tensor, mirrored: Tensor) -> CanonicalHands:
        if self.native is None:
            return super().canonicalise(joints, mirrored)
        return canonical.canonicalise(self.native.library, joints, mirrored)

    def encode(self, pixels: Tensor) -> ImageFeatures:
        return self.initial.encoder(pixels)

    def hand_mask_probability(self, frame: CompactFrame) -> Tensor:
        return self.initial.encoder.masks(frame.features).float().softmax(1)[:, 1:].sum(1)

    def refine_keypoints(self, frame: CompactFrame, joints: KeypointPair) -> EstimatedJoints:
        if self.keypoints is None:
            return super().refine_keypoints(frame, joints)
        refined = self.keypoints(frame.features, coarse_hands(joints, frame))
        places = refined.joints[0].float().cpu().numpy()
        near = (1 - torch.exp(-_NEAR / refined.spread[0].clamp_min(1e-4))).mean(-1).tolist()
        spread = refined.spread[0].float().cpu().numpy()
        present = [slot for slot, there in enumerate(refined.present[0].tolist()) if there]
        return EstimatedJoints(
            HandPair(**{SIDES[slot]: places[slot] for slot in present}),
            HandPair(**{SIDES[slot]: near[slot] for slot in present}),
            HandPair(**{SIDES[slot]: spread[slot] for slot in present}),
            swapped=bool(refined.swapped[0] > self.keypoints.preset.swap_logit),
        )

    def initial_context(self, frame: CompactFrame, hands: CanonicalHands) -> InitialContext:
        context = self.initial.context(frame.features, *frame.crop_of(hands), hands)
        return native_initial(self.native, context) if self.native else context

    def refine_occupancy(self, frame: CompactFrame, context: InitialContext) -> HandContext:
        if self.refinement is None:
            return context
        count = len(context.intrinsics)
        partner = torch.arange(count - 1, -1, -1, device=context.intrinsics.device)
        accompanied = torch.full_like(partner, count > 1, dtype=torch.bool)
        return native_refined(self.refinement.context(context, partner, accompanied))


def coarse_hands(joints: KeypointPair, frame: CompactFrame) -> CoarseHands:
    """The hands of one frame as the keypoint refinement takes them."""
    # An absent hand's joints are masked; any finite ones will do.
    present = joints.present
    known = next(iter(present.values()))
    both = np.stack([present.get(side, known) for side in SIDES])
    device = frame.pixels.device
    return CoarseHands(
        torch.as_tensor(both, dtype=torch.float32, device=device)[None],
        torch.tensor([[side in present for side in SIDES]], device=device),
        torch.as_tensor(frame.camera.K, dtype=torch.float32, device=device)[None],
    )


def under(stage: str, network: nn.Module) -> dict[str, Tensor]:
    """A stage's tensors as a weights file names them."""
    return {f"{stage}.{name}": value for name, value in network.state_dict().items()}
