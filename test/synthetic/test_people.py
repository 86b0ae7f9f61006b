"""Other people's hands: still hands, of other sizes and flesh, each a function of its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from bent_hand import pose_from_degrees

from im2hands_ros.cli import main
from im2hands_ros.synthetic.dataset import PointCounts, load_shard
from im2hands_ros.synthetic.hand import ASSET, BakedHand
from im2hands_ros.synthetic.labels import signed_depth
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.people import OTHER, person
from im2hands_ros.synthetic.sample import Mesh
from im2hands_ros.synthetic.shapes import make_shapes
from im2hands_ros.synthetic.shard_writing import Drawing, draw

SEEDS = range(24)
FIST = {f"{f}_{j}": 70 for f in ("index", "middle", "ring", "pinky") for j in ("mcp", "pip")}


@pytest.fixture(scope="module")
def packaged():
    with np.load(ASSET) as asset:
        return dict(asset)


@pytest.fixture(scope="module")
def people(packaged):
    return [person(packaged, seed) for seed in SEEDS]


def surface(arrays, angles=None) -> Mesh:
    hand = BakedHand(arrays)
    pose = pose_from_degrees(hand, angles or {})[None]
    place = torch.eye(3)[None], torch.zeros(1, 3)
    posed = hand.pose(pose, torch.zeros(1, hand.shape_dims), *place, "right")
    return Mesh(posed.surface[0].numpy(), hand.triangles)


def palm(arrays) -> float:
    return float(np.linalg.norm(arrays["keypoints"][9] - arrays["keypoints"][0]))


def reach(arrays) -> float:
    return float(np.linalg.norm(arrays["keypoints"][12] - arrays["keypoints"][0]))


def test_palms_are_those_of_children_to_large_hands(people):
    palms = [palm(each) for each in people]
    assert 0.053 < min(palms) < 0.070 and 0.102 < max(palms) < 0.122


def test_every_joint_of_every_person_lies_under_the_skin(people):
    for each in people:
        depth = signed_depth(*surface(each), each["keypoints"])
        assert depth.min() > 0


def test_a_hand_stays_closed_and_keeps_its_volume_in_a_fist(people):
    for each in people[:8]:
        flat, fist = (trimesh.Trimesh(*surface(each, a), process=False) for a in (None, FIST))
        assert flat.is_watertight
        assert 0.65 < flat.volume / (3.2e-4 * (reach(each) / 0.173) ** 3) < 1.5
        assert fist.volume == pytest.approx(flat.volume, rel=0.13)


def test_flesh_differs_by_millimetres_where_people_differ(people, packaged):
    """Distances of joints from the skin, of hands brought to one size."""
    places = {"thenar": (1, 2), "wrist": (0, 0)}
    for name, least in (("thenar", 0.0025), ("wrist", 0.0015)):
        first, second = places[name]
        depths = []
        for each in people:
            place = each["keypoints"][[first, second]].mean(0, keepdims=True)
            depths.append(float(signed_depth(*surface(each), place)[0]) / reach(each) * 0.173)
        assert np.ptp(depths) > least, name


def test_a_person_is_a_function_of_the_seed(packaged, people):
    assert np.array_equal(person(packaged, 3)["vertices"], people[3]["vertices"])
    assert not np.allclose(people[3]["vertices"], people[4]["vertices"], atol=1e-3)


def test_shapes_are_labelled_hands_before_the_camera():
    sample = next(make_shapes("train", 70, 1, PointCounts(200, 100)))
    for side in ("left", "right"):
        mesh = MeshQueries(sample.mesh_of(side))
        inside = mesh.contains(sample.points[side].astype(np.float64))
        assert np.array_equal(inside, sample.depth[side] > 0) and 50 < inside.sum() < 250
        assert 0.25 < sample.keypoints[side][:, 2].mean() < 1.0
        assert mesh.contains(sample.keypoints[side].astype(np.float64)).all()
    again = next(make_shapes("train", 70, 1, PointCounts(200, 100)))
    assert np.array_equal(again.points["left"], sample.points["left"])


def test_every_block_of_samples_shows_another_person():
    drawn = list(draw("train", (62, 4), Drawing(people=True, pictures=False)))

    def bone(sample) -> float:
        joints = sample.keypoints["right"]
        return float(np.linalg.norm(joints[10] - joints[9]) / np.linalg.norm(joints[9] - joints[0]))

    assert bone(drawn[0]) == pytest.approx(bone(drawn[1]), rel=0.06)
    assert bone(drawn[2]) == pytest.approx(bone(drawn[3]), rel=0.06)
    assert bone(drawn[1]) != pytest.approx(bone(drawn[2]), rel=0.02)


def test_people_of_a_rig_of_another_make_stay_nearer_to_it(packaged):
    """Knuckles and flesh go both ways, not only where the packaged hand is peculiar."""
    slides = {}
    for name, given in (("own", ()), ("other", (OTHER,))):
        moved = []
        for seed in SEEDS:
            each = person(packaged, seed, *given)
            moved.append(np.linalg.norm(each["joints"][9] - each["joints"][8]) / reach(each))
        usual = np.linalg.norm(packaged["joints"][9] - packaged["joints"][8]) / reach(packaged)
        slides[name] = np.array(moved) / usual - 1
    assert abs(slides["other"].mean()) < 0.05 < -slides["own"].mean()


def test_few_samples_of_each_of_many_people_are_those_of_their_blocks(tmp_path):
    arguments = ["--split", "train", "--people", "--no-pictures", "--workers", "1"]
    arguments += ["--count", "3", "--each", "2", "--start", "128", "--out", str(tmp_path)]
    assert main(["synthesize", *arguments]) == 0
    files = sorted(tmp_path.glob("*.npz"))
    assert [file.name for file in files] == ["train_00000128_0002.npz", "train_00000192_0001.npz"]
    (known,) = draw("train", (192, 1), Drawing(people=True, pictures=False))
    (sample,) = load_shard(files[1])
    np.testing.assert_array_equal(sample.keypoints["left"], known.keypoints["left"])
    without = ["--split", "train", "--count", "3", "--each", "2", "--out", str(tmp_path)]
    assert main(["synthesize", *without]) != 0
