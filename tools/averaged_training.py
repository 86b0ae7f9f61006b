"""Training of one stage by AdamW with warm-up and a cosine, its weights averaged at the end."""

import argparse
import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from im2hands_ros.networks import checkpoints

WARM_UP, DECAY, AVERAGE = 100, 1e-4, 0.998


def averaged(
    network: nn.Module, loss_of: Callable[[int], Tensor], steps: int, rate: float
) -> dict[str, Tensor]:
    """The network's averaged state after so many steps; the network itself has the last one's.

    Args:
        loss_of: () loss of a step.
        rate: of learning, the largest; the cosine ends at a hundredth of it.
    """
    average = copy.deepcopy(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=DECAY)
    for step in range(steps):
        cosine = 0.505 + 0.495 * np.cos(np.pi * step / steps)
        optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / WARM_UP) * cosine
        optimiser.zero_grad()
        loss = loss_of(step)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        keep = min(AVERAGE, (step + 2) / (step + 11))
        for name, value in network.state_dict().items():
            if value.is_floating_point():  # what is left counts batches
                average[name].lerp_(value, 1 - keep)
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} of {steps}: loss {float(loss.detach()):.3f}", flush=True)
    return average


def stage_arguments(parser: argparse.ArgumentParser, steps: int) -> argparse.Namespace:
    """The command line of a tool that trains one stage of a weights file on shards."""
    parser.add_argument("weights", type=Path, help="weights file to begin with")
    parser.add_argument("out", type=Path, help="weights file to write")
    parser.add_argument("shards", nargs="+", metavar="FOLDER=SHARE")
    parser.add_argument("--steps", type=int, default=steps)
    return parser.parse_args()


def folders_and_shares(shards: list[str]) -> tuple[list[Path], NDArray[np.float64]]:
    """Of FOLDER=SHARE each; the shares' sum is one."""
    names, parts = zip(*(part.rsplit("=", 1) for part in shards), strict=True)
    shares = np.array([float(part) for part in parts])
    return [Path(name) for name in names], shares / shares.sum()


def write_stage(
    given: argparse.Namespace, tool: str, stage: str, tensors: Mapping[str, Tensor]
) -> None:
    """The weights file with these tensors of a stage, and a record of how they were made.

    Args:
        given: as of `stage_arguments`.
        tensors: by their names within the stage.
    """
    kept, record = checkpoints.read(given.weights)
    kept |= {f"{stage}.{name}": value.detach().contiguous() for name, value in tensors.items()}
    command = " ".join([f"tools/{tool}.py", *given.shards])
    made = {"stage": stage, "command": command, "steps": given.steps}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    checkpoints.write(kept, given.out, record | {"parts": [*record.get("parts", []), made]})
