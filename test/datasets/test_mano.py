"""The user's MANO files: read without running them, posed as MANO poses, both sides, watertight."""

import io
import os
import pickle

import numpy as np
import pytest
import torch
from fake_mano import (
    MIRROR,
    PARENTS,
    TIPS,
    WRIST_LOOP,
    Python2Pickler,
    chumpy,
    foreign,
    mano_content,
    write_mano,
)
from scipy.spatial.transform import Rotation

from im2hands_ros.datasets.mano import ManoHand, ManoLayer, wrist_loop
from im2hands_ros.datasets.mano_file import ManoArrays, with_left_shapes
from im2hands_ros.datasets.restricted_pickle import as_array, read_pickle
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_mano(tmp_path_factory.mktemp("mano"))


@pytest.fixture(scope="module")
def hand(folder):
    return ManoHand.load(folder)


def pose_of(seed, count=2):
    rng = np.random.default_rng(seed)
    sizes = (48, 10, 3)
    return [torch.from_numpy(0.4 * rng.standard_normal((count, s))).float() for s in sizes]


def posed_by_loops(content, pose, shape, translation):
    """MANO's formula, joint by joint in float64: vertices (778, 3) and joints (16, 3)."""
    shaped = content["v_template"] + content["shapedirs"] @ shape
    joints = content["J_regressor"] @ shaped
    vectors = pose.reshape(16, 3).copy()
    vectors[1:] += content["hands_mean"].reshape(15, 3)
    turns = Rotation.from_rotvec(vectors).as_matrix()
    bent = shaped + content["posedirs"] @ (turns[1:] - np.eye(3)).ravel()
    globals_ = []
    for joint in range(16):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[PARENTS[joint]] if joint else 0)
        globals_.append(globals_[PARENTS[joint]] @ local if joint else local)
    placed = np.zeros((778, 3))
    for joint, transform in enumerate(globals_):
        moved = (bent - joints[joint]) @ transform[:3, :3].T + transform[:3, 3]
        placed += content["weights"][:, joint : joint + 1] * moved
    return placed + translation, np.array([g[:3, 3] for g in globals_]) + translation


@pytest.mark.parametrize("protocol", [0, 2])
def test_a_python_2_pickle_with_chumpy_and_sparse_arrays_gives_its_numbers(tmp_path, protocol):
    write_mano(tmp_path, protocol)
    found, wanted = ManoArrays.read(tmp_path / "MANO_RIGHT.pkl"), mano_content("right")
    assert np.allclose(found.template, wanted["v_template"])
    assert np.allclose(found.shape_basis, wanted["shapedirs"])
    assert np.allclose(found.pose_basis, wanted["posedirs"])
    assert np.allclose(found.weights, wanted["weights"])
    assert np.allclose(found.regressor, wanted["J_regressor"])
    assert np.array_equal(found.triangles, wanted["f"])
    assert found.parents == (-1, *PARENTS[1:])


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_that_python_3_rewrote_gives_the_same(tmp_path, protocol):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(mano_content("right"), protocol))
    assert np.allclose(ManoArrays.read(path).template, mano_content("right")["v_template"])
    scalar = pickle.dumps({"n": np.float64(1.5), "s": {1, 2}}, protocol)
    path.write_bytes(scalar)
    assert as_array(read_pickle(path)["n"]) == 1.5


class Attack:
    """Pickles as a call of anything."""

    def __init__(self, function, *given):
        self.call = function, given

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, os.remove, getattr, io.open])
def test_a_pickle_with_code_is_refused_by_name_and_runs_nothing(tmp_path, function):
    sentinel = tmp_path / "sentinel"
    sentinel.write_text("untouched")
    given = {
        os.remove: (str(sentinel),),
        os.system: (f"rm {sentinel}",),
        io.open: (str(sentinel), "w"),
        getattr: ("text", "upper"),
    }.get(function, (f"__import__('os').remove({str(sentinel)!r})",))
    content = mano_content("right")
    content["extra"] = Attack(function, *given)
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, 2))
    with pytest.raises(ValueError, match=function.__name__):
        ManoArrays.read(path)
    assert sentinel.read_text() == "untouched"


@pytest.mark.parametrize(
    "code",
    [
        b"(S'touch {}'\nios\nsystem\n.",
        b"cos\nsystem\n(S'touch {}'\ntR.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x08touch {}\x85R.",
        b"csubprocess\nrun\n(S'touch {}'\ntR.",
        b"cchumpy\n__builtins__\n(S'touch {}'\ntRcos\nsystem\n(S'touch {}'\ntR.",
    ],
)
def test_every_way_to_call_a_function_is_closed(tmp_path, code):
    sentinel, path = tmp_path / "made", tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(code.replace(b"{}", str(sentinel).encode()))
    with pytest.raises(ValueError):
        read_pickle(path)
    assert not sentinel.exists()


def test_names_that_are_allowed_do_nothing_either(tmp_path):
    """numpy, scipy.sparse and chumpy are not called, whatever a pickle names."""
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(b"(dS'f'\ncscipy.sparse.construct\nos.system\n(S'exit 1'\ntRs.")
    with pytest.raises(ValueError, match="not an array of numbers"):
        as_array(read_pickle(path)["f"])
    path.write_bytes(b"(dS'f'\nc__builtin__\nset\n}S'x'\nI1\nsbs.")
    with pytest.raises(ValueError, match="get it again"):
        read_pickle(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"f": None}, "'f' cannot be read"),
        ({"v_template": np.zeros((6890, 3))}, "v_template is"),
        ({"posedirs": np.array([object()])}, "not numbers|cannot be read"),
        ({"J_regressor": foreign("scipy.sparse.dia", "dia_matrix", {"data": 1})}, "dia_matrix"),
        ({"weights": foreign("chumpy.ch", "MatVecMult", {"mtx": 1})}, "MatVecMult"),
        ({"shapedirs": chumpy(np.zeros((778, 3, 4)))}, "shapedirs is"),
        ({"kintree_table": np.full((2, 16), 15)}, "no tree"),
    ],
)
def test_a_file_that_is_not_manos_is_refused_with_the_field_named(tmp_path, change, message):
    path = tmp_path / "MANO_RIGHT.pkl"
    with path.open("wb") as file:
        Python2Pickler(file, 2).dump({**mano_content("right"), **change})
    with pytest.raises(ValueError, match=message):
        ManoArrays.read(path)


def test_missing_damaged_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="MANO_LEFT.pkl"):
        ManoHand.load(tmp_path)
    path = tmp_path / "MANO_LEFT.pkl"
    path.write_bytes(pickle.dumps(mano_content("left"), 2)[:5000])
    with pytest.raises(ValueError, match="get it again"):
        ManoArrays.read(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="list"):
        ManoArrays.read(path)
    path.write_bytes(pickle.dumps({"v": 1}))
    with pytest.raises(ValueError, match="MANO_LEFT.pkl or MANO_RIGHT.pkl"):
        ManoArrays.read(path)


@pytest.mark.parametrize("side", SIDES)
def test_skinning_agrees_with_manos_formula_written_out(hand, side):
    content = mano_content(side, mended_left=True)
    pose, shape, translation = pose_of(3)
    found = hand.layers[side](pose, shape, translation)
    for index in range(len(pose)):
        given = (value[index].double().numpy() for value in (pose, shape, translation))
        vertices, joints = posed_by_loops(content, *given)
        assert np.abs(found.vertices[index].numpy() - vertices).max() < 2e-6
        keypoints = found.keypoints[index].numpy()
        inner = [0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3]
        assert np.abs(keypoints[inner] - joints).max() < 2e-6
        assert np.abs(keypoints[[4, 8, 12, 16, 20]] - vertices[list(TIPS)]).max() < 2e-6


def test_the_published_left_hands_shapes_are_mirrored_and_mirrored_ones_kept(folder):
    left, right = (ManoArrays.read(folder / f"MANO_{s.upper()}.pkl") for s in SIDES)
    assert np.array_equal(left.shape_basis[:, 0], right.shape_basis[:, 0])
    mirrored = with_left_shapes(left, right)
    assert np.array_equal(mirrored.shape_basis[:, 0], -right.shape_basis[:, 0])
    assert np.array_equal(mirrored.shape_basis[:, 1:], right.shape_basis[:, 1:])
    assert with_left_shapes(mirrored, right) is mirrored


def test_a_left_hand_is_the_mirror_of_the_right_one(hand):
    pose, shape, translation = pose_of(5)
    mirror = torch.from_numpy(MIRROR).float()
    right = hand.annotated(pose, shape, translation, "right")
    mirrored = (pose.unflatten(1, (16, 3)) * -mirror).flatten(1)
    left = hand.annotated(mirrored, shape, translation * mirror, "left")
    assert torch.allclose(left.surface, right.surface * mirror, atol=1e-6)
    assert torch.allclose(left.keypoints, right.keypoints * mirror, atol=1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_the_closed_hand_is_watertight_and_outward(hand, side):
    posed = hand.annotated(*pose_of(7), side)
    solid = MeshQueries(Mesh(posed.surface[0].numpy(), hand.triangles_of(side)))
    assert solid.vertices.shape == (779, 3) and len(solid.triangles) == 1554
    assert solid.is_watertight and solid.volume > 0
    assert set(hand.loops[side]) == set(WRIST_LOOP)
    cap = posed.surface[0, list(WRIST_LOOP)].mean(0)
    assert torch.allclose(posed.surface[0, 778], cap, atol=1e-7)


def test_as_a_hand_model_the_wrist_goes_where_it_is_put(hand):
    pose, shape, translation = pose_of(9)
    rotation = torch.from_numpy(Rotation.from_rotvec(pose[:, :3].numpy()).as_matrix()).float()
    for side in SIDES:
        placed = hand.pose(pose[:, 3:], shape, rotation, translation, side)
        assert torch.allclose(placed.keypoints[:, 0], translation, atol=1e-6)
        wrist = hand.layers[side].wrist(shape)
        same = hand.annotated(pose, shape, translation - wrist, side)
        assert torch.allclose(placed.surface, same.surface, atol=2e-6)
    with pytest.raises(ValueError, match="side"):
        hand.pose(pose[:, 3:], shape, rotation, translation, "top")


def test_gradients_reach_pose_shape_and_place_even_at_zero(hand):
    given = [torch.zeros(1, size, requires_grad=True) for size in (48, 10, 3)]
    posed = hand.annotated(*given, "right")
    (posed.surface.square().sum() + posed.keypoints.sum()).backward()
    assert all(torch.isfinite(value.grad).all() and value.grad.abs().sum() > 0 for value in given)


def test_a_layer_works_in_batches(hand):
    pose, shape, translation = pose_of(11, count=4)
    layer: ManoLayer = hand.layers["left"]
    whole = layer(pose, shape, translation)
    single = layer(pose[2:3], shape[2:3], translation[2:3])
    assert torch.allclose(whole.vertices[2:3], single.vertices, atol=1e-6)


def test_a_mesh_without_a_single_hole_is_refused(hand):
    with pytest.raises(ValueError, match="loop"):
        wrist_loop(hand.triangles_of("right"))
    skin = hand.triangles_of("right")[: -len(hand.loops["right"])]  # without the cap
    two = np.delete(skin, 700, axis=0)
    with pytest.raises(ValueError, match="loop"):
        wrist_loop(two)
