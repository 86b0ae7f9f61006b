"""Detected keypoints through the whole pipeline, against the true hands."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.evaluation.detections import DEPTH, PICTURE, LiftedDetections
from im2hands_ros.evaluation.inputs import EvaluationInput
from im2hands_ros.evaluation.methods import (
    Method,
    PredictedHand,
    Prediction,
    methods_of,
    network_method,
)
from im2hands_ros.evaluation.scoring import Scores, TrueHand, score_prediction, true_hands
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.camera_pictures import CameraPicture
from im2hands_ros.synthetic.sample import Mesh, present

TRUE = "true keypoints"
SOURCES = (TRUE, PICTURE, DEPTH)
_KEYPOINTS = "keypoints"
# Of a reconstructed hand: as it is, and moved onto the true one.
_SHAPE = ("iou", "chamfer_mm")


def end_to_end_methods(model: Im2Hands, resolution: int) -> dict[str, Method]:
    """All stages that the weights hold, without and (where they hold it) with refined keypoints."""
    names = methods_of(model)
    chosen = [
        [name for name in names if (_KEYPOINTS in name.split("+")) == refined][-1:]
        for refined in (False, True)
    ]
    return {name: network_method(model, name, resolution) for names in chosen for name in names}


def end_to_end_scores(
    picture: CameraPicture, detection: LiftedDetections, methods: dict[str, Method]
) -> dict[tuple[str, str], Scores]:
    """Scores by source of the keypoints and method. The networks are given the depth image where
    the keypoints' distances are from it: who has a depth camera uses it for both.

    "answered" for every true hand, whether there is a mesh of its side (none of a picture whose
    keypoints the networks refuse); the rest for those hands,
    "moved" ones after each hand was moved so that its joints' middle is the true one.
    """
    sample, true = picture.sample, true_hands(picture.sample, 0)
    scores = {}
    for source in SOURCES:
        keypoints = sample.keypoints if source == TRUE else detection.keypoints(source)
        depth = picture.depth if source == DEPTH else None
        given = EvaluationInput(sample.image, sample.camera, keypoints, sample.points, depth)
        for name, method in methods.items():
            scores[source, name] = _scored(true, given, _predicted(method, given))
    return scores


def _predicted(method: Method, given: EvaluationInput) -> Prediction:
    """No hands where there are no keypoints, or they are refused, as the node does then."""
    if not present(given.keypoints):
        return Prediction({}, 0.0)
    try:
        return method([given])[0]
    except BadInput:
        return Prediction({}, 0.0)


def _scored(true: dict[str, TrueHand], given: EvaluationInput, prediction: Prediction) -> Scores:
    meshes = {
        s: hand for s, hand in prediction.hands.items() if hand.mesh is not None and s in true
    }
    scores: Scores = defaultdict(list, answered=[float(side in meshes) for side in true])
    if meshes:
        found = {side: true[side] for side in true if side in meshes}
        as_is = score_prediction(found, given, replace(prediction, hands=meshes))
        moved = score_prediction(found, given, replace(prediction, hands=_moved(meshes, found)))
        # The keypoint stage may take a hand for the other one, whose keypoints were not given.
        measured = ("keypoints_in_mm", "keypoints_out_mm", *_SHAPE)
        scores |= {name: as_is[name] for name in measured if name in as_is}
        scores |= {f"moved_{name}": moved[name] for name in _SHAPE}
    return dict(scores)


def _moved(hands: dict[str, PredictedHand], true: dict[str, TrueHand]) -> dict[str, PredictedHand]:
    moved = {}
    for side, hand in hands.items():
        assert hand.mesh is not None
        offset = np.mean(true[side].keypoints - hand.keypoints, axis=0)
        mesh = Mesh(hand.mesh.vertices + offset, hand.mesh.triangles)
        moved[side] = PredictedHand(mesh, hand.keypoints + offset)
    return moved
