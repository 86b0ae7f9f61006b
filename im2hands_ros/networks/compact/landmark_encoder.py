"""What MediaPipe's hand landmark network sees of the hands in a picture, in the picture's pixels.

No palm is detected first: regions come from joints where hands are believed to be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks, Hints
from im2hands_ros.networks.compact.landmark_network import (
    CODE_WIDTH,
    LandmarkNetwork,
    SeenLandmarks,
)
from im2hands_ros.networks.compact.landmark_regions import (
    FloatArray,
    cut_out,
    is_mirrored,
    moved,
    moved_back,
    region_of,
    scale_of,
    turned,
)

_FOLDER = Path(__file__).parents[2] / "data" / "weights"
WEIGHTS = _FOLDER / "landmarks.safetensors"
CONDITIONED_WEIGHTS = _FOLDER / "told_landmarks.safetensors"
SECOND_HAND_WEIGHTS = _FOLDER / "second_hand.safetensors"
"""Of the same network, trained further to find a second hand from a guess; of photographs it has
forgotten more, so that its joints are not those of a hand that is found."""


class SeenHand(NamedTuple):
    """A hand as it is seen in one region of a picture.

    Attributes:
        pixels: (21, 2) landmarks in MANO order, which is MediaPipe's too; pixels of the picture,
            the first one's centre at (0, 0).
        relief: (21,) how much farther away than others a landmark is, in such pixels too.
        shape: (21, 3) the hand by itself, metres, turned as the camera sees it (x right, y down,
            z forward); of a typical size, at the origin.
        presence: probability that the region shows a hand.
        right: probability that it is a right hand, seen in an unmirrored picture.
        spread: (21,) expected error of the landmarks in x and in y, pixels of the picture; None:
            the network does not estimate it.
        fits: logarithm of the odds that the landmarks are those of the hand that is meant, where
            both are looked for; NaN: not estimated.
    """

    pixels: FloatArray
    relief: FloatArray
    shape: FloatArray
    presence: float
    right: float
    spread: FloatArray | None = None
    fits: float = math.nan


class LandmarkEncoder:
    """Sees hands in given regions of a picture; use it from one thread.

    Args:
        network: on the device that it shall run on; made fast and no longer to be trained.
    """

    def __init__(self, network: LandmarkNetwork) -> None:
        self.network = network.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = next(network.parameters()).device
        if self.device.type == "cpu":
            self.network.fuse()

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "cpu") -> LandmarkEncoder:
        """The packaged network, or that of a weights file.

        Raises:
            FileNotFoundError, ValueError: as `checkpoints.load_into`.
        """
        network = LandmarkNetwork()
        checkpoints.load_into(network, weights or WEIGHTS)
        return cls(network.to(device))

    def see(self, image: np.ndarray, joints_px: Mapping[str, np.ndarray]) -> dict[str, SeenHand]:
        """The hands around given joints, all at once.

        Args:
            image: (H, W, 3) uint8 RGB, not mirrored.
            joints_px: per side ("left", "right") (21, 2) where it is believed to be, pixels; left
                hands are mirrored. `SeenHand.right` says which side is seen.

        Returns:
            The same sides, each as it is seen.
        """
        regions = [region_of(joints, side == "left") for side, joints in joints_px.items()]
        return dict(zip(joints_px, self(image, regions), strict=True))

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, regions: Sequence[FloatArray]) -> list[SeenHand]:
        """What each region shows; regions: (2, 3) maps from the picture's pixels to the crop's,
        as of `region_of`; turned, moved or mirrored ones are fine."""
        if not regions:
            return []
        crops = np.stack([cut_out(image, region) for region in regions])
        seen = self.network(as_input(crops, self.device))
        return [in_picture(seen, index, region) for index, region in enumerate(regions)]


class ConditionedEncoder:
    """Sees the hands of which is known about where they are; use it from one thread.

    Args:
        network: on the device that it shall run on; made fast and no longer to be trained.
        fits: from its code to `SeenHand.fits`.

    Attributes:
        alone: the same network without hints, for regions where nothing is known.
    """

    def __init__(self, network: ConditionedLandmarks, fits: nn.Linear) -> None:
        self.network = network.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.fits = fits.eval().requires_grad_(False)
        self.alone = LandmarkEncoder(self.network.network)

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "cpu") -> ConditionedEncoder:
        """The packaged network, or that of a weights file's stages ``landmarks`` and ``fits``.

        Raises:
            FileNotFoundError, ValueError: as `checkpoints.load_into`.
        """
        network, fits = ConditionedLandmarks(), nn.Linear(CODE_WIDTH, 1)
        parts = nn.ModuleDict({"landmarks": network, "fits": fits})
        checkpoints.load_into(parts, weights or CONDITIONED_WEIGHTS)
        parts.to(device)
        return cls(network, fits)

    def see(self, image: np.ndarray, joints_px: Mapping[str, np.ndarray]) -> dict[str, SeenHand]:
        """As `LandmarkEncoder.see`; the sides and nearly always the presence are as believed."""
        seen = self(image, [Look(side, joints_px) for side in joints_px])
        return dict(zip(joints_px, seen, strict=True))

    def __call__(self, image: np.ndarray, looks: Sequence[Look]) -> list[SeenHand]:
        """What each look shows, all at once; image: as of `see`."""
        return see_each(self.network, image, looks, self.fits)


class Look(NamedTuple):
    """A hand to look at.

    Attributes:
        side: of the hand that is meant, "left" or "right".
        joints_px: per side (21, 2) where hands are believed to be, pixels; of that one, and of the
            other one where there is one.
        turn: of the crop, degrees clockwise.
    """

    side: str
    joints_px: Mapping[str, np.ndarray]
    turn: float = 0.0


def see_conditioned(
    network: ConditionedLandmarks, image: np.ndarray, joints_px: Mapping[str, np.ndarray]
) -> dict[str, SeenHand]:
    """As `LandmarkEncoder.see`, by the network conditioned on prior joints of both hands."""
    seen = see_each(network, image, [Look(side, joints_px) for side in joints_px])
    return dict(zip(joints_px, seen, strict=True))


@torch.inference_mode()
def see_each(
    network: ConditionedLandmarks,
    image: np.ndarray,
    looks: Sequence[Look],
    fits: nn.Linear | None = None,
) -> list[SeenHand]:
    """What each look at an (H, W, 3) uint8 RGB picture shows; fits: for that field."""
    if not looks:
        return []
    device = network.spread.weight.device
    regions = [region_at(look) for look in looks]
    crops = np.stack([cut_out(image, region) for region in regions])
    hints = hints_of(looks, regions, device)
    seen, spread = network(as_input(crops, device), hints)
    odds = [math.nan] * len(looks) if fits is None else fits(seen.code)[:, 0].tolist()
    return [
        in_picture(seen, index, region)._replace(
            spread=spread[index].double().cpu().numpy() / scale_of(region),
            fits=odds[index],
        )
        for index, region in enumerate(regions)
    ]


def region_at(look: Look) -> FloatArray:
    """(2, 3) map from the picture's pixels to those of the crop in which a look is taken."""
    return turned(region_of(look.joints_px[look.side], look.side == "left"), look.turn)


def hints_of(looks: Sequence[Look], regions: Sequence[FloatArray], device: torch.device) -> Hints:
    """What the network is given of each look; regions: as of `region_at`."""
    hints = []
    for (side, joints, _), region in zip(looks, regions, strict=True):
        other = next((x for s, x in joints.items() if s != side), joints[side])
        hints.append(moved(np.stack([joints[side], other]).astype(np.float64), region))
    prior = torch.tensor(np.stack(hints), dtype=torch.float32, device=device)
    both = torch.tensor([float(len(look.joints_px) > 1) for look in looks], device=device)
    return Hints(prior, both, torch.ones_like(both))


def as_input(crops: np.ndarray, device: torch.device) -> Tensor:
    """(B, 224, 224, 3) uint8 RGB to the network's (B, 3, 224, 224) in [0, 1], channels last."""
    return torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 255


def in_picture(seen: SeenLandmarks, index: int, region: FloatArray) -> SeenHand:
    """One crop's answer in the pixels of the picture that it was cut out of."""
    landmarks = seen.landmarks[index].double().cpu().numpy()
    shape = seen.shape[index].double().cpu().numpy()
    scale, mirrored = scale_of(region), is_mirrored(region)
    right = float(seen.right[index])
    # The transpose of a turn, mirrored or not, is its inverse.
    shape = np.column_stack([shape[:, :2] @ (region[:, :2] / scale), shape[:, 2]])
    return SeenHand(
        pixels=moved_back(landmarks[:, :2], region),
        relief=landmarks[:, 2] / scale,
        shape=shape,
        presence=float(seen.presence[index]),
        right=1 - right if mirrored else right,
    )
