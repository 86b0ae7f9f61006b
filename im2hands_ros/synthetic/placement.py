"""Where two hands stand to each other, in float64: turns, approach, crossed fingers."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from im2hands_ros.synthetic.contact import Pair, landmarks, sphere_centres
from im2hands_ros.synthetic.hand import BakedHand, axis_angle_matrix
from im2hands_ros.synthetic.portable_random import normal, uniform
from im2hands_ros.synthetic.sphere_proxies import SphereProxies

FAR = 0.6  # metres between hands before they are brought together


def facing_rotations() -> Tensor:
    """(2, 3, 3) palms towards each other, fingers up (+y), the right hand on the +x side."""
    right, left = [[0, 0, -1], [0, 1, 0], [1, 0, 0]], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    return torch.tensor([right, left], dtype=torch.float64)


def random_turns(count: int, largest: Tensor | float, generator: torch.Generator) -> Tensor:
    """(count, 3, 3) turns of up to `largest` degrees around any axis."""
    axis = torch.nn.functional.normalize(normal(count, 3, generator=generator), dim=1)
    angle = uniform(count, generator=generator) * largest * (math.pi / 180)
    return axis_angle_matrix(axis * angle[:, None])


def turn_about(axis: int, degrees: Tensor) -> Tensor:
    """(B, 3, 3) turns around a coordinate axis."""
    vector = degrees.new_zeros(len(degrees), 3)
    vector[:, axis] = degrees * (math.pi / 180)
    return axis_angle_matrix(vector)


def bring_together(
    hand: BakedHand, proxies: SphereProxies, pair: Pair, aim: Tensor, gap: Tensor
) -> Pair:
    """Put the aims (2, B) on one line along x, the hands `gap` metres (B,) from each other."""
    centres = sphere_centres(
        hand, proxies, pair.pose, pair.shape, pair.rotation, torch.zeros_like(pair.translation)
    )
    rows = torch.arange(aim.shape[1])
    place = torch.stack([-centres[k][rows, aim[k]] for k in range(2)])
    place[1, :, 0] -= FAR
    radii = proxies.radii(pair.shape.flatten(0, 1)).unflatten(0, (2, -1))
    radii = radii[:, :, : proxies.hand_count]
    reach = radii[0][:, :, None] + radii[1][:, None]
    # Each step is no longer than the free space, so the hands stop before they meet.
    for _ in range(8):
        right, left = (centres + place[:, :, None])[:, :, : proxies.hand_count]
        free = (torch.cdist(right, left) - reach).flatten(1).amin(1) - gap
        place[1, :, 0] += free
    return replace(pair, translation=place)


def cross_fingers(hand: BakedHand, pair: Pair, rows: Tensor, generator: torch.Generator) -> Pair:
    """Lay the fingers of facing hands across each other, half a finger's width apart."""
    part = pair.take(rows)
    points = landmarks(hand, part.pose, part.shape) @ part.rotation.mT
    knuckles, middles = points[:, :, [5, 9, 13, 17]], points[:, :, [6, 10, 14, 18]]
    along = 0.2 + 0.55 * uniform(len(rows), 1, generator=generator)
    place = -torch.lerp(knuckles.mean(2), middles.mean(2), along)
    pitch = (knuckles[:, :, 0] - knuckles[:, :, 3]).norm(dim=-1).mean(0) / 3
    before = uniform(len(rows), generator=generator) < 0.5
    offset = torch.where(before, 1.0, -1.0) * pitch / 4
    place[:, :, 2] += torch.stack([offset, -offset])
    translation = pair.translation.clone()
    translation[:, rows] = place
    return replace(pair, translation=translation)
