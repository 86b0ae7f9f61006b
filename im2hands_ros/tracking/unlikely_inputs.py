"""What is unlikely about a picture and its calibration by themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera

# Of 255: the mean, and the brightest pixel, which 12 bits in 16 leave at 15.
_DARKEST, _DARKEST_LIGHT = 5.0, 24
_FLATTEST = 3  # from the darkest pixel to the brightest
# Of the picture's size. Lenses are centred to a few hundredths; K of 640x360 for 640x480, or of a
# picture of 5/4 the size, is an eighth off.
_OFF_CENTRE = 0.09
_FOCAL = (0.2, 20.0)  # of the picture's width: lenses of 136 to 3 degrees
_MOST_ASPECT = 1.15  # of fx and fy; pixels of old video have 1.1, binned in one direction alone 2
_NO_CENTRE = 2.0  # pixels; a principal point nearer to the corner was never measured


def unlikely_picture(image: NDArray[np.uint8]) -> Iterator[tuple[str, str]]:
    """Kind and text of an (H, W, 3) picture that shows nothing."""
    sample = np.ascontiguousarray(image[::8, ::8])
    brightness, light = float(sample.mean()), int(sample.max())
    if brightness < _DARKEST or light < _DARKEST_LIGHT:
        yield (
            "dark_image",
            f"the image is nearly black, mean brightness {brightness:.1f} of 255, {light} at most: "
            "raise the exposure, or scale a picture of 10 or 12 bits in 16 to the full range",
        )
    elif int(sample.max()) - int(sample.min()) < _FLATTEST:
        yield (
            "blank_image",
            f"the image holds one brightness, {brightness:.0f} of 255, and nothing else: take the "
            "cap off, lower the exposure, or check what the camera driver sends",
        )


def unlikely_camera(camera: Camera) -> Iterator[tuple[str, str]]:
    """Kind and text of a calibration that is of no lens, or of another picture's size."""
    size = np.array([camera.width, camera.height])
    centre = np.array([camera.cx, camera.cy])
    picture = f"{camera.width}x{camera.height}"
    if (np.abs(centre - (size - 1) / 2) > _OFF_CENTRE * size).any():
        of_size = f", as of a {2 * camera.cx:.0f}x{2 * camera.cy:.0f} one"
        is_measured = (centre > _NO_CENTRE).all()
        yield (
            "camera_centre",
            f"K has the principal point ({camera.cx:.3g}, {camera.cy:.3g}) px, far from the middle "
            f"of the {picture} picture{of_size * bool(is_measured)}: "
            + ("give the K of this picture's size" if is_measured else "calibrate"),
        )
    if not 1 / _MOST_ASPECT < camera.fx / camera.fy < _MOST_ASPECT:
        yield (
            "camera_aspect",
            f"K has the focal lengths {camera.fx:.4g} and {camera.fy:.4g} px: pixels are as wide "
            "as high: give fx and fy of this picture's size",
        )
    if not _FOCAL[0] * camera.width < camera.fx < _FOCAL[1] * camera.width:
        yield (
            "camera_focal",
            f"K has the focal length {camera.fx:.4g} px for a picture of {picture}: give pixels "
            "of this picture, not millimetres or another size's",
        )
    if camera.is_distorted and not any(camera.distortion):
        yield (
            "camera_lens",
            f"the lens model {camera.distortion_model} with coefficients of zero alone is an ideal "
            "fisheye: give plumb_bob with zeros for a picture without distortion",
        )
