"""What RViz and Foxglove draw of the hands: meshes, surface voxels, keypoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from im2hands_ros.ros.messages import present
from im2hands_ros.skeleton import BONES

# If the node dies its hands must not stay; longer than a frame takes on the slowest machine.
LIFETIME = 2.0

# RViz updates a triangle list in place only while its length stays the same.
TRIANGLE_BUCKET = 2048

_COLOURS = {"left": (0.36, 0.62, 0.95), "right": (0.96, 0.62, 0.36)}


@dataclass(frozen=True)
class Style:
    """Everything of a marker but its points: what a serialised template is kept for."""

    namespace: str
    number: int
    kind: int
    scale: tuple[float, float, float]
    colour: tuple[float, float, float, float]

    @property
    def key(self) -> tuple[str, int]:
        """What identifies the marker to a viewer."""
        return self.namespace, self.number


@dataclass(frozen=True)
class Drawing:
    """A marker: its style and (N, 3) float64 points, metres, image frame; N >= 1."""

    style: Style
    points: np.ndarray


def draw(hands: Any, voxel_size: float) -> list[Drawing]:
    """All markers of the hands that are there, empty ones left out."""
    drawings = []
    for side, surface in present(hands):
        colour = _COLOURS[side]
        drawings += [
            Drawing(
                Style(side, 0, Marker.TRIANGLE_LIST, (1.0, 1.0, 1.0), (*colour, 1.0)),
                triangle_points(surface.vertices, surface.triangles),
            ),
            Drawing(
                Style(f"{side}_occupancy", 0, Marker.CUBE_LIST, (voxel_size,) * 3, (*colour, 0.35)),
                surface.voxels.astype(np.float64),
            ),
            *_draw_keypoints(side, surface.keypoints.astype(np.float64)),
        ]
    return [drawing for drawing in drawings if len(drawing.points)]


def _draw_keypoints(side: str, xyz: np.ndarray) -> list[Drawing]:
    name, colour = f"{side}_keypoints", (*(0.5 * c for c in _COLOURS[side]), 1.0)
    lines, spheres = (0.002, 0.0, 0.0), (0.006,) * 3
    return [
        Drawing(Style(name, 0, Marker.LINE_LIST, lines, colour), xyz[np.array(BONES).ravel()]),
        Drawing(Style(name, 1, Marker.SPHERE_LIST, spheres, colour), xyz),
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
        points[: 3 * count] = vertices[triangles.ravel()]
        points[3 * count :] = points[0]
    return points


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
