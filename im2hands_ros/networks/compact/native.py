"""The compact networks' contexts with the library in torch's place."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from im2hands_ros.kernels.field import (
    ImageSizes,
    NativeField,
    NativeFrame,
    NativeImage,
    NativeNetwork,
)
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.compact import packing
from im2hands_ros.networks.compact.initial_occupancy import (
    ImageMemory,
    InitialContext,
    InitialOccupancy,
)
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.networks.compact.refined_occupancy import RefinedContext, RefinedOccupancy


def native_network(
    library: Library, initial: InitialOccupancy, refinement: RefinedOccupancy | None
) -> NativeNetwork | None:
    """The networks' weights in the library; None for sizes that it is not compiled for, and for
    networks that are not on the CPU."""
    on_cpu = initial.query[0].weight.device.type == "cpu"
    if not on_cpu or not of_known_sizes(initial, refinement):
        return None
    return NativeNetwork(library, packing.weights(initial, refinement))


def of_known_sizes(initial: InitialOccupancy, refinement: RefinedOccupancy | None) -> bool:
    """Whether kernels are made for the sizes of these networks."""
    refined = refinement is None or refinement.preset == COMPACT.refinement
    # The kernels begin behind the hand's code, so it may have any width.
    decoder = initial.preset.decoder
    known = COMPACT.with_code(decoder.code_hidden, decoder.code_width).initial
    return initial.preset == known and refined


def image_sizes(initial: InitialOccupancy) -> ImageSizes:
    """Of the image features of a crop."""
    side = initial.image_size
    return ImageSizes(side // 4, side // 4, (side // 32) ** 2)


@dataclass(frozen=True, eq=False)
class NativeInitialContext(InitialContext):
    """An initial context whose query points the library evaluates."""

    native: NativeField

    @property
    def native_field(self) -> NativeField:
        return self.native

    def logits(self, points_palm: Tensor) -> Tensor:
        """Millimetres of depth inside of each hand."""
        return self.native(points_palm)

    def logits_around(self, points_palm: Tensor, step: float) -> Tensor:
        return self.native.logits_around(points_palm, step)

    def in_torch(self) -> InitialContext:
        return InitialContext(
            **{each.name: getattr(self, each.name) for each in fields(InitialContext)}
        )


@dataclass(frozen=True, eq=False)
class NativeRefinedContext(RefinedContext):
    """A refined context whose query points the library evaluates."""

    native: NativeField

    @property
    def native_field(self) -> NativeField:
        return self.native

    def logits(self, points_palm: Tensor) -> Tensor:
        """Millimetres of depth inside of each hand."""
        return self.native(points_palm)

    def in_torch(self) -> RefinedContext:
        values = {each.name: getattr(self, each.name) for each in fields(RefinedContext)}
        values |= {name: values[name].in_torch() for name in ("initial", "other")}
        return RefinedContext(**values)


def native_image(
    network: NativeNetwork, initial: InitialOccupancy, memory: ImageMemory
) -> NativeImage:
    """What the library's query points read of a single crop."""
    sizes = ImageSizes._make([*memory.pixels.shape[2:], memory.tokens.keys.shape[2]])
    return NativeImage(network, packing.image(initial, memory), sizes)


def native_initial(image: NativeImage, context: InitialContext) -> InitialContext:
    """The same context with native logits, of one or two hands in an image."""
    frame = NativeFrame(image, packing.hands(context))
    native = NativeField(frame, tuple(range(len(context.intrinsics))))
    return NativeInitialContext(**_values(context), native=native)


def native_refined(context: RefinedContext) -> RefinedContext:
    """The same context with native logits where its initial context has them."""
    if not isinstance(context.initial, NativeInitialContext):
        return context
    initial = context.initial.native
    initial.frame.refine(packing.anchors(context), context.memory.positions.shape[1])
    native = NativeField(initial.frame, initial.hands, refined=True)
    return NativeRefinedContext(**_values(context), native=native)


def _values(context: InitialContext | RefinedContext) -> dict[str, Any]:
    return {each.name: getattr(context, each.name) for each in fields(context)}
