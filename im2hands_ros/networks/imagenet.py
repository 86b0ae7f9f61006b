"""The colour normalisation that image encoders are pre-trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class ImageNetNormalisation(nn.Module):
    """Removes ImageNet's mean and standard deviation; holds no weights."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the same, normalised."""
        return (image - self.mean) / self.deviation
