"""A weights file to the network that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from im2hands_ros.networks.compact.networks import CompactNetworks, load_compact
from im2hands_ros.networks.paper.networks import PaperNetworks, load_paper
from im2hands_ros.networks.presets import PRESETS

Network = CompactNetworks | PaperNetworks

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
    return load_paper(path)
