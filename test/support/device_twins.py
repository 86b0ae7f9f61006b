"""The device's field on a CPU: its packed blocks evaluated by the compiled library."""

from __future__ import annotations

import numpy as np
import torch
from kernel_twins import boxes_and_bones, trained
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.kernels.field import ImageSizes, NativeFrame, NativeImage, NativeNetwork
from im2hands_ros.kernels.gpu import layout
from im2hands_ros.kernels.gpu.field import Blocks, DeviceField
from im2hands_ros.kernels.gpu.points import PointList
from im2hands_ros.kernels.library import best
from im2hands_ros.networks.compact import packing
from im2hands_ros.networks.compact.refined_occupancy import RefinedContext
from im2hands_ros.surface.fixed_search import Place

SIZES = ImageSizes(48, 48, 36)


class LibraryField:
    """An evaluator that reads the counts, as only a CPU may.

    lists: how many points each call had.
    """

    def __init__(self) -> None:
        networks, library = trained(), best()
        assert library is not None
        block = packing.weights(networks.initial, networks.refinement)
        self._network = NativeNetwork(library, block)
        self.lists: list[int] = []

    def __call__(self, points: PointList, blocks: Blocks) -> Tensor:
        image, hands = image_and_hands(blocks.hands)
        frame = NativeFrame(NativeImage(self._network, image, SIZES), hands)
        if blocks.anchors is not None:
            count = (blocks.anchors.shape[1] - 13) * 2 // (4 * 2 * layout.ANCHOR_KEY + 3)
            frame.refine(blocks.anchors.numpy(), count)
        out = torch.full((len(points.points),), float("nan"))
        spans = zip(
            points.begin.tolist(), points.end.tolist(), blocks.numbers.tolist(), strict=True
        )
        for begin, end, hand in spans:
            own, into = points.points[begin:end].contiguous(), out[begin:end]
            library, refined = frame.library, blocks.anchors is not None
            library.checked(
                library.logits(
                    frame.handle, hand, refined, own.data_ptr(), len(own), into.data_ptr()
                )
            )
        self.lists.append(int((points.end - points.begin).sum()))
        return out


def image_and_hands(rows: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What rows of the device hold of the image and of each hand, in the library's order."""
    at = layout.hand(*SIZES).at
    side, tokens = rows[:, : at["keys"]], rows[:, at["keys"] : at["projection"]]
    frames, pixels = rows[:, at["projection"] : at["pixels"]], rows[:, at["pixels"] :]
    image = torch.cat([tokens, pixels], 1)[0]
    return image.numpy(), torch.cat([side, frames], 1).numpy()


def blocks_of(context: RefinedContext) -> Blocks:
    """A context's packed hands and anchors."""
    with torch.no_grad():
        hands = packing.hand_rows(context.initial)
    return Blocks(hands, torch.from_numpy(packing.anchors(context)), torch.arange(len(hands)))


def device_field(context: RefinedContext) -> DeviceField:
    """The context's refined field, evaluated by the library."""
    return DeviceField(LibraryField(), blocks_of(context))


def place_of(context: RefinedContext, threshold: float = 0.0) -> Place:
    """Where its hands are searched."""
    boxes, bones, reach = boxes_and_bones(context)
    return Place(boxes.origin, boxes.side, bones, torch.tensor(reach), torch.tensor(threshold))
