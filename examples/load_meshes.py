"""Meshes of a bag's hands in trimesh or Open3D, from the topic `meshes`.

    im2hands replay BAG -o hands.mcap
    python examples/load_meshes.py hands.mcap -o frames/      # a .ply for each hand and frame

`trimesh_of` and `open3d_of` take a HandMesh message, from a bag or from a subscription.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from im2hands_ros.bags.reader import BagReader

SIDES = ("left", "right")  # HandMesh.LEFT is 0, HandMesh.RIGHT is 1


def trimesh_of(hand: Any) -> trimesh.Trimesh:
    """A HandMesh as a trimesh: metres, the camera's frame, closed, normals out."""
    return trimesh.Trimesh(
        vertices=np.reshape(hand.vertices, (-1, 3)),
        faces=np.reshape(hand.triangles, (-1, 3)),
        process=False,  # vertices stay as many and in order
    )


def open3d_of(hand: Any) -> Any:
    """A HandMesh as an open3d.geometry.TriangleMesh with normals (pip install open3d)."""
    import open3d

    vertices = np.reshape(hand.vertices, (-1, 3)).astype(np.float64)
    triangles = np.reshape(hand.triangles, (-1, 3)).astype(np.int32)
    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(triangles)
    )
    mesh.compute_vertex_normals()
    return mesh


def main() -> None:
    """Write each hand of each frame, and print what it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bag", type=Path, help="bag with meshes")
    parser.add_argument("-o", "--out", type=Path, default=Path("frames"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with BagReader(args.bag) as reader:
        for number, received in enumerate(reader.messages("/meshes")):
            for hand in received.message.hands:
                mesh = trimesh_of(hand)
                path = args.out / f"{number:05}_{SIDES[hand.side]}.ply"
                mesh.export(path)
                closed = "closed" if mesh.is_watertight else "open"
                print(f"{path}: {len(mesh.faces)} triangles, {1e6 * mesh.volume:.0f} cm3, {closed}")


if __name__ == "__main__":
    main()
