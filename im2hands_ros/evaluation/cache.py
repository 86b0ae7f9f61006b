"""Scores of baselines from earlier runs: they depend on no weights, so they need no second run."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

import im2hands_ros
from im2hands_ros.evaluation.inputs import EvaluationInput
from im2hands_ros.evaluation.scoring import FRAME_MS, Scores
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.sample import Sample

# Whose code and data decide the scores of a baseline; any change of them starts anew.
_DECIDING = (
    *("evaluation", "surface", "synthetic", "canonical.py", "skeleton.py", "data/hand.npz"),
    "networks/compact/bone_geometry.py",
)
_LIBRARIES = ("libigl", "numpy", "scikit-image", "scipy", "torch")


class ScoreCache:
    """A file per baseline, error and batch of scenes, named by everything that decides the scores.

    Times are not kept: those of a report belong to one run. folder None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(
        self, method: str, samples: list[Sample], inputs: list[EvaluationInput]
    ) -> list[Scores] | None:
        """Scores of each sample without their time; None if there are none yet."""
        path = self._path(method, samples, inputs)
        if path is None or not path.exists():
            return None
        return json.loads(path.read_text(encoding="utf-8"))

    def write(
        self,
        method: str,
        samples: list[Sample],
        inputs: list[EvaluationInput],
        scores: list[Scores],
    ) -> None:
        """Keep scores of samples; a reader never sees them half written."""
        path = self._path(method, samples, inputs)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        kept = [{k: v for k, v in scene.items() if k != FRAME_MS} for scene in scores]
        unfinished.write_text(json.dumps(kept), encoding="utf-8")
        unfinished.replace(path)

    def _path(
        self, method: str, samples: list[Sample], inputs: list[EvaluationInput]
    ) -> Path | None:
        if self._folder is None:
            return None
        digest = hashlib.sha256(f"{_code()} {method}".encode())
        for sample, given in zip(samples, inputs, strict=True):
            for side in SIDES:
                for value in (
                    *(given.keypoints[side], given.points[side]),
                    *(sample.keypoints[side], sample.occupancy[side], sample.meshes[side]),
                ):
                    digest.update(b"-" if value is None else np.ascontiguousarray(value).tobytes())
        return self._folder / f"{method}_{digest.hexdigest()[:32]}.json"


@cache
def _code() -> str:
    """Digest of the code and data that decide, and the libraries' versions."""
    package = Path(im2hands_ros.__file__).parent
    digest = hashlib.sha256(" ".join(map(version, _LIBRARIES)).encode())
    for name in _DECIDING:
        place = package / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    return digest.hexdigest()
