"""What was seen of hands in many frames, as tensors to fit a field to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.camera import Camera
from im2hands_ros.joint_frames import joint_frames
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.pair import Keypoints
from im2hands_ros.pipeline import Im2Hands


class SeenHand(NamedTuple):
    """One hand in one frame; metres, camera frame.

    Attributes:
        side: "left" or "right".
        joints: (21, 3) as the tracker has them, MANO order.
        points: (N, 3); depth: (N,) how far they lie under the skin, negative outside; 0 of skin.
        bound: (N,) bool, where the depth is not known but is no larger than that.
        frame: number of its frame.
    """

    side: str
    joints: NDArray[np.floating]
    points: NDArray[np.floating]
    depth: NDArray[np.floating]
    bound: NDArray[np.bool_]
    frame: int


class SeenFrame(NamedTuple):
    """A frame's crop: features of batch 1, and its camera."""

    features: ImageFeatures
    camera: Camera


class Observations(NamedTuple):
    """H hands; F frames.

    Attributes:
        features: of F crops. frame: (H,) which one. intrinsics: (H, 3, 3) of their crops, pixels.
        joints: (H, 21, 3) as given; directions: (H, 21, 3, 3) their frames; mirrored: (H,).
        points: (H, N, 3); depth: (H, N) metres; bound: (H, N); weight: (H, N), 0 where there is no
            point.
    """

    features: ImageFeatures
    frame: Tensor
    intrinsics: Tensor
    joints: Tensor
    directions: Tensor
    mirrored: Tensor
    points: Tensor
    depth: Tensor
    bound: Tensor
    weight: Tensor

    @property
    def hand_count(self) -> int:
        """H."""
        return len(self.joints)

    def hands(self, index: Tensor) -> Observations:
        """Some of the hands."""
        picked = (value[index] for value in self[1:])
        return Observations(self.features, *picked)


def compact_networks(model: Im2Hands) -> CompactNetworks:
    """The networks whose fields can be fitted.

    Raises:
        ValueError: those of another preset.
    """
    if not isinstance(model.networks, CompactNetworks):
        raise ValueError("only the preset 'compact' can be calibrated: leave --preset out")
    return model.networks


def seen_frame(
    model: Im2Hands, image: NDArray[np.uint8], joints: Keypoints, camera: Camera
) -> SeenFrame:
    """What the field needs of an image; raises as `Im2Hands.encode`."""
    frame = model.image_features(image, joints, camera)
    with torch.inference_mode(False):  # gradients go through copies alone
        features = ImageFeatures(*(part.float().cpu().clone() for part in frame.features))
        return SeenFrame(features, frame.camera)


def observations_of(hands: Sequence[SeenHand], frames: Sequence[SeenFrame]) -> Observations:
    """All hands in one batch; hands with fewer points than others are filled up with none."""
    most = max(len(hand.points) for hand in hands)

    def filled(rows: Sequence[NDArray], value: float = 0.0) -> Tensor:
        table = np.full((len(rows), most, *rows[0].shape[1:]), value, np.float32)
        for into, row in zip(table, rows, strict=True):
            into[: len(row)] = row
        return torch.from_numpy(table)

    def stacked(rows: Sequence[NDArray]) -> Tensor:
        return torch.from_numpy(np.stack(rows).astype(np.float32))

    index = torch.tensor([hand.frame for hand in hands])
    return Observations(
        features=ImageFeatures(
            *map(torch.cat, zip(*(each.features for each in frames), strict=True))
        ),
        frame=index,
        intrinsics=stacked([each.camera.K for each in frames])[index],
        joints=stacked([hand.joints for hand in hands]),
        directions=stacked([joint_frames(hand.joints, hand.side) for hand in hands]),
        mirrored=torch.tensor([hand.side == "left" for hand in hands]),
        points=filled([hand.points for hand in hands]),
        depth=filled([hand.depth for hand in hands]),
        bound=filled([hand.bound for hand in hands]) > 0,
        weight=filled([np.ones(len(hand.points)) for hand in hands]),
    )
