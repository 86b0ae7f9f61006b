"""Draw scenes of two hands (or one): a function of the seed, to a micrometre on every CPU."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from im2hands_ros.synthetic.contact import Pair, settle
from im2hands_ros.synthetic.drafts import ALONE, draft
from im2hands_ros.synthetic.hand import ASSET, BakedHand
from im2hands_ros.synthetic.overlap import free_shift
from im2hands_ros.synthetic.placement import bring_together
from im2hands_ros.synthetic.portable_random import uniform
from im2hands_ros.synthetic.scenes import SIDES, Scenes, from_pair, join_scenes, solids, tools
from im2hands_ros.synthetic.sequence import sequence
from im2hands_ros.synthetic.sphere_proxies import SphereProxies

__all__ = ["SHARES", "SIDES", "Scenes", "sample_scenes", "scene_chunk", "sequence", "tools"]

DEEPEST = 0.0045  # metres of penetration that a scene may keep, as `Solid` measures it
CHUNK = 64  # scenes drawn together; scene i of a seed never depends on how many are asked for
SHARES = {  # kind -> share of the scenes
    "apart": 0.20,
    "single_left": 0.10,
    "single_right": 0.10,
    "contact": 0.15,
    "overlap": 0.09,
    "pinch": 0.09,
    "fists": 0.06,
    "clasp": 0.09,
    "interlaced": 0.12,
}


def sample_scenes(count: int, seed: int, first: int = 0, asset: Path = ASSET) -> Scenes:
    """Scenes first .. first + count; each depends on nothing but seed, index and the hand."""
    if count < 1 or first < 0:
        raise ValueError(f"count {count}, first {first}: need count >= 1 and first >= 0")
    chunks = range(first // CHUNK, (first + count - 1) // CHUNK + 1)
    scenes = join_scenes([scene_chunk(seed, chunk, asset) for chunk in chunks])
    start = first - chunks[0] * CHUNK
    return scenes.take(slice(start, start + count))


def scene_chunk(seed: int, chunk: int, asset: Path = ASSET) -> Scenes:
    """The CHUNK scenes with indices from chunk * CHUNK on."""
    hand, proxies = tools(asset)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + chunk)
    kinds = draw_kinds(generator)
    pair, goal = draft(hand, proxies, kinds, generator)
    pair = settle(hand, proxies, pair, goal)
    pair = place_apart(hand, proxies, pair, kinds, generator)
    together = np.flatnonzero(~np.isin(kinds, ALONE))
    return to_scenes(part_deep_pairs(hand, pair, together), kinds)


def draw_kinds(generator: torch.Generator) -> np.ndarray:
    """(CHUNK,) names in random order, each as often as its share says (up to rounding)."""
    steps = (torch.arange(CHUNK) + uniform(1, generator=generator)) / CHUNK
    edges = torch.tensor(list(SHARES.values()), dtype=torch.float64).cumsum(0)[:-1]
    rows = torch.bucketize(steps % 1, edges)[torch.randperm(CHUNK, generator=generator)]
    return np.array(list(SHARES))[rows.numpy()]


def place_apart(
    hand: BakedHand,
    proxies: SphereProxies,
    pair: Pair,
    kinds: np.ndarray,
    generator: torch.Generator,
) -> Pair:
    """Bring hands that are apart to 5-25 cm from each other, in any direction."""
    rows = torch.from_numpy(np.flatnonzero(kinds == "apart"))
    part = pair.take(rows)
    aim = torch.randint(proxies.hand_count, (2, len(rows)), generator=generator)
    gap = 0.05 + 0.20 * uniform(len(rows), generator=generator)
    part = bring_together(hand, proxies, part, aim, gap)
    translation = pair.translation.clone()
    translation[:, rows] = part.translation
    return replace(pair, translation=translation)


def part_deep_pairs(hand: BakedHand, pair: Pair, rows: np.ndarray) -> Pair:
    """Move the left hand out of the right one where they overlap by more than DEEPEST."""
    translation = pair.translation.clone()
    part = pair.take(torch.from_numpy(rows))
    for row, right, left in zip(rows, *solids(hand, part), strict=True):
        translation[1, row] += torch.from_numpy(free_shift(right, left, DEEPEST))
    return replace(pair, translation=translation)


def to_scenes(pair: Pair, kinds: np.ndarray) -> Scenes:
    """Solved pairs with their names."""
    subset = np.where(np.isin(kinds, ALONE), kinds, "interacting")
    present = {"right": kinds != "single_left", "left": kinds != "single_right"}
    return from_pair(pair, subset, kinds, present)
