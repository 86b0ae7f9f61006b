"""Plausible poses of one hand: named gestures, blends of them and free, correlated bends."""

import math

import torch
from torch import Tensor

from im2hands_ros.synthetic.hand import FINGER_NAMES, BakedHand
from im2hands_ros.synthetic.portable_random import normal, uniform

# Curl of index, middle, ring, little finger (0 straight, 1 fist); thumb's opposition (0 beside the
# palm, 1 in front of it) and curl; fan of the fingers (-1 pressed together, 1 spread).
GESTURES: dict[str, tuple[float, ...]] = {
    "open": (0.05, 0.05, 0.05, 0.05, 0.1, 0.2, 0.8),
    "flat": (0.08, 0.06, 0.06, 0.08, 0.2, 0.2, -0.6),
    "relaxed": (0.25, 0.30, 0.35, 0.40, 0.4, 0.3, 0.0),
    "fist": (1.0, 1.0, 1.0, 1.0, 0.8, 0.8, -0.3),
    "loose_fist": (0.75, 0.80, 0.80, 0.85, 0.6, 0.5, -0.2),
    "point": (0.05, 0.90, 0.95, 1.0, 0.7, 0.7, -0.2),
    "victory": (0.05, 0.05, 0.95, 1.0, 0.9, 0.7, 0.6),
    "three": (0.05, 0.05, 0.05, 0.9, 0.9, 0.6, 0.5),
    "horns": (0.05, 0.95, 0.95, 0.1, 0.9, 0.7, 0.2),
    "thumb_up": (1.0, 1.0, 1.0, 1.0, -0.2, 0.0, -0.2),
    "grasp": (0.50, 0.52, 0.55, 0.58, 0.9, 0.35, 0.1),
    "cup": (0.30, 0.32, 0.34, 0.38, 0.7, 0.3, -0.5),
    "pinch": (0.50, 0.35, 0.30, 0.25, 1.0, 0.35, 0.0),
    "hook": (0.45, 0.45, 0.45, 0.45, 0.2, 0.3, -0.3),
}
FREE_SHARE = 0.4  # of hands whose fingers bend freely rather than by a gesture


def random_poses(
    hand: BakedHand, count: int, generator: torch.Generator, gesture: str | None = None
) -> Tensor:
    """(count, 60) poses within the limits, radians, float64: mixed, or around one named gesture."""
    table = torch.tensor(list(GESTURES.values()), dtype=torch.float64)
    if gesture is None:
        rows = torch.randint(len(table), (count,), generator=generator)
    else:
        rows = torch.full((count,), list(GESTURES).index(gesture))
    traits = table[rows] + 0.08 * normal(count, 7, generator=generator)
    free = uniform(count, 1, generator=generator) < FREE_SHARE
    if gesture is None:
        traits = torch.where(free, free_traits(count, generator), traits)
    return pose_from_traits(hand, traits, generator)


def free_traits(count: int, generator: torch.Generator) -> Tensor:
    """(count, 7) finger curls that follow each other, and any thumb."""
    common = uniform(count, 1, generator=generator)
    own = uniform(count, 4, generator=generator)
    # Neighbouring fingers share tendons, so they curl together.
    own = 0.6 * own + 0.2 * own.roll(1, 1) + 0.2 * own.roll(-1, 1)
    curls = 0.55 * common + 0.45 * own
    curls = (1.35 * curls - 0.2).clamp(0, 1)
    reach, start = curls.new_tensor([[1.4, 1.0, 2.0], [0.3, 0.1, 1.0]])
    thumb = uniform(count, 3, generator=generator) * reach - start
    return torch.cat([curls, thumb], 1)


def pose_from_traits(
    hand: BakedHand, traits: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """(B, 7) traits, see GESTURES -> (B, 60) pose inside the limits; a generator adds noise."""
    count = len(traits)
    angles = traits.new_zeros(count, len(hand.joint_names), 3)  # degrees

    def noise(scale: float) -> Tensor:
        if generator is None:
            return traits.new_zeros(count)
        return scale * normal(count, generator=generator)

    curls, opposition, bend, fan = traits[:, :4], traits[:, 4], traits[:, 5], traits[:, 6]
    # How much of a curl happens in the knuckle rather than in the finger: hook against flat grip.
    style = noise(0.15)
    for f, finger in enumerate(FINGER_NAMES[1:]):
        curl = curls[:, f]
        mcp, pip, dip = (hand.joint(f"{finger}_{part}") for part in ("mcp", "pip", "dip"))
        angles[:, mcp, 0] = -18 + 92 * curl * (1 + style) + noise(5)
        angles[:, pip, 0] = -13 + 105 * curl * (1 - style) + noise(5)
        angles[:, dip, 0] = -12 + 0.6 * (angles[:, pip, 0] + 13) + noise(5)
        place = (f - 1.2) / 1.5  # -0.8 index .. 1.2 little finger
        angles[:, mcp, 2] = (9 * fan * place + noise(2.5)) * (1 - 0.7 * curl.clamp(0, 1))
    angles[:, hand.joint("pinky_palm"), 0] = 8 * curls[:, 3]
    angles[:, hand.joint("ring_palm"), 0] = 4 * curls[:, 3]
    cmc = [-12 + 32 * opposition, -8 + 26 * opposition, 12 - 26 * opposition]
    angles[:, hand.joint("thumb_cmc")] = torch.stack([a + noise(5) for a in cmc], 1)
    angles[:, hand.joint("thumb_mcp"), 0] = -8 + 50 * bend + noise(6)
    angles[:, hand.joint("thumb_ip"), 0] = -12 + 60 * bend + noise(9)
    angles[:, hand.joint("wrist"), 0] = noise(18)
    angles[:, hand.joint("wrist"), 2] = noise(8)
    low, high = hand.pose_limits
    return (angles * (math.pi / 180)).flatten(1).clamp(low, high)
