"""Whole frames in the published order of work find the surfaces that the fast ones find."""

import numpy as np
import pytest
import torch
import trimesh
from two_hands import CAMERA, joints, keypoints, picture, untrained_networks

from im2hands_ros.evaluation.reference.frame import lattice, paper_model, reference_of
from im2hands_ros.evaluation.reference.octahedra import REFINED_AT, volume
from im2hands_ros.pipeline import Im2Hands

RADIUS = 0.1


def mesh_of(surface):
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles)
    assert mesh.is_watertight
    return mesh


@pytest.fixture
def untrained():
    return Im2Hands(
        untrained_networks("keypoints", "refinement"), torch.device("cpu"), torch.float32, {}
    )


def test_a_frame_of_the_paper_preset_ends_at_its_refined_surfaces():
    model = paper_model(torch.device("cpu"), torch.float32, RADIUS)
    found = reference_of(model)(picture(), keypoints(), CAMERA, 0.44 / 16)
    assert found.resolution == 16 and found.points == 2 * 2 * 17**3
    for mesh in found.meshes:
        assert mesh_of(mesh).volume == pytest.approx(volume(RADIUS, REFINED_AT), rel=0.15)


def test_a_frame_of_another_preset_ends_at_the_surfaces_of_the_pipeline(untrained, monkeypatch):
    hands = untrained.encode(picture(), keypoints(), CAMERA).reconstruct(64, voxel_size=0)
    encoded, encode = [], untrained.encode

    def counted(*arguments, **settings):
        encoded.append(untrained.refine_keypoints)
        return encode(*arguments, **settings)

    monkeypatch.setattr(untrained, "encode", counted)
    found = reference_of(untrained)(picture(), keypoints(), CAMERA, 0.44 / 128)
    # The keypoints once; all else again in each of two rounds or more.
    assert encoded[0] and not any(encoded[1:]) and len(encoded) >= 3
    assert untrained.refine_keypoints
    for mesh, surface in zip(found.meshes, hands.present.values(), strict=True):
        volumes = [abs(each.volume) for each in (mesh_of(mesh), mesh_of(surface))]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.05)


def test_one_hand_alone_is_refused_and_the_switch_stays(untrained):
    with pytest.raises(ValueError, match="two hands"):
        reference_of(untrained)(picture(), {"right": joints("right")}, CAMERA, 0.01)
    assert untrained.refine_keypoints


@pytest.mark.parametrize("cells", [20, 32, 45, 50, 124, 256, 261])
def test_the_lattice_starts_near_32_cells_and_is_no_finer(cells):
    size = lattice(0.44 / (cells + 0.01))
    assert 20 <= size["coarse"] <= 46
    resolution = size["coarse"] << size["depth"]
    assert resolution <= cells < resolution + 2 ** size["depth"]
    assert np.log2(resolution / 32) == pytest.approx(size["depth"], abs=0.7)
