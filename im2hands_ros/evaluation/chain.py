"""What the whole chain gives: detected keypoints through the network, against the true hands."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from im2hands_ros.evaluation.detections import DEPTH, PICTURE, Detection
from im2hands_ros.evaluation.inputs import Case
from im2hands_ros.evaluation.methods import Answer, Estimate, Method, held_by, network_method
from im2hands_ros.evaluation.scoring import Scores, TrueHand, score_answer, true_hands
from im2hands_ros.evaluation.solid import Mesh
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.sample import Sample

TRUE = "true keypoints"
SOURCES = (TRUE, PICTURE, DEPTH)
_KEYPOINTS = "keypoints"
# Of a hand that was answered: as it is, and moved onto the true one.
_SHAPE = ("iou", "chamfer_mm")


def chain_methods(model: Im2Hands, resolution: int) -> dict[str, Method]:
    """All stages that the weights hold, without and (where they hold it) with refined keypoints."""
    held = held_by(model)
    chosen = [
        [name for name in held if (_KEYPOINTS in name.split("+")) == refined][-1:]
        for refined in (False, True)
    ]
    return {name: network_method(model, name, resolution) for names in chosen for name in names}


def chain_scores(
    sample: Sample, detection: Detection, methods: dict[str, Method]
) -> dict[tuple[str, str], Scores]:
    """Scores by source of the keypoints and method.

    "answered" for every true hand, whether there is a mesh of its side; the rest for those hands,
    "moved" ones after each hand was moved so that its joints' middle is the true one.
    """
    true = true_hands(sample, 0)
    scores = {}
    for source in SOURCES:
        keypoints = sample.keypoints if source == TRUE else detection.keypoints(source)
        case = Case(sample.image, sample.camera, keypoints, sample.points)
        for name, method in methods.items():
            answer = method([case])[0] if case.sides else Answer({}, 0.0)
            scores[source, name] = _answered(true, case, answer)
    return scores


def _answered(true: dict[str, TrueHand], case: Case, answer: Answer) -> Scores:
    meshes = {s: hand for s, hand in answer.hands.items() if hand.mesh is not None and s in true}
    scores: Scores = defaultdict(list, answered=[float(side in meshes) for side in true])
    if meshes:
        found = {side: true[side] for side in true if side in meshes}
        as_is = score_answer(found, case, replace(answer, hands=meshes))
        moved = score_answer(found, case, replace(answer, hands=_moved(meshes, found)))
        # The keypoint stage may take a hand for the other one, whose keypoints were not given.
        measured = ("keypoints_in_mm", "keypoints_out_mm", *_SHAPE)
        scores |= {name: as_is[name] for name in measured if name in as_is}
        scores |= {f"moved_{name}": moved[name] for name in _SHAPE}
    return dict(scores)


def _moved(hands: dict[str, Estimate], true: dict[str, TrueHand]) -> dict[str, Estimate]:
    moved = {}
    for side, hand in hands.items():
        offset = np.mean(true[side].keypoints - hand.keypoints, axis=0)
        mesh = Mesh(hand.mesh.vertices + offset, hand.mesh.triangles)
        moved[side] = Estimate(mesh, hand.keypoints + offset)
    return moved
