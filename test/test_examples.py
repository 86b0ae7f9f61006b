"""The examples, run as a user runs them, on a bag that `im2hands replay` has written."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import made_bags
import numpy as np
import octomap
import pytest
import trimesh
from made_bags import BallModel, recording, write_bag
from two_hands import joints

from im2hands_ros import cli
from im2hands_ros.bags.reader import BagReader
from im2hands_ros.skeleton import INDEX_MCP, MIDDLE_MCP, TIPS
from im2hands_ros.surface.voxels import occupied_voxels

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
VOXEL = 0.005


class VoxelModel(BallModel):
    """Balls with the voxels that the networks' surfaces come with."""

    def encode(self, *arguments: object, **options: object) -> SimpleNamespace:
        scene = super().encode(*arguments, **options)
        hands = scene.reconstruct(64, 0.5, VOXEL)
        for hand in (hands.left, hands.right):
            full = lambda points: np.ones(len(points))  # noqa: E731
            voxels, occupancy = occupied_voxels(hand.vertices, hand.triangles, full, VOXEL)
            object.__setattr__(hand, "voxels", voxels)
            object.__setattr__(hand, "voxel_occupancy", occupancy)
        return SimpleNamespace(
            swapped=False, confidence={}, keypoints={}, reconstruct=lambda **options: hands
        )


@pytest.fixture(scope="module")
def hands_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag of two frames of results."""
    folder = tmp_path_factory.mktemp("examples")
    bag = write_bag(folder / "bag", recording(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("im2hands_ros.bags.replay.load_model", lambda settings: VoxelModel())
        assert cli.main(["replay", str(bag), "-o", str(folder / "hands.mcap")]) == 0
    return folder / "hands.mcap"


def run(name: str, *arguments: object) -> list[str]:
    """The lines that an example prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    paths = [str(EXAMPLES.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def example(name: str) -> ModuleType:
    """An example as a module."""
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    return importlib.import_module(name)


def in_manos_frame(xyz: np.ndarray, side: str) -> np.ndarray:
    """dex-retargeting's own way to MANO's frame, after its README and detector.

    x of the operator's frame: from the middle knuckle to the wrist, in the plane of the wrist and
    the index and middle knuckles; y: that plane's normal; z: towards the index finger.
    """
    wrist, index, middle = (xyz[joint] for joint in (0, INDEX_MCP, MIDDLE_MCP))
    x = (wrist - middle) / np.linalg.norm(wrist - middle)
    z = (index - middle) - ((index - middle) @ x) * x
    z /= np.linalg.norm(z)
    operator = np.stack([x, np.cross(z, x), z], axis=1)
    mano_from_operator = {
        "right": [[0, 0, -1], [-1, 0, 0], [0, 1, 0]],
        "left": [[0, 0, -1], [1, 0, 0], [0, -1, 0]],
    }
    return (xyz - wrist) @ operator @ np.array(mano_from_operator[side])


@pytest.mark.parametrize("side", ["left", "right"])
def test_retargeting_gets_joints_in_its_own_frame(side: str) -> None:
    xyz = joints(side)
    found = example("retarget").joints_for_retargeting(xyz, side)
    expected = in_manos_frame(xyz, side)
    assert found.shape == (21, 3) and found[0].tolist() == [0, 0, 0]
    # Its palm is three joints, ours four: they tilt by a few degrees.
    worst = np.linalg.norm(found - expected, axis=1).max() / np.linalg.norm(expected, axis=1).max()
    assert worst < np.radians(10)
    assert (found[list(TIPS), 2] > 0.04).all()  # z along the fingers


def test_retargeting_is_independent_of_the_hands_pose_in_space() -> None:
    joints_for = example("retarget").joints_for_retargeting
    turn = trimesh.transformations.rotation_matrix(0.7, [1, 2, -1])[:3, :3]
    moved = joints("right") @ turn.T + [0.1, -0.2, 0.3]
    np.testing.assert_allclose(
        joints_for(moved, "right"), joints_for(joints("right"), "right"), atol=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "indices", "shape"),
    [("VECTOR", np.array([[0] * 5, list(TIPS)]), (5, 3)), ("POSITION", np.array(TIPS), (5, 3))],
)
def test_the_reference_value_is_what_the_solver_takes(
    kind: str, indices: np.ndarray, shape: tuple[int, int]
) -> None:
    module = example("retarget")
    found = module.joints_for_retargeting(joints("left"), "left")
    optimizer = SimpleNamespace(retargeting_type=kind, target_link_human_indices=indices)
    value = module.reference_value(found, optimizer)
    assert value.shape == shape
    np.testing.assert_allclose(value, found[list(TIPS)])


def test_retarget_prints_each_frame(hands_bag: Path) -> None:
    lines = run("retarget.py", hands_bag, "--hand", "left")
    assert len(lines) == 2 and all("index_tip [" in line for line in lines)


def test_occupancy_becomes_an_octomap_leaf_for_point(hands_bag: Path, tmp_path: Path) -> None:
    (line,) = run("insert_into_octomap.py", hands_bag, "-o", tmp_path / "hands.bt")
    assert "2 clouds" in line
    tree = octomap.OcTree(str(tmp_path / "hands.bt").encode())
    with BagReader(hands_bag) as reader:
        cloud = next(reader.messages("/occupancy")).message
    points = example("insert_into_octomap").points_of(cloud)
    assert len(points) > 500
    assert all(tree.isNodeOccupied(tree.search(point)) for point in points)
    leaves = {tuple(cell) for cell in np.floor(tree.extractPointCloud()[0] / VOXEL).astype(int)}
    assert leaves == {tuple(cell) for cell in np.floor(points / VOXEL).astype(int)}
    assert len(leaves) == len(points)
    halfway = points[len(points) // 2] / 2
    assert not tree.isNodeOccupied(tree.search(halfway))


def test_the_cloud_is_what_moveits_updater_reads(hands_bag: Path) -> None:
    with BagReader(hands_bag) as reader:
        cloud = next(reader.messages("/occupancy")).message
    assert cloud.header.frame_id == made_bags.FRAME_ID  # it is looked up in TF
    fields = {field.name: field for field in cloud.fields}
    for name in "xyz":  # sensor_msgs::PointCloud2ConstIterator<float>
        assert (fields[name].datatype, fields[name].count) == (7, 1)
        assert fields[name].offset % 4 == 0
    assert not cloud.is_bigendian and cloud.height == 1
    assert cloud.row_step == cloud.width * cloud.point_step == len(cloud.data)


def test_another_cloud_is_read_by_its_fields_and_a_strange_one_is_named(hands_bag: Path) -> None:
    points_of = example("insert_into_octomap").points_of
    data = np.array([[9, 1, 2, 3], [9, 4, 5, 6]], ">f4")
    fields = [SimpleNamespace(name=n, offset=4 + 4 * i, datatype=7) for i, n in enumerate("xyz")]
    cloud = SimpleNamespace(
        fields=fields, is_bigendian=True, point_step=16, width=1, height=2, data=data.tobytes()
    )
    assert points_of(cloud).tolist() == [[1, 2, 3], [4, 5, 6]]
    fields[2].datatype = 8
    with pytest.raises(ValueError, match="no float32 field z"):
        points_of(cloud)


def test_meshes_load_into_trimesh_as_they_were_sent(hands_bag: Path, tmp_path: Path) -> None:
    lines = run("load_meshes.py", hands_bag, "-o", tmp_path)
    assert len(lines) == 4 and all(line.endswith("closed") for line in lines)
    mesh = trimesh.load(tmp_path / "00001_right.ply")
    assert mesh.volume == pytest.approx(made_bags.BALL.volume, rel=1e-4)
    np.testing.assert_allclose(mesh.centroid, joints("right").mean(0), atol=1e-5)


class FakeOpen3d(ModuleType):
    """Takes what Open3D's bindings take, and refuses what they refuse."""

    def __init__(self) -> None:
        super().__init__("open3d")
        self.utility = SimpleNamespace(
            Vector3dVector=lambda array: self._checked(array, np.float64),
            Vector3iVector=lambda array: self._checked(array, np.int32),
        )
        self.geometry = SimpleNamespace(TriangleMesh=self._mesh)

    @staticmethod
    def _checked(array: np.ndarray, kind: type) -> np.ndarray:
        assert array.dtype == kind and array.ndim == 2 and array.shape[1] == 3
        assert array.flags.c_contiguous
        return array

    @staticmethod
    def _mesh(vertices: np.ndarray, triangles: np.ndarray) -> SimpleNamespace:
        mesh = SimpleNamespace(vertices=vertices, triangles=triangles, has_normals=False)
        mesh.compute_vertex_normals = lambda: setattr(mesh, "has_normals", True)
        return mesh


def test_meshes_load_into_open3d(hands_bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("open3d") is None:  # 900 MB: its bindings' rules stand in
        monkeypatch.setitem(sys.modules, "open3d", FakeOpen3d())
    with BagReader(hands_bag) as reader:
        hand = next(reader.messages("/meshes")).message.hands[0]
    mesh = example("load_meshes").open3d_of(hand)
    assert np.asarray(mesh.triangles).tolist() == made_bags.BALL.faces.tolist()
    np.testing.assert_allclose(np.asarray(mesh.vertices).mean(0), joints("left").mean(0), atol=1e-5)


def grasps_beside(ball: np.ndarray) -> list:
    """One in the ball, one close to it, one far away."""
    grasp = example("choose_grasp").Grasp
    return [grasp(tuple(ball), 0.0), grasp(tuple(ball + [0.13, 0, 0]), 0.0), grasp((2, 2, 2), 0.3)]


def test_the_safest_grasp_is_the_one_with_most_room_around_it() -> None:
    module = example("choose_grasp")
    ball, radius = np.array([0.1, 0.0, 0.5]), 0.05
    queries = module.query_points(grasps_beside(ball))
    distance = np.linalg.norm(np.concatenate(queries) - ball, axis=1)
    found = module.clearances(queries, (distance < radius).astype(np.float32))
    # The second one's palm ends 80 mm from the centre: 30 mm from the ball.
    assert found == [None, 0.02, 0.08]
    assert module.safest(found) == 2
    assert module.safest([None, None]) is None
