"""Surfaces of a device's field: recorded once for each resolution, one copy back."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from im2hands_ros.kernels.gpu.field import Blocks, DeviceField, Evaluator
from im2hands_ros.kernels.gpu.graph import Recorded
from im2hands_ros.surface.boxes import SearchBoxes
from im2hands_ros.surface.fixed_search import Place
from im2hands_ros.surface.fixed_surface import FixedSurfaces
from im2hands_ros.surface.lattice import coarsest_step
from im2hands_ros.surface.marched_cells import MarchedCells

# Finer lattices are left to the other search: masks of the whole lattice would be large.
FINEST = 128

_log = logging.getLogger(__name__)


class DeviceSearch:
    """Search and marching cubes of fields on a device. Not thread-safe."""

    def __init__(self, resolution: int, hands: int, evaluator: Evaluator, device: torch.device):
        self._resolution, self._hands, self._evaluator = resolution, hands, evaluator
        self._surfaces = FixedSurfaces(resolution, hands, device)
        self._recorded = Recorded(self._found, device)
        self._host = torch.empty(0, dtype=torch.int32)

    @staticmethod
    def covers(resolution: int) -> bool:
        """Whether there is one for this resolution; for others there is the search in torch."""
        return resolution <= FINEST and coarsest_step(resolution) > 1

    def __call__(
        self,
        field: DeviceField,
        threshold: float,
        boxes: SearchBoxes,
        segments: Tensor,
        reach: float,
    ) -> MarchedCells | None:
        """The surfaces of all hands; None, with a line in the log, where they may be incomplete.

        boxes, segments and reach: on the host, as `SurfaceSearch` takes them.
        """
        parts = (boxes.origin, boxes.side, segments, torch.tensor([reach, threshold]))
        flat = torch.cat([part.float().flatten() for part in parts])
        hands, anchors, _ = field.blocks
        blocks = (hands,) if anchors is None else (hands, anchors)
        found = self._surfaces.read(self._on_host(self._recorded(flat, *blocks)).numpy())
        if found is None:
            _log.warning("surface search on the GPU overflowed: this frame is searched in torch")
            return None
        surfaces, evaluated = found
        nothing = torch.empty(0)
        cells = (torch.empty(0, dtype=torch.long),) * self._hands
        return MarchedCells(
            nothing, cells, self._resolution, threshold, (evaluated,), tuple(surfaces)
        )

    def _found(self, flat: Tensor, hands: Tensor, anchors: Tensor | None = None) -> Tensor:
        count = self._hands
        segments = (len(flat) - 4 * count - 2) // 6 // count
        origin, side, bones, rest = flat.split((3 * count, count, 6 * segments * count, 2))
        numbers = torch.arange(count, device=flat.device)
        field = DeviceField(self._evaluator, Blocks(hands, anchors, numbers))
        place = Place(origin.view(count, 3), side, bones.view(count, -1, 2, 3), rest[0], rest[1])
        return self._surfaces.found(field.of_list, place)

    def _on_host(self, found: Tensor) -> Tensor:
        """The frame's one copy back, through memory that the device can write to directly."""
        if found.device.type == "cpu":
            return found.clone()
        if len(self._host) != len(found):
            self._host = torch.empty_like(found, device="cpu", pin_memory=True)
        self._host.copy_(found, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return self._host.clone()
