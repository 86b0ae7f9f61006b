"""What the viewer makes of messages, and what it refuses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from im2hands_ros.msg import HandMesh, HandMeshArray
from std_msgs.msg import Header

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.arrays import cloud_points
from im2hands_ros.ros.messages import cloud_message
from im2hands_ros.ros.viewer.messages import meshes_of, voxel_size, voxels_of

CORNERS = np.eye(3, dtype=np.float32)


def mesh(side: int, vertices: np.ndarray, triangles: list[int]) -> HandMeshArray:
    flat = np.asarray(vertices, np.float32).ravel().tolist()
    return HandMeshArray(hands=[HandMesh(side=side, vertices=flat, triangles=triangles)])


def cloud(**voxels: np.ndarray | None) -> object:
    hands = {
        side: None
        if xyz is None
        else SimpleNamespace(voxels=xyz, voxel_occupancy=np.ones(len(xyz), np.float32))
        for side, xyz in voxels.items()
    }
    return cloud_message(Header(), cloud_points(SimpleNamespace(**hands)))


def test_meshes_are_read_by_side() -> None:
    meshes = meshes_of(mesh(HandMesh.RIGHT, CORNERS, [0, 1, 2]))
    assert meshes.keys() == {"right"}
    vertices, triangles = meshes["right"]
    np.testing.assert_array_equal(vertices, CORNERS)
    np.testing.assert_array_equal(triangles, [[0, 1, 2]])


def test_a_mesh_without_triangles_is_an_absent_hand() -> None:
    assert meshes_of(mesh(HandMesh.LEFT, np.empty((0, 3)), [])) == {}


@pytest.mark.parametrize(
    ("side", "vertices", "triangles", "reason"),
    [
        (2, CORNERS, [0, 1, 2], "mesh_layout"),
        (0, np.zeros(8), [0, 1, 2], "mesh_layout"),
        (0, CORNERS, [0, 1], "mesh_layout"),
        (0, CORNERS, [0, 1, 3], "mesh_values"),
        (0, CORNERS * np.nan, [0, 1, 2], "mesh_values"),
    ],
)
def test_arrays_that_are_no_mesh_are_refused(
    side: int, vertices: np.ndarray, triangles: list[int], reason: str
) -> None:
    with pytest.raises(BadInput) as refused:
        meshes_of(mesh(side, vertices, triangles))
    assert refused.value.reason == reason


def test_voxels_are_read_by_side_and_tell_their_size() -> None:
    lattice = 0.004 * np.float32([[0, 0, 9], [1, 0, 9], [3, 2, 9]]) + np.float32([0.1, 0, 0.4])
    voxels = voxels_of(cloud(left=None, right=lattice))
    assert voxels.keys() == {"right"}
    np.testing.assert_array_equal(voxels["right"], lattice)
    assert voxel_size(lattice) == pytest.approx(0.004, abs=1e-5)
    assert voxel_size(lattice[:1]) is None


def test_a_cloud_of_another_kind_is_refused() -> None:
    message = cloud(left=CORNERS, right=None)
    message.fields = message.fields[:3]
    with pytest.raises(BadInput, match="lacks side"):
        voxels_of(message)


def test_a_cloud_with_less_data_than_it_says_is_refused() -> None:
    message = cloud(left=CORNERS, right=None)
    message.width = 4
    with pytest.raises(BadInput, match="says 4 points but holds fewer"):
        voxels_of(message)
