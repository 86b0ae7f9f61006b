"""Points beside observed skin, where a fit is to keep the field as steep as it was.

Points of a depth camera lie before and behind the skin by chance. A fit to them alone makes the
field flat there, for so they cost least, and moves joints to where it is flat.
"""

from __future__ import annotations

import torch

from im2hands_ros.calibration.field_fit import Adaptation, AdaptedField, adapted_joints
from im2hands_ros.calibration.observations import Observations
from im2hands_ros.networks.compact.initial_occupancy import InitialOccupancy

_BESIDE = (-0.004, 0.004)  # metres along the normal, out of the skin
_STEP = 0.001  # metres, of finite differences
_SURFACE = 12.0  # millimetres from the field's surface within which its normal says something
_CHUNK = 24


@torch.no_grad()
def with_slopes(network: InitialOccupancy, seen: Observations, start: Adaptation) -> Observations:
    """The observations, and beside each point of skin two more, with the depths that are to be.

    Args:
        network: as trained.
        seen: (H, N) points.
        start: what the fit begins with: its field's normals and slopes are taken.

    Returns:
        (H, 3 N) points: the given ones first. No points beside bounds: their weight is 0.
    """
    field = AdaptedField(network)
    parts = []
    for first in range(0, seen.hand_count, _CHUNK):
        index = torch.arange(first, min(first + _CHUNK, seen.hand_count))
        parts.append(_beside(field, seen.hands(index), start._replace(moves=start.moves[index])))
    points, depth, bound, weight = map(torch.cat, zip(*parts, strict=True))
    return seen._replace(points=points, depth=depth, bound=bound, weight=weight)


def _beside(
    field: AdaptedField, part: Observations, start: Adaptation
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """points, depth, bound and weight of some hands."""
    joints, points = adapted_joints(part, start), part.points
    steps = _STEP * torch.eye(3)
    rise = [field(joints, part, points + s) - field(joints, part, points - s) for s in steps]
    outward = -torch.nn.functional.normalize(torch.stack(rise, dim=-1), dim=-1)
    here = field(joints, part, points)
    known = part.weight * ~part.bound * (here.abs() < _SURFACE)
    beside = [points + distance * outward for distance in _BESIDE]
    depths = [part.depth + 1e-3 * (field(joints, part, each) - here) for each in beside]
    return (
        torch.cat([points, *beside], dim=1),
        torch.cat([part.depth, *depths], dim=1),
        torch.cat([part.bound, *[torch.zeros_like(part.bound)] * len(beside)], dim=1),
        torch.cat([part.weight, *[known] * len(beside)], dim=1),
    )
