"""The networks of the preset ``paper``, and the weights that training starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.kernels import library
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.paper.fused import fuse
from im2hands_ros.networks.paper.image_encoder import IMAGE_SIZE, PaperFeatures, PaperImageEncoder
from im2hands_ros.networks.paper.initial_occupancy import PaperInitialContext, PaperInitialOccupancy
from im2hands_ros.networks.paper.keypoint_refinement import PaperKeypointRefinement
from im2hands_ros.networks.paper.native import use_native_layers
from im2hands_ros.networks.paper.presets import PAPER, PaperKeypointPreset
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy
from im2hands_ros.networks.paper.surface_anchors import UnanchoredContext
from im2hands_ros.networks.protocol import (
    STAGES,
    EncodedFrame,
    EstimatedJoints,
    HandContext,
    HandNetworks,
)
from im2hands_ros.pair import HandPair, KeypointPair
from im2hands_ros.skeleton import SIDES

PaperFrame: TypeAlias = EncodedFrame[PaperFeatures]

# How tensors are named in a file of two networks; a file of one has no such prefix.
SECTIONS = {"init_occ": "occupancy", "ref_occ": "occupancy", "kpts_ref": "keypoints"}

# The published networks by their files' names.
NETWORKS: dict[str, Callable[[], Any]] = {
    "init_occ": lambda: PaperInitialOccupancy(PAPER.initial),
    "ref_occ": lambda: PaperRefinedOccupancy(PAPER),
    "kpts_ref": lambda: PaperKeypointRefinement(PaperKeypointPreset()),
}


class PaperNetworks(HandNetworks[PaperFeatures, PaperInitialContext]):
    """Occupancy of the hands, and keypoint refinement where there are weights for it.

    Every network has an image encoder of its own.

    Attributes:
        occupancy: initial, or refined with the initial one in it.
        keypoints: coarse to refined keypoints, or None.
    """

    image_size = IMAGE_SIZE
    # Published crops hold the hands' surfaces with a quarter more; joints end inside those.
    crop_margin = 0.2
    gpu_precision = "fp32"

    def __init__(self, occupancy: PaperInitialOccupancy | PaperRefinedOccupancy) -> None:
        super().__init__()
        self.occupancy = occupancy
        self.keypoints: PaperKeypointRefinement | None = None
        self._kernels = "torch"

    @classmethod
    def load(cls, path: Path) -> tuple[PaperNetworks, dict[str, Any]]:
        """What `im2hands import-checkpoint` wrote to the file, and its record.

        Raises:
            FileNotFoundError, ValueError: as ``checkpoints.load_into``; no whole occupancy network.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"weights file {path} does not exist: no weights are packaged for preset 'paper'; "
                "convert a published file with 'im2hands import-checkpoint' and name it as "
                "'weights'"
            )
        record = checkpoints.record_of(path)
        name = record.get("network")
        if name not in ("init_occ", "ref_occ") or not record.get("complete"):
            raise ValueError(
                f"weights file {path} is no whole init_occ or ref_occ network: convert one of "
                "these with 'im2hands import-checkpoint'"
            )
        networks = cls(NETWORKS[name]())
        if not any(name.startswith("keypoints.") for name in checkpoints.shapes_in(path)):
            return networks, checkpoints.load_into(networks.occupancy, path)
        networks.keypoints = NETWORKS["kpts_ref"]()
        return networks, checkpoints.load_into(networks, path)

    @property
    def refinement(self) -> PaperRefinedOccupancy | None:
        """The refined occupancy, if there are weights for it."""
        return self.occupancy if isinstance(self.occupancy, PaperRefinedOccupancy) else None

    @property
    def initial(self) -> PaperInitialOccupancy:
        """The initial occupancy."""
        occupancy = self.occupancy
        return occupancy.initial if isinstance(occupancy, PaperRefinedOccupancy) else occupancy

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(name for name in STAGES if getattr(self, name) is not None)

    @property
    def encoders(self) -> tuple[PaperImageEncoder, ...]:
        return tuple(getattr(self, name).encoder for name in self.stages)

    @property
    def kernels(self) -> str:
        return self._kernels

    def use_kernels(self) -> None:
        """The vector attention and the decoders by the library, where there is one, and the image
        encoders by oneDNN; else all as published, in PyTorch."""
        kernels = library.chosen()
        if kernels:
            use_native_layers(self.occupancy, kernels)
            for encoder in self.encoders:
                fuse(encoder)
            self._kernels = "native"

    def encode(self, pixels: Tensor) -> PaperFeatures:
        return self.initial.encoder(pixels)

    def refine_keypoints(self, frame: PaperFrame, joints: KeypointPair) -> EstimatedJoints:
        """The published keypoint refinement takes two hands; one alone stays as it is."""
        network, present = self.keypoints, joints.present
        if network is None or len(present) < len(SIDES):
            return super().refine_keypoints(frame, joints)
        given = (torch.as_tensor(hand)[None].to(frame.pixels) for hand in present.values())
        refined = network.refine(network.encoder(frame.pixels), *given)
        return EstimatedJoints.as_given(HandPair(*(hand[0].cpu().numpy() for hand in refined)))

    def initial_context(self, frame: PaperFrame, hands: CanonicalHands) -> PaperInitialContext:
        return self.initial.context(frame.features, *frame.crop_of(hands), hands)

    def refine_occupancy(self, frame: PaperFrame, context: PaperInitialContext) -> HandContext:
        """The published refinement takes two hands; one alone keeps its initial occupancy."""
        if self.refinement is None or len(context.sides) < len(SIDES):
            return context
        features = self.refinement.encoder(frame.pixels)
        return UnanchoredContext(context.hands, context, self.refinement, features)


def in_sections(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of networks (keys of ``SECTIONS``) under names for one file."""
    return {
        f"{SECTIONS[network]}.{name}": tensor
        for network, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def start_refinement(initial: dict[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """A refinement network as its published training starts.

    Args:
        initial: tensors of a whole initial occupancy network, by our names.
        seed: of all weights that are drawn.

    Returns:
        Tensors of ``PaperRefinedOccupancy``: the initial network inside, its image encoder and
        projection copied to the refinement's own, everything else drawn as PyTorch does, with
        residual blocks that pass their input on.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PaperRefinedOccupancy(PAPER)
    network.queries.start_residual_blocks()
    tensors = network.state_dict()
    copied = {f"initial.{name}": value for name, value in initial.items()}
    copied |= {
        name: value for name, value in initial.items() if name.startswith(("encoder.", "project."))
    }
    return tensors | {name: value.clone() for name, value in copied.items()}
