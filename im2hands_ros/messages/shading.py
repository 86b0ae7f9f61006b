"""Colours of a mesh as a lamp beside the camera lights it, by its vertices' normals. No ROS here.

RViz gives every triangle one normal, so its own light shows facets. It draws vertices that bring
their colours without any light of its own.
"""

from __future__ import annotations

import numpy as np

from im2hands_ros.kernels import library, mesh

# To the lamp: above and left of the camera (x right, y down, z forward).
_LAMP = np.array([-0.35, -0.55, -0.76]) / np.linalg.norm([-0.35, -0.55, -0.76])
_DARKEST = 0.2  # share of the colour that is left on the side away from the lamp


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(3, V) float64 unit normals, weighted by area; zero for a vertex of no triangle.

    Args:
        vertices: (V, 3).
        triangles: (T, 3) vertex numbers, counter-clockwise seen from outside.
    """
    numbers = np.ascontiguousarray(triangles.T, np.int64)  # converted once, not by each call
    # Twice as fast as vertices.T[:, numbers]; the numbers are those of the mesh's own vertices.
    x, y, z = (np.take(np.ascontiguousarray(axis), numbers, mode="clip") for axis in vertices.T)
    (x1, x2), (y1, y2), (z1, z2) = x[1:] - x[0], y[1:] - y[0], z[1:] - z[0]
    facets = (y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2)
    corners, count = numbers.ravel(), len(vertices)
    normals = np.stack([np.bincount(corners, np.tile(each, 3), count) for each in facets])
    return normals / np.maximum(np.sqrt(np.einsum("ij,ij->j", normals, normals)), 1e-30)


def shaded_colours(
    vertices: np.ndarray, triangles: np.ndarray, colour: tuple[float, float, float]
) -> np.ndarray:
    """(V, 4) float32 red, green, blue, alpha of each vertex, in [0, 1]; arguments as above.

    `colour` is what is turned to the lamp. Half-Lambert: no side is black, none without shape.
    """
    kernels = library.chosen()
    if kernels and len(triangles):
        return mesh.shaded_colours(kernels, vertices, triangles, _LAMP, colour, _DARKEST)
    towards = _LAMP @ vertex_normals(vertices, triangles)
    half = 0.5 + 0.5 * towards
    light = np.float32(_DARKEST + (1 - _DARKEST) * half * half)
    colours = np.ones((len(vertices), 4), np.float32)
    for channel, share in enumerate(colour):
        colours[:, channel] = light * np.float32(share)
    return colours
