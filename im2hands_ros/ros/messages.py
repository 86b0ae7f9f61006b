"""ROS messages to what the pipeline takes, and what it gives back to ROS messages.

The outgoing builders use ordinary message objects: right, plain and slow. The node sends the same
bytes through `cdr`; these are its oracle and what other programs may use.
"""

from __future__ import annotations

import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from im2hands_ros.messages.arrays import CLOUD_DTYPE, SIDE_NUMBER, present
from im2hands_ros.messages.markers import LIFETIME, Drawing
from im2hands_ros.msg import HandKeypoints, HandMesh, HandMeshArray
from im2hands_ros.skeleton import SIDES


def keypoints_message(
    header: Header,
    hands: Mapping[str, np.ndarray | None],
    joint_order: int = HandKeypoints.ORDER_MANO,
    confidence: Mapping[str, float | None] | None = None,
) -> HandKeypoints:
    """Keypoints as a message.

    Args:
        header: stamp of the image, its optical frame.
        hands: "left" and "right" -> (J, 3) metres in the camera frame, or None.
        joint_order: the order the joints are in.
        confidence: of each hand, in [0, 1]; every joint of the hand gets it.
    """
    message = HandKeypoints(header=header, joint_order=joint_order)
    for side in SIDES:
        xyz = hands.get(side)
        if xyz is not None:
            setattr(message, f"{side}_valid", True)
            setattr(message, f"{side}_xyz", _flat(xyz, "f", np.float32))
            sure = (confidence or {}).get(side)
            if sure is not None:
                setattr(message, f"{side}_confidence", array.array("f", [sure] * len(xyz)))
    return message


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


def marker_array_message(
    header: Header, drawings: Sequence[Drawing], lost: Iterable[tuple[str, int]] = ()
) -> MarkerArray:
    """The drawings as a MarkerArray, after a DELETE for each (namespace, number) that was lost."""
    deletions = [
        Marker(header=header, ns=namespace, id=number, action=Marker.DELETE)
        for namespace, number in lost
    ]
    return MarkerArray(markers=[*deletions, *(_marker(header, drawing) for drawing in drawings)])


def _marker(header: Header, drawing: Drawing) -> Marker:
    style = drawing.style
    red, green, blue, alpha = style.colour
    marker = Marker(
        header=header,
        ns=style.namespace,
        id=style.number,
        type=style.kind,
        action=Marker.ADD,
        scale=Vector3(x=style.scale[0], y=style.scale[1], z=style.scale[2]),
        color=ColorRGBA(r=red, g=green, b=blue, a=alpha),
        lifetime=Duration(sec=int(LIFETIME), nanosec=int(LIFETIME % 1 * 1e9)),
        points=[Point(x=x, y=y, z=z) for x, y, z in drawing.points.tolist()],
    )
    marker.pose.orientation.w = 1.0
    return marker
