"""visualization_msgs/MarkerArray: what RViz and Foxglove draw of the hands. No ROS here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.header import Header, HeaderFields, Stamp
from im2hands_ros.skeleton import BONES, SIDE_COLOURS

if TYPE_CHECKING:
    from im2hands_ros.scene import HandSurface

Key = tuple[str, int]  # namespace and number: what identifies a marker to a viewer

# Values of visualization_msgs/Marker.type.
LINE_LIST, CUBE_LIST, SPHERE_LIST, TRIANGLE_LIST = 5, 6, 7, 11
_ADD, _DELETE = 0, 2  # and of its action

# If the node dies its hands must not stay; longer than a frame takes on the slowest machine.
LIFETIME = 2.0

# RViz updates a triangle list in place only while its length stays the same.
TRIANGLE_BUCKET = 2048

_NO_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # position, quaternion x, y, z, w

_BONE_ENDS = np.array(BONES).ravel()


class Drawing(NamedTuple):
    """A marker.

    Attributes:
        namespace, number: identify it to a viewer.
        kind: one of the values of visualization_msgs/Marker.type above.
        scale: metres, as that kind needs it.
        colour: red, green, blue, alpha in [0, 1].
        points: (N, 3) float64, metres, image frame; N >= 1.
    """

    namespace: str
    number: int
    kind: int
    scale: tuple[float, float, float]
    colour: tuple[float, float, float, float]
    points: np.ndarray

    @property
    def key(self) -> Key:
        """What identifies the marker to a viewer."""
        return self.namespace, self.number


def draw(hands: Mapping[str, HandSurface], voxel_size: float) -> list[Drawing]:
    """All markers of the hands that are there, empty ones left out."""
    drawings = []
    for side, surface in hands.items():
        colour = SIDE_COLOURS[side]
        drawings += [
            Drawing(
                *(side, 0, TRIANGLE_LIST, (1.0, 1.0, 1.0), (*colour, 1.0)),
                triangle_points(surface.vertices, surface.triangles),
            ),
            Drawing(
                *(f"{side}_occupancy", 0, CUBE_LIST, (voxel_size,) * 3, (*colour, 0.35)),
                surface.voxels.astype(np.float64),
            ),
            *_draw_keypoints(side, surface.keypoints.astype(np.float64)),
        ]
    return [drawing for drawing in drawings if len(drawing.points)]


def _draw_keypoints(side: str, xyz: np.ndarray) -> list[Drawing]:
    red, green, blue = (0.5 * channel for channel in SIDE_COLOURS[side])
    name, colour = f"{side}_keypoints", (red, green, blue, 1.0)
    lines, spheres = (0.002, 0.0, 0.0), (0.006,) * 3
    return [
        Drawing(name, 0, LINE_LIST, lines, colour, xyz[_BONE_ENDS]),
        Drawing(name, 1, SPHERE_LIST, spheres, colour, xyz),
    ]


def triangle_points(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Corner points of a mesh, padded with triangles of no area to a multiple of the bucket.

    Args:
        vertices: (V, 3) metres.
        triangles: (T, 3) vertex numbers.

    Returns:
        (3 T', 3) float64 with T' the next multiple of `TRIANGLE_BUCKET`; (0, 3) without triangles.
    """
    count = len(triangles)
    padded = -(-count // TRIANGLE_BUCKET) * TRIANGLE_BUCKET
    points = np.empty((3 * padded, 3), np.float64)
    if count:
        # Six times as fast as points[...] = vertices[triangles]: no temporary, no bounds error.
        corners = vertices.astype(np.float64)
        np.take(corners, triangles.ravel(), axis=0, out=points[: 3 * count], mode="clip")
        points[3 * count :] = points[0]
    return points


def write_markers(
    header: HeaderFields, drawings: Sequence[Drawing], lost: Sequence[Key] = ()
) -> bytes:
    """A serialised MarkerArray of the drawings, after a DELETE for each marker that was lost."""
    prepared = CdrWriter()
    prepared.header(header)
    head = prepared.payload
    cdr = CdrWriter()
    cdr.fields("I", len(lost) + len(drawings))
    for namespace, number in lost:
        nothing = Drawing(namespace, number, 0, (0.0,) * 3, (0.0,) * 4, np.empty((0, 3)))
        _write_marker(cdr, head, _DELETE, nothing, lifetime=0.0)
    for drawing in drawings:
        _write_marker(cdr, head, _ADD, drawing, LIFETIME)
    return cdr.message


def _write_marker(
    cdr: CdrWriter, header: bytes, action: int, drawing: Drawing, lifetime: float
) -> None:
    cdr.prepared(header)
    cdr.string(drawing.namespace)
    cdr.fields(
        "3i 7d 3d 4f iI ?",
        *(drawing.number, drawing.kind, action),
        *_NO_POSE,
        *drawing.scale,
        *drawing.colour,
        *(int(lifetime), int(lifetime % 1 * 1e9)),
        False,  # frame_locked
    )
    cdr.sequence(drawing.points)
    cdr.prepared(_NOTHING_MORE)


def _nothing_more() -> bytes:
    """The fields after the points: no colours, texture, text or mesh."""
    cdr = CdrWriter()
    cdr.fields("I", 0)  # colors
    cdr.string("")  # texture_resource
    cdr.header(Header(Stamp(0, 0), ""))  # texture
    cdr.string("")
    cdr.fields("I", 0)
    cdr.fields("I", 0)  # uv_coordinates
    cdr.string("")  # text
    cdr.string("")  # mesh_resource
    cdr.string("")  # mesh_file
    cdr.fields("I", 0)
    cdr.fields("?", False)  # mesh_use_embedded_materials
    return cdr.payload


_NOTHING_MORE = _nothing_more()
