"""Pinhole camera with optional lens distortion, and the square crop that networks are given.

Pixel convention (OpenCV, ROS): the centre of the top-left pixel is (0, 0).
Camera frame (REP-103 optical): x right, y down, z forward, metres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Real

import cv2
import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.lens import canonical, distort, folds_before, is_fisheye, undistort


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one camera.

    Args:
        width, height: image size in pixels.
        fx, fy, cx, cy: focal lengths and principal point in pixels.
        distortion_model: ``none``, ``plumb_bob``, ``rational_polynomial`` or ``equidistant``; the
            names ``radtan`` and ``fisheye`` are among others that are taken for these.
        distortion: the model's coefficients in OpenCV's order.

    Raises:
        ValueError: a size, focal length or coefficient list that cannot be used.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = "none"
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("width", "height", "fx", "fy", "cx", "cy"):
            if not isinstance(getattr(self, name), Real):
                raise ValueError(f"{name} of the camera is {getattr(self, name)!r}: give a number")
        if self.width <= 0 or self.height <= 0:
            raise ValueError(
                f"camera size {self.width}x{self.height}: give the calibrated image size"
            )
        if not (0 < self.fx < np.inf and 0 < self.fy < np.inf):
            raise ValueError(f"focal length ({self.fx}, {self.fy}) px: calibrate the camera")
        if not np.isfinite([self.cx, self.cy, *self.distortion]).all():
            raise ValueError(
                f"principal point ({self.cx:g}, {self.cy:g}) px or distortion "
                f"{[float(each) for each in self.distortion]} is not finite: calibrate the camera"
            )
        model, coefficients = canonical(self.distortion_model, self.distortion)
        object.__setattr__(self, "distortion_model", model)
        object.__setattr__(self, "distortion", coefficients)

    @property
    def K(self) -> np.ndarray:  # noqa: N802 - the field's name for the intrinsic matrix
        """(3, 3) float64 intrinsic matrix, pixels."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    @property
    def is_distorted(self) -> bool:
        """Whether the lens is no pinhole: a fisheye is none with coefficients of zero, too."""
        return is_fisheye(self.distortion_model) or any(self.distortion)

    @property
    def pinhole(self) -> Camera:
        """The same camera without its lens's distortion."""
        return replace(self, distortion_model="none", distortion=())

    def project(self, points_camera: np.ndarray) -> np.ndarray:
        """Project (N, 3) camera-frame points (metres) to (N, 2) float64 pixels, lens included.

        Points at or behind the camera give non-finite or mirrored pixels; callers check z > 0.
        """
        points = np.asarray(points_camera, np.float64).reshape(-1, 3)
        with np.errstate(divide="ignore", invalid="ignore"):
            normalised = points[:, :2] / points[:, 2:]
        return self.pixels_of(normalised)

    def pixels_of(self, normalised: np.ndarray) -> np.ndarray:
        """Map (N, 2) ideal image-plane coordinates x/z, y/z to (N, 2) pixels, lens included."""
        if self.is_distorted:
            return distort(normalised, self.K, self.distortion_model, self.distortion)
        return normalised * (self.fx, self.fy) + (self.cx, self.cy)

    def back_project(self, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """(N, 2) pixels and (N,) depths (metres along z) to (N, 3) camera-frame points."""
        normalised = self._undistort(np.asarray(pixels, np.float64).reshape(-1, 2))
        depth = np.asarray(depth, np.float64).reshape(-1, 1)
        return np.concatenate([normalised * depth, depth], axis=1)

    def _undistort(self, pixels: np.ndarray) -> np.ndarray:
        if not self.is_distorted:
            return (pixels - (self.cx, self.cy)) / (self.fx, self.fy)
        return undistort(pixels, self.K, self.distortion_model, self.distortion)[0]


@lru_cache(maxsize=16)
def lens_problem(camera: Camera) -> str:
    """Where in the picture the lens model has no inverse, with the remedy; empty if nowhere.

    A model is only good where the calibration saw the pattern. Beyond that it may fold: a place in
    space then appears twice in the picture, or a pixel belongs to no place.
    """
    if not camera.is_distorted:
        return ""
    sides = (np.linspace(0, side - 1, 33) for side in (camera.width, camera.height))
    pixels = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    lens = camera.K, camera.distortion_model, camera.distortion
    places, good = undistort(pixels, *lens)
    good &= ~folds_before(places, *lens)
    if good.all():
        return ""
    nearest = np.hypot(*(pixels[~good] - (camera.cx, camera.cy)).T).min()
    return (
        f"the lens model {camera.distortion_model} has no inverse in {100 * (1 - good.mean()):.0f} "
        f"% of the {camera.width}x{camera.height} picture, from {nearest:.0f} pixels off its "
        "principal point on: keep hands nearer to it, or calibrate with the pattern in the corners"
    )


@dataclass(frozen=True)
class Crop:
    """A square, undistorted view cut out of a camera's image.

    Attributes:
        camera: the crop's own pinhole camera (``size`` x ``size`` pixels, same camera frame).
        source: the camera that took the image.
    """

    camera: Camera
    source: Camera

    def extract(self, image: np.ndarray) -> np.ndarray:
        """Resample the (H, W, 3) uint8 image into (size, size, 3) uint8; outside is black."""
        if self.source.is_distorted:
            return self._extract_distorted(image)
        scale = self.camera.fx / self.source.fx
        # Bilinear sampling aliases when it shrinks: average whole blocks first.
        shrink = max(1, min(int(0.7 / scale), *image.shape[:2]))
        if shrink > 1:
            rows, columns = (side // shrink * shrink for side in image.shape[:2])
            size = (columns // shrink, rows // shrink)
            image = cv2.resize(image[:rows, :columns], size, interpolation=cv2.INTER_AREA)
        affine = self._crop_from_source() @ _source_from_shrunk(shrink)
        size = (self.camera.width, self.camera.height)
        return cv2.warpAffine(image, affine[:2], size, flags=cv2.INTER_LINEAR)

    def _crop_from_source(self) -> np.ndarray:
        return self.camera.K @ np.linalg.inv(self.source.K)

    def _extract_distorted(self, image: np.ndarray) -> np.ndarray:
        size = self.camera.width
        u, v = np.meshgrid(np.arange(size, dtype=np.float64), np.arange(size, dtype=np.float64))
        pixels = np.stack([u.ravel(), v.ravel()], axis=1)
        normalised = (pixels - (self.camera.cx, self.camera.cy)) / (self.camera.fx, self.camera.fy)
        source = self.source.pixels_of(normalised).astype(np.float32).reshape(size, size, 2)
        return cv2.remap(image, source[..., 0], source[..., 1], cv2.INTER_LINEAR)


def _source_from_shrunk(shrink: int) -> np.ndarray:
    """(3, 3) pixel map from a block-averaged image back to the full one."""
    half = (shrink - 1) / 2
    return np.array([[shrink, 0, half], [0, shrink, half], [0, 0, 1]], np.float64)


def crop_around(camera: Camera, points_camera: np.ndarray, size: int, margin: float = 0.3) -> Crop:
    """The square crop that holds the given points with a margin on every side.

    Args:
        camera: the camera that took the image.
        points_camera: (N, 3) points in the camera frame, metres; N >= 1, all with z > 0.
        size: crop side in pixels.
        margin: share of the points' largest extent that is added on each side.

    Raises:
        BadInput: points behind the camera or outside every usable field of view.
    """
    points = np.asarray(points_camera, np.float64).reshape(-1, 3)
    nearest = points[:, 2].min()
    if not nearest > 0.01:
        raise BadInput(
            "keypoints_range",
            f"a keypoint has depth {nearest:.3f} m: keypoints must be in the camera's optical "
            "frame (z forward, metres)",
        )
    rays = points[:, :2] / points[:, 2:]
    low, high = rays.min(axis=0), rays.max(axis=0)
    extent = max(float((high - low).max()), 0.02)
    half = extent * (0.5 + margin)
    if not half < 4.0:
        raise BadInput(
            "keypoints_range",
            f"the keypoints span {2 * half:.1f} focal lengths, the nearest {nearest:.3f} m away: "
            "give metres in the camera's optical frame, of hands in its view",
        )
    focal = size / (2 * half)
    centre = (low + high) / 2
    middle = (size - 1) / 2
    crop = Camera(size, size, focal, focal, middle - focal * centre[0], middle - focal * centre[1])
    return Crop(camera=crop, source=camera)
