"""What the trainer needs of a stage: data to draw, losses to lower, a score to select by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from im2hands_ros.training.scene_folder import SceneFolder


class Term(NamedTuple):
    """One loss of one batch.

    Attributes:
        mean: () loss, with its graph. With nothing to take the mean over, any value.
        count: how many things it is the mean over: parts of a batch are averaged by this weight.
    """

    mean: Tensor
    count: int  # type: ignore[assignment]  # not the tuple's method


class Stage(Protocol):
    """One network to train.

    Attributes:
        name: of the stage, a key of ``STAGES``.
        network: what is trained.
        frozen: earlier stages by name that it builds on, in evaluation mode.
        loss_weights: of every loss that ``losses`` may name.
    """

    name: str
    frozen: Mapping[str, nn.Module]
    loss_weights: Mapping[str, float]

    @property
    def network(self) -> nn.Module: ...

    def draw(self, folder: SceneFolder, step: int, part: slice) -> Any:
        """The scenes ``part`` of the batch of one step, as a tuple with ``to(device)``.

        All that is random about a scene depends on the seed, the step and the scene's number in
        the batch alone, so that several processes draw together what one process would.
        """

    def losses(self, batch: Any) -> dict[str, Term]:
        """The losses of a batch; the same names in every process of a step."""

    def validate(self, folder: SceneFolder) -> dict[str, float]:
        """Scores of the network as it is; of ``selection`` a better network has less."""

    def weights(self) -> dict[str, Tensor]:
        """What a weights file of this stage holds; complete, frozen stages included."""


def freeze(networks: Mapping[str, nn.Module], device: torch.device) -> None:
    """Put earlier stages on a device, out of the optimiser's reach."""
    for network in networks.values():
        network.to(device).eval().requires_grad_(False)
