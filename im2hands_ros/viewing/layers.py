"""What the page draws in space, each kind under a node of its own that can be switched off.

Everything is in the camera's optical frame: x right, y down, z forward, metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import BONES, SIDE_COLOURS
from im2hands_ros.viewing.picture import corners

Mesh = tuple[np.ndarray, np.ndarray]  # (V, 3) float32 vertices, (T, 3) triangles

_CUBE = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_CUBE_TRIANGLES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)
_FRUSTUM_EDGES = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])
_FRUSTUM_COLOUR = (150, 156, 168)
_COLOURS = {side: tuple(round(255 * c) for c in rgb) for side, rgb in SIDE_COLOURS.items()}
# Half way to white: visible on a surface of the colour.
_LIGHT_COLOURS = {side: tuple((c + 255) // 2 for c in rgb) for side, rgb in _COLOURS.items()}
_JPEG_QUALITY = 80


class Layer:
    """A part of the scene that can be switched off: nodes below one root."""

    name = ""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.root = scene.add_frame(f"/{self.name}", show_axes=False)
        self._nodes: dict[str, Any] = {}

    def _path(self, name: str) -> str:
        return f"/{self.name}/{name}"

    def _keep(self, names: set[str]) -> None:
        """Remove all nodes but these."""
        for name in self._nodes.keys() - names:
            self._nodes.pop(name).remove()

    def clear(self) -> None:
        """Remove everything that is drawn."""
        self._keep(set())


class Meshes(Layer):
    """One surface for each hand."""

    name = "meshes"
    _opacity = 1.0

    def show(self, meshes: Mapping[str, Mesh]) -> None:
        """Draw these hands and no other."""
        self._keep(set(meshes))
        for side, (vertices, triangles) in meshes.items():
            node = self._nodes.get(side)
            if node is None:
                self._nodes[side] = self._scene.add_mesh_simple(
                    self._path(side),
                    vertices,
                    triangles,
                    color=_COLOURS[side],
                    opacity=self._opacity,
                    receive_shadow=False,
                    cast_shadow=False,
                )
            else:
                node.vertices, node.faces = vertices, triangles

    def fade(self, opacity: float) -> None:
        """Draw with this opacity, 0 to 1, from now on."""
        self._opacity = opacity
        for node in self._nodes.values():
            node.opacity = opacity


class Voxels(Layer):
    """The occupied voxels of each hand as cubes."""

    name = "occupancy"

    def show(self, centres: Mapping[str, np.ndarray], size: float) -> None:
        """Draw cubes of this size, metres, around (N, 3) centres for each hand, N >= 1."""
        self._keep(set(centres))
        for side, points in centres.items():
            self._nodes[side] = self._scene.add_batched_meshes_simple(
                self._path(side),
                (0.9 * size * _CUBE).astype(np.float32),
                _CUBE_TRIANGLES,
                batched_wxyzs=np.tile(np.array([1, 0, 0, 0], np.float32), (len(points), 1)),
                batched_positions=points,
                batched_colors=_COLOURS[side],
                flat_shading=True,
                lod="off",
                cast_shadow=False,
                receive_shadow=False,
            )


class Skeletons(Layer):
    """The keypoints of each hand with the bones between them."""

    name = "keypoints"

    def show(self, keypoints: Mapping[str, np.ndarray]) -> None:
        """Draw (21, 3) keypoints of these hands and no other."""
        self._keep({f"{side}_{part}" for side in keypoints for part in ("joints", "bones")})
        for side, xyz in keypoints.items():
            bones = xyz[np.array(BONES)]
            if f"{side}_joints" in self._nodes:
                self._nodes[f"{side}_joints"].points = xyz
                self._nodes[f"{side}_bones"].points = bones
            else:
                self._add(side, xyz, bones)

    def _add(self, side: str, xyz: np.ndarray, bones: np.ndarray) -> None:
        colour = _LIGHT_COLOURS[side]
        self._nodes[f"{side}_joints"] = self._scene.add_point_cloud(
            self._path(f"{side}_joints"),
            xyz,
            colour,
            point_size=0.004,
            point_shape="circle",
            precision="float32",
        )
        self._nodes[f"{side}_bones"] = self._scene.add_line_segments(
            self._path(f"{side}_bones"), bones, colour, thickness=0.0025
        )


class Frustum(Layer):
    """The camera's view rays and the border of its picture."""

    name = "frustum"

    def show(self, camera: Camera, depth: float) -> None:
        """Draw the view as far as this depth, metres."""
        points = np.vstack([np.zeros((1, 3)), corners(camera, depth)])[_FRUSTUM_EDGES]
        if "edges" in self._nodes:
            self._nodes["edges"].points = points.astype(np.float32)
        else:
            self._nodes["edges"] = self._scene.add_line_segments(
                self._path("edges"),
                points.astype(np.float32),
                _FRUSTUM_COLOUR,
                thickness=1.5,
                thickness_units="screen",
            )


class Picture(Layer):
    """The camera's picture, standing in space at the end of the frustum."""

    name = "picture"
    _settled = True

    def show(self, image: np.ndarray, camera: Camera, depth: float) -> None:
        """Draw the undistorted (H, W, 3) uint8 image at this depth, metres."""
        frame = corners(camera, depth)
        width, height = (frame[2] - frame[0])[:2].tolist()
        self._settled = False
        node = self._nodes.get("image")
        if node is None:
            self._nodes["image"] = self._scene.add_image(
                self._path("image"),
                image,
                width,
                height,
                format="jpeg",
                jpeg_quality=_JPEG_QUALITY,
                position=frame.mean(0),
                cast_shadow=False,
                receive_shadow=False,
            )
            return
        node.image = image
        if (node.render_width, node.render_height) != (width, height):
            node.render_width, node.render_height = width, height
            node.position = frame.mean(0)

    def settle(self) -> None:
        """Have the last image put up: viser's page does so only at the picture's next change."""
        if not self._settled:
            self._nodes["image"].render_width *= 1 + 1e-6
            self._settled = True
