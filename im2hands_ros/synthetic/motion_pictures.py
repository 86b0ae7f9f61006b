"""Pictures of hands in motion: one light, one skin and one background, noise of its own in each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.synthetic.dataset import draw_hands
from im2hands_ros.synthetic.motion import Motion
from im2hands_ros.synthetic.sample import pose_hand

_NOISE = 2.0  # grey levels


def motion_pictures(motion: Motion, seed: int) -> Iterator[NDArray[np.uint8]]:
    """(H, W, 3) uint8 RGB of every frame; the seed decides light, skin, background and noise."""
    for frame in range(len(motion)):
        hands = {side: pose_hand(side, each[frame]) for side, each in motion.parameters.items()}
        clean, _ = draw_hands(np.random.default_rng(seed), hands, motion.camera)
        noise = np.random.default_rng((seed, frame)).normal(0, _NOISE, clean.shape)
        yield np.clip(clean + noise, 0, 255).astype(np.uint8)
