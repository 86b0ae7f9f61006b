"""Teach MediaPipe's palm detector hands that touch or hide each other.

    python tools/tune_palms.py --data data/shards --start palms.safetensors --out tuned.safetensors

The shards are those of `im2hands synthesize` (and `tools/overlay_hands.py`): pictures with the
joints of both hands. Every step cuts views out of them, sized at random and turned so that one hand
is about upright: hands that lie otherwise are left to other views and may be found or not. An
anchor near an upright palm that already answers best shall answer 1, and its joints the true ones;
its neighbours may answer what they like, and anchors on no hand 0. The first layers, to stride 4,
stay as they are. The tuned network finds more rendered hands and fewer photographed ones: average
it with the one it began with (`tools/average_weights.py --share 0.3`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.palm_network import INPUT_SIZE, PALM_JOINTS, PalmNetwork
from im2hands_ros.skeleton import INDEX_MCP, MIDDLE_MCP, PINKY_MCP, RING_MCP, WRIST
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.synthetic.shards import ShardReader

KNUCKLES = (INDEX_MCP, MIDDLE_MCP, RING_MCP, PINKY_MCP)
BATCH, FROZEN_LEVELS = 16, 2
RATE, HEAD_RATE, DECAY, WARM_UP = 1.5e-4, 1.5e-4, 1e-4, 50
JOINT_WEIGHT = 4.0
MOST_HANDS = 2
# A hand's extent in the view, pixels.
EXTENTS = (26.0, 150.0)
NEAR = 0.45  # of a palm's size around its middle: anchors that may be its own
TAUGHT = 3  # of them, the best
FOCUS = 2.0
UPRIGHT = 0.5  # cosine to the vertical from which on a palm is upright


class Views(NamedTuple):
    """images (B, 192, 192, 3) uint8; joints (B, 2, 7, 2) pixels, NaN where no hand is."""

    images: np.ndarray
    joints: np.ndarray


def random_view(sample: Sample, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A view of a sample's hands: picture and joints."""
    hands = [sample.camera.project(joints) for joints in present(sample.keypoints).values()]
    extent = max(float(np.linalg.norm(np.ptp(hand, axis=0))) for hand in hands)
    scale = np.exp(rng.uniform(*np.log(EXTENTS))) / extent
    upright = hands[rng.integers(len(hands))]
    towards = upright[list(KNUCKLES)].mean(0) - upright[WRIST]
    turn = -np.pi / 2 - np.arctan2(towards[1], towards[0]) + rng.normal(0, 0.45)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if rng.random() < 0.5:
        linear = linear @ np.diag([-1.0, 1.0])
    middle = np.concatenate(hands).mean(0)
    slack = max(INPUT_SIZE - 1.6 * scale * extent, 0) / 2
    shift = (INPUT_SIZE - 1) / 2 + rng.uniform(-slack, slack, 2) - linear @ middle
    border = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE)[rng.integers(2)]
    image = sample.image
    if scale < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    view = cv2.warpAffine(
        image, np.column_stack([linear, shift]), (INPUT_SIZE,) * 2, borderMode=border
    )
    joints = np.full((MOST_HANDS, len(PALM_JOINTS), 2), np.nan, np.float32)
    for index, hand in enumerate(hands):
        joints[index] = (hand @ linear.T + shift)[list(PALM_JOINTS)]
    return perturb(view, rng), joints


def perturb(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light, colours, sharpness and noise; sometimes no colour."""
    x = view.astype(np.float32)
    if rng.random() < 0.2:
        x[:] = x @ np.array([[0.299], [0.587], [0.114]], np.float32)
    x = x * np.exp(rng.normal(0, 0.08, 3)) * np.exp(rng.normal(0, 0.25)) + rng.normal(0, 10)
    if rng.random() < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.5))
    x += rng.normal(0, rng.uniform(0, 8), x.shape)
    return np.clip(x, 0, 255).astype(np.uint8)


def batches(paths: list[Path], seed: int) -> Iterator[Views]:
    """Views without end; a shard is drawn anew for every 8 batches."""
    rng = np.random.default_rng(seed)

    def several() -> list[Views]:
        reader = ShardReader(paths[rng.integers(len(paths))])
        chosen = rng.permutation(len(reader))[: 8 * BATCH]
        samples = [reader[int(index)] for index in chosen]
        views = [random_view(sample, rng) for sample in samples if present(sample.keypoints)]
        parts = [views[at : at + BATCH] for at in range(0, len(views) - BATCH + 1, BATCH)]
        return [Views(*(np.stack(column) for column in zip(*part, strict=True))) for part in parts]

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(several)
        while True:
            ready, ahead = ahead.result(), pool.submit(several)
            yield from ready


def losses(network: PalmNetwork, views: Views) -> tuple[Tensor, Tensor]:
    """Of the scores and of the joints, each per palm."""
    image = torch.from_numpy(views.images).permute(0, 3, 1, 2).float() / 255
    seen = network(image.contiguous(memory_format=torch.channels_last))
    true = torch.from_numpy(views.joints)
    middle = true.mean(2)
    size = (true.amax(2) - true.amin(2)).norm(dim=-1).clamp(min=8.0)
    inside = ((middle >= 0) & (middle < INPUT_SIZE)).all(-1)
    away = torch.cdist(middle.nan_to_num(-1e3), network.anchors.expand(len(image), -1, -1))
    near = (away < (NEAR * size).clamp(min=10.0)[..., None]) & inside[..., None]
    towards = F.normalize(true[:, :, 1:5].mean(2) - true[:, :, 0], dim=-1)
    upright = (-towards[..., 1] > UPRIGHT) & inside
    # An absent hand's NaN would come back through the gradient.
    known, scale = true.nan_to_num(0.0), size.nan_to_num(1.0)
    errors = (seen.joints[:, None] - known[:, :, None]).norm(dim=-1).mean(-1) / scale[..., None]
    fitness = seen.logits.detach()[:, None] - 10 * errors.detach()
    fitness = fitness.masked_fill(~(near & upright[..., None]), -torch.inf)
    chosen = fitness.topk(TAUGHT, dim=-1)
    taught = torch.zeros_like(near).scatter(2, chosen.indices, chosen.values > -torch.inf)
    positive = taught.any(1)
    ignored = near.any(1) & ~positive
    target = positive.float()
    plain = F.binary_cross_entropy_with_logits(seen.logits, target, reduction="none")
    focal = (target - seen.logits.sigmoid()).abs() ** FOCUS * plain
    palms = max(int(upright.sum()), 1)
    score = focal.masked_fill(ignored, 0).sum() / palms
    return score, errors[taught].sum() / (TAUGHT * palms)


def optimizer_of(network: PalmNetwork) -> torch.optim.Optimizer:
    network.requires_grad_(True)
    for part in (network.stem, network.active, *network.levels[:FROZEN_LEVELS]):
        part.requires_grad_(False)
    heads = [p for h in (network.coarse_head, network.fine_head) for p in h.parameters()]
    known = {id(p) for p in heads}
    others = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
    groups = [{"params": others, "top": RATE}, {"params": heads, "top": HEAD_RATE}]
    return torch.optim.AdamW(groups, lr=0.0, weight_decay=DECAY)


def train(network: PalmNetwork, paths: list[Path], steps: int, seed: int) -> None:
    """Tune in place; prints the mean losses of every 50 steps."""
    optimizer, recent, start = optimizer_of(network), [], time.time()
    for step, views in zip(range(steps), batches(paths, seed), strict=False):
        share = min(1.0, (step + 1) / WARM_UP) * (1 + np.cos(np.pi * step / steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = share * group["top"]
        score, joints = losses(network, views)
        optimizer.zero_grad(set_to_none=True)
        (score + JOINT_WEIGHT * joints).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        recent.append((score.item(), joints.item()))
        if (step + 1) % 50 == 0:
            print(step + 1, np.mean(recent, 0).round(3), f"{time.time() - start:.0f} s", flush=True)
            recent = []


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of train_*.npz")
    parser.add_argument("--start", type=Path, required=True, help="weights to begin with")
    parser.add_argument("--out", type=Path, required=True, help=".safetensors to write")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(given.seed)
    network = PalmNetwork()
    record = checkpoints.load_into(network, given.start)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    paths = sorted(given.data.glob("train_*.npz"))
    train(network, paths, given.steps, given.seed)
    state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    record |= {
        "changes": f"{record.get('changes', '')}; trained on our synthetic scenes",
        "shards": len(paths),
        "command": "python tools/tune_palms.py --data DATA --start START --out OUT "
        f"--steps {given.steps}",
    }
    checkpoints.write(state, given.out, record)


if __name__ == "__main__":
    main()
