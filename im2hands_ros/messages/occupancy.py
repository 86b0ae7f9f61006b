"""sensor_msgs/PointCloud2 of the hands' occupied voxels. No ROS here."""

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

_UINT8, _FLOAT32 = 2, 7  # of sensor_msgs/PointField
# Field of a point -> offset in bytes, type; a point ends at a whole word.
_FIELDS = {
    "x": (0, _FLOAT32),
    "y": (4, _FLOAT32),
    "z": (8, _FLOAT32),
    "occupancy": (12, _FLOAT32),
    "side": (16, _UINT8),
}
_NUMPY = {_UINT8: "u1", _FLOAT32: "<f4"}
CLOUD_DTYPE = np.dtype(
    {
        "names": list(_FIELDS),
        "formats": [_NUMPY[kind] for _, kind in _FIELDS.values()],
        "offsets": [offset for offset, _ in _FIELDS.values()],
        "itemsize": 20,
    }
)
_SMALLEST_VOXEL, _LARGEST_VOXEL = 1e-4, 0.1  # metres


def cloud_points(hands: Mapping[str, HandSurface]) -> np.ndarray:
    """The occupied voxels of all hands as a (N,) `CLOUD_DTYPE` array."""
    points = np.zeros(sum(len(surface.voxels) for surface in hands.values()), CLOUD_DTYPE)
    start = 0
    for side, surface in hands.items():
        part = points[start : start + len(surface.voxels)]
        for axis, name in enumerate("xyz"):
            part[name] = surface.voxels[:, axis]
        part["occupancy"] = surface.voxel_occupancy
        part["side"] = SIDES.index(side)
        start += len(part)
    return points


def write_occupancy(header: HeaderFields, hands: Mapping[str, HandSurface]) -> bytes:
    """A serialised PointCloud2 of the occupied voxels, without order."""
    points = cloud_points(hands)
    cdr = CdrWriter()
    cdr.header(header)
    cdr.fields("2I", 1, len(points))  # height, width
    cdr.prepared(_POINT_FIELDS)
    # is_bigendian, point_step, row_step
    cdr.fields("? 2I", False, CLOUD_DTYPE.itemsize, points.nbytes)
    cdr.sequence(points.view(np.uint8))
    cdr.fields("?", True)  # is_dense
    return cdr.message


def _point_fields() -> bytes:
    """The sequence of sensor_msgs/PointField."""
    cdr = CdrWriter()
    cdr.fields("I", len(_FIELDS))
    for name, (offset, kind) in _FIELDS.items():
        cdr.string(name)
        cdr.fields("I B I", offset, kind, 1)
    return cdr.payload


_POINT_FIELDS = _point_fields()


def read_occupancy(message: Any) -> dict[str, NDArray[np.float32]]:
    """Side -> (N, 3) float32 voxel centres, metres, of a PointCloud2; absent hands left out.

    Raises:
        BadInput: it lacks fields of the topic `occupancy`, or holds fewer points than its size.
    """
    fields = {field.name: (field.offset, field.datatype) for field in message.fields}
    wanted = {name: kind for name, (_, kind) in _FIELDS.items() if name != "occupancy"}
    for name, kind in wanted.items():
        if fields.get(name, (0, 0))[1] != kind:
            raise BadInput(
                "cloud_fields", f"the cloud lacks {name}: subscribe to the node's occupancy"
            )
    try:
        layout = np.dtype(
            {
                "names": list(wanted),
                "formats": [_NUMPY[kind] for kind in wanted.values()],
                "offsets": [fields[name][0] for name in wanted],
                "itemsize": message.point_step,
            }
        )
    except ValueError as error:
        raise BadInput("cloud_fields", f"the cloud's fields do not fit a point: {error}") from error
    count = message.width * message.height
    if len(message.data) < count * message.point_step:
        raise BadInput("cloud_data", f"the cloud says {count} points but holds fewer")
    points = np.frombuffer(message.data, layout, count)
    xyz = np.stack([points[axis] for axis in "xyz"], axis=1)
    finite = np.isfinite(xyz).all(axis=1)
    hands = {side: xyz[finite & (points["side"] == number)] for number, side in enumerate(SIDES)}
    return {side: centres for side, centres in hands.items() if len(centres)}


def voxel_size(centres: NDArray[np.float32]) -> float | None:
    """The side of the voxels with these (N, 3) centres, metres; None where all are in one plane.

    The voxels are cells of a lattice, and its smallest step is between neighbours.
    """
    gaps = np.diff(np.unique(np.round(centres[:, 0], 5)))
    steps = gaps[(gaps > _SMALLEST_VOXEL) & (gaps < _LARGEST_VOXEL)]
    return float(steps.min()) if steps.size else None
