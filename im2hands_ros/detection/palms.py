"""Palms in turned, mirrored and sized views of a picture: where the landmark network has to see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from im2hands_ros.detection.landmarks import FloatArray
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.landmark_network import INPUT_SIZE as REGION_SIZE
from im2hands_ros.networks.compact.landmark_regions import is_mirrored, moved_back, scale_of
from im2hands_ros.networks.compact.palm_network import INPUT_SIZE, PalmNetwork

WEIGHTS = Path(__file__).parents[1] / "data" / "weights" / "palms.safetensors"

# The score from which an anchor's answer is a palm. It is low: whether a hand is there says the
# landmark network.
LEAST_SCORE = 0.1
_MOST, _MOST_ANSWERS = 6, 200  # palms of a view, and answers that they are made of
_SAME = 0.5  # of a palm's size: answers whose joints are this close are of one palm
# Of the palm's joints: the region's side, and how far its middle lies towards the fingers, in units
# of the joints' box along and across the hand. Fitted to the regions of true joints.
_SIDE, _TOWARDS = 2.6, 0.25
# Regions that differ by less show about the same: of a region's side; cosine; logarithm.
_ALIKE_PLACE, _ALIKE_TURN, _ALIKE_SIZE = 0.1, 0.94, 0.22
_KNUCKLES, _WRIST = slice(1, 5), 0


class Palm(NamedTuple):
    """A palm.

    Attributes:
        region: (2, 3) from the picture's pixels to those of the landmark network's crop; mirrored
            where the view was.
        score: probability, 0 to 1.
    """

    region: FloatArray
    score: float

    @property
    def middle(self) -> FloatArray:
        """(2,) of the region, pixels of the picture."""
        return moved_back(np.full(2, (REGION_SIZE - 1) / 2), self.region)

    @property
    def size(self) -> float:
        """The region's side, pixels of the picture."""
        return REGION_SIZE / scale_of(self.region)

    def is_like(self, other: Palm) -> bool:
        """Whether the landmark network would see about the same in both regions."""
        if is_mirrored(self.region) != is_mirrored(other.region):
            return False
        mine, its = (each.region[:, :2] / scale_of(each.region) for each in (self, other))
        apart = np.linalg.norm(self.middle - other.middle) / self.size
        turned_alike = (mine * its).sum() / 2 > _ALIKE_TURN
        return bool(
            apart < _ALIKE_PLACE
            and turned_alike
            and abs(np.log(self.size / other.size)) < _ALIKE_SIZE
        )


class PalmDetector:
    """MediaPipe's palm detection network on views of a picture; for one thread."""

    def __init__(self, network: PalmNetwork) -> None:
        self._network = network.eval().requires_grad_(False)
        self._device = network.anchors.device
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self._device.type == "cpu":
            self._network.fuse()

    @classmethod
    def load(cls, device: str = "cpu", weights: Path | None = None) -> PalmDetector:
        """The packaged network, or that of a weights file, on a torch device.

        Raises:
            FileNotFoundError, ValueError: as `checkpoints.load_into`.
        """
        network = PalmNetwork()
        checkpoints.load_into(network, weights or WEIGHTS)
        return cls(network.to(device))

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8], views: Sequence[FloatArray]) -> list[Palm]:
        """The palms that any view shows, the likeliest first; one may come once for each view.

        Args:
            image: (H, W, 3) uint8 RGB.
            views: (2, 3) maps from its pixels to those of a view, ``INPUT_SIZE`` wide and high.
        """
        if not views:
            return []
        cut = np.stack([_cut_out(image, view) for view in views])
        seen = self._network(torch.from_numpy(cut).to(self._device).permute(0, 3, 1, 2) / 255)
        palms = []
        for index, view in enumerate(views):
            scores = seen.logits[index].sigmoid().cpu().numpy()
            palms += _palms_of(scores, seen.joints[index].double().cpu().numpy(), view)
        return sorted(palms, key=lambda palm: -palm.score)


def _cut_out(image: NDArray[np.uint8], view: FloatArray) -> NDArray[np.uint8]:
    """(192, 192, 3) uint8, black where the picture ends."""
    shrink = max(1, round(0.75 / scale_of(view)))
    if shrink > 1:  # bilinear sampling would skip pixels
        size = [max(side // shrink, 1) for side in image.shape[1::-1]]
        whole = image[: size[1] * shrink, : size[0] * shrink]
        image = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        shift = view[:, 2] + view[:, :2] @ np.full(2, (shrink - 1) / 2)
        view = np.column_stack([view[:, :2] * shrink, shift])
    cut = cv2.warpAffine(image, view, (INPUT_SIZE, INPUT_SIZE), flags=cv2.INTER_LINEAR)
    return cut.astype(np.uint8, copy=False)


def _palms_of(scores: NDArray[np.floating], joints: FloatArray, view: FloatArray) -> list[Palm]:
    """Answers of one view, those of one palm averaged, as MediaPipe does."""
    order = np.argsort(-scores)[:_MOST_ANSWERS]
    order = order[scores[order] > LEAST_SCORE]
    palms: list[Palm] = []
    while len(order) and len(palms) < _MOST:
        best = joints[order[0]]
        size = np.linalg.norm(np.ptp(best, axis=0))
        same = np.linalg.norm(joints[order] - best, axis=2).mean(1) < _SAME * size
        mean = np.average(joints[order[same]], axis=0, weights=scores[order[same]])
        region = palm_region(moved_back(mean, view), is_mirrored(view))
        palms.append(Palm(region, float(scores[order[0]])))
        order = order[~same]
    return palms


def palm_region(joints: FloatArray, mirrored: bool) -> FloatArray:
    """Where the landmark network has to see, of the (7, 2) ``PALM_JOINTS`` of a hand, pixels."""
    if mirrored:
        affine = palm_region(joints * (-1, 1), False)
        return np.column_stack([affine[:, 0] * -1, affine[:, 1:]])
    towards = joints[_KNUCKLES].mean(0) - joints[_WRIST]
    turn = np.pi / 2 - np.arctan2(-towards[1], towards[0])
    upright = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    around = joints @ upright.T
    low, high = around.min(0), around.max(0)
    side = max((high - low).max(), 4.0)
    middle = (low + high) / 2 - (0, _TOWARDS * side)
    scale = REGION_SIZE / (_SIDE * side)
    return np.column_stack([scale * upright, (REGION_SIZE - 1) / 2 - scale * middle])
