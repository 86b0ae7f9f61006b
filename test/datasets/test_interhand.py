"""InterHand2.6M as published: what is selected, where it lands in the camera, what is sampled."""

import dataclasses
import json

import numpy as np
import pytest
from fake_interhand import (
    CAMPOS,
    CAMROT,
    FOCAL,
    HEIGHT,
    PRINCPT,
    WIDTH,
    mano_fit,
    world_to_pixel,
)

from im2hands_ros.camera import Camera
from im2hands_ros.datasets.annotations import Annotations, CalibratedCamera
from im2hands_ros.datasets.scenes import (
    ConversionSettings,
    crop_of,
    fit_error,
    make_sample,
    pose_pair,
)
from im2hands_ros.skeleton import SIDES, WRIST
from im2hands_ros.synthetic.labels import signed_depth
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh

SMALL = ConversionSettings("test", near=200, volume=100)


def test_pictures_of_two_fitted_hands_are_selected_and_the_others_counted(data):
    selection = Annotations(data[0], "test").interacting
    assert [frame.identity for frame in selection.frames] == [2000, 2001, 2002, 2003, 2004]
    assert selection.rejected == {
        "no MANO fit of both hands": 2,
        "one hand": 1,
        "hand type not valid": 1,
    }


def test_a_world_point_reaches_the_camera_as_computed_by_hand():
    """Camera at (1, 2, 3) m looking along world x: world (3, 2.1, 2.8) is 2 m ahead of it."""
    camera = Camera(334, 512, 1000.0, 1000.0, 100.0, 200.0)
    view = CalibratedCamera(camera, CAMROT, np.array([1.0, 2.0, 3.0]))
    seen = view.to_camera(np.array([[3.0, 2.1, 2.8]]))
    assert np.allclose(seen, [[-0.1, 0.2, 2.0]])
    assert np.allclose(camera.project(seen), [[50.0, 300.0]])


def test_millimetres_become_metres_and_joints_come_in_mano_order(frames, hand):
    frame = frames[0]
    assert np.allclose(frame.view.position, np.array(CAMPOS["400262"]) / 1000)
    assert frame.view.camera == Camera(WIDTH, HEIGHT, *FOCAL, *PRINCPT)
    pair = pose_pair(frame, hand)
    for side in SIDES:
        world, valid = frame.joints[side]
        assert np.allclose(frame.view.to_camera(world), pair.keypoints[side], atol=1e-5)
        assert valid.sum() == (20 if side == "left" else 21) and valid[1:].all()
    assert fit_error(frame, pair.keypoints) < 1e-5
    off = {side: xyz + np.float32([0.03, 0, 0]) for side, xyz in pair.keypoints.items()}
    assert fit_error(frame, off) == pytest.approx(0.03, abs=1e-5)


def test_all_cameras_of_a_moment_see_the_same_hands(frames, hand):
    first, second = (pose_pair(frame, hand) for frame in frames[:2])
    for side in SIDES:
        world = [
            pair.surfaces[side].vertices @ frame.view.rotation + frame.view.position
            for pair, frame in zip((first, second), frames, strict=False)
        ]
        assert np.allclose(*world, atol=1e-5)
    assert frames[0].fits is frames[1].fits


def test_the_crop_is_the_published_one():
    """Hands over 100x50 px around (60, 40): half side 62.5 px, so 2.048 crop pixels a pixel."""
    camera = Camera(334, 512, 1000.0, 900.0, 100.0, 200.0)
    corners = np.array([[10, 15], [110, 65]], float)
    vertices = camera.back_project(corners, np.ones(2)).astype(np.float32)
    affine, crop = crop_of(camera, {"left": Mesh(vertices, np.empty((0, 3)))})
    assert np.allclose(affine, [[2.048, 0, 2.048 * 2.5], [0, 2.048, 2.048 * 22.5]], atol=1e-3)
    assert (crop.width, crop.height) == (256, 256)
    expected = (2048, 1843.2, 2.048 * 102.5, 2.048 * 222.5)
    assert np.allclose((crop.fx, crop.fy, crop.cx, crop.cy), expected, rtol=1e-5)
    assert np.allclose(crop.project(vertices)[:, 0], [25.6, 230.4], atol=1e-3)


def test_a_sample_shows_its_hands_where_its_camera_and_keypoints_say(frames, hand):
    sample = make_sample(frames[0], hand, SMALL)
    for side in SIDES:
        for u, v in np.rint(sample.camera.project(sample.keypoints[side])).astype(int):
            red, green, _ = sample.image[v, u].astype(int)
            assert green > 180 and red < 120
        u, v = np.rint(sample.camera.project(sample.keypoints[side][[9]]))[0].astype(int)
        assert sample.mask[v, u] != 0
    assert set(np.unique(sample.mask)) == {0, 1, 2}
    vertices = np.concatenate([sample.meshes[side] for side in SIDES])
    pixels = sample.camera.project(vertices)
    assert np.allclose(np.ptp(pixels, axis=0).max(), 0.8 * 256, atol=0.5)
    assert np.allclose(pixels.max(0) + pixels.min(0), 256, atol=0.5)


def test_labels_belong_to_the_stored_points_of_each_hand(frames, hand):
    sample = make_sample(frames[0], hand, SMALL)
    for side in SIDES:
        mesh = sample.mesh_of(side)
        solid = MeshQueries(mesh)
        assert solid.is_watertight
        assert np.array_equal(sample.occupancy[side], solid.contains(sample.points[side]))
        depth = signed_depth(*mesh, sample.points[side])
        assert np.allclose(sample.depth[side], depth, atol=2e-6)
        assert 20 < sample.occupancy[side].sum() < 280


def test_the_published_sampling_is_half_near_the_skin_and_half_in_the_palms_cube(frames, hand):
    how = dataclasses.replace(SMALL, sampling="paper", near=2000, volume=2000)
    sample = make_sample(frames[0], hand, how)
    for side in SIDES:
        depth = signed_depth(*sample.mesh_of(side), sample.points[side])
        assert 0.002 < np.abs(depth[:2000]).mean() < 0.004
        cube = sample.points[side][2000:] - sample.keypoints[side][WRIST]
        spread = np.cov(cube.T)
        assert np.allclose(np.diag(spread), 0.44**2 / 12, rtol=0.12)
        assert np.abs(cube.mean(0)).max() < 0.01
        assert np.linalg.norm(cube, axis=1).max() <= 0.22 * 3**0.5 + 1e-4


def test_the_same_frame_gives_the_same_sample(frames, hand):
    first, again = (make_sample(frames[2], hand, SMALL) for _ in range(2))
    assert first.jpeg == again.jpeg and first.seed == again.seed
    assert all(np.array_equal(first.points[side], again.points[side]) for side in SIDES)


def test_nearly_black_and_unusable_pictures_are_told(frames, hand):
    assert make_sample(frames[4], hand, SMALL) == "picture nearly black"
    behind = dataclasses.replace(
        frames[0], view=frames[0].view._replace(position=np.array([3.0, 0.0, 1.0]))
    )
    assert make_sample(behind, hand, SMALL) == "hands not in front of the camera"
    missing = dataclasses.replace(frames[0], image=frames[0].image.with_name("image7.jpg"))
    with pytest.raises(FileNotFoundError, match="image7.jpg"):
        make_sample(missing, hand, SMALL)
    small = dataclasses.replace(
        frames[0], view=frames[0].view._replace(camera=Camera(100, 90, 500.0, 500.0, 50.0, 45.0))
    )
    with pytest.raises(ValueError, match="334x512, annotated 100x90"):
        make_sample(small, hand, SMALL)


def test_files_of_different_releases_are_told_apart(data, tmp_path):
    source = data[0] / "annotations" / "test"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    camera = tmp_path / "InterHand2.6M_test_camera.json"
    camera.write_text(json.dumps({"7": {}}))
    with pytest.raises(ValueError, match="annotation 2000 lacks '0'"):
        _ = Annotations(data[0], "test", tmp_path).interacting
    camera.write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        Annotations(data[0], "test", tmp_path)
    with pytest.raises(ValueError, match="split 'tset'"):
        Annotations(data[0], "tset")


def test_the_pictures_dots_are_where_the_published_formula_puts_them(frames):
    """The fixture's own projection, in millimetres, against the loader's, in metres."""
    frame = frames[0]
    xyz = frame.joints["right"].xyz
    ours = frame.view.camera.project(frame.view.to_camera(xyz))
    assert np.allclose(ours, world_to_pixel(xyz, "400262"), atol=1e-6)
    assert len(mano_fit("right", 100)["pose"]) == 48
