"""The networks of the compact preset: one shared image encoder, and the stages that have weights.

A weights file holds any of them, each stage's tensors under its name: ``initial.…``,
``keypoints.…``, ``refinement.…``. Only the first is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.initial_occupancy import InitialOccupancy
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement
from im2hands_ros.networks.compact.refined_occupancy import RefinedOccupancy
from im2hands_ros.networks.presets import CompactPreset

STAGES = ("initial", "keypoints", "refinement")


class CompactNetworks(nn.Module):
    """The stages, None where there are no weights.

    Attributes:
        initial: occupancy of each hand; owns the encoder that all stages share.
        keypoints: coarse to refined keypoints.
        refinement: occupancy of both hands, each knowing the other.
    """

    def __init__(self, preset: CompactPreset, stages: tuple[str, ...] = STAGES) -> None:
        super().__init__()
        self.initial = InitialOccupancy(preset.initial)
        encoder = preset.initial.encoder
        self.keypoints = (
            KeypointRefinement(preset.keypoints, encoder) if "keypoints" in stages else None
        )
        self.refinement = (
            RefinedOccupancy(preset.refinement, encoder) if "refinement" in stages else None
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages that are there."""
        return tuple(name for name in STAGES if getattr(self, name) is not None)


def load_compact(preset: CompactPreset, path: Path) -> tuple[CompactNetworks, dict[str, Any]]:
    """The stages that a weights file holds, and the record of their making.

    Raises:
        FileNotFoundError, ValueError: as ``checkpoints.load_into``.
    """
    stages = stages_in(checkpoints.names_in(path))
    networks = CompactNetworks(preset, ("initial", *stages))
    return networks, checkpoints.load_into(networks, path)


def stages_in(names: list[str]) -> tuple[str, ...]:
    """The stages that tensors of these names belong to."""
    found = {name.partition(".")[0] for name in names}
    return tuple(stage for stage in STAGES if stage in found)


def under(stage: str, network: nn.Module) -> dict[str, Tensor]:
    """A stage's tensors as a weights file names them."""
    return {f"{stage}.{name}": value for name, value in network.state_dict().items()}
