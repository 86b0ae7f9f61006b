"""The keypoint refinement trained further beside an image encoder that stays."""

import numpy as np
import pytest
import repository_tools
import torch
from ball_scenes import BallScenes
from stage_tools import WEIGHTS, assert_only_the_stage_changes

from im2hands_ros.networks.compact.networks import CompactNetworks


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("train_keypoints")


@pytest.mark.train
def test_only_the_refinement_changes_and_the_record_says_how(tool, monkeypatch, tmp_path) -> None:
    assert_only_the_stage_changes(tool, "train_keypoints", "keypoints", monkeypatch, tmp_path)


def test_a_scene_is_seen_as_the_encoder_sees_its_crop(tool) -> None:
    encoder = CompactNetworks.load(WEIGHTS)[0].initial.encoder.eval()
    scene = BallScenes(count=1)[0]
    one, same = (tool.seen(encoder, scene, np.random.default_rng(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.features, same.features, strict=True))
    assert one.features.pixels.shape[-2:] == (48, 48)
    joints = torch.from_numpy(np.concatenate(list(one.keypoints.values()))).float()
    pixels = joints @ one.intrinsics[0].T
    assert ((pixels[:, :2] / pixels[:, 2:] - 96).abs() < 160).all()
