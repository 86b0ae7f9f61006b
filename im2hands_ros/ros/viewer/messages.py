"""What the viewer shows of each message, as arrays; a message that cannot be shown is refused.

Needs no ROS: anything with the messages' fields will do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.skeleton import SIDES

_FLOAT32, _UINT8 = 7, 2  # of sensor_msgs/PointField
_SMALLEST_SIZE, _LARGEST_SIZE = 1e-4, 0.1  # metres: of a hand's voxels


def meshes_of(message: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Side -> (V, 3) float32 vertices, metres, and (T, 3) uint32 triangles of a HandMeshArray.

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


def voxels_of(message: Any) -> dict[str, np.ndarray]:
    """Side -> (N, 3) float32 voxel centres, metres, of a PointCloud2; absent hands left out.

    Raises:
        BadInput: the cloud has not the fields of the topic `occupancy`, or less data than it says.
    """
    fields = {field.name: (field.offset, field.datatype) for field in message.fields}
    wanted = dict.fromkeys("xyz", _FLOAT32) | {"side": _UINT8}
    for name, kind in wanted.items():
        if fields.get(name, (0, 0))[1] != kind:
            raise BadInput(
                "cloud_fields", f"the cloud lacks {name}: listen to the node's occupancy"
            )
    layout = np.dtype(
        {
            "names": list(wanted),
            "formats": ["<f4", "<f4", "<f4", "u1"],
            "offsets": [fields[name][0] for name in wanted],
            "itemsize": message.point_step,
        }
    )
    count = message.width * message.height
    if len(message.data) < count * message.point_step:
        raise BadInput("cloud_data", f"the cloud says {count} points but holds fewer")
    points = np.frombuffer(message.data, layout, count)
    xyz = np.stack([points[axis] for axis in "xyz"], axis=1)
    shown = np.isfinite(xyz).all(axis=1)
    hands = {side: xyz[shown & (points["side"] == number)] for number, side in enumerate(SIDES)}
    return {side: centres for side, centres in hands.items() if len(centres)}


def voxel_size(centres: np.ndarray) -> float | None:
    """The side of the voxels with these (N, 3) centres, metres; None when they do not tell.

    The voxels are cells of a lattice, and its smallest step is between neighbours.
    """
    gaps = np.diff(np.unique(np.round(centres[:, 0], 5)))
    steps = gaps[(gaps > _SMALLEST_SIZE) & (gaps < _LARGEST_SIZE)]
    return float(steps.min()) if steps.size else None
