"""sensor_msgs/CameraInfo: the camera that took an image, and the other way round. No ROS here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.lens import is_fisheye
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


def is_same_frame(one: str, other: str) -> bool:
    """Whether two frame_ids are of one frame: ROS 1 wrote some with a slash in front."""
    return one.lstrip("/") == other.lstrip("/")


def unusable_frame(frame_id: str) -> str:
    """Why results in a frame cannot be placed by tf2 and RViz; empty: they can."""
    if frame_id and not frame_id.startswith("/"):
        return ""
    return (
        f"the image's frame_id is '{frame_id}', and so is that of all results, which tf2 and RViz "
        "refuse: set the camera driver's frame_id to the name of its optical frame, without a slash"
    )


def keypoints_elsewhere(keypoints_frame: str, image_frame: str) -> str:
    """Why keypoints of one frame_id cannot be used with an image of another; empty: they can."""
    if not keypoints_frame or is_same_frame(keypoints_frame, image_frame):
        return ""
    return (
        f"the keypoints are in frame '{keypoints_frame}' but the image is in '{image_frame}': "
        "transform them into the image's frame (or leave frame_id empty if they are in it)"
    )


def unlike_frame(info_frame: str, image_frame: str) -> str:
    """Why a camera_info of one frame_id is unlikely to be of an image of another; empty: it is."""
    if not info_frame or is_same_frame(info_frame, image_frame):
        return ""
    return (
        f"camera_info is of frame '{info_frame}' but the image of '{image_frame}': publish the "
        "camera_info of this image's camera, under its frame_id"
    )


def is_rectified(topic: str) -> bool:
    """Whether an image is without distortion by its topic's name, as image_proc calls them."""
    name = topic.removesuffix("/compressed").rpartition("/")[2]
    return name.startswith("image_rect")


def camera_from_info(info: Any, size: tuple[int, int], topic: str = "") -> Camera:
    """The camera that took an image: binning and region of interest applied (REP-104).

    Args:
        info: the calibration, with the fields of sensor_msgs/CameraInfo.
        size: the image's width and height, pixels.
        topic: the image's; one of a rectified image takes P, without distortion, in place of K.

    Raises:
        BadInput: uncalibrated, an unknown lens model, or a size that is not the image's.
    """
    if not (info.width and info.height):
        raise BadInput("camera_info_values", _without_size(info))
    step_x, step_y = max(info.binning_x, 1), max(info.binning_y, 1)
    window = info.roi
    width, height = window.width or info.width, window.height or info.height
    expected = (width // step_x, height // step_y)
    if size != expected:
        raise BadInput(
            "camera_info_size",
            f"camera_info describes a {expected[0]}x{expected[1]} image but the image is "
            f"{size[0]}x{size[1]}: {_size_remedy(info, size)}",
        )
    _check_region(info)
    fx, cx, fy, cy = _intrinsics(info.k)
    distorted = any(info.d) or (len(info.d) > 0 and is_fisheye(info.distortion_model))
    if is_rectified(topic) and info.p[0] > 0 and info.p[5] > 0:
        fx, cx, fy, cy = info.p[0], info.p[2], info.p[5], info.p[6]
        distorted = False
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


def _without_size(info: Any) -> str:
    size = f"camera_info describes a {info.width}x{info.height} image, so it is not calibrated"
    if not (info.k[0] > 0 and info.k[4] > 0):
        return f"{size}: calibrate the camera, or give the driver its calibration file"
    return (
        f"{size}, although its K has the focal lengths {info.k[0]:.4g} and {info.k[4]:.4g} px: "
        "fill in width and height of the pictures that K is of"
    )


def _size_remedy(info: Any, size: tuple[int, int]) -> str:
    if size == (info.width, info.height) and max(info.binning_x, info.binning_y) > 1:
        return (
            f"its {info.width}x{info.height} are those of the image already: set binning_x and "
            "binning_y to 0, or width, height and K to those of the sensor"
        )
    return "publish the camera_info of this image"


def _check_region(info: Any) -> None:
    roi = info.roi
    right = roi.x_offset + (roi.width or info.width)
    bottom = roi.y_offset + (roi.height or info.height)
    if right > info.width or bottom > info.height:
        raise BadInput(
            "camera_info_roi",
            f"camera_info has a roi of {roi.width}x{roi.height} from ({roi.x_offset}, "
            f"{roi.y_offset}) on, beyond its own {info.width}x{info.height}: give the roi in "
            "pixels of the whole sensor, or zeros for the whole picture",
        )


# Of fx. Shear of more than this is pixels; of less, a calibration's residue.
_MOST_SKEW = 0.005


def _intrinsics(k: Sequence[float]) -> tuple[float, float, float, float]:
    """fx, cx, fy, cy of K by rows; raises BadInput for a K of another layout."""
    if not np.isfinite(k).all():
        raise BadInput(
            "camera_info_values",
            f"camera_info has K with numbers that are not finite, {[float(each) for each in k]}: "
            "calibrate the camera",
        )
    fx, skew, cx, _, fy, cy, _, _, scale = k
    if not (cx or cy) and (k[6] or k[7]):
        raise BadInput(
            "camera_info_values",
            f"camera_info has K by columns, its principal point ({k[6]:.4g}, {k[7]:.4g}) in the "
            "last row: give it by rows: fx 0 cx, 0 fy cy, 0 0 1",
        )
    if abs(skew) > _MOST_SKEW * abs(fx):
        raise BadInput(
            "camera_info_values",
            f"camera_info has K with the skew {skew:.4g} px, which no lens model here has: give K "
            "by rows as fx 0 cx, 0 fy cy, 0 0 1",
        )
    if scale not in (0, 1):
        raise BadInput(
            "camera_info_values",
            f"camera_info has K that ends with {scale:.4g} in place of 1: divide K by it",
        )
    return fx, cx, fy, cy
