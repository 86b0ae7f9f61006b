"""Close-ups of training scenes: another scene may be seen through the same ones."""

from __future__ import annotations

import numpy as np
import pytest
import repository_tools
import torch
from ball_scenes import BallScenes
from stage_tools import WEIGHTS
from two_hands import joints

from im2hands_ros.networks.compact.close_ups import SIDE, bone_maps, frames_of
from im2hands_ros.networks.compact.networks import CompactNetworks

FOCAL = 400.0


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("close_up_draws")


def frames(places: torch.Tensor):
    return frames_of(places, FOCAL * places[..., :2] / places[..., 2:], FOCAL)


def drawn_of(tool, places: torch.Tensor):
    """Close-ups of noise around these joints of both hands (1, 2, 21, 3)."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(256, (1, 42, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    target = places + 0.01 * torch.randn(places.shape, generator=generator)
    present, found = torch.tensor([[True, True]]), frames(places)
    bones = bone_maps(places, found, present)
    return tool.Drawn(colours, bones, found.axes, present, places, target + 0.004, target)


@pytest.mark.parametrize(("angle", "size"), [(0.0, 1.0), (0.7, 1.1), (-2.5, 0.9)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_scene_has_its_close_ups_where_they_would_be_cut(
    tool, angle, size, mirrored
) -> None:
    places = torch.from_numpy(np.stack([joints("left"), joints("right")])[None]).float()
    drawn = drawn_of(tool, places)
    turned = tool.turned(
        drawn, torch.tensor([angle]), torch.tensor([size]), torch.tensor([mirrored])
    )
    expected = frames(turned.begin)
    assert torch.allclose(turned.axes, expected.axes, atol=0.01)
    bones = bone_maps(turned.begin, expected, turned.present)
    flat = turned.bones[:, :, [0, 1, 2, 4]]  # depths are in metres
    assert torch.allclose(flat, bones[:, :, [0, 1, 2, 4]], atol=0.03)
    order = torch.arange(42).roll(21 * mirrored)
    assert torch.equal(turned.colours, drawn.colours[:, order])
    lengths = (turned.target - turned.given).norm(dim=-1).flatten(1)
    before = (drawn.target - drawn.given).norm(dim=-1).flatten(1)
    assert torch.allclose(lengths, size * before[:, order], rtol=1e-4)


def test_a_mirrors_mirror_shows_the_scene(tool) -> None:
    places = torch.from_numpy(np.stack([joints("left"), joints("right")])[None]).float()
    drawn = drawn_of(tool, places)._replace(present=torch.tensor([[True, False]]))
    still = torch.zeros(1), torch.ones(1), torch.tensor([True])
    once = tool.turned(drawn, *still)
    assert once.present.tolist() == [[False, True]]
    for one, again in zip(drawn, tool.turned(once, *still), strict=True):
        assert torch.equal(one, again)


def test_the_draws_of_a_scene_share_its_picture_and_differ_in_their_errors(tool) -> None:
    networks = CompactNetworks.load(WEIGHTS)[0].eval()
    scene = BallScenes(count=1)[0]
    found = tool.draws(networks, scene, np.random.default_rng(2))
    assert 1 < len(found) <= 2 * tool.DRAWS
    assert not torch.equal(found[0].given, found[1].given)
    second = next(each for each in found[1:] if torch.equal(each.given, found[0].given))
    assert torch.equal(second.target, found[0].target)
    assert 1e-4 < (second.begin - found[0].begin).norm(dim=-1).mean() < 0.05
    shown, drawn = tool.joined(found, np.random.default_rng(4))
    assert shown.colours.shape == (len(found), 42, 3, SIDE, SIDE)
    assert drawn.begin.shape == drawn.target.shape == (len(found), 2, 21, 3)
    assert shown.colours.isfinite().all() and drawn.begin.isfinite().all()
    _, again = tool.joined(found, np.random.default_rng(4))
    assert torch.equal(drawn.begin, again.begin)
