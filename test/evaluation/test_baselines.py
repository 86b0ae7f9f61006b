"""Baselines: hands made from keypoints alone, the floor of the evaluation."""

import numpy as np
import pytest
import torch
from bent_hand import pose_from_degrees

from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.evaluation.baselines.skinned_hand import SkinnedHand
from im2hands_ros.evaluation.baselines.template_hand import TemplateHand, similarity
from im2hands_ros.evaluation.metrics import iou, surface_scores
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh


@pytest.fixture(scope="module")
def hand() -> BakedHand:
    return BakedHand.load()


def posed(hand: BakedHand, side: str, curl: float = 25.0, shape: float = 0.0):
    """A mean hand, half closed, turned and placed half a metre away: keypoints and mesh."""
    bends = {f"{finger}_pip": curl for finger in ("index", "middle", "ring", "pinky")}
    pose = pose_from_degrees(hand, bends | {"index_mcp": curl, "thumb_ip": curl / 2})[None]
    turn = torch.linalg.qr(torch.tensor([[1.0, 0.4, 0.1], [-0.3, 1.0, 0.5], [0.2, -0.4, 1.0]]))[0]
    turn = turn * torch.det(turn).sign()
    place = torch.tensor([[0.05, -0.02, 0.5]])
    shapes = torch.full((1, hand.shape_dims), shape)
    with torch.no_grad():
        result = hand.pose(pose, shapes, turn[None], place, side)
    return result.keypoints[0].numpy(), Mesh(result.surface[0].numpy(), hand.triangles_of(side))


@pytest.mark.parametrize("side", SIDES)
def test_template_finds_a_mean_hand_again(hand: BakedHand, side: str) -> None:
    keypoints, true = posed(hand, side)
    fitted = TemplateHand(hand).fit(keypoints[None], [side])
    assert np.linalg.norm(fitted.keypoints[0] - keypoints, axis=1).mean() < 0.001
    assert surface_scores(fitted.meshes[0], true, 2000).chamfer < 0.001
    assert MeshQueries(fitted.meshes[0]).volume > 0


def test_template_scales_to_a_larger_hand(hand: BakedHand) -> None:
    keypoints, true = posed(hand, "right")
    larger = TemplateHand(hand).fit(1.3 * keypoints[None], ["right"]).meshes[0]
    assert MeshQueries(larger).volume == pytest.approx(1.3**3 * MeshQueries(true).volume, rel=0.03)


def test_template_fits_each_hand_as_if_it_were_alone(hand: BakedHand) -> None:
    keypoints = np.stack(
        [posed(hand, side, curl)[0] for side, curl in (("left", 10), ("right", 40))]
    )
    both = TemplateHand(hand).fit(keypoints, ["left", "right"])
    alone = TemplateHand(hand).fit(keypoints[1:], ["right"])
    np.testing.assert_allclose(both.meshes[1].vertices, alone.meshes[0].vertices, atol=1e-4)


def test_similarity_recovers_a_known_one_and_never_mirrors() -> None:
    random = torch.Generator().manual_seed(0)
    source = torch.randn((2, 21, 3), generator=random)
    angle = torch.tensor(0.7)
    turn = torch.tensor(
        [[angle.cos(), -angle.sin(), 0.0], [angle.sin(), angle.cos(), 0.0], [0.0, 0.0, 1.0]]
    )
    target = 1.7 * source @ turn.T + torch.tensor([0.1, -0.2, 0.3])
    rotation, translation = similarity(source, target)
    torch.testing.assert_close(rotation, 1.7 * turn.expand(2, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(source @ rotation.mT + translation[:, None], target)
    mirrored, _ = similarity(source, source * torch.tensor([-1.0, 1, 1]))
    assert (torch.det(mirrored) > 0).all()


@pytest.mark.parametrize("side", SIDES)
def test_capsules_resemble_the_hand_but_not_more(hand: BakedHand, side: str) -> None:
    keypoints, true = posed(hand, side)
    capsules = CapsuleHand(keypoints)
    points = np.random.default_rng(0).uniform(
        true.vertices.min(0), true.vertices.max(0), (20000, 3)
    )
    labels = MeshQueries(true).contains(points)
    assert 0.7 < iou(capsules.occupancy(points) >= 0.5, labels) < 0.92
    assert 0.7 < iou(MeshQueries(capsules.mesh()).contains(points), labels) < 0.92


def test_capsule_mesh_is_closed_and_agrees_with_its_field(hand: BakedHand) -> None:
    keypoints, _ = posed(hand, "right")
    capsules = CapsuleHand(keypoints)
    mesh = capsules.mesh()
    assert MeshQueries(mesh).is_watertight
    assert MeshQueries(mesh).volume > 0
    depth = capsules.depth(torch.tensor(mesh.vertices, dtype=torch.float32))
    assert depth.abs().mean() < 0.0002


def test_capsules_grow_with_the_hand(hand: BakedHand) -> None:
    keypoints, _ = posed(hand, "right")
    small, large = (CapsuleHand(scale * keypoints).mesh() for scale in (1.0, 1.2))
    assert MeshQueries(large).volume == pytest.approx(1.2**3 * MeshQueries(small).volume, rel=0.01)


def test_keypoints_in_one_place_make_no_capsule_hand() -> None:
    assert CapsuleHand(np.zeros((21, 3))).mesh() is None


@pytest.mark.parametrize("side", SIDES)
def test_skinning_to_the_templates_own_keypoints_gives_the_template(
    hand: BakedHand, side: str
) -> None:
    with torch.no_grad():
        place = torch.eye(3)[None], torch.tensor([[0.0, 0.1, 0.5]])
        rest = hand.pose(
            torch.zeros(1, hand.pose_dims), torch.zeros(1, hand.shape_dims), *place, side
        )
    skinned = SkinnedHand(hand).skin(rest.keypoints[0].numpy(), side)
    np.testing.assert_allclose(skinned.vertices, rest.surface[0].numpy(), atol=1e-5)
    assert MeshQueries(skinned).volume > 0


@pytest.mark.parametrize("side", SIDES)
def test_skinning_follows_bent_fingers(hand: BakedHand, side: str) -> None:
    keypoints, true = posed(hand, side)
    skinned = SkinnedHand(hand).skin(keypoints, side)
    assert MeshQueries(skinned).is_watertight
    assert surface_scores(skinned, true, 2000).chamfer < 0.002
