"""Where the surfaces of the fields of one frame's hands are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.kernels.library import Library, best
from im2hands_ros.networks.protocol import HandContext, HandTriangles, take
from im2hands_ros.skeleton import BONES
from im2hands_ros.surface.boxes import FLESH_REACH, SearchBoxes
from im2hands_ros.surface.device_search import DeviceSearch
from im2hands_ros.surface.extract import Triangles, extract, orient
from im2hands_ros.surface.pruned_search import SearchCache
from im2hands_ros.surface.search import SurfaceCells
from im2hands_ros.surface.severed import inside_of

# Beside the bones, lines across the palm, so that the search's first round covers all of it.
_PALM_LINES = ((1, 5), (5, 9), (9, 13), (13, 17), (2, 5))


class FieldSurfaces:
    """The surfaces of a context's fields, each in a box around its hand.

    Args:
        context: of the hands; one that needs surfaces itself is evaluated without them.
        logits: (H, N) of (H, N, 3) points in the palm frames, where no kernel evaluates them.
        searches: of the model. device: where its networks are.
    """

    def __init__(
        self,
        context: HandContext,
        logits: Callable[[Tensor], Tensor],
        searches: SearchCache,
        device: torch.device,
    ) -> None:
        self._context, self._logits = context, logits
        self._searches, self._device = searches, device
        self._boxes = SearchBoxes.around(context.hands.joints_palm)

    def cells(self, resolution: int, threshold: float, dense: bool = False) -> SurfaceCells:
        """The lattice cells that the surfaces pass through, found by the search or, ``dense``, from
        every lattice point. Valid until the model's next search.

        Args:
            resolution: cells per side of each box.
            threshold: occupancy probability at the surface.
        """
        boxes_there = self._boxes.to(self._device)

        def field_in_boxes(points_box: Tensor, valid: Tensor) -> Tensor:
            return self._logits(boxes_there.palm_from_box(points_box))

        logit = float(np.log(threshold / (1 - threshold)))
        if not dense and (found := self._by_kernels(resolution, logit)) is not None:
            return found
        search = self._searches.get(resolution, self._count)
        if dense:
            return search.densely(field_in_boxes, logit)
        return search(field_in_boxes, logit, self._bone_segments().to(self._device), self._reach)

    def _by_kernels(self, resolution: int, logit: float) -> SurfaceCells | None:
        """The cells by a search that is compiled or recorded; None: none has this field."""
        on_device, native = self._context.device_field, self._context.native_field
        hands, bones, reach = self._count, self._bone_segments(), self._reach
        if on_device is not None and DeviceSearch.covers(resolution):
            recorded = self._searches.on_device(on_device, resolution, hands)
            if (found := recorded(on_device, logit, self._boxes, bones, reach)) is not None:
                return found
        if native is None:
            return None
        compiled = self._searches.native(native.frame.library, resolution, hands)
        return compiled(native, logit, self._boxes, bones, reach)

    @property
    def _count(self) -> int:
        return len(self._boxes.side)

    @property
    def _reach(self) -> float:
        """How far around the bones the first round of the search looks, in box coordinates."""
        return float(FLESH_REACH / self._boxes.side.min()) + 1.0 / 16

    def _bone_segments(self) -> Tensor:
        """(H, S, 2, 3) bones and palm lines in box coordinates."""
        joints = self._boxes.box_from_palm(self._context.hands.joints_palm)
        return joints[:, torch.tensor(BONES + _PALM_LINES, device=joints.device)]

    @property
    def kernels(self) -> Library | None:
        """The library for what the host does with these fields, None for torch."""
        field = self._context.native_field
        if self._context.device_field is not None:
            return best()
        return field.frame.library if field else None

    def triangles(self, cells: SurfaceCells, hand: int) -> Triangles | None:
        """The surface in the cells of the hand of this number, in box coordinates; None: none."""
        return extract(cells, hand, self.kernels)

    def in_camera(self, found: Triangles, hand: int) -> HandTriangles:
        """One hand's triangles in the camera frame."""
        one = slice(hand, hand + 1)
        hands = take(self._context.hands, one)
        box = SearchBoxes(self._boxes.origin[one], self._boxes.side[one])
        points = torch.from_numpy(found.vertices).to(hands.wrist)[None]
        vertices = hands.camera_from_palm(box.palm_from_box(points))[0].cpu().numpy()
        return HandTriangles(vertices, orient(found.triangles, bool(hands.mirrored[0])))

    def all_in_camera(self, resolution: int, threshold: float) -> list[HandTriangles | None]:
        """The surface of each hand in the camera frame, None where it has none."""
        cells = self.cells(resolution, threshold)
        found = [self.triangles(cells, hand) for hand in range(self._count)]
        return [it if it is None else self.in_camera(it, hand) for hand, it in enumerate(found)]

    def severed(self, found: Triangles, hand: int) -> tuple[int, ...]:
        """Joints in what was left out of one hand's surface."""
        if not len(found.left_out):
            return ()
        joints = self._boxes.box_from_palm(self._context.hands.joints_palm)[hand].cpu().numpy()
        return tuple(np.flatnonzero(inside_of(found.left_out, joints)).tolist())
