"""Image, keypoint and mesh files: what is read is what was meant, what is written lies in place."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh

from im2hands_ros.files import read_keypoints, write_meshes
from im2hands_ros.pictures import read_image

HAND = (np.arange(63).reshape(21, 3) * 0.001 + (0, 0, 0.5)).astype(np.float32)


def test_a_file_that_is_no_image_is_refused_by_name(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("no picture")
    with pytest.raises(ValueError, match="text.png"):
        read_image(path)


def test_keypoints_from_npz_come_in_mano_order(tmp_path):
    path = tmp_path / "hands.npz"
    interhand = np.concatenate([HAND[[4, 3, 2, 1]], HAND[5:], HAND[:1]])
    np.savez(path, right=interhand, camera=[60, 60, 31.5, 23.5])
    keypoints, camera = read_keypoints(path, "interhand")
    assert keypoints["left"] is None
    np.testing.assert_array_equal(keypoints["right"][:5], HAND[:5])
    assert list(camera) == [60, 60, 31.5, 23.5]


@pytest.mark.parametrize("lost", [[None] * 3, [float("nan")] * 3, [0.0] * 3])
@pytest.mark.parametrize("joint", [0, 7])
def test_a_joint_that_the_tracker_has_lost_costs_the_joint_and_not_the_hand(tmp_path, lost, joint):
    path = tmp_path / "hands.json"
    points = [*HAND.tolist()]
    points[joint] = lost
    path.write_text(json.dumps({"right": points}))
    read = read_keypoints(path)[0]["right"]
    assert np.isnan(read[joint]).all()
    np.testing.assert_array_equal(np.delete(read, joint, 0), np.delete(HAND, joint, 0))


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl", ".glb"])
def test_every_format_holds_both_hands_in_place(tmp_path, suffix):
    left, right = (trimesh.creation.icosphere(subdivisions=2, radius=0.05) for _ in range(2))
    right.apply_translation((0.2, 0.1, 0.5))
    path = tmp_path / f"hands{suffix}"
    write_meshes(path, {"left": left, "right": right})
    loaded = trimesh.load(path, force="mesh")
    assert loaded.volume == pytest.approx(left.volume + right.volume, rel=1e-3)
    # glTF's y points up and its z to the viewer: the camera's are negated.
    highest = [0.25, 0.05, 0.05] if suffix == ".glb" else [0.25, 0.15, 0.55]
    np.testing.assert_allclose(loaded.bounds[1], highest, atol=1e-4)
