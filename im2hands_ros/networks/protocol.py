"""The interface between the pipeline and networks: the methods that every preset has.

A preset is a folder beside this file with a subclass of `HandNetworks` and of `HandContext`, and
one line in `registry.NETWORKS`. ``Features`` are whatever its image encoder makes of a crop,
``Context`` is its initial context.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from im2hands_ros.camera import Camera
from im2hands_ros.canonical import CanonicalHands, canonicalise
from im2hands_ros.hand_calibration import HandShape
from im2hands_ros.kernels.field import NativeField
from im2hands_ros.kernels.gpu.field import DeviceField
from im2hands_ros.pair import HandPair, KeypointPair

if TYPE_CHECKING:
    from typing_extensions import Self

STAGES = ("initial", "keypoints", "refinement")

Features = TypeVar("Features")
Context = TypeVar("Context", bound="HandContext")
_T = TypeVar("_T")


class Picture(NamedTuple):
    """(H, W, 3) uint8 RGB as it was taken, and the camera that took it."""

    image: NDArray[np.uint8]
    camera: Camera


@dataclass(frozen=True)
class EncodedFrame(Generic[Features]):
    """A frame after its image encoder.

    Attributes:
        pixels: (1, 3, S, S) RGB crop in [0, 1]. camera: the crop's.
        features: of the crop.
        picture: that the crop was cut out of; None: networks see the crop alone.
    """

    pixels: Tensor
    camera: Camera
    features: Features
    picture: Picture | None = None

    def crop_of(self, hands: CanonicalHands) -> tuple[Tensor, Tensor]:
        """Of H hands (H,) int64, which crop each is in: the only one; and (H, 3, 3) its intrinsics,
        pixels."""
        count, device = len(hands.wrist), self.pixels.device
        intrinsics = torch.as_tensor(self.camera.K, dtype=torch.float32, device=device)
        index = torch.zeros(count, dtype=torch.long, device=device)
        return index, intrinsics.expand(count, 3, 3)


@dataclass(frozen=True)
class EstimatedJoints:
    """The joints that shapes are made from.

    Attributes:
        joints: (21, 3) float32 of each present hand, MANO order, metres, camera frame.
        confidence: share in [0, 1] of each present hand's joints that are probably near the truth.
        spread: (21,) expected error of each joint, metres; None: unknown.
        swapped: left and right were given the wrong way round and have been swapped back.
        fitted: to the skin that a depth image shows.
    """

    joints: KeypointPair
    confidence: HandPair[float]
    spread: HandPair[NDArray[np.float32]] = HandPair()
    swapped: bool = False
    fitted: bool = False

    @classmethod
    def as_given(cls, joints: KeypointPair) -> EstimatedJoints:
        """Joints that no network has refined, with full confidence."""
        return cls(joints, HandPair(**dict.fromkeys(joints.present, 1.0)))


class HandTriangles(NamedTuple):
    """A closed surface of one hand: (V, 3) float32 vertices in the camera frame, metres, and
    (T, 3) int32 triangles, counter-clockwise from outside."""

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class HandContext(ABC):
    """All of an occupancy field of H hands that does not depend on the query points.

    Every tensor of a subclass, also inside of its tuples, has the hands as its first dimension.

    Attributes:
        hands: canonical frames.
        surface_resolution: lattice cells per box side of the initial surfaces that must be given to
            ``with_surfaces`` before the first query; None where none are.
    """

    hands: CanonicalHands
    surface_resolution: ClassVar[int | None] = None

    @abstractmethod
    def logits(self, points_palm: Tensor) -> Tensor:
        """Occupancy logits (H, N) of (H, N, 3) points, each hand's in its palm frame, metres."""

    def logits_around(self, points_palm: Tensor, step: float) -> Tensor:
        """(H, N, 4): of points, and of those moved by a step (metres) along each axis. What a
        point's logit has of the image may be the same for all four."""
        moves = step * torch.eye(4, 3, device=points_palm.device).roll(1, 0)
        moved = points_palm[:, :, None] + moves
        return self.logits(moved.flatten(1, 2)).unflatten(1, (-1, 4))

    @property
    def native_field(self) -> NativeField | None:
        """What evaluates the logits in place of torch (`im2hands_ros.kernels`), None if nothing."""
        return None

    @property
    def device_field(self) -> DeviceField | None:
        """What evaluates the logits on a device without waiting for it; the hands' frames are on
        the host then."""
        return None

    def select(self, hand: int) -> Self:
        """The same for one hand alone (H = 1)."""
        return take(self, slice(hand, hand + 1))

    def in_torch(self) -> HandContext:
        """The same field, evaluated by torch alone, so that it can be differentiated."""
        return self

    def with_surfaces(self, surfaces: Sequence[HandTriangles | None]) -> HandContext:
        """The context to go on with, from the initial surface of each hand, None where a hand has
        none. Only for contexts with a ``surface_resolution``."""
        raise NotImplementedError(f"{type(self).__name__} needs no surfaces")


class HandNetworks(nn.Module, ABC, Generic[Features, Context]):
    """The networks of one preset.

    Attributes:
        image_size: side of the square crop, pixels.
        crop_margin: share of the keypoints' extent that the crop leaves on each side.
        gpu_precision: what the setting ``precision: auto`` means on a GPU.
        depth_unit: metres of depth under the skin that a logit stands for; None: logits are no
            depths.
    """

    image_size: int
    crop_margin: float
    gpu_precision: ClassVar[str] = "bf16"
    depth_unit: ClassVar[float | None] = None

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> tuple[Self, dict[str, Any]]:
        """The networks in a weights file, and the record of their making.

        Raises FileNotFoundError or ValueError, with the remedy, for a file that does not fit.
        """

    @property
    def stages(self) -> tuple[str, ...]:
        """Those of ``STAGES`` that there are weights for."""
        return ("initial",)

    @property
    def encoders(self) -> tuple[nn.Module, ...]:
        """Convolutional networks, which are fastest with channels last in memory."""
        return ()

    @property
    def kernels(self) -> str:
        """What evaluates query points: ``native``, ``triton`` or ``torch``."""
        return "torch"

    def take_shape(self, shape: HandShape) -> None:
        """From now on the hands are those of the person of this shape; before any kernels.

        Raises ValueError for a shape of other weights, or networks that have no such freedom.
        """
        raise ValueError("these networks take no calibration of a person: leave it out")

    def use_kernels(self) -> None:
        """From now on query points may be evaluated by compiled code for the CPU in float32, where
        there is some for these networks (`im2hands_ros.kernels`); weights must not change then."""

    def use_device_kernels(self, device: torch.device, dtype: torch.dtype) -> None:
        """The same on another device, in matrix products of dtype."""

    def canonicalise(self, joints: Tensor, mirrored: Tensor) -> CanonicalHands:
        """As `im2hands_ros.canonical.canonicalise`."""
        return canonicalise(joints, mirrored)

    @abstractmethod
    def encode(self, pixels: Tensor) -> Features:
        """Image features of (1, 3, S, S) RGB crops in [0, 1]."""

    def hand_mask_probability(self, frame: EncodedFrame[Features]) -> Tensor:
        """(1, s, s) probability over the crop that a pixel shows a hand; 1 without an estimate."""
        return torch.ones_like(frame.pixels[:, 0])

    def refine_keypoints(
        self, frame: EncodedFrame[Features], joints: KeypointPair
    ) -> EstimatedJoints:
        """The stage ``keypoints``; without one the joints stay as given."""
        return EstimatedJoints.as_given(joints)

    @abstractmethod
    def initial_context(self, frame: EncodedFrame[Features], hands: CanonicalHands) -> Context:
        """The stage ``initial``: occupancy of each hand by itself."""

    def refine_occupancy(self, frame: EncodedFrame[Features], context: Context) -> HandContext:
        """The stage ``refinement``: occupancy of two interacting hands; without one, as before."""
        return context


def take(values: _T, index: slice | list[int] | Tensor) -> _T:
    """A context, NamedTuple or tensor of hands for some of the hands: first dimensions are indexed,
    networks are shared."""
    return _of_each(values, lambda part: part[index])


def cloned(values: _T) -> _T:
    """A context of torch alone with copies of its tensors, which gradients may be taken through
    where the originals were made in inference mode."""
    return _of_each(values, lambda part: part.clone())


def _of_each(values: _T, change: Callable[[Any], Any]) -> _T:
    """Contexts and NamedTuples with every tensor changed; networks are shared."""
    changed: Any = values
    if isinstance(changed, HandContext):
        parts = {
            each.name: _of_each(getattr(changed, each.name), change) for each in fields(changed)
        }
        changed = replace(changed, **parts)
    elif hasattr(changed, "_fields"):
        changed = type(changed)(*(_of_each(part, change) for part in changed))
    elif not isinstance(changed, nn.Module):
        changed = change(changed)
    return changed
