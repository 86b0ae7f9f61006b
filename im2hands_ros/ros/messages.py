"""ROS messages to what the pipeline takes, and what it gives back to ROS messages.

The outgoing builders use ordinary message objects: right, plain and slow. The node sends the same
bytes through `cdr`; these are its oracle and what other programs may use.
"""

from __future__ import annotations

import array
from collections.abc import Mapping
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, PointCloud2, PointField
from std_msgs.msg import Header

from im2hands_ros.camera import Camera
from im2hands_ros.msg import HandKeypoints, HandMesh, HandMeshArray
from im2hands_ros.ros.errors import BadInput
from im2hands_ros.skeleton import SIDES

SIDE_NUMBER = {"left": HandMesh.LEFT, "right": HandMesh.RIGHT}


def keypoints_message(
    header: Header,
    hands: Mapping[str, np.ndarray | None],
    joint_order: int = HandKeypoints.ORDER_MANO,
) -> HandKeypoints:
    """Keypoints as a message.

    Args:
        header: stamp of the image, its optical frame.
        hands: "left" and "right" -> (J, 3) metres in the camera frame, or None.
        joint_order: the order the joints are in.
    """
    message = HandKeypoints(header=header, joint_order=joint_order)
    for side in SIDES:
        xyz = hands.get(side)
        if xyz is not None:
            setattr(message, f"{side}_valid", True)
            setattr(message, f"{side}_xyz", _flat(xyz, "f", np.float32))
    return message


def camera_of(info: CameraInfo, size: tuple[int, int]) -> Camera:
    """The camera that took an image: binning and region of interest applied (REP-104).

    Args:
        info: the calibration.
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


def present(hands: Any) -> list[tuple[str, Any]]:
    """("left" or "right", HandSurface) of the hands that are there, left first."""
    pairs = ((side, getattr(hands, side)) for side in SIDES)
    return [(side, surface) for side, surface in pairs if surface is not None]


def mesh_array_message(header: Header, hands: Any) -> HandMeshArray:
    """The hands' meshes as a HandMeshArray."""
    meshes = [
        HandMesh(
            side=SIDE_NUMBER[side],
            vertices=_flat(surface.vertices, "f", np.float32),
            triangles=_flat(surface.triangles, "I", np.uint32),
            confidence=float(surface.confidence),
        )
        for side, surface in present(hands)
    ]
    return HandMeshArray(header=header, hands=meshes)


def _flat(values: np.ndarray, typecode: str, dtype: type) -> array.array:
    """A flat array.array, which rclpy takes 300 times faster than a list."""
    flat = array.array(typecode)
    flat.frombytes(np.ascontiguousarray(values, dtype).tobytes())
    return flat


CLOUD_DTYPE = np.dtype(
    {
        "names": ["x", "y", "z", "occupancy", "side"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "u1"],
        "offsets": [0, 4, 8, 12, 16],
        "itemsize": 20,
    }
)


def cloud_points(hands: Any) -> np.ndarray:
    """The occupied voxels of all hands as a (N,) `CLOUD_DTYPE` array."""
    surfaces = present(hands)
    points = np.zeros(sum(len(surface.voxels) for _, surface in surfaces), CLOUD_DTYPE)
    start = 0
    for side, surface in surfaces:
        part = points[start : start + len(surface.voxels)]
        for axis, name in enumerate("xyz"):
            part[name] = surface.voxels[:, axis]
        part["occupancy"] = surface.voxel_occupancy
        part["side"] = SIDE_NUMBER[side]
        start += len(part)
    return points


def cloud_message(header: Header, points: np.ndarray) -> PointCloud2:
    """A (N,) `CLOUD_DTYPE` array as an unordered PointCloud2."""
    kinds = dict.fromkeys(CLOUD_DTYPE.names, PointField.FLOAT32) | {"side": PointField.UINT8}
    fields = [
        PointField(name=name, offset=CLOUD_DTYPE.fields[name][1], datatype=kind, count=1)
        for name, kind in kinds.items()
    ]
    data = array.array("B")
    data.frombytes(points.tobytes())
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=CLOUD_DTYPE.itemsize,
        row_step=points.nbytes,
        data=data,
        is_dense=True,
    )
