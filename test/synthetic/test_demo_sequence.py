"""The bundled demo sequence and its making."""

import numpy as np
import pytest

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic import demo_making
from im2hands_ros.synthetic.demo_making import KEYPOINT_ERROR, make_demo_sequence, tracker_error
from im2hands_ros.synthetic.demo_sequence import DEMO_FILE, DemoSequence, load_demo_sequence
from im2hands_ros.synthetic.labels import signed_depth
from im2hands_ros.synthetic.poses import sequence
from im2hands_ros.synthetic.sample import hand_model
from im2hands_ros.synthetic.shading import TRAINING_QUALITY


@pytest.fixture(scope="module")
def demo() -> DemoSequence:
    return load_demo_sequence()


def test_bundled_sequence_is_small_and_long_enough(demo):
    assert DEMO_FILE.stat().st_size < 6e6
    assert len(demo.frames) >= 60
    assert demo.frames[0].image.shape == (demo.camera.height, demo.camera.width, 3)


def test_both_hands_stay_in_view(demo):
    for frame in demo.frames:
        for side in SIDES:
            pixels = demo.camera.project(frame.true_keypoints[side])
            assert (pixels > 5).all()
            assert (pixels < (demo.camera.width - 6, demo.camera.height - 6)).all()


def test_hands_start_apart_and_meet(demo):
    def gap(frame) -> float:
        left, right = (frame.true_keypoints[side] for side in SIDES)
        return float(np.linalg.norm(left[:, None] - right, axis=2).min())

    gaps = [gap(frame) for frame in demo.frames]
    assert gaps[0] > 0.05
    assert min(gaps) < 0.02
    assert gaps[-1] > 0.05


def test_coarse_keypoints_are_millimetres_off_and_move_smoothly(demo):
    error = np.stack([f.keypoints["left"] - f.true_keypoints["left"] for f in demo.frames])
    distance = np.linalg.norm(error, axis=2)
    assert distance.mean() == pytest.approx(KEYPOINT_ERROR, rel=0.05)
    step = np.linalg.norm(np.diff(error, axis=0), axis=2)
    assert step.mean() < 0.5 * distance.mean()


def test_the_bundled_motion_is_the_one_of_seed_0(demo):
    scenes = sequence(len(demo.frames), seed=0)
    made = {side: scenes.posed(hand_model(), side).keypoints.numpy() for side in SIDES}
    true = {side: np.stack([f.true_keypoints[side] for f in demo.frames]) for side in SIDES}

    def apart(joints):
        return np.linalg.norm(joints["left"][:, :, None] - joints["right"][:, None], axis=3)

    # 8e-8 here: the demo was rounded to float32 in the camera's frame.
    assert np.abs(apart(made) - apart(true)).max() < 2e-6


def test_true_keypoints_lie_inside_the_meshes(demo):
    frame = demo.frames[len(demo.frames) // 2]
    for side in SIDES:
        mesh = frame.meshes[side]
        inside = signed_depth(mesh, demo.triangles(side), frame.true_keypoints[side]) > 0
        assert inside.mean() > 0.9


def test_making_is_deterministic(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_making, "DISPLAY_QUALITY", TRAINING_QUALITY)
    for name in ("a.npz", "b.npz"):
        make_demo_sequence(tmp_path / name, frames=8)
    first, second = (load_demo_sequence(tmp_path / name) for name in ("a.npz", "b.npz"))
    for before, after in zip(first.frames, second.frames, strict=True):
        assert before.jpeg == after.jpeg
        assert (before.keypoints["right"] == after.keypoints["right"]).all()


def test_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="demo_making"):
        load_demo_sequence(tmp_path / "none.npz")


def test_tracker_error_has_the_asked_size():
    error = tracker_error(np.random.default_rng(0), 40)
    assert np.linalg.norm(error, axis=2).mean() == pytest.approx(KEYPOINT_ERROR)
