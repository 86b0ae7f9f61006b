"""CameraInfo to the camera that took an image. Needs no ROS: anything with its fields will do."""

from __future__ import annotations

from typing import Any

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera


def camera_from_info(info: Any, size: tuple[int, int]) -> Camera:
    """The camera that took an image: binning and region of interest applied (REP-104).

    Args:
        info: the calibration, with the fields of sensor_msgs/CameraInfo.
        size: the image's width and height, pixels.

    Raises:
        BadInput: uncalibrated, an unknown lens model, or a size that is not the image's.
    """
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
