"""The hand's code is as wide as the weights file has it: in torch, the library and training."""

from pathlib import Path

import pytest
import torch

from im2hands_ros.kernels.library import best
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.native import native_network
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.pipeline import WEIGHTS
from im2hands_ros.training.initial_stage import InitialStage
from im2hands_ros.training.plan import TrainingPlan


@pytest.fixture(params=[(40, 24), (500, 300)], ids=["narrower", "wider"])
def weights(request, tmp_path) -> Path:
    torch.manual_seed(0)
    networks = CompactNetworks(COMPACT.with_code(*request.param), ("initial",))
    path = tmp_path / "weights.safetensors"
    checkpoints.write(networks.state_dict(), path, {})
    return path


def assert_same(state: dict[str, torch.Tensor], path: Path) -> None:
    expected, _ = checkpoints.read(path)
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


def test_weights_of_any_code_load(weights):
    networks, _ = CompactNetworks.load(weights)
    assert_same(networks.state_dict(), weights)


def test_the_library_computes_weights_of_any_code(weights):
    networks, _ = CompactNetworks.load(weights)
    assert native_network(best(), networks.initial, None)


def test_weights_of_any_code_are_trained_further(weights):
    stage = InitialStage(TrainingPlan(), weights, torch.device("cpu"))
    assert_same(stage.weights(), weights)


def test_the_packaged_code_holds_other_rigs_beside_the_first_one():
    packaged = WEIGHTS / "compact.safetensors"
    hidden = checkpoints.shapes_in(packaged)["initial.decoder.code.0.weight"][0]
    assert hidden > COMPACT.initial.decoder.code_hidden


def test_a_code_whose_layers_do_not_fit_is_named(weights, tmp_path):
    tensors, record = checkpoints.read(weights)
    tensors["initial.decoder.code.2.weight"] = torch.zeros(3, 5)
    checkpoints.write(tensors, tmp_path / "other.safetensors", record)
    with pytest.raises(ValueError, match=r"initial\.decoder\.code\.0\.(weight|bias) is"):
        CompactNetworks.load(tmp_path / "other.safetensors")
