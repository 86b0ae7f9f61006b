"""Scores as the literature defines them: sampled surfaces, aligned joints, stored points, table."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from two_hands import CAMERA, joints

from im2hands_ros.evaluation import paper_protocol
from im2hands_ros.evaluation.paper_protocol import (
    aligned_joint_error,
    mean_scores,
    sampled_surface_scores,
    score_scene,
    stored_point_iou,
    table,
)
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.photography import encode
from im2hands_ros.synthetic.sample import Mesh, Sample
from im2hands_ros.synthetic.shards import save_shard


def ball(radius, centre=(0.0, 0.0, 0.5)):
    sphere = trimesh.creation.icosphere(4, radius)
    return Mesh(np.float32(sphere.vertices + centre), np.int32(sphere.faces))


def sample_of_balls():
    """A sample whose hands are balls of 5 cm around their wrists."""
    rng = np.random.default_rng(0)
    xyz = {side: np.float32(joints(side)) for side in SIDES}
    meshes = {side: ball(0.05, xyz[side][0]) for side in SIDES}
    points = {
        side: np.float32(xyz[side][0] + rng.uniform(-0.07, 0.07, (4000, 3))) for side in SIDES
    }
    depth = {
        side: np.float32(0.05 - np.linalg.norm(points[side] - xyz[side][0], axis=1))
        for side in SIDES
    }
    return Sample(
        jpeg=encode(np.zeros((240, 320, 3), np.uint8), 90),
        camera=CAMERA,
        mask=np.zeros((240, 320), np.uint8),
        keypoints=xyz,
        points=points,
        depth={side: np.clip(d, -0.02, 0.02) for side, d in depth.items()},
        subset="interacting",
        kind="balls",
        seed=1,
        parameters=dict.fromkeys(SIDES),
        surfaces={side: Mesh(*mesh) for side, mesh in meshes.items()},
    )


class FixedModel:
    """A model that always reconstructs the same surfaces."""

    record, device = {}, "cpu"

    def __init__(self, **surfaces):
        self.hands = SimpleNamespace(**surfaces)

    def encode(self, image, keypoints, camera, depth=None, *, settle=None):
        return self

    def reconstruct(self, resolution, voxel_size):
        return self.hands


def surface(mesh, keypoints):
    return SimpleNamespace(vertices=mesh.vertices, triangles=mesh.triangles, keypoints=keypoints)


def test_chamfer_of_concentric_balls_is_their_distance_and_normals_agree():
    scores = sampled_surface_scores(ball(0.051), ball(0.050))
    assert scores.chamfer == pytest.approx(0.001, abs=5e-5)
    assert scores.chamfer == (scores.accuracy + scores.completeness) / 2
    assert scores.normal_consistency > 0.99


def test_equal_meshes_score_half_the_sample_spacing_whichever_way_they_wind():
    mesh = ball(0.05)
    inside_out = Mesh(mesh.vertices, mesh.triangles[:, ::-1])
    scores = sampled_surface_scores(mesh, inside_out)
    spacing = np.sqrt(4 * np.pi * 0.05**2 / 100_000)
    assert 0.3 * spacing < scores.chamfer < 0.7 * spacing
    assert scores.normal_consistency > 0.99
    with pytest.raises(ValueError, match="predicted mesh has no triangles"):
        sampled_surface_scores(Mesh(mesh.vertices, np.empty((0, 3), int)), mesh)


def test_joint_error_ignores_place_and_palm_length_and_nothing_else():
    true = joints("left")
    assert aligned_joint_error(1.3 * true + (0.1, 0.2, 0.3), true) == pytest.approx(0, abs=1e-7)
    palm = np.linalg.norm(true[0] - true[9])
    unscaled = aligned_joint_error(1.3 * true, true, scaled=False)
    assert unscaled == pytest.approx(0.3 * np.linalg.norm(true - true[9], axis=1).mean())
    one_off = true.copy()
    one_off[20] += (0, 0.021, 0)
    assert aligned_joint_error(one_off, true) == pytest.approx(0.001)
    turned = 2 * true[9] - true
    assert aligned_joint_error(turned, true) > palm


def test_iou_counts_stored_points_in_the_mesh():
    points = np.array([[0, 0, 0.5], [0, 0, 0.53], [0, 0, 0.54], [0, 0, 0.6]])
    inside = np.array([True, True, False, True])
    assert stored_point_iou(ball(0.05), points, inside) == pytest.approx(2 / 4)


def test_a_perfect_prediction_scores_perfectly_and_a_missing_hand_counts():
    sample = sample_of_balls()
    exact = {
        side: surface(sample.surfaces[side], sample.keypoints[side] * np.float32(1.1))
        for side in SIDES
    }
    scores = mean_scores([score_scene(FixedModel(**exact), sample, 0, 32)])
    assert scores["iou"] > 99 and scores["chamfer_mm"] < 0.3
    assert scores["joints_mm"] == pytest.approx(0, abs=1e-3)
    half = mean_scores([score_scene(FixedModel(**(exact | {"left": None})), sample, 0, 32)])
    assert half["iou"] == pytest.approx(scores["iou"] / 2, rel=0.01)
    assert half["chamfer_mm"] < 0.3


def test_a_table_has_a_line_a_row_and_leaves_out_what_is_unknown():
    lines = table({"true": {"iou": 81.25, "chamfer_mm": 2.5}}).splitlines()
    assert lines[2] == "| true | 81.25 | 2.50 |  |  |"


def test_the_command_writes_json_and_table_and_errors_are_one_line(tmp_path, monkeypatch, capsys):
    sample = sample_of_balls()
    found = {side: surface(ball(0.05, sample.keypoints[side][0]), joints(side)) for side in SIDES}
    model = SimpleNamespace(load=lambda *_, **__: FixedModel(**found))
    monkeypatch.setattr(paper_protocol, "Im2Hands", model)
    save_shard(tmp_path / "test_00000000_0001.npz", [sample])
    words = ["--data", str(tmp_path), "--noise", "0", "5", "--out", str(tmp_path / "a/table.json")]
    assert paper_protocol.main(words) == 0
    report = json.loads((tmp_path / "a/table.json").read_text())
    assert set(report["scores"]) == {"true", "true + 5 mm"} and report["settings"]["scenes"] == 1
    assert "Chamfer-L1 (mm)" in (tmp_path / "a/table.md").read_text()
    capsys.readouterr()
    assert paper_protocol.main([*words[:1], str(tmp_path / "none"), *words[2:]]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and "im2hands_ros.datasets.interhand" in errors[0]
