"""Stretched hands: other sizes and proportions, the same skin, alike on both sides."""

import numpy as np
import pytest

from im2hands_ros.synthetic.dataset import PointCounts
from im2hands_ros.synthetic.labels import signed_depth
from im2hands_ros.synthetic.sample import present
from im2hands_ros.synthetic.shapes import make_shapes
from im2hands_ros.training.scene_folder import TrainingScene
from im2hands_ros.training.stretching import stretched


@pytest.fixture(scope="module")
def scene():
    (sample,) = make_shapes("train", 3, 1, PointCounts(256, 128))
    arrays = (present(each) for each in (sample.keypoints, sample.points, sample.depth))
    return TrainingScene(sample, sample.camera, *arrays)


def moved_skin(scene, other, side):
    """The scene's skin after what its keypoints went through, which is linear around the wrist."""
    mesh, before, after = scene.sample.mesh_of(side), scene.keypoints[side], other.keypoints[side]
    linear = np.linalg.lstsq(before - before[0], after - after[0])[0]
    return (mesh.vertices - before[0]) @ linear + after[0], mesh.triangles


def test_points_stay_inside_or_outside_and_near_the_skin_as_deep(scene):
    for seed in range(4):
        other = stretched(scene, np.random.default_rng(seed))
        for side, depth in other.depth.items():
            true = signed_depth(*moved_skin(scene, other, side), other.points[side])
            clear = np.abs(true) > 1e-4
            assert ((true > 0) == (depth > 0))[clear].all()
            near = np.abs(true) < 0.004
            np.testing.assert_allclose(depth[near], true[near], rtol=0.25, atol=2e-4)


def test_sizes_and_proportions_differ_and_both_hands_are_one_person_s(scene):
    sizes, widths = [], []
    for seed in range(40):
        other = stretched(scene, np.random.default_rng(seed))
        ratios = {}
        for side, joints in other.keypoints.items():
            given = scene.keypoints[side]
            assert np.array_equal(joints[0], given[0])
            palm = np.linalg.norm(joints[9] - joints[0]) / np.linalg.norm(given[9] - given[0])
            width = np.linalg.norm(joints[5] - joints[17]) / np.linalg.norm(given[5] - given[17])
            ratios[side] = palm, width / palm
        assert ratios["left"] == pytest.approx(ratios["right"], abs=0.02)
        sizes.append(ratios["right"][0])
        widths.append(ratios["right"][1])
    assert min(sizes) < 0.9 and max(sizes) > 1.1
    assert min(widths) < 0.95 and max(widths) > 1.05


def test_the_generator_decides_everything(scene):
    first, again, other = (stretched(scene, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first.points["left"], again.points["left"])
    assert not np.array_equal(first.points["left"], other.points["left"])
