"""visualization_msgs/MarkerArray: what RViz and Foxglove draw of the hands. No ROS here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.corners import Corners
from im2hands_ros.messages.header import Header, HeaderFields, Stamp
from im2hands_ros.messages.shading import shaded_colours
from im2hands_ros.skeleton import BONES, SIDE_COLOURS

if TYPE_CHECKING:
    from im2hands_ros.scene import HandSurface

Key = tuple[str, int]  # namespace and number: what identifies a marker to a viewer

# Values of visualization_msgs/Marker.type.
LINE_LIST, CUBE_LIST, SPHERE_LIST, TRIANGLE_LIST = 5, 6, 7, 11
_ADD, _DELETE = 0, 2  # and of its action

# If the node dies its hands must not stay. Seconds; more where frames come more slowly.
LIFETIME = 2.0

# RViz updates a triangle list in place only while its length stays the same.
TRIANGLE_BUCKET = 2048

_NO_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # position, quaternion x, y, z, w

_BONE_ENDS = np.array(BONES).ravel()
# Metres: as thick as a finger's last joint; 6 mm were hidden in the flesh of all joints.
_BALL = 0.016
_NO_COLOURS = np.empty((0, 4), np.float32)


class Drawing(NamedTuple):
    """A marker.

    Attributes:
        namespace, number: identify it to a viewer.
        kind: one of the values of visualization_msgs/Marker.type above.
        scale: metres, as that kind needs it.
        colour: red, green, blue, alpha in [0, 1].
        points: (N, 3) float64, metres, image frame; N >= 1.
        colours: (N, 4) float32 of each point, in place of `colour`; or (0, 4).
    """

    namespace: str
    number: int
    kind: int
    scale: tuple[float, float, float]
    colour: tuple[float, float, float, float]
    points: np.ndarray | Corners
    colours: np.ndarray | Corners = _NO_COLOURS

    @property
    def key(self) -> Key:
        """What identifies the marker to a viewer."""
        return self.namespace, self.number


def draw(hands: Mapping[str, HandSurface], voxel_size: float, smooth: bool = True) -> list[Drawing]:
    """All markers of the hands that are there, empty ones left out.

    Args:
        hands: side -> surface.
        voxel_size: side of the drawn voxels, metres.
        smooth: colour the meshes by their vertices' normals; else the viewer lights facets.
    """
    drawings = []
    for side, surface in hands.items():
        colour = SIDE_COLOURS[side]
        drawings += [
            Drawing(
                *(side, 0, TRIANGLE_LIST, (1.0, 1.0, 1.0), (*colour, 1.0)),
                triangle_points(surface.vertices, surface.triangles),
                _mesh_colours(surface, colour) if smooth else _NO_COLOURS,
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
    lines, spheres = (0.002, 0.0, 0.0), (_BALL,) * 3
    return [
        Drawing(name, 0, LINE_LIST, lines, colour, xyz[_BONE_ENDS]),
        Drawing(name, 1, SPHERE_LIST, spheres, colour, xyz),
    ]


def triangle_points(vertices: np.ndarray, triangles: np.ndarray) -> Corners:
    """Corner points of a mesh, padded with triangles of no area to a multiple of the bucket.

    Args:
        vertices: (V, 3) metres.
        triangles: (T, 3) vertex numbers.

    Returns:
        (3 T', 3) float64 with T' the next multiple of `TRIANGLE_BUCKET`; (0, 3) without triangles.
    """
    return _of_corners(vertices, triangles)


def _mesh_colours(surface: HandSurface, colour: tuple[float, float, float]) -> Corners:
    """(3 T', 4) float32, of the corners as `triangle_points` lists them."""
    each = shaded_colours(surface.vertices, surface.triangles, colour)
    return _of_corners(each, surface.triangles)


def _of_corners(values: np.ndarray, triangles: np.ndarray) -> Corners:
    padded = -(-len(triangles) // TRIANGLE_BUCKET) * TRIANGLE_BUCKET
    return Corners(values, triangles, 3 * padded)


def write_markers(
    header: HeaderFields,
    drawings: Sequence[Drawing],
    lost: Sequence[Key] = (),
    lifetime: float = LIFETIME,
) -> bytes:
    """A serialised MarkerArray of the drawings, after a DELETE for each marker that was lost.

    A viewer takes them from view `lifetime` seconds after the last message.
    """
    prepared = CdrWriter()
    prepared.header(header)
    head = prepared.payload
    cdr = CdrWriter()
    cdr.fields("I", len(lost) + len(drawings))
    for namespace, number in lost:
        nothing = Drawing(namespace, number, 0, (0.0,) * 3, (0.0,) * 4, np.empty((0, 3)))
        _write_marker(cdr, head, _DELETE, nothing, lifetime=0.0)
    for drawing in drawings:
        _write_marker(cdr, head, _ADD, drawing, lifetime)
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
    cdr.sequence(drawing.colours)
    cdr.prepared(_NOTHING_MORE)


def _nothing_more() -> bytes:
    """The fields after the colours: no texture, text or mesh."""
    cdr = CdrWriter()
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
