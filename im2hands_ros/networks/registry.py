"""The presets: a weights file to the networks that it belongs to."""

from __future__ import annotations

from typing import Any

from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.paper.networks import PaperNetworks
from im2hands_ros.networks.protocol import HandNetworks

NETWORKS: dict[str, type[HandNetworks[Any, Any]]] = {
    "compact": CompactNetworks,
    "paper": PaperNetworks,
}


def networks_of(preset: str) -> type[HandNetworks[Any, Any]]:
    """The class of a preset's networks; ValueError names the choice for an unknown one."""
    if preset not in NETWORKS:
        raise ValueError(f"preset '{preset}' is unknown: use {', '.join(NETWORKS)}")
    return NETWORKS[preset]
