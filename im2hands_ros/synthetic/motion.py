"""Drawn hands in motion before one fixed camera: what a tracker's filters are measured on.

Hands go from one drawn pose to the next, places, turns and bends each at their own pace; between
two of them they move with the least jerk, as arms do (Flash and Hogan, J. Neuroscience 1985).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import MIDDLE_MCP, SIDES
from im2hands_ros.synthetic.gestures import random_poses
from im2hands_ros.synthetic.hand import ASSET, BakedHand, axis_angle_matrix
from im2hands_ros.synthetic.portable_random import normal, uniform
from im2hands_ros.synthetic.sample import HandParameters, hand_model

CAMERA = Camera(320, 240, 280.0, 280.0, 159.5, 119.5)
# Seconds from one pose to the next, and how often a hand rests there as long.
_PACE = {"place": (0.5, 1.5), "turn": (0.6, 1.6), "bend": (0.3, 1.0)}
_REST_SHARE = 0.3
# Middle of the space of the right hand, metres; its half widths; the left one's is mirrored.
_MIDDLE, _HALF_WIDTHS = (0.12, 0.0, 0.58), (0.07, 0.09, 0.14)
_LARGEST_TURN = 50.0  # degrees from fingers up, back of the hand to the camera or away from it
# Hands that cross: how far apart they begin, and how far one is behind the other, metres.
_CROSSING_WIDTH, _CROSSING_DEPTH = 0.13, 0.10


@dataclass(frozen=True)
class Motion:
    """Two hands of one person over time; metres, seconds, camera frame.

    Attributes:
        stamps: (T,) float64, from 0 on.
        parameters: by side, of each frame.
        keypoints: by side (T, 21, 3) float32 true joints.
        camera: the fixed camera.
    """

    stamps: NDArray[np.float64]
    parameters: dict[str, list[HandParameters]]
    keypoints: dict[str, NDArray[np.float32]]
    camera: Camera = CAMERA

    def __len__(self) -> int:
        return len(self.stamps)


def draw_motion(
    seconds: float, seed: int, rate: float = 30.0, crossings: int = 0, asset: Path = ASSET
) -> Motion:
    """Draw a motion; the same seed gives the same one at any rate.

    Args:
        seconds: how long.
        seed: decides everything.
        rate: frames per second.
        crossings: how often the hands pass before each other, over the whole motion; 0: each stays
            on its side.
        asset: the hand, by default the packaged one.
    """
    hand = hand_model(asset)
    generator = torch.Generator().manual_seed(seed)
    stamps = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    shape = 0.7 * normal(hand.shape_dims, generator=generator)
    parameters, keypoints = {}, {}
    for side in SIDES:
        pose = _between(_poses(hand, seconds, generator), stamps, "bend", generator)
        turn = _between(_turns(seconds, generator), stamps, "turn", generator)
        place = _between(_places(side, seconds, generator), stamps, "place", generator)
        if crossings:
            place = place + _crossing_offset(side, stamps / seconds, crossings, place)
        rotation = axis_angle_matrix(turn) @ _facing(generator)
        shapes = shape.expand(len(stamps), -1)
        posed = hand.pose(pose, shapes, rotation, torch.zeros_like(place), side).keypoints
        translation = place - posed[:, MIDDLE_MCP]
        keypoints[side] = (posed + translation[:, None]).float().numpy()
        tables = (pose, shapes, rotation, translation)
        parameters[side] = [
            HandParameters(*row)
            for row in zip(*(table.float().numpy() for table in tables), strict=True)
        ]
    return Motion(stamps.numpy(), parameters, keypoints)


def _most_stops(seconds: float, kind: str) -> int:
    return math.ceil(seconds / _PACE[kind][0]) + 3


def _poses(hand: BakedHand, seconds: float, generator: torch.Generator) -> Tensor:
    return random_poses(hand, _most_stops(seconds, "bend"), generator)


def _turns(seconds: float, generator: torch.Generator) -> Tensor:
    axis = normal(_most_stops(seconds, "turn"), 3, generator=generator)
    return axis / axis.norm(dim=1, keepdim=True).clamp_min(1.0) * math.radians(_LARGEST_TURN)


def _places(side: str, seconds: float, generator: torch.Generator) -> Tensor:
    """Where the middle knuckle stops."""
    within = 2 * uniform(_most_stops(seconds, "place"), 3, generator=generator) - 1
    places = within * within.new_tensor(_HALF_WIDTHS) + within.new_tensor(_MIDDLE)
    return places * within.new_tensor([1.0 if side == "right" else -1.0, 1.0, 1.0])


def _facing(generator: torch.Generator) -> Tensor:
    """(3, 3) fingers up in the picture, palm to the camera or away from it."""
    sign = 1.0 if float(uniform(1, generator=generator)) < 0.5 else -1.0
    return torch.diag(torch.tensor([-sign, -1.0, sign], dtype=torch.float64))


def _crossing_offset(side: str, share: Tensor, crossings: int, place: Tensor) -> Tensor:
    """(T, 3) what brings the hands across the middle so often, one before the other."""
    sign = 1.0 if side == "right" else -1.0
    offset = torch.zeros_like(place)
    swing = torch.cos(math.pi * crossings * share)
    offset[:, 0] = sign * (_CROSSING_WIDTH * swing - _MIDDLE[0])
    offset[:, 2] = sign * _CROSSING_DEPTH / 2
    return offset


def _between(stops: Tensor, stamps: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """(T, C) values at the stamps on the way between (S, C) stops, with the least jerk."""
    shortest, longest = _PACE[kind]
    paces = shortest + (longest - shortest) * uniform(len(stops), generator=generator)
    rests = uniform(len(stops), generator=generator) < _REST_SHARE
    arrivals = torch.cumsum(paces * torch.where(rests, 2.0, 1.0), 0)
    begins = arrivals - paces
    leg = torch.searchsorted(arrivals, stamps).clamp_max(len(stops) - 2)
    share = ((stamps - begins[leg]) / paces[leg]).clamp(0, 1)
    eased = share**3 * (10 - 15 * share + 6 * share**2)
    return torch.lerp(stops[leg], stops[leg + 1], eased[:, None])
