"""Two hands that touch without running into each other: a solver on their sphere proxies."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from im2hands_ros.synthetic.hand import BakedHand, axis_angle_matrix
from im2hands_ros.synthetic.sphere_proxies import SphereProxies

SELF_SLACK = 0.90  # flesh of one hand may press together by a tenth of its radii


@dataclass(frozen=True)
class Pair:
    """B right hands and B left hands; index 0 of the leading axis is the right one.

    pose (2, B, 60), shape (2, B, 12), rotation (2, B, 3, 3), translation (2, B, 3) metres.
    """

    pose: Tensor
    shape: Tensor
    rotation: Tensor
    translation: Tensor

    def take(self, rows: Tensor) -> "Pair":
        """The pairs of these rows."""
        parts = (self.pose, self.shape, self.rotation, self.translation)
        return Pair(*(part[:, rows] for part in parts))


@dataclass(frozen=True)
class Goal:
    """What B pairs should do, besides not colliding.

    attraction (B,): pull towards contact; hold_pose, hold_place (B,): stay as given;
    growth (B,): spheres start at this share of their radius (to slip past each other) and end
    at `size` (N,), or (1,) for all;
    touches (T, 3) long: (pair, sphere, sphere) that should meet, right hand's spheres numbered
    from 0, the left's from N; start (2, B, 60): pose to begin with, the pair's own if None;
    blend (B, B): the pairs are neighbouring frames, and each is this mean of what is solved for.
    """

    attraction: Tensor
    hold_pose: Tensor
    hold_place: Tensor
    growth: Tensor
    touches: Tensor = field(default_factory=lambda: torch.zeros(0, 3, dtype=torch.long))
    start: Tensor | None = None
    size: Tensor = field(default_factory=lambda: torch.ones(1, dtype=torch.float64))
    blend: Tensor | None = None


@dataclass(frozen=True)
class Descent:
    """How the solver descends: how many steps, whether they fade out to none.

    damping: gradients by pose and by place well below these move little (Adam's epsilon). Where
    forces cancel, as those within one hand do, what is left is rounding, about 1e-12, and another
    one on every CPU: without damping it would move the hand as fast as any force.
    """

    steps: int = 50
    damping: tuple[float, float] = (1e-5, 1e-2)
    fades: bool = False


DEFAULT_DESCENT = Descent()


def sphere_centres(
    hand: BakedHand,
    proxies: SphereProxies,
    pose: Tensor,
    shape: Tensor,
    rotation: Tensor,
    translation: Tensor,
) -> Tensor:
    """(2, B, N, 3) of a pair's spheres."""
    points = landmarks(hand, pose, shape) @ rotation.mT + translation[:, :, None]
    return proxies.blends @ points


def landmarks(hand: BakedHand, pose: Tensor, shape: Tensor) -> Tensor:
    """(2, B, 23, 3) of a pair's hands in their rest frames, the left hand mirrored."""
    points = hand.rest_frame_landmarks(pose.flatten(0, 1), shape.flatten(0, 1))
    mirror = points.new_tensor([[1, 1, 1], [-1, 1, 1]])[:, None, None]
    return points.unflatten(0, (2, -1)) * mirror


def settle(
    hand: BakedHand,
    proxies: SphereProxies,
    pair: Pair,
    goal: Goal,
    descent: Descent = DEFAULT_DESCENT,
) -> Pair:
    """Move fingers and the left hand until the hands meet the goal and no spheres overlap."""
    pose = (pair.pose if goal.start is None else goal.start).clone().requires_grad_()
    shift = torch.zeros_like(pair.translation[1], requires_grad=True)
    turn = torch.zeros_like(shift, requires_grad=True)
    low, high = hand.pose_limits
    radii = proxies.radii(pair.shape.flatten(0, 1)).unflatten(0, (2, -1))
    bend, place = descent.damping
    groups = [(pose, 0.03, bend), (shift, 0.003, place), (turn, 0.02, place)]
    optimiser = torch.optim.Adam([{"params": [p], "lr": r, "eps": e} for p, r, e in groups])
    fading = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, descent.steps)
    for step in range(descent.steps):
        now = moved(pair, goal, pose, shift, turn)
        size = torch.lerp(goal.growth[:, None], goal.size, min(1, 2 * step / descent.steps))
        parts = (now.pose, now.shape, now.rotation, now.translation)
        centres = sphere_centres(hand, proxies, *parts)
        force = contact_forces(proxies, centres.detach(), radii * size, goal)
        drift = ((now.pose - pair.pose) ** 2).sum((0, 2)) * goal.hold_pose
        stray = ((shift**2).sum(1) * 500 + (turn**2).sum(1)) * goal.hold_place
        optimiser.zero_grad()
        ((centres * force).sum() + (drift + stray).sum()).backward()
        optimiser.step()
        if descent.fades:
            fading.step()
        with torch.no_grad():
            pose.clamp_(low, high)
    return moved(pair, goal, pose.detach(), shift.detach(), turn.detach())


def moved(pair: Pair, goal: Goal, pose: Tensor, shift: Tensor, turn: Tensor) -> Pair:
    """The pair in another pose (2, B, 60), its left hand shifted and turned (B, 3)."""
    if goal.blend is not None:
        pose, shift, turn = (goal.blend @ part for part in (pose, shift, turn))
    rotation = torch.stack([pair.rotation[0], axis_angle_matrix(turn) @ pair.rotation[1]])
    translation = torch.stack([pair.translation[0], pair.translation[1] + shift])
    return replace(pair, pose=pose, rotation=rotation, translation=translation)


def contact_forces(proxies: SphereProxies, centres: Tensor, radii: Tensor, goal: Goal) -> Tensor:
    """(2, B, N, 3) gradient of overlap, attraction and touches with respect to the centres.

    Written out by hand: with autograd the distance matrices dominate the solver's time.
    """
    right, left = centres
    distance = torch.cdist(right, left).clamp(min=1e-4)
    gap = distance - radii[0][:, :, None] - radii[1][:, None]
    pull = 8e4 * gap.clamp(max=0) / distance
    # Hands, not forearms, are drawn to each other.
    attracting = gap.clone()
    attracting[:, proxies.hand_count :] = attracting[:, :, proxies.hand_count :] = torch.inf
    nearest = attracting.flatten(1).topk(12, largest=False).indices
    apart = gap.flatten(1).gather(1, nearest).mean(1) > 0.001
    strength = (goal.attraction * apart)[:, None] * 5 / distance.flatten(1).gather(1, nearest)
    pull = pull.flatten(1).scatter_add(1, nearest, strength).view_as(pull)
    force = torch.stack([spring(pull, right, left), spring(pull.mT, left, right)])

    both, size = centres.flatten(0, 1), radii.flatten(0, 1) * SELF_SLACK
    distance = torch.cdist(both, both).clamp(min=1e-4)
    gap = (distance - size[:, :, None] - size[:, None]).clamp(max=0)
    force += 4e4 * spring(gap / distance * proxies.pairs, both, both).view_as(force)
    return force + touch_forces(centres, radii, goal.touches)


def spring(stiffness: Tensor, points: Tensor, others: Tensor) -> Tensor:
    """(B, N, 3) sum over M of stiffness (B, N, M) times the vector from other to point."""
    return stiffness.sum(2, keepdim=True) * points - stiffness @ others


def touch_forces(centres: Tensor, radii: Tensor, touches: Tensor) -> Tensor:
    """(2, B, N, 3) gradient that draws the spheres of each touch together."""
    force = torch.zeros_like(centres)
    row, a, b = touches.unbind(1)
    count = centres.shape[2]
    first, second = (a // count, row, a % count), (b // count, row, b % count)
    between = centres[first] - centres[second]
    length = between.norm(dim=1, keepdim=True).clamp(min=1e-4)
    # Constant pull far away, soft landing; a millimetre of overlap presses skin on skin.
    open_gap = length - 0.97 * (radii[first] + radii[second])[:, None]
    pull = 60 * (open_gap / 0.01).clamp(0, 1) * between / length
    force.index_put_(first, pull, accumulate=True)
    force.index_put_(second, -pull, accumulate=True)
    return force
