"""A rigged hand of WebXR's joints becomes a hand that scenes are drawn with."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh
from bent_hand import pose_from_degrees

from im2hands_ros.cli import main
from im2hands_ros.skeleton import SIDES, TIPS
from im2hands_ros.synthetic.dataset import load_shard
from im2hands_ros.synthetic.hand import FINGER_NAMES, BakedHand
from im2hands_ros.synthetic.labels import signed_depth

TOOLS = Path(__file__).parents[2] / "tools"
BENT = {"index_mcp": 25, "middle_pip": 30, "pinky_dip": 20, "thumb_ip": 20, "thumb_mcp": 15}
# The packaged hand's skin ends at its wrist, so these rigs have to be cut before it.
CUT = -0.015


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(TOOLS)])
        names = ("bake_other_hand", "rig_file", "rig_joints")
        modules = [vars(importlib.import_module(name)) for name in names]
    return SimpleNamespace(**(modules[0] | modules[1] | modules[2]))


@pytest.fixture(scope="module")
def packaged() -> BakedHand:
    return BakedHand.load()


def posed_rig(hand: BakedHand, angles: dict[str, float]) -> dict[str, np.ndarray]:
    """The packaged hand in a pose, somewhere in space, as a rig's bind pose."""
    pose, shape = pose_from_degrees(hand, angles)[None], torch.zeros(1, hand.shape_dims)
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    place = np.array([0.3, -0.1, 0.7])
    still = torch.eye(3)[None], torch.zeros(1, 3)
    surface = hand.pose(pose, shape, *still, "right").surface[0].double().numpy()
    bones = hand.bone_transforms(pose, shape)[0, 1:].double().numpy()
    joints = (bones[..., :3] @ hand.joints.double().numpy()[..., None])[..., 0] + bones[..., 3]
    frames = bones[..., :3] @ hand.frames.double().numpy()
    tips = hand.rest_frame_keypoints(pose, shape)[0, list(TIPS)].double().numpy()
    weights = hand._weights[: hand.hand_vertices].double().numpy()
    weights = np.concatenate([weights, weights[:1]])
    return {
        "surface": surface @ turn.T + place,
        "joints": joints @ turn.T + place,
        "tips": tips @ turn.T + place,
        "frames": turn @ frames,
        "weights": np.concatenate([weights[:, :2].sum(1, keepdims=True), weights[:, 2:]], 1),
    }


def write_glb(
    path: Path, tool, rig: dict[str, np.ndarray], triangles: np.ndarray, make=None
) -> None:
    """A binary glTF file in which every triangle has corners of its own."""
    make = make or tool.WEBXR
    corners = triangles.reshape(-1)
    joints = [row for row, name in enumerate(make.joints) if name]
    tips = [row for row, name in enumerate(make.tips) if name]
    weights = rig["weights"][:, joints]
    strongest = np.argsort(-weights, axis=1)[:, :4]
    shares = np.take_along_axis(weights, strongest, 1).clip(1e-9)
    names = [name for name in (*make.joints, *make.tips) if name]
    last = rig["frames"][[tool.TIP_JOINTS[tip] for tip in tips]]
    bind = np.tile(np.eye(4), (len(names), 1, 1))
    bind[:, :3, :3] = np.concatenate([rig["frames"][joints], last]) @ tool.OURS_FROM_WEBXR.T
    bind[:, :3, 3] = np.concatenate([rig["joints"][joints], rig["tips"][tips]])
    arrays = [
        (rig["surface"][corners].astype(np.float32), 5126, "VEC3"),
        (strongest[corners].astype(np.uint8), 5121, "VEC4"),
        ((shares / shares.sum(1, keepdims=True))[corners].astype(np.float32), 5126, "VEC4"),
        (np.arange(len(corners), dtype=np.uint16)[:, None], 5123, "SCALAR"),
        (np.linalg.inv(bind).mT.reshape(-1, 16).astype(np.float32), 5126, "MAT4"),
    ]
    tree = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": []}
    content = b""
    for view, (values, component, kind) in enumerate(arrays):
        tree["bufferViews"].append({"buffer": 0, "byteOffset": len(content)})
        described = {"bufferView": view, "componentType": component, "type": kind}
        tree["accessors"].append(described | {"count": len(values)})
        content += values.tobytes()
        content += bytes(-len(content) % 4)
    attributes = {"POSITION": 0, "JOINTS_0": 1, "WEIGHTS_0": 2}
    tree["meshes"] = [{"primitives": [{"attributes": attributes, "indices": 3}]}]
    tree["skins"] = [{"joints": list(range(len(names))), "inverseBindMatrices": 4}]
    tree["nodes"] = [{"name": name} for name in names]
    header = json.dumps(tree).encode()
    header += b" " * (-len(header) % 4)
    chunks = [(b"JSON", header), (b"BIN\0", content)]
    body = b"".join(len(part).to_bytes(4, "little") + name + part for name, part in chunks)
    path.write_bytes(b"glTF" + (2).to_bytes(4, "little") + bytes(4) + body)


@pytest.fixture(scope="module")
def asset(tool, packaged, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hand")
    write_glb(folder / "rig.glb", tool, posed_rig(packaged, BENT), packaged.triangles)
    np.savez(folder / "hand.npz", **tool.bake(folder / "rig.glb", CUT))
    return folder / "hand.npz"


@pytest.fixture(scope="module")
def hand(asset) -> BakedHand:
    return BakedHand.load(asset)


def test_a_bent_rig_comes_to_rest_as_the_packaged_hand(hand, packaged):
    torch.testing.assert_close(hand.joints, packaged.joints, atol=1e-5, rtol=0)
    torch.testing.assert_close(hand.frames, packaged.frames, atol=1e-4, rtol=0)


def in_centimetres(packaged, angles) -> dict[str, np.ndarray]:
    rig = posed_rig(packaged, angles)
    return rig | {name: 100 * rig[name] for name in ("surface", "joints", "tips")}


def baked(tool, packaged, path: Path, name: str, triangles: np.ndarray, angles) -> BakedHand:
    """The packaged hand as a rig of a make, in centimetres, baked to its own size."""
    write_glb(path, tool, in_centimetres(packaged, angles), triangles, tool.MAKES[name])
    chain = packaged.joints[[0, 9, 10, 11]].numpy()
    tip = packaged.rest_frame_keypoints(torch.zeros(1, 60), torch.zeros(1, 12))[0, 12].numpy()
    length = np.linalg.norm(np.diff([*chain, tip], axis=0), axis=1).sum()
    return BakedHand(tool.bake(path, CUT, float(length)))


def test_a_rig_of_another_make_in_other_units_is_the_same_hand(tool, packaged, tmp_path):
    # A hole far from the wrist is closed.
    triangles = packaged.triangles[1:]
    hand = baked(tool, packaged, tmp_path / "rig.glb", "Godot XR Tools", triangles, BENT)
    torch.testing.assert_close(hand.joints, packaged.joints, atol=5e-4, rtol=0)
    torch.testing.assert_close(hand.frames[1:], packaged.frames[1:], atol=0.03, rtol=0)
    still = torch.eye(3)[None], torch.zeros(1, 3)
    pose = torch.zeros(1, hand.pose_dims), torch.zeros(1, hand.shape_dims)
    surface = hand.pose(*pose, *still, "right").surface[0].numpy()
    assert trimesh.Trimesh(surface, hand.triangles, process=False).is_watertight


def test_joints_that_a_rig_lacks_are_put_where_the_packaged_hand_has_them(tool, packaged, tmp_path):
    triangles = packaged.triangles
    hand = baked(tool, packaged, tmp_path / "rig.glb", "A-Frame", triangles, {})
    torch.testing.assert_close(hand.joints, packaged.joints, atol=0.002, rtol=0)
    rest = torch.zeros(1, hand.pose_dims), torch.zeros(1, hand.shape_dims)
    tips, known = (model.rest_frame_keypoints(*rest)[0, list(TIPS)] for model in (hand, packaged))
    assert (tips - known).norm(dim=1).max() < 0.005


def test_keypoints_are_the_rig_s_own_joints_in_any_pose(hand):
    pose = pose_from_degrees(hand, {f"{finger}_mcp": 60 for finger in FINGER_NAMES[1:]})
    shape = torch.zeros(1, hand.shape_dims)
    bones = hand.bone_transforms(pose[None], shape)[0, 1:]
    joints = (bones[..., :3] @ hand.joints[..., None])[..., 0] + bones[..., 3]
    points = hand.rest_frame_keypoints(pose[None], shape)[0]
    rows = [row for row in range(21) if row not in TIPS]
    order = [0, 1, 2, 3, *(4 * finger + part for finger in range(1, 5) for part in (1, 2, 3))]
    torch.testing.assert_close(points[rows], joints[order])
    assert (points[[8, 12, 16, 20], 2] > 0.03).all()  # z points out of the palm


@pytest.mark.parametrize("side", SIDES)
def test_surface_is_closed_and_as_large_as_the_rig_s(hand, packaged, side):
    shape = torch.zeros(1, hand.shape_dims)
    place = torch.eye(3)[None], torch.zeros(1, 3)
    meshes = []
    for model in (hand, packaged):
        pose = pose_from_degrees(model, {"index_pip": 70})[None]
        surface = model.pose(pose, shape, *place, side).surface[0].numpy()
        meshes.append(trimesh.Trimesh(surface, model.triangles_of(side), process=False))
    assert meshes[0].is_watertight and meshes[0].is_winding_consistent
    # What is cut off is a slice of the wrist.
    assert 0.8 < meshes[0].volume / meshes[1].volume < 0.97


def test_shape_changes_size_and_girth(hand):
    shape = torch.zeros(3, hand.shape_dims)
    shape[1, 0], shape[2, 2] = 1, 1
    points = hand.rest_frame_keypoints(torch.zeros(3, hand.pose_dims), shape)
    torch.testing.assert_close(points[1], 1.06 * points[0])
    torch.testing.assert_close(points[2, :, 1], points[0, :, 1])


def test_files_that_are_no_such_rig_are_refused(tool, packaged, tmp_path):
    (tmp_path / "text.glb").write_text("solid hand of some other format")
    with pytest.raises(ValueError, match="no binary glTF"):
        tool.read_rig(tmp_path / "text.glb")
    rig = posed_rig(packaged, {})
    write_glb(tmp_path / "rig.glb", tool, rig, packaged.triangles)
    with pytest.raises(ValueError, match=r"smaller --cut"):
        tool.bake(tmp_path / "rig.glb", 0.05)
    renamed = (tmp_path / "rig.glb").read_bytes().replace(b"ring-finger-tip", b"ring-finger-top")
    (tmp_path / "other.glb").write_bytes(renamed)
    with pytest.raises(ValueError, match="no joint ring-finger-tip"):
        tool.read_rig(tmp_path / "other.glb")


def test_scenes_of_another_hand_hold_its_own_skin_and_labels(asset, hand, tmp_path):
    arguments = ["--split", "test", "--count", "2", "--workers", "1", "--hand", str(asset)]
    assert main(["synthesize", *arguments, "--out", str(tmp_path)]) == 0
    (shard,) = tmp_path.glob("*.npz")
    for sample in load_shard(shard):
        for side in SIDES:
            if sample.keypoints[side] is None:
                continue
            assert sample.parameters[side] is None
            assert sample.meshes[side].shape == (hand.hand_vertices + 1, 3)
            triangles = sample.triangles_of(side)
            assert (triangles == hand.triangles_of(side)).all()
            points = sample.points[side][::20]
            inside = signed_depth(sample.meshes[side], triangles, points) > 0
            assert (inside == sample.occupancy[side][::20]).all()
            assert 0 < inside.mean() < 1


def test_baselines_keep_the_packaged_hand_and_the_report_names_the_other(asset, tmp_path):
    out = tmp_path / "other.json"
    given = ["--hand", str(asset), "--count", "1", "--noise", "0", "--methods", "skinned"]
    assert main(["evaluate", *given, "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["settings"]["hand"]["file"] == asset.name
    assert f"of another hand, {asset.name}" in out.with_suffix(".md").read_text()
    (all_hands,) = [row for row in report["rows"] if row["subset"] == "all"]
    # The same skin but for its keypoints and the slice of the wrist that these rigs lack.
    assert 0.5 < all_hands["iou"] < 0.85


def test_a_hand_and_scenes_exclude_each_other(asset, tmp_path):
    given = ["--hand", str(asset), "--data", str(tmp_path), "--out", str(tmp_path / "out.json")]
    assert main(["evaluate", *given]) != 0
