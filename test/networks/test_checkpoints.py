"""Weights files: what is written comes back; what is wrong is named and nothing is executed."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from im2hands_ros.networks import checkpoints


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def saved(tmp_path, change=lambda state: state):
    path = tmp_path / "weights.safetensors"
    net = network()
    state = change(dict(net.state_dict()))
    from safetensors.torch import save_file

    save_file(state, path)
    return path


def test_weights_and_their_record_come_back(tmp_path):
    path, source, target = tmp_path / "w.safetensors", network(), network()
    nn.init.zeros_(target[0].weight)
    checkpoints.write(source.state_dict(), path, {"steps": 12})
    assert checkpoints.load_into(target, path) == {"steps": 12}
    assert torch.equal(source[0].weight, target[0].weight)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.safetensors does not exist"):
        checkpoints.load_into(network(), tmp_path / "nowhere.safetensors")


def test_a_truncated_file_is_named(tmp_path):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"weights.safetensors is not a complete safetensors file"):
        checkpoints.load_into(network(), path)


class _Exploit:
    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self):
        return Path.touch, (self.sentinel,)


def test_a_pickle_is_refused_and_never_runs(tmp_path):
    sentinel, path = tmp_path / "executed", tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps(_Exploit(sentinel)))
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        checkpoints.load_into(network(), path)
    assert not sentinel.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "0.bias"}, "missing 0.bias"),
        (lambda s: {**s, "extra": torch.zeros(1)}, "unexpected extra"),
        (lambda s: {**s, "0.weight": torch.zeros(4, 5)}, r"0.weight is \(4, 5\), needs \(4, 3\)"),
        (lambda s: {**s, "0.bias": torch.full((4,), float("nan"))}, "0.bias has non-finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        checkpoints.load_into(network(), saved(tmp_path, change))


def test_a_file_beyond_the_size_limit_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="more than 10: wrong file"):
        checkpoints.load_into(network(), saved(tmp_path))
