"""What is evaluated: the networks stage by stage and the baselines, each from the same inputs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.evaluation.baselines.skinned_hand import SkinnedHand
from im2hands_ros.evaluation.baselines.template_hand import TemplateHand
from im2hands_ros.evaluation.inputs import EvaluationInput
from im2hands_ros.evaluation.noise_levels import NETWORK, STAGED
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.sample import Mesh, present


class PredictedHand(NamedTuple):
    """One hand as a method reconstructs it.

    mesh: None if none was found. keypoints: (21, 3) that its shape is made from, or that its shape
    has. inside: its label of each point; None: what its mesh contains.
    """

    mesh: Mesh | None
    keypoints: NDArray[np.floating]
    inside: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Prediction:
    """A method's hands of one input, and how long it took to make their meshes, milliseconds.

    stages_ms: of that time, what each stage of the pipeline took.
    """

    hands: dict[str, PredictedHand]
    frame_ms: float
    stages_ms: dict[str, float] = dataclasses.field(default_factory=dict)


Method = Callable[[list[EvaluationInput]], list[Prediction]]


def methods_of(model: Im2Hands) -> list[str]:
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

    def predict(given: EvaluationInput) -> Prediction:
        choose_stages()
        started = time.perf_counter()
        scene = model.encode(given.image, given.keypoints, given.camera, given.depth)
        hands = scene.reconstruct(resolution=resolution, voxel_size=0)
        frame_ms = _milliseconds_since(started)
        predicted = {}
        for side in SIDES:
            points, field = given.points[side], getattr(scene, side)
            joints = scene.keypoints[side]
            if points is None or field is None or joints is None:
                continue
            surface = getattr(hands, side)
            mesh = None if surface is None else Mesh(surface.vertices, surface.triangles)
            predicted[side] = PredictedHand(mesh, joints, field.occupancy(points) >= 0.5)
        return Prediction(predicted, frame_ms, hands.timings_ms)

    choose_stages()
    return lambda inputs: [predict(given) for given in inputs]


def capsule_method() -> Method:
    """The union of capsules on the keypoints."""

    def predict(given: EvaluationInput) -> Prediction:
        started = time.perf_counter()
        keypoints = present(given.keypoints)
        hands = {side: CapsuleHand(joints) for side, joints in keypoints.items()}
        meshes = {side: hand.mesh() for side, hand in hands.items()}
        frame_ms = _milliseconds_since(started)
        predicted = {}
        for side, hand in hands.items():
            points = given.points[side]
            inside = None if points is None else hand.occupancy(points) >= 0.5
            predicted[side] = PredictedHand(meshes[side], keypoints[side], inside)
        return Prediction(predicted, frame_ms)

    return lambda inputs: [predict(given) for given in inputs]


def skinned_method() -> Method:
    """The mean hand skinned to the keypoints."""
    skinned = SkinnedHand()

    def predict(given: EvaluationInput) -> Prediction:
        started = time.perf_counter()
        predicted = {
            side: PredictedHand(skinned.skin(joints, side), joints)
            for side, joints in present(given.keypoints).items()
        }
        return Prediction(predicted, _milliseconds_since(started))

    return lambda inputs: [predict(given) for given in inputs]


def fitted_method() -> Method:
    """The mean hand fitted to the keypoints; all hands of all inputs share one fit and its time."""
    template = TemplateHand()

    def predict(inputs: list[EvaluationInput]) -> list[Prediction]:
        given = [present(each.keypoints) for each in inputs]
        hands = [(number, side) for number, sides in enumerate(given) for side in sides]
        keypoints = np.stack([given[number][side] for number, side in hands])
        started = time.perf_counter()
        fitted = template.fit(keypoints, [side for _, side in hands])
        frame_ms = _milliseconds_since(started) / len(inputs)
        predictions = [Prediction({}, frame_ms) for _ in inputs]
        for (number, side), *hand in zip(hands, fitted.meshes, fitted.keypoints, strict=True):
            predictions[number].hands[side] = PredictedHand(*hand)
        return predictions

    return predict


@cache
def baseline_method(name: str) -> Method:
    """The baseline of a name in `noise_levels.BASELINES`; one per process."""
    makers = {"capsules": capsule_method, "skinned": skinned_method, "fitted": fitted_method}
    return makers[name]()


def _milliseconds_since(started: float) -> float:
    return 1e3 * (time.perf_counter() - started)
