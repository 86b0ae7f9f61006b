"""A published keypoint refinement whose output is known: hands grow around their middle MCP."""

from __future__ import annotations

import torch
from torch import nn

from im2hands_ros.networks.paper.keypoint_refinement import PaperKeypointRefinement
from im2hands_ros.networks.paper.presets import PaperKeypointPreset


def enlarging(factor: float) -> PaperKeypointRefinement:
    """All layers work, but features of the image and of other joints are not passed on."""
    torch.manual_seed(0)
    preset = PaperKeypointPreset()
    network = PaperKeypointRefinement(preset)
    halves = torch.cat([torch.eye(3), -torch.eye(3)])
    with torch.no_grad():
        for hand in network.hands.values():
            _pass(hand.embed_first, halves)
            _pass(hand.embed_second, torch.eye(6))
            for layer in hand.layers:
                _pass(layer.attention.from_queries.output, torch.zeros(1, 1))
                _pass(layer.attention.from_queries.feed_second, torch.zeros(1, 1))
        places = torch.eye(6)
        _pass(network.regress_first, places, preset.identity_width)
        _pass(network.regress_second, factor * halves.T)
    return network.eval().requires_grad_(False)


def _pass(layer: nn.Linear, matrix: torch.Tensor, first_input: int = 0) -> None:
    """A layer that does this with its first inputs and nothing else."""
    rows, columns = matrix.shape
    layer.weight.zero_()
    layer.bias.zero_()
    layer.weight[:rows, first_input : first_input + columns] = matrix
