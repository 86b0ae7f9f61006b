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
from im2hands_ros.networks.paper.official import convert
from im2hands_ros.networks.paper.official_names import is_dead

FOLDER = Path(__file__).parents[1] / "golden"
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


def golden_joints() -> tuple[Tensor, Tensor]:
    """Joints (4, 21, 3) float64 in the camera frames, metres, and which hands are left.

    The two golden images' hands: left 0, left 1, right 0, right 1, as everywhere below.
    """
    g = golden()
    joints = g["conv_joints_mano21_m"].double()[_HANDS]
    world = joints - joints[:, :1] + (_roots() * _flips())[:, None]
    rotation, translation = _cameras()
    return world @ rotation.transpose(1, 2) + translation[:, None], _LEFT


def golden_hands() -> CanonicalHands:
    """The hands' frames, with the published bone matrices: ours differ by their rounding."""
    g, (rotation, translation) = golden(), _cameras()
    flip = torch.diag_embed(_flips())
    turn = flip @ rotation @ flip
    published = g["conv_B"][_HANDS].double()
    bones = torch.cat([published[..., :3, :3] / 0.4, published[..., :3, 3:] * 0.4], dim=-1)
    frames = canonicalise(*golden_joints())._replace(
        palm_from_hand=g["conv_M"][_HANDS, :3, :3].double() @ turn.transpose(1, 2),
        wrist=(turn @ _roots()[..., None])[..., 0] + translation * _flips(),
        bone_from_palm=bones,
        bone_lengths=g["conv_bone_len"][_HANDS].double(),
    )
    return single_precision(frames)


def single_precision(frames: CanonicalHands) -> CanonicalHands:
    """The same in float32."""
    return CanonicalHands(*(v.float() if v.is_floating_point() else v for v in frames))


_HANDS = torch.tensor([1, 3, 0, 2])
_LEFT = torch.tensor([True, True, False, False])


def _flips() -> Tensor:
    """(4, 3) what mirrors a left hand."""
    flip = torch.ones(4, 3, dtype=torch.float64)
    flip[_LEFT, 0] = -1
    return flip


def _roots() -> Tensor:
    """(4, 3) wrists; left ones in the mirrored world."""
    return torch.cat([golden()["root_left"], golden()["root_right"]]).double()


def _cameras() -> tuple[Tensor, Tensor]:
    """(4, 3, 3) and (4, 3) world to camera, metres."""
    index = image_index()
    return golden()["cam_R"].double()[index], golden()["cam_T"].double()[index]


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
