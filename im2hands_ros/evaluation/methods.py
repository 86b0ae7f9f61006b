"""What is evaluated: the networks stage by stage and the baselines, each from the same cases."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.evaluation.baselines.skinned_hand import SkinnedHand
from im2hands_ros.evaluation.baselines.template_hand import TemplateHand
from im2hands_ros.evaluation.inputs import Case
from im2hands_ros.evaluation.noise_levels import NETWORK, STAGED
from im2hands_ros.evaluation.solid import Mesh
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import SIDES


class Estimate(NamedTuple):
    """One hand as a method sees it.

    mesh: None if none was found. keypoints: (21, 3) that its shape is made from, or that its shape
    has. inside: its label of each point; None: what its mesh contains.
    """

    mesh: Mesh | None
    keypoints: NDArray[np.floating]
    inside: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Answer:
    """A method's hands of one case, and how long it took to make their meshes, milliseconds.

    stages_ms: of that time, what each stage of the pipeline took.
    """

    hands: dict[str, Estimate]
    frame_ms: float
    stages_ms: dict[str, float] = field(default_factory=dict)


Method = Callable[[list[Case]], list[Answer]]


def held_by(model: Im2Hands) -> list[str]:
    """The methods that the model's weights have the stages for, fewest first."""
    return [name for name in STAGED if set(name.split("+")) <= set(model.stages)]


def network_method(model: Im2Hands, name: str, resolution: int) -> Method:
    """The pipeline with the stages of the name; labels come from its occupancy field.

    Raises ValueError, as the model does, for a stage that its weights do not hold.
    """
    stages = model.stages if name == NETWORK else name.split("+")

    def choose_stages() -> None:
        model.refine_keypoints = "keypoints" in stages
        model.refine_occupancy = "refinement" in stages

    def answer(case: Case) -> Answer:
        choose_stages()
        started = time.perf_counter()
        scene = model.encode(case.image, case.keypoints, case.camera)
        hands = scene.reconstruct(resolution=resolution, voxel_size=0)
        frame_ms = _milliseconds_since(started)
        estimates = {}
        for side in SIDES:
            points, occupancy = case.points[side], getattr(scene, side)
            if points is None or occupancy is None:
                continue
            surface = getattr(hands, side)
            mesh = None if surface is None else Mesh(surface.vertices, surface.triangles)
            inside = occupancy.occupancy(points) >= 0.5
            estimates[side] = Estimate(mesh, scene.keypoints[side], inside)
        return Answer(estimates, frame_ms, hands.timings_ms)

    choose_stages()
    return lambda cases: [answer(case) for case in cases]


def capsule_method() -> Method:
    """The union of capsules on the keypoints."""

    def answer(case: Case) -> Answer:
        started = time.perf_counter()
        hands = {side: CapsuleHand(case.keypoints[side]) for side in case.sides}
        meshes = {side: hand.mesh() for side, hand in hands.items()}
        frame_ms = _milliseconds_since(started)
        estimates = {}
        for side, hand in hands.items():
            points = case.points[side]
            inside = None if points is None else hand.occupancy(points) >= 0.5
            estimates[side] = Estimate(meshes[side], case.keypoints[side], inside)
        return Answer(estimates, frame_ms)

    return lambda cases: [answer(case) for case in cases]


def skinned_method() -> Method:
    """The mean hand skinned to the keypoints."""
    skinned = SkinnedHand()

    def answer(case: Case) -> Answer:
        started = time.perf_counter()
        estimates = {
            side: Estimate(skinned.skin(joints, side), joints)
            for side, joints in case.keypoints.items()
            if joints is not None
        }
        return Answer(estimates, _milliseconds_since(started))

    return lambda cases: [answer(case) for case in cases]


def fitted_method() -> Method:
    """The mean hand fitted to the keypoints; all hands of all cases share one fit and its time."""
    template = TemplateHand()

    def answers(cases: list[Case]) -> list[Answer]:
        hands = [(number, side) for number, case in enumerate(cases) for side in case.sides]
        keypoints = np.stack([cases[number].keypoints[side] for number, side in hands])
        started = time.perf_counter()
        fitted = template.fit(keypoints, [side for _, side in hands])
        frame_ms = _milliseconds_since(started) / len(cases)
        estimates: list[dict[str, Estimate]] = [{} for _ in cases]
        for (number, side), mesh, joints in zip(
            hands, fitted.meshes, fitted.keypoints, strict=True
        ):
            estimates[number][side] = Estimate(mesh, joints)
        return [Answer(found, frame_ms) for found in estimates]

    return answers


@cache
def baseline_method(name: str) -> Method:
    """The baseline of a name in `conditions.BASELINES`; one per process."""
    makers = {"capsules": capsule_method, "skinned": skinned_method, "fitted": fitted_method}
    return makers[name]()


def _milliseconds_since(started: float) -> float:
    return 1e3 * (time.perf_counter() - started)
