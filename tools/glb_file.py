"""Arrays of a binary glTF 2.0 file. A part of `bake_other_hand.py`; needs numpy only."""

import json
from pathlib import Path

import numpy as np

COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A binary glTF 2.0 file. Raises ValueError for anything else."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        if content[:4] != b"glTF" or content[16:20] != b"JSON":
            raise ValueError(f"{path} is no binary glTF file: give a .glb")
        end = 20 + int.from_bytes(content[12:16], "little")
        self.tree = json.loads(content[20:end])
        self._binary = content[end + 8 :]

    def array(self, accessor: int) -> np.ndarray:
        """(N, width) values of an accessor."""
        entry = self.tree["accessors"][accessor]
        view = self.tree["bufferViews"][entry["bufferView"]]
        kind, width = np.dtype(COMPONENTS[entry["componentType"]]), WIDTHS[entry["type"]]
        start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
        stride = view.get("byteStride", kind.itemsize * width)
        shape, steps = (entry["count"], width), (stride, kind.itemsize)
        return np.ndarray(shape, kind, self._binary, start, steps).copy()
