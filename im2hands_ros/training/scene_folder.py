"""The scenes of a folder of shards, as training needs them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.synthetic.shards import ShardReader


@dataclass
class TrainingScene:
    """What training needs of one sample; arrays of absent sides are missing.

    ``shape`` is missing for hands of other models than the packaged one, too.
    """

    sample: Sample
    camera: Camera
    keypoints: dict[str, np.ndarray]
    points: dict[str, np.ndarray]
    depth: dict[str, np.ndarray]
    shape: dict[str, np.ndarray] = field(default_factory=dict)
    flipped: bool = False

    @property
    def image(self) -> np.ndarray:
        """(256, 256, 3) uint8 RGB; decoded on request."""
        return np.ascontiguousarray(
            self.sample.image[:, ::-1] if self.flipped else self.sample.image
        )

    @property
    def mask(self) -> np.ndarray:
        """(256, 256) uint8: 0 none, 1 left hand, 2 right hand."""
        if not self.flipped:
            return self.sample.mask
        return np.array([0, 2, 1], np.uint8)[self.sample.mask[:, ::-1]]

    def mirrored(self) -> TrainingScene:
        """The scene in a mirror: left hands become right hands."""
        camera = dataclasses.replace(self.camera, cx=self.camera.width - 1 - self.camera.cx)
        other = dict(zip(SIDES, reversed(SIDES), strict=True))
        flip = np.array([-1, 1, 1], np.float32)
        return TrainingScene(
            sample=self.sample,
            camera=camera,
            keypoints={other[side]: xyz * flip for side, xyz in self.keypoints.items()},
            points={other[side]: xyz * flip for side, xyz in self.points.items()},
            depth={other[side]: depth for side, depth in self.depth.items()},
            shape={other[side]: shape for side, shape in self.shape.items()},
            flipped=not self.flipped,
        )


class SceneFolder:
    """All scenes of the shards in a folder, kept in memory as they are stored."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("*.npz"))
        if not paths:
            raise FileNotFoundError(
                f"no shards in {folder}: make them with 'im2hands synthesize --out {folder}'"
            )
        self._folder = folder
        self._shards = [ShardReader(path) for path in paths]
        self._ends = np.cumsum([len(shard) for shard in self._shards])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> TrainingScene:
        shard = int(np.searchsorted(self._ends, index, side="right"))
        first = int(self._ends[shard - 1]) if shard else 0
        sample = self._shards[shard][index - first]
        return TrainingScene(
            sample=sample,
            camera=sample.camera,
            keypoints=present(sample.keypoints),
            points=present(sample.points),
            depth=present(sample.depth),
            shape={side: given.shape for side, given in present(sample.parameters).items()},
        )

    def origin(self) -> dict[str, Any]:
        """Data and licence as the conversion of a data set left them beside its shards, if any."""
        path = self._folder / "train.json"
        if not path.is_file():
            return {}
        made = json.loads(path.read_text(encoding="utf-8"))
        return {name: made[name] for name in ("data", "licence") if name in made}
