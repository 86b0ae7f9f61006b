"""The published networks' golden inputs and outputs, and the weights that anyone can make again."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.canonical import CanonicalHands, canonicalise
from im2hands_ros.networks.official import convert
from im2hands_ros.networks.official_names import is_dead

FOLDER = Path(__file__).parent / "golden"
# Another file of the same arrays may be named: other images, hands and points.
GOLDEN = Path(os.environ.get("IM2HANDS_GOLDEN") or FOLDER / "im2hands_golden_vectors.npz")


@cache
def golden() -> dict[str, Tensor]:
    """All arrays of the golden file."""
    with np.load(GOLDEN) as file:
        return {name: torch.from_numpy(file[name]) for name in file}


@cache
def official_shapes(network: str) -> dict[str, list[int]]:
    """Name -> shape of every tensor in the published state dict of this network."""
    with gzip.open(FOLDER / "official_state_dicts.json.gz", "rt") as file:
        return json.load(file)[network]


def official_weight(name: str, shape: list[int]) -> Tensor:
    """The agreed made-up weights: a formula of the official name."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_var"):
        values = 1 + 0.2 * np.tanh(z)
    elif name.endswith("running_mean"):
        values = 0.1 * z
    elif len(shape) == 1:
        values = 1 + 0.1 * z if name.endswith("weight") else 0.05 * z
    else:
        narrow = ".fc_gamma" in name or ".w_" in name
        fan_in = math.prod(shape[1:])
        values = z * math.sqrt((0.5 if narrow else 1) / fan_in) * gain(name)
    return torch.from_numpy(np.asarray(values, np.float32))


def gain(name: str) -> float:
    """What the formula multiplies a matrix with."""
    if name.endswith("resnet.conv1.weight"):
        return 0.5
    if re.search(r"lin\d+_4\.", name):
        return 3
    return 0.1 if "trans_dec.fc_out" in name else 0.3 if "context_enc.0" in name else 1


def load_made_up(kind: str, network: torch.nn.Module, prefix: str = "") -> torch.nn.Module:
    """Fill a network with the made-up weights, through the converter; evaluation mode.

    ``prefix`` keeps only the official names that start so (a part of the published network).
    """
    official = {
        name: official_weight(name, shape)
        for name, shape in official_shapes(kind).items()
        if name.startswith(prefix) and not is_dead(name)
    }
    converted = convert(kind, network, official)
    assert converted.problems == []
    network.load_state_dict(converted.tensors)
    return network.eval().requires_grad_(False)


def golden_hands() -> CanonicalHands:
    """The two golden images' hands in their camera frames: left 0, left 1, right 0, right 1."""
    g = golden()
    number = torch.tensor([1, 3, 0, 2])
    image = torch.tensor([0, 1, 0, 1])
    left = torch.tensor([True, True, False, False])
    flip = torch.where(left[:, None], torch.tensor([-1.0, 1, 1]), torch.ones(3)).double()
    joints = g["conv_joints_mano21_m"].double()[number]
    root = torch.cat([g["root_left"], g["root_right"]]).double() * flip
    world = joints - joints[:, :1] + root[:, None]
    rotation, translation = g["cam_R"].double()[image], g["cam_T"].double()[image]
    camera = world @ rotation.transpose(1, 2) + translation[:, None]
    frames = canonicalise(camera, left)
    return CanonicalHands(*(v.float() if v.is_floating_point() else v for v in frames))


def golden_points() -> Tensor:
    """(4, 64, 3) query points of the golden hands, palm frame, metres."""
    g = golden()
    return 0.4 * torch.cat([g["pts_left"], g["pts_right"]])


def image_index() -> Tensor:
    """(4,) which image each golden hand is in."""
    return torch.tensor([0, 1, 0, 1])


def intrinsics() -> Tensor:
    """(4, 3, 3) intrinsics of each golden hand's crop."""
    return golden()["cam_K"].float()[image_index()]


def both(name: str) -> Tensor:
    """(4, ...) golden output of the left hands, then of the right hands."""
    g = golden()
    return torch.cat([g[f"{name}_left"], g[f"{name}_right"]])
