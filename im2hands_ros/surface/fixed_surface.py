"""From a field to surfaces with arrays of fixed size: search, marching cubes, one copy back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.surface.extract import CLEARANCE
from im2hands_ros.surface.fixed_search import FixedSearch, ListField, Place
from im2hands_ros.surface.marched_cells import FixedSurface
from im2hands_ros.surface.prefix_marching import PrefixMarching

# Fine cells that the surface crosses for which there is room, for each hand, times the square of
# the cells a side. Hands have 1.3.
CELLS_A_SQUARE = 2.5


class FixedSurfaces:
    """Finds the surfaces of all hands in boxes of one resolution; nothing in it waits.

    `found` makes one array on the device of what `read` takes apart on the host.
    """

    def __init__(self, resolution: int, hands: int, device: torch.device) -> None:
        self._hands = hands
        self._search = FixedSearch(resolution, hands, device)
        capacity = int(hands * CELLS_A_SQUARE * resolution**2)
        self._marching = PrefixMarching(self._search.lattice, capacity)
        self._sizes: tuple[int, int] = (0, 0)

    def found(self, field: ListField, place: Place) -> Tensor:
        """One int32 array: overflow, counts, vertices (as bits) and triangles."""
        cells = self._search(field, place)
        values = _clear_of_zero(cells.values, cells.cells)
        marched = self._marching(values.flatten(), cells.cells.flatten(1))
        self._sizes = (len(marched.vertices), len(marched.triangles))
        evaluated = cells.evaluations.sum()
        head = [(cells.overflow | marched.overflow)[None], evaluated[None]]
        head += [marched.vertex_end, marched.triangle_end]
        counts = torch.cat([part.long() for part in head]).int()
        return torch.cat(
            [counts, marched.vertices.view(torch.int32).flatten(), marched.triangles.flatten()]
        )

    def read(self, found: NDArray[np.int32]) -> tuple[list[FixedSurface], int] | None:
        """Each hand's surface and the points evaluated, of an array of `found`; None where the
        surface may be incomplete."""
        hands, (vertices, triangles) = self._hands, self._sizes
        if found[0]:
            return None
        ends = [[0, *found[2 + k * hands : 2 + (k + 1) * hands].tolist()] for k in range(2)]
        body = found[2 + 2 * hands :]
        places = body[: 3 * vertices].view(np.float32).reshape(-1, 3)
        corners = body[3 * vertices : 3 * (vertices + triangles)].reshape(-1, 3)
        surfaces = [
            FixedSurface(
                places[ends[0][hand] : ends[0][hand + 1]],
                corners[ends[1][hand] : ends[1][hand + 1]],
            )
            for hand in range(hands)
        ]
        return surfaces, int(found[1])


def _clear_of_zero(values: Tensor, cells: Tensor) -> Tensor:
    """Values (H, n, n, n) without any near zero, as `extract` has them; zero counts as inside."""
    sizes = torch.where(cells, values.abs(), 0).flatten(1).sum(1)
    least = CLEARANCE * sizes / cells.flatten(1).sum(1).clamp_min(1)
    least = least.clamp_min(torch.finfo(torch.float32).tiny)[:, None, None, None]
    return torch.where(values.abs() < least, torch.where(values >= 0, least, -least), values)
