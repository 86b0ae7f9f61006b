"""Samples on disk: ``.npz`` files of up to 256 samples, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import SIDES, WRIST
from im2hands_ros.synthetic.sample import (
    HandParameters,
    Mesh,
    Sample,
    pack_depth,
    pack_points,
    present,
    unpack_depth,
    unpack_points,
)

# Format 1 poses the packaged hand; format 2 lists each hand's own vertices.
_FORMATS = _POSED, _MESHED = 1, 2


def shard_path(folder: Path, split: str, first: int, count: int) -> Path:
    """Where the shard of these samples lies."""
    return folder / f"{split}_{first:08d}_{count:04d}.npz"


def split_shards(folder: Path, split: str, made_by: str) -> list[Path]:
    """The shards of a split, in order.

    Raises FileNotFoundError where there is none; made_by: the command that makes them.
    """
    paths = sorted(folder.glob(f"{split}_*.npz"))
    if not paths:
        raise FileNotFoundError(
            f"no {split}_*.npz in '{folder}': make them with {made_by} --split {split}"
        )
    return paths


def save_shard(path: Path | str, samples: list[Sample]) -> None:
    """Write samples to one file; a reader never sees it half written.

    Raises ValueError if only some of them have ``surfaces``, or of different triangles.
    """
    path = Path(path)
    meshed = {sample.surfaces is not None for sample in samples}
    if len(meshed) > 1:
        raise ValueError(f"{path.name}: samples with and without surfaces need shards of their own")
    arrays: dict[str, np.ndarray] = {}
    arrays["format"] = np.array(_MESHED if True in meshed else _POSED, np.int32)
    arrays |= _join_files("image", [sample.jpeg for sample in samples])
    arrays |= _join_files("mask", [_encode_mask(sample.mask) for sample in samples])
    arrays["intrinsics"] = np.array([_intrinsics(sample.camera) for sample in samples], np.float64)
    arrays["size"] = np.array([(s.camera.width, s.camera.height) for s in samples], np.int32)
    arrays["subset"] = np.array([sample.subset for sample in samples])
    arrays["kind"] = np.array([sample.kind for sample in samples])
    arrays["seed"] = np.array([sample.seed for sample in samples], np.int64)
    if all(sample.near is not None for sample in samples):
        arrays["near"] = np.array([sample.near for sample in samples], np.int32)
    for side in SIDES:
        arrays |= {f"{side}_{key}": value for key, value in _side_arrays(samples, side).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    with open(unfinished, "wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(path)


def load_shard(path: Path | str) -> list[Sample]:
    """All samples of a shard.

    Raises:
        FileNotFoundError: no such file. ValueError: not a shard of this version.
    """
    return list(ShardReader(path))


class ShardReader:
    """A shard in memory; ``reader[i]`` decodes one sample, ``len`` and iteration work."""

    def __init__(self, path: Path | str) -> None:
        with np.load(path, allow_pickle=False) as file:
            self._arrays = dict(file)
        found = int(self._arrays.get("format", -1))
        if found not in _FORMATS:
            raise ValueError(
                f"{path} has shard format {found}, not {_POSED} or {_MESHED}: convert or "
                "synthesize it again"
            )
        self._meshed = found == _MESHED

    def __len__(self) -> int:
        return len(self._arrays["seed"])

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index}: the shard has {len(self)}")
        arrays = self._arrays
        sides = {side: self._side(side, index) for side in SIDES}
        width, height = (int(value) for value in arrays["size"][index])
        return Sample(
            jpeg=self._file("image", index).tobytes(),
            camera=Camera(width, height, *(float(v) for v in arrays["intrinsics"][index])),
            mask=cv2.imdecode(self._file("mask", index), cv2.IMREAD_GRAYSCALE),
            keypoints={side: values.get("keypoints") for side, values in sides.items()},
            points={side: values.get("points") for side, values in sides.items()},
            depth={side: values.get("depth") for side, values in sides.items()},
            subset=str(arrays["subset"][index]),
            kind=str(arrays["kind"][index]),
            seed=int(arrays["seed"][index]),
            parameters={side: values.get("parameters") for side, values in sides.items()},
            surfaces={side: values.get("surface") for side, values in sides.items()}
            if self._meshed
            else None,
            near=int(arrays["near"][index]) if "near" in arrays else None,
        )

    def _file(self, name: str, index: int) -> np.ndarray:
        first, last = self._arrays[f"{name}_ends"][index : index + 2]
        return self._arrays[f"{name}_bytes"][first:last]

    def _side(self, side: str, index: int) -> dict:
        def field(name: str) -> np.ndarray:
            return self._arrays[f"{side}_{name}"][row]

        row = int(self._arrays[f"{side}_row"][index])
        if row < 0:
            return {}
        keypoints = field("keypoints")
        return {
            "keypoints": keypoints,
            "points": unpack_points(field("points"), keypoints[WRIST]),
            "depth": unpack_depth(field("depth")),
            **self._shape(side, row),
        }

    def _shape(self, side: str, row: int) -> dict:
        if self._meshed:
            vertices = self._arrays[f"{side}_vertices"][row]
            return {"surface": Mesh(vertices, self._arrays[f"{side}_triangles"])}
        fields = (self._arrays[f"{side}_{name}"][row] for name in HandParameters._fields)
        return {"parameters": HandParameters(*fields)}


def _side_arrays(samples: list[Sample], side: str) -> dict[str, np.ndarray]:
    """Arrays of the samples that have this side, and each sample's row in them (-1: absent)."""
    there = np.array([sample.keypoints[side] is not None for sample in samples])
    arrays = {"row": np.where(there, np.cumsum(there) - 1, -1).astype(np.int32)}
    having = [sample for sample, has in zip(samples, there, strict=True) if has]
    if not having:
        return arrays
    keypoints = [present(sample.keypoints)[side] for sample in having]
    points = [present(sample.points)[side] for sample in having]
    packed = [pack_points(p, k[WRIST]) for p, k in zip(points, keypoints, strict=True)]
    arrays |= {"keypoints": np.stack(keypoints), "points": np.stack(packed)}
    arrays["depth"] = np.stack([pack_depth(present(sample.depth)[side]) for sample in having])
    surfaces = [present(s.surfaces)[side] for s in having if s.surfaces is not None]
    if surfaces:
        return arrays | _mesh_arrays(surfaces)
    for name in HandParameters._fields:
        arrays[name] = np.stack([getattr(sample.parameters[side], name) for sample in having])
    return arrays


def _mesh_arrays(surfaces: list[Mesh]) -> dict[str, np.ndarray]:
    triangles = surfaces[0].triangles
    if not all(np.array_equal(surface.triangles, triangles) for surface in surfaces):
        raise ValueError("hands of one side and shard must share their triangles")
    vertices = np.stack([surface.vertices for surface in surfaces]).astype(np.float32)
    return {"vertices": vertices, "triangles": triangles.astype(np.int32)}


def _join_files(name: str, files: list[bytes]) -> dict[str, np.ndarray]:
    ends = np.cumsum([0, *(len(content) for content in files)])
    joined = np.frombuffer(b"".join(files), np.uint8)
    return {f"{name}_bytes": joined, f"{name}_ends": ends}


def _encode_mask(mask: np.ndarray) -> bytes:
    return cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].tobytes()


def _intrinsics(camera: Camera) -> tuple[float, float, float, float]:
    return camera.fx, camera.fy, camera.cx, camera.cy
