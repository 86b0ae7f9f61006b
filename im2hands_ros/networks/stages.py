"""The stages of a method as the pipeline runs them, whichever networks they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from im2hands_ros.camera import Camera
from im2hands_ros.networks.compact.initial_occupancy import HandContext
from im2hands_ros.networks.compact.keypoint_refinement import CoarseHands
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.refined_occupancy import RefinedContext
from im2hands_ros.networks.paper.anchoring import PaperRefinement
from im2hands_ros.networks.paper.initial_occupancy import PaperHandContext
from im2hands_ros.networks.paper.networks import PaperNetworks
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedContext, PaperRefinedOccupancy
from im2hands_ros.networks.registry import Network
from im2hands_ros.skeleton import SIDES

Context = HandContext | RefinedContext | PaperHandContext | PaperRefinedContext
# Logits (H, N) of (H, N, 3) palm-frame points.
Field = Callable[[Tensor, Any], Tensor]
Joints = dict[str, NDArray[np.float32]]

# Joints this far from the truth are as good as not found, metres: what sureness is measured in.
_USEFUL = 0.01


@dataclass(frozen=True)
class Frame:
    """What all stages see of a frame.

    Attributes:
        pixels: (1, 3, S, S) RGB crop in [0, 1]; camera: the crop's.
        features: of the crop, from the first stage's encoder.
    """

    pixels: Tensor
    camera: Camera
    features: Any


@dataclass(frozen=True)
class HandJoints:
    """The joints that shapes are made from.

    Attributes:
        joints: per present side (21, 3) metres, camera frame, left first.
        sureness: per present side a share in [0, 1]: how many joints are probably near the truth.
        swapped: left and right were reported the wrong way round and have been put right.
    """

    joints: Joints
    sureness: dict[str, float] = field(default_factory=dict)
    swapped: bool = False


class Stages(Protocol):
    """What the pipeline asks of a method.

    Attributes:
        names: of ``initial``, ``keypoints`` and ``refinement``, those that are there.
        initial: the network of the first stage; encoders: all convolutional networks.
    """

    names: tuple[str, ...]
    initial: Any
    encoders: tuple[nn.Module, ...]

    def better_joints(self, frame: Frame, joints: Joints) -> HandJoints:
        """The stage ``keypoints``."""

    def aware(self, frame: Frame, context: Any) -> tuple[Context, Field, PaperRefinement | None]:
        """The stage ``refinement``: what answers from now on, or what will once there are
        surfaces."""


class CompactStages:
    """Our own networks: every stage looks through the encoder of the first."""

    def __init__(self, networks: CompactNetworks) -> None:
        self._networks = networks
        self.names = networks.stages
        self.initial = networks.initial
        self.encoders: tuple[nn.Module, ...] = (networks.initial.encoder,)

    def better_joints(self, frame: Frame, joints: Joints) -> HandJoints:
        """Refined joints of the hands that are there, sides put right."""
        network = self._networks.keypoints
        assert network is not None
        refined = network(frame.features, coarse_hands(joints, frame))
        present = refined.present[0].tolist()
        places = refined.joints[0].float().cpu().numpy()
        near = (1 - torch.exp(-_USEFUL / refined.spread[0].clamp_min(1e-4))).mean(-1).tolist()
        found = [number for number in range(len(SIDES)) if present[number]]
        return HandJoints(
            {SIDES[number]: places[number] for number in found},
            {SIDES[number]: near[number] for number in found},
            swapped=bool(refined.swapped[0] > network.preset.swap_logit),
        )

    def aware(
        self, frame: Frame, context: HandContext
    ) -> tuple[RefinedContext, Field, PaperRefinement | None]:
        """Anchors on both hands, and the field that knows of them."""
        network = self._networks.refinement
        assert network is not None
        count = len(context.intrinsics)
        partner = torch.arange(count - 1, -1, -1, device=context.intrinsics.device)
        accompanied = torch.full_like(partner, count > 1, dtype=torch.bool)
        refined = network.context(context, partner, accompanied, self.initial)
        return refined, partial(network, network=self.initial), None


class PaperStages:
    """The published networks: each stage has an encoder of its own; refinement needs surfaces."""

    def __init__(self, networks: PaperNetworks) -> None:
        occupancy = networks.occupancy
        self.keypoints = networks.keypoints
        self.refined = occupancy if isinstance(occupancy, PaperRefinedOccupancy) else None
        self.initial = (
            occupancy.initial if isinstance(occupancy, PaperRefinedOccupancy) else occupancy
        )
        stages = {"initial": self.initial, "keypoints": self.keypoints, "refinement": self.refined}
        there = {name: stage.encoder for name, stage in stages.items() if stage is not None}
        self.names: tuple[str, ...] = tuple(there)
        self.encoders: tuple[nn.Module, ...] = tuple(there.values())

    def better_joints(self, frame: Frame, joints: Joints) -> HandJoints:
        """The published keypoint refinement knows two hands; one alone stays as it is."""
        network = self.keypoints
        if network is None or len(joints) < len(SIDES):
            return HandJoints(joints)
        given = (torch.as_tensor(joints[side])[None].to(frame.pixels) for side in SIDES)
        refined = network.refine(network.encoder(frame.pixels), *given)
        places = [hand[0].cpu().numpy() for hand in refined]
        return HandJoints(dict(zip(SIDES, places, strict=True)))

    def aware(
        self, frame: Frame, context: PaperHandContext
    ) -> tuple[PaperHandContext, Field, PaperRefinement | None]:
        """The published refinement knows two hands; one alone keeps its initial occupancy."""
        if self.refined is None or len(context.sides) < len(SIDES):
            return context, self.initial, None
        look = PaperRefinement(self.refined, self.refined.encoder(frame.pixels))
        return context, self.initial, look


def stages_of(network: Network) -> Stages:
    """The stages that a loaded network has."""
    return CompactStages(network) if isinstance(network, CompactNetworks) else PaperStages(network)


def coarse_hands(joints: Joints, frame: Frame) -> CoarseHands:
    """The hands of one frame as the keypoint refinement takes them."""
    # An absent hand's joints are never listened to; any finite ones will do.
    known = next(iter(joints.values()))
    both = np.stack([joints.get(side, known) for side in SIDES])
    device = frame.pixels.device
    return CoarseHands(
        torch.as_tensor(both, dtype=torch.float32, device=device)[None],
        torch.tensor([[side in joints for side in SIDES]], device=device),
        torch.as_tensor(frame.camera.K, dtype=torch.float32, device=device)[None],
    )
