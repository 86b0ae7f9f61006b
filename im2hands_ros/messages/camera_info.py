"""sensor_msgs/CameraInfo: the camera that took an image, and the other way round. No ROS here."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.header import HeaderFields


class Region(NamedTuple):
    """The fields of sensor_msgs/RegionOfInterest; all zero: the whole image."""

    x_offset: int = 0
    y_offset: int = 0
    height: int = 0
    width: int = 0
    do_rectify: bool = False


class Calibration(NamedTuple):
    """The fields of sensor_msgs/CameraInfo but its header, where there is no ROS."""

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]  # 9
    r: tuple[float, ...]  # 9
    p: tuple[float, ...]  # 12
    binning_x: int = 0
    binning_y: int = 0
    roi: Region = Region()

    @classmethod
    def of(cls, camera: Camera) -> Calibration:
        """Of a camera; one without distortion is a `plumb_bob` of zeros."""
        model, coefficients = camera.distortion_model, camera.distortion
        if model == "none":
            model, coefficients = "plumb_bob", (0.0,) * 5
        projection = np.hstack([camera.K, np.zeros((3, 1))])
        k, r, p = (tuple(each.ravel().tolist()) for each in (camera.K, np.eye(3), projection))
        return cls(camera.width, camera.height, model, coefficients, k, r, p)


def write_camera_info(header: HeaderFields, info: Any) -> bytes:
    """A serialised CameraInfo with the fields of `info`, a `Calibration` or a message."""
    cdr = CdrWriter()
    cdr.header(header)
    cdr.fields("2I", info.height, info.width)
    cdr.string(info.distortion_model)
    cdr.sequence(np.asarray(info.d, np.float64))
    cdr.fields("9d 9d 12d", *info.k, *info.r, *info.p)
    cdr.fields("2I", info.binning_x, info.binning_y)
    roi = info.roi
    cdr.fields("4I ?", roi.x_offset, roi.y_offset, roi.height, roi.width, roi.do_rectify)
    return cdr.message


def unlike_frame(info_frame: str, image_frame: str) -> str:
    """Why a camera_info of one frame_id is unlikely to be of an image of another; empty: it is."""
    if not info_frame or info_frame == image_frame:
        return ""
    return (
        f"camera_info is of frame '{info_frame}' but the image of '{image_frame}': publish the "
        "camera_info of this image's camera, under its frame_id"
    )


def camera_from_info(info: Any, size: tuple[int, int]) -> Camera:
    """The camera that took an image: binning and region of interest applied (REP-104).

    Args:
        info: the calibration, with the fields of sensor_msgs/CameraInfo.
        size: the image's width and height, pixels.

    Raises:
        BadInput: uncalibrated, an unknown lens model, or a size that is not the image's.
    """
    if not (info.width and info.height):
        raise BadInput(
            "camera_info_values",
            f"camera_info describes a {info.width}x{info.height} image, so it is not calibrated: "
            "calibrate the camera, or give the driver its calibration file",
        )
    step_x, step_y = max(info.binning_x, 1), max(info.binning_y, 1)
    window = info.roi
    width, height = window.width or info.width, window.height or info.height
    expected = (width // step_x, height // step_y)
    if size != expected:
        raise BadInput(
            "camera_info_size",
            f"camera_info describes a {expected[0]}x{expected[1]} image but the image is "
            f"{size[0]}x{size[1]}: publish the camera_info of this image",
        )
    fx, cx, fy, cy = info.k[0], info.k[2], info.k[4], info.k[5]
    distorted = any(info.d)
    try:
        return Camera(
            *size,
            fx / step_x,
            fy / step_y,
            # Pixel centres are whole numbers: a binned pixel's lies in the middle of its bin.
            (cx - window.x_offset + 0.5) / step_x - 0.5,
            (cy - window.y_offset + 0.5) / step_y - 0.5,
            info.distortion_model if distorted else "none",
            tuple(info.d) if distorted else (),
        )
    except ValueError as error:
        raise BadInput("camera_info_values", f"camera_info cannot be used: {error}") from error
