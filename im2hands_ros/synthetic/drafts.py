"""First drafts of two-hand scenes, kind by kind, for the contact solver to settle."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.synthetic.contact import Goal, Pair
from im2hands_ros.synthetic.gestures import random_poses
from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.synthetic.placement import (
    FAR,
    bring_together,
    cross_fingers,
    facing_rotations,
    random_turns,
    turn_about,
)
from im2hands_ros.synthetic.portable_random import normal, uniform
from im2hands_ros.synthetic.sphere_proxies import SphereProxies

ALONE = ("apart", "single_left", "single_right")  # kinds that the solver keeps away from contact
SHAPE_SPREAD = 0.8  # standard deviations: adults, few extremes
SAME_PERSON = 0.85


@dataclass
class Draft:
    """Kinds fill in their rows: a pair before it is settled. See `Goal` for the rest.

    aim (2, B): spheres that face each other when the hands are brought together.
    """

    pose: Tensor
    start: Tensor
    rotation: Tensor
    aim: Tensor
    attraction: Tensor
    hold_pose: Tensor
    hold_place: Tensor
    growth: Tensor
    touches: list[tuple[int, int, int]]


def draft(
    hand: BakedHand, proxies: SphereProxies, kinds: np.ndarray, generator: torch.Generator
) -> tuple[Pair, Goal]:
    """Pairs of every kind close to each other, and what the solver shall make of them."""
    count = len(kinds)
    pose = random_poses(hand, 2 * count, generator).unflatten(0, (2, -1))
    shape = random_shapes(count, generator, hand.shape_dims)
    wild = uniform(2, count, generator=generator) < 0.15
    largest = torch.where(wild, 180.0, 75.0)
    turns = [random_turns(count, largest[k], generator) for k in range(2)]
    rotation = torch.stack(turns) @ facing_rotations()[:, None]
    aim = torch.randint(proxies.hand_count, (2, count), generator=generator)
    ones = torch.ones(count, dtype=torch.float64)
    plan = Draft(pose, pose.clone(), rotation, aim, ones * 0, ones * 0.15, ones * 0, ones * 1, [])
    for kind, fill in KIND_DRAFTS.items():
        rows = torch.from_numpy(np.flatnonzero(kinds == kind))
        if len(rows):
            fill(hand, proxies, plan, rows, generator)
    pair = Pair(plan.start, shape, plan.rotation, shape.new_zeros(2, count, 3))
    pair = bring_together(hand, proxies, pair, plan.aim, 0.004 * ones)
    crossing = torch.from_numpy(np.flatnonzero(kinds == "interlaced"))
    pair = cross_fingers(hand, pair, crossing, generator)
    alone = torch.from_numpy(np.isin(kinds, ALONE))
    pair.translation[1, alone, 0] -= FAR
    touches = torch.tensor(plan.touches, dtype=torch.long).reshape(-1, 3)
    goal = Goal(plan.attraction, plan.hold_pose, plan.hold_place, plan.growth, touches, plan.start)
    return replace(pair, pose=plan.pose), goal


def random_shapes(count: int, generator: torch.Generator, dims: int) -> Tensor:
    """(2, count, dims): mostly two hands of one person."""
    shapes = SHAPE_SPREAD * normal(2, count, dims, generator=generator)
    same = uniform(count, 1, generator=generator) < SAME_PERSON
    return torch.stack([shapes[0], torch.where(same, shapes[0], shapes[1])])


def draft_contact(
    hand: BakedHand, proxies: SphereProxies, plan: Draft, rows: Tensor, generator: torch.Generator
) -> None:
    """Any two poses; half of the time the aims themselves touch, fingertips more often."""
    plan.attraction[rows] = 60
    tips = proxies.tips[torch.randint(5, (2, len(rows)), generator=generator)]
    use_tip = uniform(2, len(rows), generator=generator) < 0.5
    plan.aim[:, rows] = torch.where(use_tip, tips, plan.aim[:, rows])
    touching = uniform(len(rows), generator=generator) < 0.5
    count = len(proxies.blends)
    for row in rows[touching].tolist():
        plan.touches.append((row, int(plan.aim[0, row]), count + int(plan.aim[1, row])))


def draft_overlap(
    hand: BakedHand, proxies: SphereProxies, plan: Draft, rows: Tensor, generator: torch.Generator
) -> None:
    """Hands close to each other, palm by palm or palm on back, free to keep a gap."""
    back = uniform(len(rows), generator=generator) < 0.5
    turn = turn_about(1, 180.0 * back.double())
    tilt = turn_about(0, 360 * uniform(len(rows), generator=generator))
    facing = facing_rotations()
    plan.rotation[0, rows] = random_turns(len(rows), 30, generator) @ facing[0]
    plan.rotation[1, rows] = random_turns(len(rows), 30, generator) @ tilt @ turn @ facing[1]
    palm = proxies.palm[torch.randint(len(proxies.palm), (2, len(rows)), generator=generator)]
    plan.aim[:, rows] = palm


def draft_pinch(
    hand: BakedHand, proxies: SphereProxies, plan: Draft, rows: Tensor, generator: torch.Generator
) -> None:
    """Thumb and index (or middle) fingertip meet on one hand or both, near the other hand."""
    count = len(proxies.blends)
    for side in range(2):
        does = uniform(len(rows), generator=generator) < (1.0 if side == 0 else 0.6)
        chosen = rows[does]
        if side == 0:  # either hand may be the one that pinches alone
            swap = uniform(1, generator=generator) < 0.5
        hand_row = 1 - side if bool(swap) else side
        plan.pose[hand_row, chosen] = random_poses(hand, len(chosen), generator, "pinch")
        plan.start[hand_row, chosen] = plan.pose[hand_row, chosen]
        finger = torch.where(uniform(len(chosen), generator=generator) < 0.75, 1, 2)
        for row, f in zip(chosen.tolist(), finger.tolist(), strict=True):
            base = hand_row * count
            plan.touches.append((row, base + int(proxies.tips[0]), base + int(proxies.tips[f])))
        plan.aim[hand_row, rows] = proxies.tips[1]
    plan.attraction[rows] = 60.0 * (uniform(len(rows), generator=generator) < 0.6).double()


def draft_fists(
    hand: BakedHand, proxies: SphereProxies, plan: Draft, rows: Tensor, generator: torch.Generator
) -> None:
    """Fist on fist, or a fist in the other hand."""
    for side in range(2):
        kind = "fist" if side == 0 else "loose_fist"
        plan.pose[side, rows] = random_poses(hand, len(rows), generator, kind)
    cup = rows[uniform(len(rows), generator=generator) < 0.35]
    plan.pose[1, cup] = random_poses(hand, len(cup), generator, "cup")
    plan.start[:, rows] = plan.pose[:, rows]
    knuckles = proxies.knuckles[torch.randint(1, 5, (2, len(rows)), generator=generator)]
    plan.aim[:, rows] = knuckles
    plan.attraction[rows] = 60


def draft_clasp(
    hand: BakedHand, proxies: SphereProxies, plan: Draft, rows: Tensor, generator: torch.Generator
) -> None:
    """Palm in palm, one hand turned, each hand's fingers closing around the other."""
    sign = torch.where(uniform(len(rows), generator=generator) < 0.5, 1.0, -1.0)
    turn = turn_about(0, sign * (40 + 70 * uniform(len(rows), generator=generator)))
    facing = facing_rotations()
    plan.rotation[0, rows] = random_turns(len(rows), 15, generator) @ facing[0]
    plan.rotation[1, rows] = random_turns(len(rows), 15, generator) @ turn @ facing[1]
    for side in range(2):
        plan.start[side, rows] = random_poses(hand, len(rows), generator, "flat")
        plan.pose[side, rows] = random_poses(hand, len(rows), generator, "loose_fist")
    palm = proxies.palm[torch.randint(len(proxies.palm), (2, len(rows)), generator=generator)]
    plan.aim[:, rows] = palm
    plan.attraction[rows] = 60


def draft_interlaced(
    hand: BakedHand, proxies: SphereProxies, plan: Draft, rows: Tensor, generator: torch.Generator
) -> None:
    """Palms at an angle, spread straight fingers between each other, then bending."""
    lean = 14 + 34 * uniform(len(rows), generator=generator)
    facing = facing_rotations()
    for side, sign in enumerate((1, -1)):
        wobble = random_turns(len(rows), 14, generator)
        plan.rotation[side, rows] = wobble @ turn_about(2, sign * lean) @ facing[side]
    bend = uniform(len(rows), 1, generator=generator)
    for side in range(2):
        straight = random_poses(hand, len(rows), generator, "open")
        bent = random_poses(hand, len(rows), generator, "grasp")
        spread = 2 + 3 * torch.arange(hand.pose_dims // 3)  # rows of spread in the flat pose
        bent[:, spread] = straight[:, spread]
        plan.start[side, rows] = straight
        plan.pose[side, rows] = torch.lerp(straight, bent, 0.3 + 0.9 * bend)
    plan.growth[rows] = 0.5
    plan.hold_place[rows] = 0.5


KIND_DRAFTS: dict[str, Callable[..., None]] = {
    "contact": draft_contact,
    "overlap": draft_overlap,
    "pinch": draft_pinch,
    "fists": draft_fists,
    "clasp": draft_clasp,
    "interlaced": draft_interlaced,
}
