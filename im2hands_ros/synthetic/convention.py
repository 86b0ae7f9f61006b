"""Where trackers put the same joints: another convention of the same hand's keypoints.

PIP and DIP joints differ by millimetres between trackers: in the middle of the finger, or up to 4
mm nearer its back. Wrists, knuckles, the thumb's base and fingertips differ by 5 to 18 mm between
this project's hand and the WebXR generic hand, once the one had been fitted to the other's skin.
The thumb's base differs most: rigs of seven other makes have it 14 to 27 mm nearer to the wrist, up
to 19 mm deeper and 10 to 28 mm further out than the packaged hand.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from im2hands_ros.synthetic.hand import check_side

# Ranges in millimetres, low and high: along the bone that ends at the joint, out of the hand's
# back, towards the thumb's side. The wrist moves along the line to the middle knuckle.
_WRIST = ((-18, 20), (-3, 7), (-4, 4))
_THUMB = (
    ((-26, 8), (-16, 8), (-4, 26)),
    ((-6, 9), (-3, 4), (-2, 3)),
    ((-4, 6), (-2.5, 4), (0, 0)),
    ((-11, 4), (-2, 2.5), (0, 0)),
)
_FINGER = (
    ((-18, 5), (-3, 6), (-3, 3)),
    ((-4, 4), (-2, 4.5), (-1.5, 1.5)),
    ((-4, 4), (-2, 4.5), (-1.5, 1.5)),
    ((-13, 4), (-2, 2.5), (-1, 1)),
)
RANGES = 1e-3 * torch.tensor((_WRIST, *_THUMB, *(_FINGER * 4)))  # (21, 3 directions, 2)
# What the joints of a level have in common: conventions are systematic.
_LEVELS = (0, 1, 2, 3, 4, *((5, 6, 7, 8) * 4))
_COMMON = 0.8


def vary_convention(keypoints: Tensor, generator: torch.Generator, side: str = "right") -> Tensor:
    """Move keypoints (B, 21, 3), MANO order, metres, as another tracker's convention might.

    Each hand's convention lies anywhere between none and ``RANGES``; the same generator gives
    both sides of a tracker the same one. The generator must live on the keypoints' device.
    """
    count, device = len(keypoints), keypoints.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    strength = uniform(1, 1)
    common, own = uniform(max(_LEVELS) + 1, 3), uniform(len(_LEVELS), 3)
    share = _COMMON * common[:, list(_LEVELS)] + (1 - _COMMON) * own
    low, high = RANGES.to(keypoints).unbind(-1)
    offset = strength * (low + (high - low) * share)
    return keypoints + (offset[..., None] * joint_directions(keypoints, side)).sum(2)


def joint_directions(keypoints: Tensor, side: str) -> Tensor:
    """(B, 21, 3, 3) unit vectors at every joint: along, out of the back, to the thumb's side.

    A finger bends around the line of the knuckles, so its back is square to that and to its bone;
    the thumb's back looks away from the fingers, to about ten degrees at rest.
    """
    chains = keypoints[:, 1:].unflatten(1, (5, 4))
    wrist = keypoints[:, 0][:, None, None].expand(-1, 5, 1, 3)
    bones = normalize((chains - torch.cat([wrist, chains[:, :, :3]], 2)), dim=-1)
    middle = normalize(keypoints[:, 9] - keypoints[:, 0], dim=-1)[:, None]
    across = normalize(keypoints[:, 5] - keypoints[:, 17], dim=-1)[:, None]
    sign = 1.0 if check_side(side) == "right" else -1.0
    palm = sign * torch.linalg.cross(middle, across, dim=-1)
    # A joint's back is that of the bone that begins there; a tip has only the one that ends.
    outward = torch.cat([bones[:, :, 1:], bones[:, :, 3:]], 2)
    fingers = sign * torch.linalg.cross(outward[:, 1:], across[:, None].expand_as(outward[:, 1:]))
    thumb = across - (across * outward[:, 0]).sum(-1, keepdim=True) * outward[:, 0]
    # The thumb's base is part of the palm.
    backs = torch.cat([palm, palm, thumb[:, 1:], fingers.flatten(1, 2)], 1)
    along = torch.cat([middle, bones.flatten(1, 2)], 1)
    return torch.stack([along, normalize(backs, dim=-1), across.expand_as(along)], 2)
