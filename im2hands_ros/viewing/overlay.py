"""A film of the meshes over the frames that they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.renderer import render_hands_over
from im2hands_ros.viewing.picture import undistorted

Meshes = Mapping[str, tuple[NDArray[np.float32], NDArray[np.int32]]]


def hands_over(image: NDArray[np.uint8], camera: Camera, meshes: Meshes) -> NDArray[np.uint8]:
    """The (H, W, 3) uint8 image without its lens, and the meshes drawn over it.

    Args:
        image: (H, W, 3) uint8 RGB.
        camera: its intrinsics.
        meshes: side -> (V, 3) vertices, metres, camera frame, and (T, 3) triangles.
    """
    drawn = undistorted(image, camera)
    return render_hands_over(drawn, meshes, camera.pinhole) if meshes else drawn


class OverlayVideo:
    """Writes an .mp4 frame by frame; `close` completes it.

    Args:
        path: a new .mp4 file.
        size: width and height, pixels.
        rate: frames per second.

    Raises:
        ValueError: another suffix, or OpenCV has no encoder for it.
        FileNotFoundError: the folder does not exist.
    """

    def __init__(self, path: Path, size: tuple[int, int], rate: float) -> None:
        if path.suffix.lower() != ".mp4":
            raise ValueError(f"overlay '{path}': the suffix must be .mp4")
        if not path.absolute().parent.is_dir():
            raise FileNotFoundError(f"directory '{path.parent}' does not exist: create it first")
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        if not self._writer.isOpened():
            raise ValueError(f"overlay '{path}': OpenCV cannot write MPEG-4 here")

    def add(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        meshes: Meshes,
    ) -> None:
        """Add a frame; see `hands_over`."""
        drawn = hands_over(image, camera, meshes)
        self._writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Complete the file."""
        self._writer.release()
