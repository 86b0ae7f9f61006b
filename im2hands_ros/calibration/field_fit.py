"""Offsets of joints and a person's shape, so that the field fits what was seen of hands.

Minimised is the field's depth at observed points, robustly, over all frames at once; the shape of
the flesh has the freedom that the networks know (`networks/compact/person_shape.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import huber_loss

from im2hands_ros.calibration.observations import Observations
from im2hands_ros.canonical import canonicalise
from im2hands_ros.joint_frames import USUAL_PALM
from im2hands_ros.networks.compact.articulated_decoder import DEPTH_UNIT
from im2hands_ros.networks.compact.bone_geometry import SLOT_COUNT
from im2hands_ros.networks.compact.initial_occupancy import InitialOccupancy
from im2hands_ros.networks.compact.person_shape import changed_parameters
from im2hands_ros.skeleton import BONES, JOINT_COUNT, MIDDLE_MCP, WRIST

STEPS = 300
_HANDS, _POINTS = 12, 160  # of a step
_SLOWEST = 1e-3  # share of the learning rate at the end
# Learning rates and standard deviations before: offsets and moves metres, code, thickness metres.
_RATES = {"offsets": 5e-4, "code": 0.02, "thickness": 2e-4, "moves": 1e-3}
_OFFSET, _CODE, _THICKNESS = 0.006, 1.0, 0.0015
_PRIOR = 0.01  # of a mean of squares, against a mean of millimetres
_LINEAR = 3.0  # millimetres from which an error counts linearly
_FARTHEST = 15.0  # and beyond which it is another thing
_ANYWHERE, _FLESH = 80, 0.011  # points around the bones of a hand, metres from them
_MOVED = 0.02  # prior of a hand's own move in a frame


class Adaptation(NamedTuple):
    """What is fitted.

    Attributes:
        offsets: (21, 3) metres of a hand of ``USUAL_PALM``, in the joints' frames.
        code: (C,). thickness: (20,) metres.
        moves: (H, 3) metres, camera frame: how far each hand's joints are off as a whole.
    """

    offsets: Tensor
    code: Tensor
    thickness: Tensor
    moves: Tensor

    @classmethod
    def none(cls, network: InitialOccupancy, hands: int) -> Adaptation:
        """Nothing changed."""
        code = network.decoder.code_to_bias.in_features
        sizes = ((JOINT_COUNT, 3), (code,), (SLOT_COUNT,), (hands, 3))
        return cls(*map(torch.zeros, sizes))


class AdaptedField(nn.Module):
    """The initial occupancy of observed hands, evaluated at their points."""

    def __init__(self, network: InitialOccupancy) -> None:
        super().__init__()
        self.network = network

    def forward(self, joints: Tensor, seen: Observations, points: Tensor) -> Tensor:
        """(H, N) millimetres under the skin of hands with joints (H, 21, 3)."""
        hands = canonicalise(joints, seen.mirrored)
        context = self.network.context(seen.features, seen.frame, seen.intrinsics, hands)
        return self.network(hands.palm_from_camera(points), context) * (DEPTH_UNIT * 1e3)

    def adapted(self, seen: Observations, points: Tensor, adaptation: Adaptation) -> Tensor:
        """The same with everything adapted; moves are those of the hands of ``seen``."""
        return self.with_flesh(adapted_joints(seen, adaptation), seen, points, adaptation)

    def with_flesh(
        self, joints: Tensor, seen: Observations, points: Tensor, adaptation: Adaptation
    ) -> Tensor:
        """The same for given joints: only code and thickness are adapted."""
        changes = changed_parameters(self.network.decoder, adaptation.code, adaptation.thickness)
        named = {f"network.decoder.{name}": value for name, value in changes.items()}
        return functional_call(self, named, (joints, seen, points))


def adapted_joints(seen: Observations, adaptation: Adaptation) -> Tensor:
    """(H, 21, 3) joints with offsets and moves."""
    given = seen.joints
    size = (given[:, MIDDLE_MCP] - given[:, WRIST]).norm(dim=-1) / USUAL_PALM
    steps = torch.einsum("jd,hjdc->hjc", adaptation.offsets, seen.directions)
    return given + size[:, None, None] * steps + adaptation.moves[:, None]


def fit(
    network: InitialOccupancy,
    seen: Observations,
    free: tuple[str, ...] = ("offsets", "code", "thickness"),
    start: Adaptation | None = None,
    steps: int = STEPS,
    move_sigma: float = _MOVED,
    flesh: float = 1.0,
    steady: float = 0.0,
    prior: float = _PRIOR,
    on_step: Callable[[float], None] = lambda error: None,
) -> Adaptation:
    """Fit to observations.

    Args:
        network: as trained; it is not changed.
        seen: the hands.
        free: names of what may change of an `Adaptation`.
        start: to begin with, and to keep of what is not free; None: nothing changed.
        move_sigma: by how much whole hands are usually off, metres, where moves are free.
        flesh: how far code and thickness may go, 1 as far as people differ: less of it makes more
            of the offsets.
        prior: weight of how far values usually go, against a mean of millimetres.
        steady: against changes of the flesh where nothing was seen of it, 0: none.
        on_step: called with each step's error, millimetres.
    """
    field = AdaptedField(network)
    start = start or Adaptation.none(network, seen.hand_count)
    values = {n: v.clone().requires_grad_(n in free) for n, v in start._asdict().items()}
    groups = [{"params": [values[name]], "lr": _RATES[name]} for name in free]
    optimiser = torch.optim.Adam(groups)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    generator = torch.Generator().manual_seed(0)
    means = {name: torch.zeros_like(value) for name, value in values.items()}
    averaged = max(steps // 2, 1)
    for step in range(steps):
        hands = torch.randint(seen.hand_count, (_HANDS,), generator=generator)
        there = seen.weight[hands]
        picked = torch.multinomial(there, _POINTS, replacement=True, generator=generator)
        now = Adaptation(**values)
        part, own = seen.hands(hands), now._replace(moves=now.moves[hands])
        error = _error(field, part, picked, own)
        loss = error + prior * _unlikeliness(now, start, hands, move_sigma, flesh)
        if steady:
            loss = loss + steady * _change(field, part, own, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        slower.step()
        if step >= steps - averaged:  # what single steps see little of wanders about
            for name, value in values.items():
                means[name] += value.detach() / averaged
        on_step(float(error.detach()))
    return Adaptation(**means)


def _error(
    field: AdaptedField, seen: Observations, picked: Tensor, adaptation: Adaptation
) -> Tensor:
    """Mean robust error, millimetres, at some points (H, P) of each hand."""
    points = seen.points.gather(1, picked[..., None].expand(-1, -1, 3))
    off = field.adapted(seen, points, adaptation) - seen.depth.gather(1, picked) * 1e3
    # Where only a bound is known, less is no error.
    off = torch.where(seen.bound.gather(1, picked), off.clamp_min(0), off)
    weight = seen.weight.gather(1, picked) * (off.detach().abs() < _FARTHEST)
    loss = huber_loss(off, torch.zeros_like(off), reduction="none", delta=_LINEAR)
    return (loss * weight).sum() / weight.sum().clamp_min(1)


def _change(
    field: AdaptedField, seen: Observations, adaptation: Adaptation, generator: torch.Generator
) -> Tensor:
    """Mean square of how much the flesh has changed anywhere around the bones, millimetres²."""
    joints = adapted_joints(seen, adaptation).detach()
    starts, ends = torch.tensor(BONES).T
    bone = torch.randint(len(starts), (len(joints), _ANYWHERE), generator=generator)
    share = torch.rand(*bone.shape, 1, generator=generator)
    a, b = (joints.gather(1, end[bone][..., None].expand(-1, -1, 3)) for end in (starts, ends))
    way = torch.randn(*bone.shape, 3, generator=generator)
    points = a + share * (b - a) + _FLESH * way / way.norm(dim=2, keepdim=True)
    with torch.no_grad():
        before = field(joints, seen, points)
    return (field.with_flesh(joints, seen, points, adaptation) - before).square().mean()


def _unlikeliness(
    now: Adaptation, start: Adaptation, hands: Tensor, move_sigma: float, flesh: float
) -> Tensor:
    terms = (
        ((now.offsets - start.offsets) / _OFFSET).square().mean(),
        (now.code / (_CODE * flesh)).square().mean(),
        (now.thickness / (_THICKNESS * flesh)).square().mean(),
        ((now.moves - start.moves)[hands] / move_sigma).square().mean(),
    )
    return torch.stack(terms).sum()
