"""A made-up data set in the published formats, for all tests of the loader."""

import pytest
import torch
from fake_interhand import write_interhand
from fake_mano import write_mano

from im2hands_ros.datasets.annotations import Annotations
from im2hands_ros.datasets.mano import ManoHand


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """(root, folder of the MANO files) of a made-up data set."""
    folder = tmp_path_factory.mktemp("data")
    hand = ManoHand.load(write_mano(folder / "mano"))

    def keypoints(fit, side):
        given = (torch.tensor([fit[name]]) for name in ("pose", "shape", "trans"))
        return hand.annotated(*given, side).keypoints[0].double().numpy()

    for split in ("train", "test"):
        write_interhand(folder / "root", keypoints, split)
    return folder / "root", folder / "mano"


@pytest.fixture(scope="session")
def hand(data):
    return ManoHand.load(data[1])


@pytest.fixture(scope="session")
def frames(data):
    return Annotations(data[0], "test").interacting.frames
