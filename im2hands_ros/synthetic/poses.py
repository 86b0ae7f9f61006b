"""Scenes of two hands (or one): who is there, how they are posed and where they are."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.synthetic.contact import (
    Goal,
    Pair,
    SphereProxies,
    pair_penetration,
    settle,
    sphere_centres,
)
from im2hands_ros.synthetic.gestures import random_poses
from im2hands_ros.synthetic.hand import BakedHand, Posed, axis_angle_matrix

CHUNK = 64  # scenes drawn together; scene i of a seed never depends on how many are asked for
SIDES = ("right", "left")  # order of the leading axis in this file
SINGLES = ("single_left", "single_right")
SHARES = {  # kind -> share of the scenes
    "apart": 0.20,
    "single_left": 0.10,
    "single_right": 0.10,
    "contact": 0.15,
    "overlap": 0.09,
    "pinch": 0.09,
    "fists": 0.06,
    "clasp": 0.09,
    "interlaced": 0.12,
}
SHAPE_SPREAD = 0.8  # standard deviations: adults, few extremes
SAME_PERSON = 0.85
DEEPEST = 0.005  # metres of penetration that a scene may keep
FAR = 0.6  # metres between hands before they are brought together


@dataclass(frozen=True)
class Scenes:
    """B scenes in a metric frame near the origin, metres and radians, float32.

    subset (B,) of "interacting", "apart", "single_left", "single_right"; kind (B,), finer;
    pose[side] (B, 60), shape[side] (B, 12), rotation[side] (B, 3, 3), translation[side] (B, 3)
    as `BakedHand.pose` takes them; present[side] (B,) bool. An absent hand's numbers mean nothing.
    """

    subset: np.ndarray
    kind: np.ndarray
    pose: dict[str, Tensor]
    shape: dict[str, Tensor]
    rotation: dict[str, Tensor]
    translation: dict[str, Tensor]
    present: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: slice | np.ndarray) -> "Scenes":
        """The scenes of these rows."""
        tables = (self.pose, self.shape, self.rotation, self.translation, self.present)
        cut = [{side: table[side][rows] for side in table} for table in tables]
        return Scenes(self.subset[rows], self.kind[rows], *cut)

    def posed(self, hand: BakedHand, side: str) -> Posed:
        """All B hands of one side, absent ones included."""
        tables = (self.pose, self.shape, self.rotation, self.translation)
        return hand.pose(*(table[side] for table in tables), side)


def sample_scenes(count: int, seed: int, first: int = 0) -> Scenes:
    """Scenes first .. first + count of a seed; each depends on nothing but seed and index."""
    if count < 1 or first < 0:
        raise ValueError(f"count {count}, first {first}: need count >= 1 and first >= 0")
    chunks = range(first // CHUNK, (first + count - 1) // CHUNK + 1)
    scenes = join_scenes([scene_chunk(seed, chunk) for chunk in chunks])
    start = first - chunks[0] * CHUNK
    return scenes.take(slice(start, start + count))


def join_scenes(parts: list[Scenes]) -> Scenes:
    """Scenes one after the other."""

    def tensors(name: str) -> dict[str, Tensor]:
        return {side: torch.cat([getattr(p, name)[side] for p in parts]) for side in SIDES}

    return Scenes(
        np.concatenate([p.subset for p in parts]),
        np.concatenate([p.kind for p in parts]),
        *(tensors(name) for name in ("pose", "shape", "rotation", "translation")),
        {side: np.concatenate([p.present[side] for p in parts]) for side in SIDES},
    )


@cache
def tools() -> tuple[BakedHand, SphereProxies]:
    """The hand and its spheres, loaded once in a process."""
    hand = BakedHand.load()
    return hand, SphereProxies(hand)


def scene_chunk(seed: int, chunk: int) -> Scenes:
    """The CHUNK scenes with indices from chunk * CHUNK on."""
    hand, proxies = tools()
    generator = torch.Generator().manual_seed(seed * 1_000_003 + chunk)
    kinds = draw_kinds(generator)
    pair, goal = draft(hand, proxies, kinds, generator)
    pair = settle(hand, proxies, pair, goal)
    pair = place_apart(hand, proxies, pair, kinds, generator)
    together = np.flatnonzero(~np.isin(kinds, ("apart", *SINGLES)))
    return to_scenes(part_deep_pairs(hand, pair, together), kinds)


def draw_kinds(generator: torch.Generator) -> np.ndarray:
    """(CHUNK,) names in random order, each as often as its share says (up to rounding)."""
    steps = (torch.arange(CHUNK) + torch.rand(1, generator=generator)) / CHUNK
    edges = torch.tensor(list(SHARES.values())).cumsum(0)[:-1]
    rows = torch.bucketize(steps % 1, edges)[torch.randperm(CHUNK, generator=generator)]
    return np.array(list(SHARES))[rows.numpy()]


def to_scenes(pair: Pair, kinds: np.ndarray) -> Scenes:
    """Solved pairs with their names."""
    alone = np.isin(kinds, ("apart", *SINGLES))

    def sides(part: Tensor) -> dict[str, Tensor]:
        return {side: part[k] for k, side in enumerate(SIDES)}

    return Scenes(
        np.where(alone, kinds, "interacting"),
        kinds,
        sides(pair.pose),
        sides(pair.shape),
        sides(pair.rotation),
        sides(pair.translation),
        {"right": kinds != "single_left", "left": kinds != "single_right"},
    )


def random_shapes(count: int, generator: torch.Generator, dims: int) -> Tensor:
    """(2, count, dims): mostly two hands of one person."""
    shapes = SHAPE_SPREAD * torch.randn(2, count, dims, generator=generator)
    same = torch.rand(count, 1, generator=generator) < SAME_PERSON
    return torch.stack([shapes[0], torch.where(same, shapes[0], shapes[1])])


def facing_rotations() -> Tensor:
    """(2, 3, 3) palms towards each other, fingers up (+y), the right hand on the +x side."""
    right = torch.tensor([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
    left = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    return torch.stack([right, left])


def random_turns(count: int, largest: Tensor | float, generator: torch.Generator) -> Tensor:
    """(count, 3, 3) turns of up to `largest` degrees around any axis."""
    axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    angle = torch.rand(count, generator=generator) * largest * (math.pi / 180)
    return axis_angle_matrix(axis * angle[:, None])


def turn_about(axis: int, degrees: Tensor) -> Tensor:
    """(B, 3, 3) turns around a coordinate axis."""
    vector = torch.zeros(len(degrees), 3)
    vector[:, axis] = degrees * (math.pi / 180)
    return axis_angle_matrix(vector)


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
    wild = torch.rand(2, count, generator=generator) < 0.15
    largest = torch.where(wild, 180.0, 75.0)
    turns = [random_turns(count, largest[k], generator) for k in range(2)]
    rotation = torch.stack(turns) @ facing_rotations()[:, None]
    aim = torch.randint(len(proxies.blends), (2, count), generator=generator)
    ones = torch.ones(count)
    plan = Draft(pose, pose.clone(), rotation, aim, ones * 0, ones * 0.15, ones * 0, ones * 1, [])
    for kind, fill in KIND_DRAFTS.items():
        rows = torch.from_numpy(np.flatnonzero(kinds == kind))
        if len(rows):
            fill(hand, proxies, plan, rows, generator)
    pair = Pair(plan.start, shape, plan.rotation, torch.zeros(2, count, 3))
    pair = bring_together(hand, proxies, pair, plan.aim, torch.full((count,), 0.004))
    crossing = torch.from_numpy(np.flatnonzero(kinds == "interlaced"))
    pair = cross_fingers(hand, pair, crossing, generator)
    alone = torch.from_numpy(np.isin(kinds, ("apart", *SINGLES)))
    pair.translation[1, alone, 0] -= FAR
    touches = torch.tensor(plan.touches, dtype=torch.long).reshape(-1, 3)
    goal = Goal(plan.attraction, plan.hold_pose, plan.hold_place, plan.growth, touches, plan.start)
    return replace(pair, pose=plan.pose), goal


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
    reach = radii[0][:, :, None] + radii[1][:, None]
    # Each step is no longer than the free space, so the hands stop before they meet.
    for _ in range(8):
        right, left = centres + place[:, :, None]
        free = (torch.cdist(right, left) - reach).flatten(1).amin(1) - gap
        place[1, :, 0] += free
    return replace(pair, translation=place)


def cross_fingers(hand: BakedHand, pair: Pair, rows: Tensor, generator: torch.Generator) -> Pair:
    """Lay the fingers of facing hands across each other, half a finger's width apart."""
    part = pair.take(rows)
    points = hand.rest_frame_keypoints(part.pose.flatten(0, 1), part.shape.flatten(0, 1))
    points = points.unflatten(0, (2, -1)) * torch.tensor([[1.0, 1, 1], [-1, 1, 1]])[:, None, None]
    points = points @ part.rotation.mT
    knuckles, middles = points[:, :, [5, 9, 13, 17]], points[:, :, [6, 10, 14, 18]]
    along = 0.35 + 0.3 * torch.rand(len(rows), 1, generator=generator)
    place = -torch.lerp(knuckles.mean(2), middles.mean(2), along)
    pitch = (knuckles[:, :, 0] - knuckles[:, :, 3]).norm(dim=-1).mean(0) / 3
    before = torch.rand(len(rows), generator=generator) < 0.5
    offset = torch.where(before, 1.0, -1.0) * pitch / 4
    place[:, :, 2] += torch.stack([offset, -offset])
    translation = pair.translation.clone()
    translation[:, rows] = place
    return replace(pair, translation=translation)


def draft_contact(hand, proxies, plan: Draft, rows: Tensor, generator) -> None:
    """Any two poses; half of the time the aims themselves touch, fingertips more often."""
    plan.attraction[rows] = 60
    tips = proxies.tips[torch.randint(5, (2, len(rows)), generator=generator)]
    use_tip = torch.rand(2, len(rows), generator=generator) < 0.5
    plan.aim[:, rows] = torch.where(use_tip, tips, plan.aim[:, rows])
    touching = torch.rand(len(rows), generator=generator) < 0.5
    count = len(proxies.blends)
    for row in rows[touching].tolist():
        plan.touches.append((row, int(plan.aim[0, row]), count + int(plan.aim[1, row])))


def draft_overlap(hand, proxies, plan: Draft, rows: Tensor, generator) -> None:
    """Hands close to each other, palm by palm or palm on back, free to keep a gap."""
    back = torch.rand(len(rows), generator=generator) < 0.5
    turn = turn_about(1, torch.where(back, 180.0, 0.0))
    tilt = turn_about(0, 360 * torch.rand(len(rows), generator=generator))
    facing = facing_rotations()
    plan.rotation[0, rows] = random_turns(len(rows), 30, generator) @ facing[0]
    plan.rotation[1, rows] = random_turns(len(rows), 30, generator) @ tilt @ turn @ facing[1]
    palm = proxies.palm[torch.randint(len(proxies.palm), (2, len(rows)), generator=generator)]
    plan.aim[:, rows] = palm


def draft_pinch(hand, proxies, plan: Draft, rows: Tensor, generator) -> None:
    """Thumb and index (or middle) fingertip meet on one hand or both, near the other hand."""
    count = len(proxies.blends)
    for side in range(2):
        does = torch.rand(len(rows), generator=generator) < (1.0 if side == 0 else 0.6)
        chosen = rows[does]
        if side == 0:  # either hand may be the one that pinches alone
            swap = torch.rand(1, generator=generator) < 0.5
        hand_row = 1 - side if bool(swap) else side
        plan.pose[hand_row, chosen] = random_poses(hand, len(chosen), generator, "pinch")
        plan.start[hand_row, chosen] = plan.pose[hand_row, chosen]
        finger = torch.where(torch.rand(len(chosen), generator=generator) < 0.75, 1, 2)
        for row, f in zip(chosen.tolist(), finger.tolist(), strict=True):
            base = hand_row * count
            plan.touches.append((row, base + int(proxies.tips[0]), base + int(proxies.tips[f])))
        plan.aim[hand_row, rows] = proxies.tips[1]
    plan.attraction[rows] = 60.0 * (torch.rand(len(rows), generator=generator) < 0.6)


def draft_fists(hand, proxies, plan: Draft, rows: Tensor, generator) -> None:
    """Fist on fist, or a fist in the other hand."""
    for side in range(2):
        kind = "fist" if side == 0 else "loose_fist"
        plan.pose[side, rows] = random_poses(hand, len(rows), generator, kind)
    cup = rows[torch.rand(len(rows), generator=generator) < 0.35]
    plan.pose[1, cup] = random_poses(hand, len(cup), generator, "cup")
    plan.start[:, rows] = plan.pose[:, rows]
    knuckles = proxies.knuckles[torch.randint(1, 5, (2, len(rows)), generator=generator)]
    plan.aim[:, rows] = knuckles
    plan.attraction[rows] = 60


def draft_clasp(hand, proxies, plan: Draft, rows: Tensor, generator) -> None:
    """Palm in palm, one hand turned, each hand's fingers closing around the other."""
    sign = torch.where(torch.rand(len(rows), generator=generator) < 0.5, 1.0, -1.0)
    turn = turn_about(0, sign * (40 + 70 * torch.rand(len(rows), generator=generator)))
    facing = facing_rotations()
    plan.rotation[0, rows] = random_turns(len(rows), 15, generator) @ facing[0]
    plan.rotation[1, rows] = random_turns(len(rows), 15, generator) @ turn @ facing[1]
    for side in range(2):
        plan.start[side, rows] = random_poses(hand, len(rows), generator, "flat")
        plan.pose[side, rows] = random_poses(hand, len(rows), generator, "loose_fist")
    palm = proxies.palm[torch.randint(len(proxies.palm), (2, len(rows)), generator=generator)]
    plan.aim[:, rows] = palm
    plan.attraction[rows] = 60


def draft_interlaced(hand, proxies, plan: Draft, rows: Tensor, generator) -> None:
    """Palms at an angle, spread straight fingers between each other, then bending."""
    lean = 22 + 23 * torch.rand(len(rows), generator=generator)
    facing = facing_rotations()
    plan.rotation[0, rows] = turn_about(2, lean) @ facing[0]
    plan.rotation[1, rows] = turn_about(2, -lean) @ facing[1]
    bend = torch.rand(len(rows), 1, generator=generator)
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


def place_apart(
    hand: BakedHand,
    proxies: SphereProxies,
    pair: Pair,
    kinds: np.ndarray,
    generator: torch.Generator,
) -> Pair:
    """Bring hands that are apart to 5-25 cm from each other, in any direction."""
    rows = torch.from_numpy(np.flatnonzero(kinds == "apart"))
    part = pair.take(rows)
    aim = torch.randint(len(proxies.blends), (2, len(rows)), generator=generator)
    gap = 0.05 + 0.20 * torch.rand(len(rows), generator=generator)
    part = bring_together(hand, proxies, part, aim, gap)
    translation = pair.translation.clone()
    translation[:, rows] = part.translation
    return replace(pair, translation=translation)


def part_deep_pairs(hand: BakedHand, pair: Pair, rows: np.ndarray) -> Pair:
    """Move the left hand out of the right one where they overlap by more than DEEPEST."""
    surfaces = [
        hand.pose(*(p[k] for p in (pair.pose, pair.shape, pair.rotation, pair.translation)), side)
        .surface.double()
        .numpy()
        for k, side in enumerate(SIDES)
    ]
    triangles = {side: hand.triangles_of(side) for side in SIDES}
    translation = pair.translation.clone()
    for row in rows:
        shift = free_shift(surfaces[0][row], surfaces[1][row], triangles)
        translation[1, row] += torch.from_numpy(shift).float()
    return replace(pair, translation=translation)


def free_shift(right: np.ndarray, left: np.ndarray, triangles: dict[str, np.ndarray]) -> np.ndarray:
    """(3,) metres by which the left surface must move to overlap by no more than DEEPEST."""
    shift = np.zeros(3)
    for attempt in range(60):
        depth, way = pair_penetration(right, left + shift, triangles)
        if depth <= DEEPEST:
            break
        # First out along the contact's own direction; if that leads nowhere, straight apart.
        step = way * (depth - 0.6 * DEEPEST) if attempt < 4 else np.array([-0.004, 0, 0])
        shift = shift + step
    return shift
