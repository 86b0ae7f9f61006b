"""im2hands_ros/HandMeshArray: the hands' surfaces as closed triangle meshes. No ROS here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.header import HeaderFields
from im2hands_ros.skeleton import SIDES

if TYPE_CHECKING:
    from im2hands_ros.scene import HandSurface

Mesh = tuple[NDArray[np.float32], NDArray[np.uint32]]  # (V, 3) vertices, metres; (T, 3) triangles


def write_meshes(header: HeaderFields, hands: Mapping[str, HandSurface]) -> bytes:
    """A serialised HandMeshArray; side -> surface of the hands that are there, left first."""
    cdr = CdrWriter()
    cdr.header(header)
    cdr.fields("I", len(hands))
    for side, surface in hands.items():
        cdr.fields("B", SIDES.index(side))  # HandMesh.LEFT, HandMesh.RIGHT
        cdr.sequence(np.asarray(surface.vertices, np.float32).reshape(-1))
        cdr.sequence(np.asarray(surface.triangles, np.uint32).reshape(-1))
        cdr.fields("f", surface.confidence)
    return cdr.message


def read_meshes(message: Any) -> dict[str, Mesh]:
    """Side -> mesh, camera frame, of the hands that a HandMeshArray holds.

    Raises:
        BadInput: arrays that are no mesh.
    """
    meshes = {}
    for hand in message.hands:
        vertices = np.asarray(hand.vertices, np.float32)
        triangles = np.asarray(hand.triangles, np.uint32)
        if hand.side >= len(SIDES) or vertices.size % 3 or triangles.size % 3:
            raise BadInput(
                "mesh_layout",
                f"side {hand.side} with {vertices.size} coordinates and {triangles.size} corners: "
                "send side 0 or 1, xyz for each vertex and three corners for each triangle",
            )
        if not triangles.size:
            continue
        if not np.isfinite(vertices).all() or triangles.max() >= vertices.size // 3:
            raise BadInput(
                "mesh_values",
                f"the {SIDES[hand.side]} mesh has vertices that are not finite or triangles "
                f"beyond its {vertices.size // 3} vertices",
            )
        meshes[SIDES[hand.side]] = (vertices.reshape(-1, 3), triangles.reshape(-1, 3))
    return meshes
