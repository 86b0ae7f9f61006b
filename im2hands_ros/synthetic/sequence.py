"""A smooth motion for demonstrations: two hands meet, touch, interlace their fingers and part."""

from dataclasses import replace

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from torch import Tensor

from im2hands_ros.synthetic.contact import Descent, Goal, Pair, landmarks, settle
from im2hands_ros.synthetic.gestures import pose_from_traits
from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.synthetic.overlap import free_shift
from im2hands_ros.synthetic.placement import facing_rotations, turn_about
from im2hands_ros.synthetic.portable_random import normal, uniform
from im2hands_ros.synthetic.scenes import SIDES, Scenes, from_pair, solids, tools
from im2hands_ros.synthetic.sphere_proxies import SphereProxies

# The story: time 0..1; distance between the points where the fingers will cross, metres; lean of
# the hands towards each other, degrees; sideways offset in finger widths; bend and fan of the
# fingers; how much the fingers play.
STORY = np.array(
    [
        # time  apart  lean offset bend   fan  play
        [0.00, 0.260, 10.0, 0.0, 0.22, 0.5, 1.0],
        [0.11, 0.220, 14.0, 0.0, 0.22, 0.5, 1.0],
        [0.27, 0.098, 24.0, 0.0, 0.12, 0.3, 0.0],
        [0.35, 0.098, 24.0, 0.0, 0.12, 0.3, 0.0],
        [0.43, 0.120, 29.0, 1.0, 0.08, 0.9, 0.0],
        [0.56, 0.000, 32.0, 1.0, 0.12, 0.9, 0.0],
        [0.67, 0.000, 31.0, 1.0, 0.34, 0.8, 0.0],
        [0.73, 0.000, 31.0, 1.0, 0.34, 0.8, 0.0],
        [0.82, 0.015, 32.0, 1.0, 0.12, 0.9, 0.0],
        [1.00, 0.220, 22.0, 1.0, 0.20, 0.7, 0.6],
    ]
)
TOUCH = (0.27, 0.35)  # when the fingertips meet
KIND_EDGES = (0.25, 0.48, 0.90)  # apart | contact | interlaced | apart
DEEPEST_FRAME = 0.0035  # metres of penetration
# Each frame is a mean of its neighbourhood, this wide in times of the story, so nothing jumps.
BLEND_WIDTH = 1 / 30
# Spheres a little larger than those inscribed keep the skin apart as well; the last one of a finger
# is small, well inside the tip.
SIZE, TIP_SIZE = 1.12, 1.45
# Slow enough that rounding, which differs between CPUs, does not grow.
DESCENT = Descent(steps=160, damping=(1.0, 10.0), fades=True)


def sequence(frames: int, seed: int = 0) -> Scenes:
    """`frames` neighbouring scenes of one motion; seed varies hands and play of the fingers.

    Raises ValueError for fewer than 8 frames, which could not tell the story.
    """
    if frames < 8:
        raise ValueError(f"{frames} frames are too few for the motion: ask for 8 or more")
    hand, proxies = tools()
    generator = torch.Generator().manual_seed(seed)
    time = np.linspace(0, 1, frames)
    story = PchipInterpolator(STORY[:, 0], STORY[:, 1:])(time)
    pair = rough_motion(hand, torch.from_numpy(story), time, generator)
    ones = torch.ones(frames, dtype=torch.float64)
    goal = Goal(
        attraction=0 * ones,
        hold_pose=0.15 * ones,
        hold_place=0.3 * ones,
        growth=0.4 * ones,
        touches=fingertip_touches(proxies, time),
        size=sphere_sizes(proxies),
        blend=blend(frames),
    )
    solved = part_smoothly(hand, settle(hand, proxies, pair, goal, DESCENT))
    kinds = np.array(["apart", "contact", "interlaced", "apart"])
    return to_sequence(solved, kinds[np.searchsorted(KIND_EDGES, time)])


def rough_motion(
    hand: BakedHand, story: Tensor, time: np.ndarray, generator: torch.Generator
) -> Pair:
    """The story's poses and places, without regard to collisions."""
    apart, lean, offset, bend, fan, play = story.T
    shape = 0.4 * normal(hand.shape_dims, generator=generator)
    shape = shape.expand(2, len(story), -1)
    phase = 6.28 * uniform(2, 4, 1, generator=generator)
    clock = torch.from_numpy(time)
    waves = torch.sin(6.28 * 2.5 * clock + phase + 0.8 * torch.arange(4)[:, None])
    curls = bend + 0.15 * play * waves  # (2, 4 fingers, frames)
    thumb = torch.stack([0.35 + 0 * bend, 0.2 + 0.4 * bend, fan]).expand(2, 3, -1)
    traits = torch.cat([curls, thumb], 1).transpose(1, 2)
    pose = pose_from_traits(hand, traits.flatten(0, 1)).unflatten(0, (2, -1))
    facing = facing_rotations()
    rotation = torch.stack([turn_about(2, lean) @ facing[0], turn_about(2, -lean) @ facing[1]])
    return Pair(pose, shape, rotation, crossing_places(hand, shape, rotation, apart, offset))


def crossing_places(
    hand: BakedHand, shape: Tensor, rotation: Tensor, apart: Tensor, offset: Tensor
) -> Tensor:
    """(2, B, 3) translations that put the middles of the first phalanges `apart` from each other.

    They are measured on straight fingers, so that bending them does not move the hands.
    """
    straight = shape.new_zeros(*shape.shape[:2], hand.pose_dims)
    points = landmarks(hand, straight, shape) @ rotation.mT
    knuckles, middles = points[:, :, [5, 9, 13, 17]], points[:, :, [6, 10, 14, 18]]
    place = -torch.lerp(knuckles.mean(2), middles.mean(2), 0.5)
    pitch = (knuckles[:, :, 0] - knuckles[:, :, 3]).norm(dim=-1).mean() / 3
    side = shape.new_tensor([0.5, -0.5])[:, None]
    place[..., 0] += side * apart
    place[..., 2] += side * offset * pitch / 2
    return place


def fingertip_touches(proxies: SphereProxies, time: np.ndarray) -> Tensor:
    """(T, 3) rows for `Goal.touches`: same fingertips of both hands while they meet."""
    meeting = np.flatnonzero((time >= TOUCH[0]) & (time <= TOUCH[1]))
    count = len(proxies.blends)
    rows = [(int(t), int(tip), count + int(tip)) for t in meeting for tip in proxies.tips]
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 3)


def sphere_sizes(proxies: SphereProxies) -> Tensor:
    """(N,) shares of the inscribed spheres' radii."""
    sizes = torch.full((len(proxies.blends),), SIZE, dtype=torch.float64)
    sizes[proxies.tips] = TIP_SIZE
    return sizes


def blend(frames: int) -> Tensor:
    """(frames, frames) float64, each row a Gaussian mean over neighbouring frames."""
    time = torch.arange(frames, dtype=torch.float64) / frames
    weights = torch.exp(-0.5 * ((time - time[:, None]) / BLEND_WIDTH) ** 2)
    return weights / weights.sum(1, keepdim=True)


def part_smoothly(hand: BakedHand, pair: Pair) -> Pair:
    """Take out what penetration is left, spread over the neighbouring frames."""
    for _ in range(3):
        shifts = np.stack(
            [
                free_shift(right, left, DEEPEST_FRAME)
                for right, left in zip(*solids(hand, pair), strict=True)
            ]
        )
        if not shifts.any():
            break
        width = max(1.0, len(shifts) / 25)
        reach = np.linalg.norm(shifts, axis=1)
        wide = maximum_filter1d(reach, int(2 * width) + 1)
        gain = gaussian_filter1d(wide, width) / np.maximum(gaussian_filter1d(reach, width), 1e-9)
        eased = gaussian_filter1d(shifts, width, axis=0) * np.minimum(gain, 2)[:, None]
        translation = pair.translation.clone()
        translation[1] += torch.from_numpy(eased)
        pair = replace(pair, translation=translation)
    return pair


def to_sequence(pair: Pair, kinds: np.ndarray) -> Scenes:
    """Frames as scenes; both hands are there all the time."""
    subset = np.where(kinds == "apart", "apart", "interacting")
    return from_pair(pair, subset, kinds, {side: np.ones(len(kinds), bool) for side in SIDES})
