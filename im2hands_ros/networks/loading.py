"""A weights file to the network that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact import CompactNetworks, load_compact
from im2hands_ros.networks.paper_initial_occupancy import PaperInitialOccupancy
from im2hands_ros.networks.paper_refined_occupancy import PaperRefinedOccupancy
from im2hands_ros.networks.presets import PAPER, PRESETS

PaperNetwork = PaperInitialOccupancy | PaperRefinedOccupancy
Network = CompactNetworks | PaperNetwork

_PAPER_NETWORKS: dict[str, Callable[[], PaperNetwork]] = {
    "init_occ": lambda: PaperInitialOccupancy(PAPER.initial),
    "ref_occ": lambda: PaperRefinedOccupancy(PAPER),
}
PRESET_NAMES = (*PRESETS, "paper")


def load_network(preset: str, path: Path) -> tuple[Network, dict[str, Any]]:
    """The network of a preset with the weights of a file, and the record of their making.

    Raises:
        FileNotFoundError, ValueError: unknown preset, or weights that are missing or do not fit.
    """
    if preset not in PRESET_NAMES:
        raise ValueError(f"preset '{preset}' is unknown: use {', '.join(PRESET_NAMES)}")
    if preset == "paper" and not path.is_file():
        raise FileNotFoundError(
            f"weights file {path} does not exist: no weights are packaged for preset 'paper'; "
            "convert a published file with 'im2hands import-checkpoint' and name it as 'weights'"
        )
    if preset != "paper":
        return load_compact(PRESETS[preset], path)
    network = _paper_network(path)
    return network, checkpoints.load_into(network, path)


def _paper_network(path: Path) -> PaperNetwork:
    """What `im2hands import-checkpoint` wrote down in the file."""
    record = checkpoints.record_of(path)
    name = record.get("network")
    if name not in _PAPER_NETWORKS or not record.get("complete"):
        raise ValueError(
            f"weights file {path} is no whole init_occ or ref_occ network: convert one of these "
            "with 'im2hands import-checkpoint'"
        )
    return _PAPER_NETWORKS[name]()
