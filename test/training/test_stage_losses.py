"""What training draws is right and repeatable, and its losses measure what they are named after."""

import functools
import math

import numpy as np
import pytest
import torch
from ball_scenes import BallScenes
from two_hands import CAMERA, joints

from im2hands_ros.skeleton import SIDES
from im2hands_ros.training.augmentation import KeypointErrors, perturb
from im2hands_ros.training.batches import BatchPlan, draw_batch, example_of
from im2hands_ros.training.losses import depth_loss, occupancy_loss, shape_loss
from im2hands_ros.training.prefetch import prefetch

EXACT = KeypointErrors(convention_share=0, noise_share=0)


def plan():
    return BatchPlan(scenes=2, points=64, image_size=192, keypoint_only_steps=3, errors=EXACT)


def test_a_batch_is_a_function_of_its_step():
    scenes, drawing = BallScenes(), plan()
    first, again = draw_batch(scenes, drawing, 5), draw_batch(scenes, drawing, 5)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.points, draw_batch(scenes, drawing, 6).points)


def test_batches_prepared_ahead_come_in_order():
    scenes, drawing = BallScenes(), plan()
    draw = functools.partial(draw_batch, scenes, drawing)
    for step, batch in enumerate(prefetch(draw, 2, 6), start=2):
        assert torch.equal(batch.points, draw_batch(scenes, drawing, step).points)


def test_an_error_while_drawing_reaches_the_trainer():
    def draw(step):
        raise OSError("disk on fire")

    with pytest.raises(OSError, match="disk on fire"):
        list(prefetch(draw, 0, 3))


def test_keypoint_only_steps_carry_no_image_and_later_ones_do():
    scenes, drawing = BallScenes(), plan()
    assert not len(draw_batch(scenes, drawing, 2).image)
    shown = [step for step in range(3, 40) if drawing.uses_image(step)]
    assert 30 <= len(shown) <= 36
    assert draw_batch(scenes, drawing, shown[0]).image.shape == (2, 3, 192, 192)


def test_a_mirrored_scene_swaps_the_hands_and_keeps_image_and_points_together():
    scene = BallScenes()[0]
    mirrored = scene.mirrored()
    flip = np.array([-1, 1, 1])
    assert np.allclose(mirrored.keypoints["left"], scene.keypoints["right"] * flip)
    before = scene.camera.project(scene.keypoints["right"])
    after = mirrored.camera.project(mirrored.keypoints["left"])
    assert np.allclose(after[:, 0], CAMERA.width - 1 - before[:, 0])
    assert np.array_equal(mirrored.image, scene.image[:, ::-1])
    assert (mirrored.mask[:, :160] == 1).all() and (mirrored.mask[:, 160:] == 2).all()
    assert np.array_equal(mirrored.mirrored().image, scene.image)


def test_the_mask_of_an_example_is_aligned_with_its_crop():
    scene = BallScenes()[0]
    example = example_of(scene, scene.keypoints, 192, 0.3)
    edge = (CAMERA.project(np.array([[0.0, 0, 0.5]])) - CAMERA.K[:2, 2])[0, 0]
    boundary = (example.intrinsics[0, 2] + edge) / 4
    columns = np.flatnonzero((example.mask == 2).any(0))
    assert abs(columns[0] - boundary) < 1.5


def test_true_keypoints_stay_true_and_coarse_ones_move_as_planned():
    xyz = {side: joints(side) for side in SIDES}
    rng = np.random.default_rng(0)
    exact = perturb(xyz, EXACT, rng)
    assert all(np.array_equal(exact[side], xyz[side]) for side in SIDES)
    noisy = KeypointErrors(convention_share=0, noise_share=1, noise_sigma=0.012)
    moved = [perturb(xyz, noisy, rng)["left"] - xyz["left"] for _ in range(200)]
    assert 0.004 < np.std(moved) < 0.009
    other = KeypointErrors(convention_share=1, noise_share=0)
    shifts = [np.abs(perturb(xyz, other, rng)["left"] - xyz["left"]).max() for _ in range(50)]
    assert 0.001 < np.mean(shifts) < 0.02 and max(shifts) < 0.025


def test_depth_loss_is_in_millimetres_and_forgives_what_is_far_on_the_right_side():
    depth = torch.tensor([[0.002, -0.003, 0.05, -0.05]])
    assert depth_loss(torch.tensor([[2.0, -3.0, 30.0, -40.0]]), depth) == pytest.approx(0, abs=1e-6)
    assert depth_loss(torch.tensor([[3.0, -3.0, 10.0, -10.0]]), depth) == pytest.approx(0.25)
    assert depth_loss(torch.tensor([[2.0, -3.0, -10.0, 10.0]]), depth) == pytest.approx(10.0)


def test_shape_loss_leaves_out_hands_of_other_models():
    shape = torch.stack([torch.full((12,), math.nan), torch.ones(12)])
    mean, count = shape_loss(torch.full((2, 12), 3.0), shape)
    assert mean == pytest.approx(4.0) and count == 12
    assert shape_loss(torch.zeros(1, 12), shape[:1]).count == 0


def test_occupancy_loss_prefers_the_right_side():
    depth = torch.tensor([[0.002, -0.003]])
    right, wrong = torch.tensor([[4.0, -4.0]]), torch.tensor([[-4.0, 4.0]])
    assert occupancy_loss(right, depth) < 0.05 < occupancy_loss(wrong, depth)


def test_the_parts_of_a_batch_are_what_the_whole_batch_holds():
    scenes, drawing = BallScenes(), plan()
    whole = draw_batch(scenes, drawing, 5)
    parts = [draw_batch(scenes, drawing, 5, slice(n, n + 1)) for n in range(2)]
    for name in ("image", "keypoints", "points", "depth"):
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(whole, name))
