"""The published networks that one weights file holds, and the weights that training starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.paper.initial_occupancy import PaperInitialOccupancy
from im2hands_ros.networks.paper.keypoint_refinement import PaperKeypointRefinement
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy
from im2hands_ros.networks.presets import PAPER, PaperKeypointPreset

# How tensors are named in a file of two networks; a file of one has no such prefix.
SECTIONS = {"init_occ": "occupancy", "ref_occ": "occupancy", "kpts_ref": "keypoints"}

_OCCUPANCIES: dict[str, Callable[[], PaperInitialOccupancy | PaperRefinedOccupancy]] = {
    "init_occ": lambda: PaperInitialOccupancy(PAPER.initial),
    "ref_occ": lambda: PaperRefinedOccupancy(PAPER),
}


class PaperNetworks(nn.Module):
    """Occupancy of the hands, and better keypoints where there are weights for them.

    Attributes:
        occupancy: initial, or refined with the initial one in it.
        keypoints: coarse to refined keypoints, or None.
    """

    def __init__(
        self,
        occupancy: PaperInitialOccupancy | PaperRefinedOccupancy,
        keypoints: PaperKeypointRefinement | None = None,
    ) -> None:
        super().__init__()
        self.occupancy = occupancy
        self.keypoints = keypoints


def load_paper(path: Path) -> tuple[PaperNetworks, dict[str, Any]]:
    """What `im2hands import-checkpoint` wrote to the file, and its record.

    Raises:
        FileNotFoundError, ValueError: as ``checkpoints.load_into``; no whole occupancy network.
    """
    record = checkpoints.record_of(path)
    name = record.get("network")
    if name not in _OCCUPANCIES or not record.get("complete"):
        raise ValueError(
            f"weights file {path} is no whole init_occ or ref_occ network: convert one of these "
            "with 'im2hands import-checkpoint'"
        )
    networks = PaperNetworks(_OCCUPANCIES[name]())
    if not any(name.startswith("keypoints.") for name in checkpoints.names_in(path)):
        return networks, checkpoints.load_into(networks.occupancy, path)
    networks.keypoints = PaperKeypointRefinement(PaperKeypointPreset())
    return networks, checkpoints.load_into(networks, path)


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
