"""What the corners of a mesh's triangles have, in turn, as markers list it. No ROS here.

A marker of 20 480 triangles takes 2.5 MB: it is written into the message and nowhere else.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels import library, mesh


class Corners:
    """An array of one row for each corner of a mesh's triangles, and some more of the first one.

    Args:
        values: (V, 3) points, to be written as float64, or (V, 4) colours, as float32.
        triangles: (T, 3) numbers of vertices.
        rows: how many; at least 3 T.
    """

    def __init__(
        self, values: NDArray[np.floating], triangles: NDArray[np.integer], rows: int
    ) -> None:
        self._values = np.ascontiguousarray(values, np.float32)
        self._triangles = np.ascontiguousarray(triangles, np.int32)
        self.dtype = np.dtype("<f8" if values.shape[1] == 3 else "<f4")
        self.shape = (rows, values.shape[1])
        self.nbytes = rows * values.shape[1] * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> NDArray[np.floating]:
        """The array itself, by NumPy."""
        corners = np.empty(self.shape, self.dtype)
        if self.nbytes:
            numbers = self._triangles.ravel()
            corners[: len(numbers)] = self._values[numbers]
            corners[len(numbers) :] = corners[0]
        return corners if dtype is None else corners.astype(dtype)

    def write(self, address: int) -> None:
        """Write all rows to an address, by the compiled kernels where there are any."""
        kernels = library.chosen()
        if kernels:
            mesh.write_corners(kernels, self._values, self._triangles, len(self), address)
        else:
            ctypes.memmove(address, np.asarray(self).tobytes(), self.nbytes)
