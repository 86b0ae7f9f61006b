"""The classifier of second hands, fitted from kept codes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import repository_tools
import torch

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.landmark_encoder import CONDITIONED_WEIGHTS
from im2hands_ros.networks.compact.landmark_network import CODE_WIDTH


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("fit_second_hand")


def codes_of(width: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Codes of which the first number says whether it is a hand, most of the time."""
    rng = np.random.default_rng(0)
    codes = rng.normal(5.0, 3.0, (count, width)).astype(np.float32)
    on = codes[:, 0] + rng.normal(0, 0.5, count) > 5.0
    return codes, on.astype(np.float32)


def run(tool, patch: pytest.MonkeyPatch, folder: Path, width: int, *options: str) -> None:
    path = folder / "codes.npz"
    codes, on = codes_of(width)
    np.savez(path, codes=codes, on=on)
    command = ["x", "--network", str(CONDITIONED_WEIGHTS), "--codes", str(path), *options]
    patch.setattr(sys, "argv", command)
    tool.main()


def test_the_classifier_reads_what_tells_hands_from_the_rest(tool) -> None:
    codes, on = codes_of(30)
    layer = tool.fitted((codes, on), 1e-4)
    odds = layer(torch.from_numpy(codes))[:, 0].detach().numpy()
    assert ((odds > 0) == (on > 0)).mean() > 0.93
    weights = layer.weight[0].abs()
    assert weights.argmax() == 0 and weights[0] > 5 * weights[1:].max()


def test_a_stronger_decay_gives_smaller_weights(tool) -> None:
    sizes = [tool.fitted(codes_of(30), decay).weight.norm() for decay in (1e-4, 1e-1)]
    assert sizes[1] < 0.5 * sizes[0]


def test_only_the_classifier_of_a_weights_file_changes(tool, monkeypatch, tmp_path) -> None:
    out = tmp_path / "out.safetensors"
    run(tool, monkeypatch, tmp_path, CODE_WIDTH, "--out", str(out), "--decay", "1e-4")
    before, after = (checkpoints.read(path)[0] for path in (CONDITIONED_WEIGHTS, out))
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert set(after) == set(before) and changed == {"fits.weight", "fits.bias"}
    made = checkpoints.record_of(out)["fits"]
    assert made["candidates"] == 400 and made["decay"] == 1e-4
