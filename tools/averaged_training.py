"""Training by AdamW with warm-up and a cosine, the weights averaged over the last steps."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

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
