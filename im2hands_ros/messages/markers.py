"""What RViz and Foxglove draw of the hands: meshes, surface voxels, keypoints. No ROS here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from im2hands_ros.messages.arrays import present
from im2hands_ros.skeleton import BONES

# Values of visualization_msgs/Marker.type.
LINE_LIST, CUBE_LIST, SPHERE_LIST, TRIANGLE_LIST = 5, 6, 7, 11

# If the node dies its hands must not stay; longer than a frame takes on the slowest machine.
LIFETIME = 2.0

# RViz updates a triangle list in place only while its length stays the same.
TRIANGLE_BUCKET = 2048

COLOURS = {"left": (0.36, 0.62, 0.95), "right": (0.96, 0.62, 0.36)}


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
        colour = COLOURS[side]
        drawings += [
            Drawing(
                Style(side, 0, TRIANGLE_LIST, (1.0, 1.0, 1.0), (*colour, 1.0)),
                triangle_points(surface.vertices, surface.triangles),
            ),
            Drawing(
                Style(f"{side}_occupancy", 0, CUBE_LIST, (voxel_size,) * 3, (*colour, 0.35)),
                surface.voxels.astype(np.float64),
            ),
            *_draw_keypoints(side, surface.keypoints.astype(np.float64)),
        ]
    return [drawing for drawing in drawings if len(drawing.points)]


def _draw_keypoints(side: str, xyz: np.ndarray) -> list[Drawing]:
    red, green, blue = (0.5 * channel for channel in COLOURS[side])
    name, colour = f"{side}_keypoints", (red, green, blue, 1.0)
    lines, spheres = (0.002, 0.0, 0.0), (0.006,) * 3
    return [
        Drawing(Style(name, 0, LINE_LIST, lines, colour), xyz[np.array(BONES).ravel()]),
        Drawing(Style(name, 1, SPHERE_LIST, spheres, colour), xyz),
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
