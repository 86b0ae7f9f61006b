"""Paper networks whose surfaces are known: an octahedron around each palm.

Both hands' decoders are set to the octahedron; the refinement is set to move the threshold, so
that its surfaces differ from the initial ones. All other weights are random, all work is done. Our
kernels leave hidden units out that have one sign around an anchor: those of the attention are drawn
with small biases, so that units change their sign within centimetres of an anchor, more than in a
network as its training starts.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from im2hands_ros.networks.paper.initial_occupancy import PaperInitialOccupancy
from im2hands_ros.networks.paper.presets import PAPER
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy

SHARPNESS = 40.0
# The refinement takes this initial occupancy for its surface.
REFINED_AT = 0.75


def octahedra(radius: float) -> PaperRefinedOccupancy:
    """A refinement network and its initial one; radius in metres, from centre to corners."""
    torch.manual_seed(0)
    network = PaperRefinedOccupancy(PAPER)
    with torch.no_grad():
        _set_octahedron(network.initial, radius)
        _set_threshold(network)
    return network.eval().requires_grad_(False)


def volume(radius: float, occupancy: float) -> float:
    """Cubic metres inside this initial occupancy."""
    shrink = 0.4 * math.log(occupancy / (1 - occupancy)) / SHARPNESS
    return 4 / 3 * (radius - shrink) ** 3


def _set_octahedron(network: PaperInitialOccupancy, radius: float) -> None:
    hand: Any
    for hand in network.hands.values():
        decoder = hand.decoder
        for weight in decoder.parameters():
            nn.init.zeros_(weight)
        axes = torch.cat([torch.eye(3), -torch.eye(3)])
        centre = torch.tensor([-0.05, 0.0, 0.0]) / 0.4
        decoder.first.weight[0, :6, :3] = axes
        decoder.first.bias[0, :6] = -axes @ centre
        decoder.last.weight[0, 0, :6] = -SHARPNESS
        decoder.last.bias[:] = -100
        decoder.last.bias[0] = SHARPNESS * radius / 0.4


def _set_threshold(network: PaperRefinedOccupancy) -> None:
    for name, weight in network.queries.named_parameters():
        if not name.startswith("attention."):
            nn.init.zeros_(weight)
    for layers in (network.queries.attention, network.anchors):
        _draw(layers)
    network.queries.start.weight[0, -32:] = 1 / 32
    network.queries.last.weight[0, 0] = 20
    network.queries.last.bias[:] = -20 * REFINED_AT


def _draw(layers: nn.Module) -> None:
    """Linear layers with outputs as large as their inputs, and biases of a twentieth."""
    for layer in layers.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.05)
