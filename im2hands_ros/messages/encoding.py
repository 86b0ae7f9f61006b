"""A frame's results as the messages that the node publishes, serialised without ROS.

The bytes are those of `ros.cdr` and `ros.messages`; a test with ROS holds them equal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.bags.definitions import PACKAGE, standard_types
from im2hands_ros.messages.arrays import CLOUD_DTYPE, SIDE_NUMBER, cloud_points, present
from im2hands_ros.messages.composing import Messages
from im2hands_ros.messages.markers import LIFETIME, Drawing, Style, draw
from im2hands_ros.messages.splicing import Template, mark
from im2hands_ros.skeleton import ORDER_MANO, WRIST
from im2hands_ros.wrist import quaternion, wrist_rotation

# Topic -> type of all that is written.
RESULTS = {
    "/refined_keypoints": f"{PACKAGE}/msg/HandKeypoints",
    "/left/wrist_pose": "geometry_msgs/msg/PoseStamped",
    "/right/wrist_pose": "geometry_msgs/msg/PoseStamped",
    "/meshes": f"{PACKAGE}/msg/HandMeshArray",
    "/occupancy": "sensor_msgs/msg/PointCloud2",
    "/markers": "visualization_msgs/msg/MarkerArray",
}
_ADD, _DELETE = 0, 2  # visualization_msgs/Marker.action
_FLOAT32, _UINT8 = 7, 2  # sensor_msgs/PointField.datatype
_MARKED_STAMP = (1_734_567_891, 987_654_321)
_TEMPLATES = 64


class ResultEncoder:
    """Serialises frames in the order of a stream: wrists do not jump, lost hands are deleted."""

    def __init__(self) -> None:
        self._messages = Messages(standard_types())
        self._last_turn: dict[str, NDArray[np.float64]] = {}
        self._shown: tuple[tuple[str, int], ...] = ()
        self._marker_template = lru_cache(_TEMPLATES)(self._make_marker_template)

    def encode(self, header: Any, hands: Any, voxel_size: float) -> Iterator[tuple[str, bytes]]:
        """(topic, message) of all that the node would publish for a frame.

        Args:
            header: the image's; `stamp` and `frame_id` are read.
            hands: `left` and `right`: HandSurface or None.
            voxel_size: side of the drawn voxels, metres.
        """
        stamp = (header.stamp.sec, header.stamp.nanosec)
        ours = self._header(stamp, header.frame_id)
        yield "/refined_keypoints", self._keypoints(ours, hands)
        for side, surface in present(hands):
            pose = self._wrist(ours, side, surface.keypoints)
            if pose is not None:
                yield f"/{side}/wrist_pose", pose
        yield "/meshes", self._meshes(ours, hands)
        yield "/occupancy", self._cloud(ours, cloud_points(hands))
        drawings = draw(hands, voxel_size)
        shown = tuple(drawing.style.key for drawing in drawings)
        lost = tuple(key for key in self._shown if key not in shown)
        self._shown = shown
        if drawings or lost:
            yield "/markers", self._markers(stamp, header.frame_id, drawings, lost)

    def _header(self, stamp: tuple[int, int], frame_id: str) -> Any:
        new = self._messages.new
        time = new("builtin_interfaces/msg/Time", sec=stamp[0], nanosec=stamp[1])
        return new("std_msgs/msg/Header", stamp=time, frame_id=frame_id)

    def _serialised(self, topic: str, **fields: Any) -> bytes:
        kind = RESULTS[topic]
        return self._messages.serialise(kind, self._messages.new(kind, **fields))

    def _keypoints(self, header: Any, hands: Any) -> bytes:
        fields: dict[str, Any] = {}
        for side, surface in present(hands):
            xyz = np.asarray(surface.keypoints, np.float32)
            fields[f"{side}_valid"] = True
            fields[f"{side}_xyz"] = xyz.ravel()
            fields[f"{side}_confidence"] = np.full(len(xyz), surface.confidence, np.float32)
        return self._serialised(
            "/refined_keypoints", header=header, joint_order=ORDER_MANO, **fields
        )

    def _wrist(self, header: Any, side: str, xyz: NDArray[np.float32]) -> bytes | None:
        rotation = wrist_rotation(xyz, side)
        if rotation is None:
            return None
        turn = self._last_turn[side] = quaternion(rotation, near=self._last_turn.get(side))
        new = self._messages.new
        pose = new(
            "geometry_msgs/msg/Pose",
            position=self._vector("Point", xyz[WRIST]),
            orientation=new(
                "geometry_msgs/msg/Quaternion", **dict(zip("xyzw", turn.tolist(), strict=True))
            ),
        )
        return self._serialised(f"/{side}/wrist_pose", header=header, pose=pose)

    def _vector(self, kind: str, xyz: Any) -> Any:
        x, y, z = (float(value) for value in xyz)
        return self._messages.new(f"geometry_msgs/msg/{kind}", x=x, y=y, z=z)

    def _meshes(self, header: Any, hands: Any) -> bytes:
        meshes = [
            self._messages.new(
                f"{PACKAGE}/msg/HandMesh",
                side=SIDE_NUMBER[side],
                vertices=np.asarray(surface.vertices, np.float32).ravel(),
                triangles=np.asarray(surface.triangles, np.uint32).ravel(),
                confidence=float(surface.confidence),
            )
            for side, surface in present(hands)
        ]
        return self._serialised("/meshes", header=header, hands=meshes)

    def _cloud(self, header: Any, points: np.ndarray) -> bytes:
        kinds = dict.fromkeys(CLOUD_DTYPE.names or (), _FLOAT32) | {"side": _UINT8}
        offsets: dict[str, Any] = dict(CLOUD_DTYPE.fields or {})
        fields = [
            self._messages.new(
                "sensor_msgs/msg/PointField",
                name=name,
                offset=offsets[name][1],
                datatype=kind,
                count=1,
            )
            for name, kind in kinds.items()
        ]
        return self._serialised(
            "/occupancy",
            header=header,
            height=1,
            width=len(points),
            fields=fields,
            point_step=CLOUD_DTYPE.itemsize,
            row_step=points.nbytes,
            data=points.view(np.uint8),
            is_dense=True,
        )

    def _markers(
        self,
        stamp: tuple[int, int],
        frame_id: str,
        drawings: Sequence[Drawing],
        lost: tuple[tuple[str, int], ...],
    ) -> bytes:
        template = self._marker_template(frame_id, tuple(each.style for each in drawings), lost)
        points = {
            str(number): np.asarray(each.points, "<f8") for number, each in enumerate(drawings)
        }
        return template.fill({"stamp": struct.pack("<iI", *stamp)}, points)

    def _make_marker_template(
        self, frame_id: str, styles: tuple[Style, ...], lost: tuple[tuple[str, int], ...]
    ) -> Template:
        """Points are objects, 60 000 in a mesh: serialised once with marks, then spliced."""
        header = self._header(_MARKED_STAMP, frame_id)
        new, kind = self._messages.new, "visualization_msgs/msg/Marker"
        markers = [
            new(kind, header=header, ns=namespace, id=number, action=_DELETE, pose=self._no_pose())
            for namespace, number in lost
        ]
        marks = {str(i): mark(i, 9, np.float64).reshape(3, 3) for i in range(len(styles))}
        markers += [self._marker(header, style, marks[str(i)]) for i, style in enumerate(styles)]
        name = RESULTS["/markers"]
        data = self._messages.serialise(name, new(name, markers=markers))
        return Template(data, {"stamp": struct.pack("<iI", *_MARKED_STAMP)}, marks)

    def _marker(self, header: Any, style: Style, points: NDArray[np.float64]) -> Any:
        new = self._messages.new
        colour = dict(zip("rgba", style.colour, strict=True))
        seconds, nanoseconds = int(LIFETIME), int(LIFETIME % 1 * 1e9)
        return new(
            "visualization_msgs/msg/Marker",
            header=header,
            ns=style.namespace,
            id=style.number,
            type=style.kind,
            action=_ADD,
            pose=self._no_pose(),
            scale=self._vector("Vector3", style.scale),
            color=new("std_msgs/msg/ColorRGBA", **colour),
            lifetime=new("builtin_interfaces/msg/Duration", sec=seconds, nanosec=nanoseconds),
            points=[self._vector("Point", point) for point in points],
        )

    def _no_pose(self) -> Any:
        turn = self._messages.new("geometry_msgs/msg/Quaternion", w=1.0)
        return self._messages.new("geometry_msgs/msg/Pose", orientation=turn)
