"""What is published, as rclpy's own message objects, filled field by field: right, plain and slow.

The writers of `im2hands_ros.messages` are compared with these; tests send them to nodes.
"""

from __future__ import annotations

import array
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, PoseStamped, Vector3
from im2hands_ros.msg import HandKeypoints, HandMesh, HandMeshArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from im2hands_ros.messages.markers import LIFETIME, Drawing

SIDES = {"left": HandMesh.LEFT, "right": HandMesh.RIGHT}


def flat(values: np.ndarray, typecode: str) -> array.array:
    """An array.array, which rclpy takes 300 times faster than a list."""
    return array.array(typecode, np.ascontiguousarray(values, np.dtype(typecode)).tobytes())


def image_message(header: Header, pixels: np.ndarray, encoding: str = "rgb8") -> Image:
    """(H, W, 3) or, for mono8, (H, W) uint8 pixels as they are."""
    height, width = pixels.shape[:2]
    step = width * (1 if encoding == "mono8" else 3)
    data = flat(pixels, "B")
    return Image(header=header, height=height, width=width, encoding=encoding, step=step, data=data)


def keypoints_message(
    header: Header,
    hands: Mapping[str, np.ndarray | None],
    joint_order: int = HandKeypoints.ORDER_MANO,
    confidence: Mapping[str, float | None] | None = None,
) -> HandKeypoints:
    """ "left" and "right" -> (J, 3) metres or None, and the confidence of each hand."""
    message = HandKeypoints(header=header, joint_order=joint_order)
    for side, xyz in hands.items():
        if xyz is not None:
            setattr(message, f"{side}_valid", True)
            setattr(message, f"{side}_xyz", flat(xyz, "f"))
            share = (confidence or {}).get(side)
            if share is not None:
                setattr(message, f"{side}_confidence", [share] * len(xyz))
    return message


def mesh_array_message(header: Header, hands: Mapping[str, SimpleNamespace]) -> HandMeshArray:
    """The meshes of the hands that are there."""
    message = HandMeshArray(header=header)
    for side, surface in hands.items():
        mesh = HandMesh(side=SIDES[side], confidence=float(surface.confidence))
        mesh.vertices = flat(surface.vertices, "f")
        mesh.triangles = flat(surface.triangles, "I")
        message.hands.append(mesh)
    return message


def cloud_message(header: Header, hands: Mapping[str, SimpleNamespace]) -> PointCloud2:
    """The voxels of the hands that are there: x, y, z, occupancy and side of each."""
    data = b""
    for side, surface in hands.items():
        for voxel, occupancy in zip(surface.voxels, surface.voxel_occupancy, strict=True):
            numbers = np.array([*voxel, occupancy], np.float32)
            data += numbers.tobytes() + bytes([SIDES[side], 0, 0, 0])
    fields = [
        *(
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate(("x", "y", "z", "occupancy"))
        ),
        PointField(name="side", offset=16, datatype=PointField.UINT8, count=1),
    ]
    return PointCloud2(
        header=header,
        height=1,
        width=len(data) // 20,
        fields=fields,
        point_step=20,
        row_step=len(data),
        data=array.array("B", data),
        is_dense=True,
    )


def marker_array_message(
    header: Header,
    drawings: Sequence[Drawing],
    lost: Iterable[tuple[str, int]] = (),
    lifetime=LIFETIME,
) -> MarkerArray:
    """The drawings, after a DELETE for each (namespace, number) that was lost."""
    deletions = [
        Marker(header=header, ns=namespace, id=number, action=Marker.DELETE)
        for namespace, number in lost
    ]
    return MarkerArray(
        markers=[*deletions, *(_marker(header, drawing, lifetime) for drawing in drawings)]
    )


def _marker(header: Header, drawing: Drawing, lifetime: float) -> Marker:
    red, green, blue, alpha = drawing.colour
    return Marker(
        header=header,
        ns=drawing.namespace,
        id=drawing.number,
        type=drawing.kind,
        action=Marker.ADD,
        scale=Vector3(**dict(zip("xyz", drawing.scale, strict=True))),
        color=ColorRGBA(r=red, g=green, b=blue, a=alpha),
        lifetime=Duration(sec=int(lifetime), nanosec=int(lifetime % 1 * 1e9)),
        points=[Point(x=x, y=y, z=z) for x, y, z in np.asarray(drawing.points).tolist()],
        colors=[
            ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in np.asarray(drawing.colours).tolist()
        ],
    )


def wrist_message(header: Header, position: np.ndarray, orientation: np.ndarray) -> PoseStamped:
    """(3,) metres and (4,) quaternion x, y, z, w."""
    message = PoseStamped(header=header)
    for name, value in zip("xyz", position.tolist(), strict=True):
        setattr(message.pose.position, name, value)
    for name, value in zip("xyzw", orientation.tolist(), strict=True):
        setattr(message.pose.orientation, name, value)
    return message


def camera_info_message(header: Header, fields: object) -> CameraInfo:
    """The fields of a CameraInfo but its header and region of interest, from anything with them."""
    message = CameraInfo(header=header, width=fields.width, height=fields.height)
    message.distortion_model, message.d = fields.distortion_model, list(fields.d)
    message.k, message.r, message.p = list(fields.k), list(fields.r), list(fields.p)
    message.binning_x, message.binning_y = fields.binning_x, fields.binning_y
    for name in ("x_offset", "y_offset", "height", "width", "do_rectify"):
        setattr(message.roi, name, getattr(fields.roi, name))
    return message
