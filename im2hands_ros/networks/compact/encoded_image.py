"""What is computed of a frame's image features once, however often hands are bound to it."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.kernels.field import NativeImage, NativeNetwork
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.initial_occupancy import InitialContext, InitialOccupancy
from im2hands_ros.networks.compact.native import native_image, native_initial
from im2hands_ros.networks.protocol import EncodedFrame


class EncodedImage:
    """The image of a frame, ready for hands.

    Args:
        features: of its crop.
        initial: whose query points read it.
        native: what evaluates them in its place; None: torch.
    """

    def __init__(
        self, features: ImageFeatures, initial: InitialOccupancy, native: NativeNetwork | None
    ) -> None:
        self.features = features
        self._initial, self._memory = initial, initial.image_memory(features)
        self._native: NativeImage | None = None
        if native is not None:
            self._native = native_image(native, initial, self._memory)

    def context(self, frame: EncodedFrame[ImageFeatures], hands: CanonicalHands) -> InitialContext:
        """The initial occupancy of hands in it."""
        context = self._initial.bind(self._memory, *frame.crop_of(hands), hands)
        return native_initial(self._native, context) if self._native else context

    @cached_property
    def hand_mask(self) -> Tensor:
        """(1, s, s) probability over the crop that a pixel shows a hand."""
        return hand_mask_probability(self._initial, self.features)


def hand_mask_probability(initial: InitialOccupancy, features: ImageFeatures) -> Tensor:
    """(B, s, s) of B crops."""
    return initial.encoder.masks(features).float().softmax(1)[:, 1:].sum(1)
