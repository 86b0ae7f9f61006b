"""Hands in an occupancy map: the topic `occupancy` inserted into an octomap, frame by frame.

    pip install octomap-python
    im2hands replay BAG -o hands.mcap
    python examples/insert_into_octomap.py hands.mcap -o hands.bt

The cloud's points are the centres of voxels that the hands fill, on octomap's own lattice: with a
resolution equal to the node's `occupancy_voxel_size`, a point is a leaf. MoveIt's
PointCloudOctomapUpdater takes the topic as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import octomap

from im2hands_ros.bags.reader import BagReader

_FLOAT32 = 7  # sensor_msgs/PointField.FLOAT32


def points_of(cloud: Any) -> np.ndarray:
    """(N, 3) float64 points of any PointCloud2 with float32 fields x, y, z; metres.

    Raises:
        ValueError: one of them is missing, or of another type.
    """
    offsets = {field.name: field.offset for field in cloud.fields if field.datatype == _FLOAT32}
    missing = {"x", "y", "z"} - offsets.keys()
    if missing:
        raise ValueError(f"the cloud has no float32 field {', '.join(sorted(missing))}")
    order = ">f4" if cloud.is_bigendian else "<f4"
    kind = np.dtype(
        {
            "names": ["x", "y", "z"],
            "formats": [order] * 3,
            "offsets": [offsets[name] for name in "xyz"],
            "itemsize": cloud.point_step,
        }
    )
    points = np.frombuffer(bytes(cloud.data), kind, cloud.width * cloud.height)
    return np.stack([points[name] for name in "xyz"], axis=1).astype(np.float64)


def insert(tree: octomap.OcTree, points: np.ndarray, origin: np.ndarray) -> None:
    """Mark the points as occupied, and what lies between them and the camera as free.

    Args:
        tree: the map, in the points' frame.
        points: (N, 3) metres.
        origin: (3,) where the camera is; zero in the camera's own frame.
    """
    tree.insertPointCloud(np.ascontiguousarray(points, np.float64), origin, lazy_eval=True)
    tree.updateInnerOccupancy()


def main() -> None:
    """Make a map of a bag's hands and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bag", type=Path, help="bag with occupancy")
    parser.add_argument("-o", "--out", type=Path, default=Path("hands.bt"))
    parser.add_argument("--resolution", type=float, default=0.005, help="of the map, metres")
    args = parser.parse_args()
    tree = octomap.OcTree(args.resolution)
    clouds = 0
    with BagReader(args.bag) as reader:
        for received in reader.messages("/occupancy"):
            insert(tree, points_of(received.message), np.zeros(3))
            clouds += 1
    occupied, free = tree.extractPointCloud()
    tree.writeBinary(str(args.out).encode())
    print(f"{args.out}: {clouds} clouds, {len(occupied)} leaves occupied, {len(free)} free")


if __name__ == "__main__":
    main()
