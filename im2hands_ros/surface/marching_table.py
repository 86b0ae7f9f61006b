"""Triangles of every cell that marching cubes can meet, worked out instead of typed in.

A cell is described by which of its corners are inside and, for each face whose corners alternate,
whether its two inside corners are joined across it (Nielson and Hamann's asymptotic decider, IEEE
Visualization 1991). The surface crosses faces along segments; followed from face to face they close
to loops, and each loop is cut into triangles. Both cells at a face decide alike, so the surface is
closed. Cells without such faces are cut as scikit-image cuts them, so that most triangles are those
of `extract`.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

# Corner number = 4 dx + 2 dy + dz. Edges by axis and low corner; faces by axis and side, corners in
# the order (0,0), (1,0), (1,1), (0,1) of the two other axes, which follow the axis cyclically.
_BIT = (4, 2, 1)
EDGES = tuple(
    (corner, corner | _BIT[axis])
    for axis in range(3)
    for corner in range(8)
    if not corner & _BIT[axis]
)
EDGE_AXES = tuple(axis for axis in range(3) for _ in range(4))
FACES = tuple(
    tuple(
        side * _BIT[axis] + u * _BIT[(axis + 1) % 3] + v * _BIT[(axis + 2) % 3]
        for u, v in ((0, 0), (1, 0), (1, 1), (0, 1))
    )
    for axis in range(3)
    for side in (0, 1)
)
_EDGE_NUMBER = {pair: number for number, pair in enumerate(EDGES)}
_FACES_OF_EDGE = tuple(
    frozenset(n for n, face in enumerate(FACES) if set(edge) <= set(face)) for edge in EDGES
)


class MarchingTable(NamedTuple):
    """What a cell's corners and joined faces stand for.

    Attributes:
        row: (256 · 64,) int64, the row of a cell: 64 times the bits of its inside corners plus the
            bits of its joined faces.
        triangles: (R, most, 3) int64 numbers of edges, counter-clockwise from outside; 0 beyond
        counts: (R,) int64.
    """

    row: NDArray[np.int64]
    triangles: NDArray[np.int64]
    counts: NDArray[np.int64]


@cache
def marching_table() -> MarchingTable:
    """The table of all cells."""
    rows: list[list[tuple[int, int, int]]] = []
    row = np.zeros((256, 64), np.int64)
    for inside in range(256):
        alternating = [number for number, face in enumerate(FACES) if _alternates(face, inside)]
        for bits in itertools.product((0, 1), repeat=len(alternating)):
            joined = {face for face, bit in zip(alternating, bits, strict=True) if bit}
            row[inside, _faces_with(alternating, joined)] = len(rows)
            own = _triangles(inside, joined)
            rows.append(own if alternating else _as_scikit_image(inside, own))
    most = max(map(len, rows))
    triangles = np.zeros((len(rows), most, 3), np.int64)
    for number, found in enumerate(rows):
        triangles[number, : len(found)] = np.array(found, np.int64).reshape(-1, 3)
    return MarchingTable(row.ravel(), triangles, np.array([len(found) for found in rows]))


def _alternates(face: tuple[int, ...], inside: int) -> bool:
    a, b, c, d = (inside >> corner & 1 for corner in face)
    return a == c != b == d


def _faces_with(alternating: list[int], joined: set[int]) -> list[int]:
    """The bits of the faces that say the same of the alternating ones."""
    wanted, mask = sum(1 << face for face in joined), sum(1 << face for face in alternating)
    return [bits for bits in range(64) if bits & mask == wanted]


def _as_scikit_image(inside: int, own: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The same loops cut as scikit-image does; as they are where it connects them otherwise."""
    if not own:
        return own
    values = np.array([1.0 if inside >> corner & 1 else -1.0 for corner in range(8)], np.float32)
    places, triangles, _, _ = marching_cubes(
        values.reshape(2, 2, 2), 0.0, gradient_direction="ascent"
    )
    axes = (places == 0.5).argmax(1)
    low = np.floor(places).astype(int) @ np.array(_BIT)
    edge = [_EDGE_NUMBER[a, a | _BIT[axis]] for a, axis in zip(low, axes, strict=True)]
    theirs = [(edge[a], edge[b], edge[c]) for a, b, c in triangles.tolist()]
    return theirs if _outline(theirs) == _outline(own) else own


def _outline(triangles: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """Directed sides of triangles that no other one has the other way round."""
    sides = {(t[k], t[(k + 1) % 3]) for t in triangles for k in range(3)}
    return {(a, b) for a, b in sides if (b, a) not in sides}


def _triangles(inside: int, joined: set[int]) -> list[tuple[int, int, int]]:
    following: dict[int, int] = {}
    for number, face in enumerate(FACES):
        following |= _segments(face if number % 2 else face[::-1], inside, number in joined)
    found = []
    while following:
        first, at = following.popitem()
        loop = [first]
        while at != first:
            loop.append(at)
            at = following.pop(at)
        found += _cut(tuple(loop))
    return found


def _segments(corners: tuple[int, ...], inside: int, joined: bool) -> dict[int, int]:
    """From edge to edge over a face, whose corners are counter-clockwise seen from beyond it."""
    crossed = []
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        if (inside >> a & 1) != (inside >> b & 1):
            crossed.append((_EDGE_NUMBER[min(a, b), max(a, b)], inside >> a & 1))
    if len(crossed) == 4 and crossed[0][1] != joined:
        crossed = crossed[1:] + crossed[:1]
    # A pair cuts off what lies between its edges: outside corners where the inside is joined.
    segments = {}
    for (a, leaves), (b, _) in zip(crossed[::2], crossed[1::2], strict=True):
        segments.update({b: a} if leaves else {a: b})
    return segments


def _cut(loop: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Triangles of a loop of edges with the fewest new lines along faces: the neighbour behind such
    a face might draw the same line."""

    @cache
    def best(first: int, last: int) -> tuple[int, tuple[tuple[int, int, int], ...]]:
        if last - first < 2:
            return 0, ()
        if last - first == 2:
            return 0, ((loop[first], loop[first + 1], loop[last]),)
        choices = []
        for middle in range(first + 1, last):
            left, right = best(first, middle), best(middle, last)
            cost = left[0] + right[0] + line(first, middle) + line(middle, last)
            triangle = (loop[first], loop[middle], loop[last])
            choices.append((cost, (*left[1], triangle, *right[1])))
        return min(choices, key=lambda choice: choice[0])

    def line(a: int, b: int) -> int:
        new = b - a > 1
        return int(new and bool(_FACES_OF_EDGE[loop[a]] & _FACES_OF_EDGE[loop[b]]))

    return list(best(0, len(loop) - 1)[1])
