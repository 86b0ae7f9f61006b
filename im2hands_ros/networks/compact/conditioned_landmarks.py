"""The landmark network with hints: where a tracker believes the joints of both hands to be.

Shown clasped hands, MediaPipe's network cannot know which of the two is meant. Everything that is
added begins at zero, so that the network begins as MediaPipe's.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.compact.landmark_network import (
    BLOCKS,
    CODE_WIDTH,
    HINTED,
    INPUT_SIZE,
    LandmarkNetwork,
    SeenLandmarks,
)
from im2hands_ros.skeleton import JOINT_COUNT

_STRIDE = 8
# Joints that share a map: the wrist, and each finger.
_GROUPS = ((0,), *(tuple(range(4 * finger + 1, 4 * finger + 5)) for finger in range(5)))
_HIDDEN = 128
# What is new learns this many times as fast as what MediaPipe's network knows already.
_GAIN = 30.0
# Crop pixels of the spread before anything is learned, and the limits of its logarithm.
_SPREAD, _SPREAD_REACH = 6.0, 4.0


class Hints(NamedTuple):
    """Where the hands of B crops are believed to be.

    Attributes:
        joints: (B, 2, 21, 2) of the crop's hand and of the other one, pixels of the crop; finite
            also where there is no other.
        both: (B,) 1 where there is another hand, else 0.
        known: (B,) 0 where nothing is known, as in a search: the joints have no effect, and the
            crop's middle says which hand is meant; else 1.
    """

    joints: Tensor
    both: Tensor
    known: Tensor


class ConditionedLandmarks(nn.Module):
    """Landmarks of the hand that the hints name, and how far off each may be."""

    def __init__(self) -> None:
        super().__init__()
        self.network = LandmarkNetwork()
        self.map = nn.Conv2d(2 * len(_GROUPS), BLOCKS[HINTED].outputs, 3, padding=1)
        self.vector = nn.ModuleList(
            [nn.Linear(2 * 2 * JOINT_COUNT + 1, _HIDDEN), nn.Linear(_HIDDEN, CODE_WIDTH)]
        )
        self.spread = nn.Linear(CODE_WIDTH, JOINT_COUNT)
        for layer in (self.map, self.vector[1], self.spread):
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, hints: Hints) -> tuple[SeenLandmarks, Tensor]:
        """(B, 3, 224, 224) RGB in [0, 1] to what is seen, and (B, 21) its expected error in x and
        in y, pixels of the crop."""
        known = hints.known[:, None]
        on_map = known[..., None, None] * _GAIN * self.map(drawn(hints))
        code, maps = self.network.encode(image, on_map, known * self._code_hint(hints))
        log_spread = (_GAIN * self.spread(code)).clamp(-_SPREAD_REACH, _SPREAD_REACH)
        return self.network.read(code, maps), _SPREAD * log_spread.exp()

    def _code_hint(self, hints: Hints) -> Tensor:
        places = (hints.joints / (INPUT_SIZE / 2) - 1).clamp(-3, 3).flatten(2)
        other = places[:, 1] * hints.both[:, None]
        known = torch.cat([places[:, 0], other, hints.both[:, None]], 1)
        return _GAIN * self.vector[1](F.relu(self.vector[0](known)))  # type: ignore[no-any-return]


def drawn(hints: Hints) -> Tensor:
    """(B, 12, 28, 28) blots of one cell at the believed joints: a map for each hand's wrist and
    fingers."""
    centres = torch.arange(INPUT_SIZE // _STRIDE, device=hints.joints.device) + 0.5
    away = (hints.joints[..., None] - (centres * _STRIDE - 0.5)) / _STRIDE
    across, down = (-0.5 * away.square()).exp().unbind(3)
    blots = down[..., :, None] * across[..., None, :]
    maps = torch.stack([blots[:, :, list(group)].amax(2) for group in _GROUPS], 2)
    return torch.cat([maps[:, 0], maps[:, 1] * hints.both[:, None, None, None]], 1)
