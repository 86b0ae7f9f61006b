"""What is evaluated: the network and the baselines, each from the same cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.evaluation.capsule_hand import CapsuleHand
from im2hands_ros.evaluation.metrics import Mesh, contains
from im2hands_ros.evaluation.skinned_hand import SkinnedHand
from im2hands_ros.evaluation.template_hand import TemplateHand
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import SIDES


@dataclass(frozen=True)
class Case:
    """What a method sees of a sample, camera frame, metres; an absent side is None.

    keypoints: per side (21, 3), possibly noisy. points: per side (N, 3) to be labelled.
    """

    image: NDArray[np.uint8]
    camera: Camera
    keypoints: dict[str, NDArray[np.floating] | None]
    points: dict[str, NDArray[np.floating] | None]

    @property
    def sides(self) -> list[str]:
        """The present hands."""
        return [side for side in SIDES if self.keypoints[side] is not None]


class Estimate(NamedTuple):
    """One hand as a method sees it: its mesh (None: none found), and its label of each point."""

    mesh: Mesh | None
    inside: NDArray[np.bool_]


Estimates = dict[str, Estimate]
Method = Callable[[list[Case]], list[Estimates]]


def network_method(model: Im2Hands, resolution: int) -> Method:
    """The pipeline; labels come from its occupancy field."""

    def estimate(case: Case) -> Estimates:
        scene = model.encode(case.image, case.keypoints, case.camera)
        hands = scene.reconstruct(resolution=resolution, voxel_size=0)
        estimates = {}
        for side in case.sides:
            surface = getattr(hands, side)
            mesh = None if surface is None else Mesh(surface.vertices, surface.triangles)
            probability = getattr(scene, side).occupancy(case.points[side])
            estimates[side] = Estimate(mesh, probability >= 0.5)
        return estimates

    return lambda cases: [estimate(case) for case in cases]


def capsule_method() -> Method:
    """The union of capsules on the keypoints."""

    def estimate(case: Case) -> Estimates:
        hands = {side: CapsuleHand(case.keypoints[side]) for side in case.sides}
        return {
            side: Estimate(hand.mesh(), hand.occupancy(case.points[side]) >= 0.5)
            for side, hand in hands.items()
        }

    return lambda cases: [estimate(case) for case in cases]


def skinned_method() -> Method:
    """The mean hand skinned to the keypoints."""
    skinned = SkinnedHand()

    def estimate(case: Case) -> Estimates:
        meshes = {side: skinned.skin(case.keypoints[side], side) for side in case.sides}
        return {
            side: Estimate(mesh, contains(mesh, case.points[side])) for side, mesh in meshes.items()
        }

    return lambda cases: [estimate(case) for case in cases]


def fitted_method() -> Method:
    """The mean hand fitted to the keypoints; all hands of all cases in one fit."""
    template = TemplateHand()

    def estimate(cases: list[Case]) -> list[Estimates]:
        hands = [(number, side) for number, case in enumerate(cases) for side in case.sides]
        keypoints = np.stack([cases[number].keypoints[side] for number, side in hands])
        fitted = template.fit(keypoints, [side for _, side in hands])
        estimates: list[Estimates] = [{} for _ in cases]
        for (number, side), mesh in zip(hands, fitted.meshes, strict=True):
            inside = contains(mesh, cases[number].points[side])
            estimates[number][side] = Estimate(mesh, inside)
        return estimates

    return estimate
