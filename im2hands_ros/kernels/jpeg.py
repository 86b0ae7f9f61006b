"""Whether the codes of a JPEG file are whole: by src/jpeg.cpp, or here where it is not compiled."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels.library import best

# A table says of the next 16 bits: 1024 * how far on in the block the next value lies, or how many
# bits a mean has, + 32 * the code's bits + bits of code and value. Behind the last value, and of
# bits that are no code:
_LAST, _NONE = 1 << 10, 1 << 11
_MOST_LEFT, _LARGEST_MEAN, _LARGEST_SIZE = 16, 1100, 11  # as in src/jpeg.cpp
_PIECE = re.compile(rb"(?:[^\xff](?=.)|\xff[\x00\xff])*", re.DOTALL)  # up to a marker
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)


class Broken(Exception):
    """A file that OpenCV decodes all the same; says why."""


class Block(NamedTuple):
    """One of a unit: number of its colour, step of that's means, and tables of codes."""

    colour: int
    step: int
    mean: list[int]
    rest: list[int]


def why_broken(data: NDArray[np.uint8]) -> str:
    """What is wrong with (N,) contiguous bytes of a JPEG file; empty: nothing, or it is another
    file, or of a kind that is not looked into (progressive)."""
    kernels = best()
    if kernels:
        broken = kernels.jpeg(data.ctypes.data, len(data)) < 0
        return kernels.error().decode() if broken else ""
    try:
        read(data.tobytes())
    except Broken as broken:
        return str(broken)
    return ""


def read(data: bytes) -> bool:
    """Whether a file is of a kind that is looked into; raises Broken."""
    at, scans, restarts, head = 2, 0, 0, b""
    codes: dict[int, list[int]] = {}
    steps = [0] * 4
    while data[:2] == b"\xff\xd8" and data[at : at + 1] == b"\xff":
        kind, length = data[at + 1 : at + 2], _word(data, at + 2)
        if kind == b"\xff":
            at += 1
            continue
        body, at = data[at + 4 : at + 2 + length], at + 2 + length
        if kind == b"\xd9" or len(body) != length - 2:
            return kind == b"\xd9" and scans > 0
        try:
            if kind in (b"\xc0", b"\xc1"):
                head = body
            elif kind == b"\xc4":
                while body:
                    end = 17 + sum(body[1:17])
                    _check(end <= min(len(body), 17 + 256) and len(body) >= 17)
                    codes[body[0] & 19] = _table(body[1:17], body[17:end], not body[0] & 16)
                    body = body[end:]
            elif kind == b"\xdb":
                while body:
                    steps[body[0] & 3] = _word(body, 1) if body[0] > 15 else body[1]
                    _check(len(body) >= (end := 129 if body[0] > 15 else 65))
                    body = body[end:]
            elif kind[0] & 0xF0 == 0xC0 and kind != b"\xc8":
                return False
            elif kind == b"\xdd":
                restarts = _word(body, 0)
            elif kind == b"\xda":
                units, blocks = _units(head, body, codes, steps)
        except (IndexError, KeyError, ValueError):
            return False  # a part without its head or tables
        if kind == b"\xda":
            at, scans = _scan(data, at, units, restarts, blocks), scans + 1
    return False


def _check(usual: bool) -> None:
    if not usual:
        raise ValueError("a part of an unusual kind or size")


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


@lru_cache(maxsize=16)  # a camera's pictures have the same ones
def _table(counts: bytes, values: bytes, means: bool) -> list[int]:
    table, found, code = np.full(1 << 16, _NONE << 10), [], 0
    for length, count in enumerate(counts, 1):
        found += [(length, code + each) for each in range(count)]
        code = 2 * (code + count)
    for (length, code), value in reversed([*zip(found, values, strict=True)]):
        size = value if means else value & 15
        after = value if means else _LAST if value in range(0, 240, 16) else (value >> 4) + 1
        first, bits = code << 16 - length, length + min(size, 15)
        table[first : first + (1 << 16 - length)] = after << 10 | length << 5 | bits
    return table.tolist()  # type: ignore[no-any-return]


def _units(
    head: bytes, scan: bytes, codes: dict[int, list[int]], steps: list[int]
) -> tuple[int, list[Block]]:
    """How many units a scan has, and the blocks of each."""
    colours = {head[i]: (head[i + 1] & 15, head[i + 1] >> 4) for i in range(6, 6 + 3 * head[5], 3)}
    step = {head[i]: steps[head[i + 2] & 3] for i in range(6, 6 + 3 * head[5], 3)}
    most = [max(shares) for shares in zip(*colours.values(), strict=True)]
    _check(1 <= scan[0] <= head[5] <= 4 and len(scan) >= 4 + 2 * scan[0])
    _check(head[0] == 8 and min(map(min, colours.values())) >= 1 and max(most) <= 4)
    used = [(scan[i], scan[i + 1]) for i in range(1, 1 + 2 * scan[0], 2)]
    alone, units = len(used) == 1, 1
    for way, pixels in enumerate((_word(head, 1), _word(head, 3))):
        own = -(-pixels * colours[used[0][0]][way] // most[way]) if alone else pixels
        units *= -(-own // (8 if alone else 8 * most[way]))
    blocks = [
        Block(number, step[name], codes[tables >> 4 & 3], codes[16 | tables & 3])
        for number, (name, tables) in enumerate(used)
        for _ in range(1 if alone else colours[name][0] * colours[name][1])
    ]
    return units, blocks


def _scan(data: bytes, at: int, units: int, restarts: int, blocks: list[Block]) -> int:
    """Read the codes from there on; where the next marker is."""
    for number, first in enumerate(range(0, units, restarts or units)):
        if number:
            if data[at + 1] != 0xD0 + (number - 1) % 8:
                raise Broken("lacks a restart marker, or has one too many")
            at += 2
        at = _piece(data, at, min(restarts or units, units - first), blocks)
    return at


def _piece(data: bytes, at: int, units: int, blocks: list[Block]) -> int:
    """Read so many units, up to a marker; where that is."""
    coded = _PIECE.match(data, at)
    cut = "ends before its last block"
    if not coded or coded.end() > len(data) - 2:
        cut = "has no end"
    held = re.sub(rb"\xff[\x00\xff]", b"\xff", coded.group() if coded else b"")
    # Beyond the end no block is read whole: one has 2000 bits at most.
    padded = np.frombuffer(held + bytes(260), np.uint8).astype(np.int64)
    three = padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]
    bits = (three[:, None] >> np.arange(8, 0, -1) & 0xFFFF).ravel().tolist()
    place, end, brightness = 0, 8 * len(held), [0] * 4
    for _ in range(units):
        for colour, step, mean, rest in blocks:
            code = mean[bits[place]]
            size, k = code >> 10, 1
            change = bits[place + (code >> 5 & 31)] >> 16 - min(size, 16)
            place += code & 31
            brightness[colour] += change if change >> max(size - 1, 0) else change - (1 << size) + 1
            while k < 64:
                code = rest[bits[place]]
                place += code & 31
                k += code >> 10
            if place > end:
                raise Broken(cut)
            if size > _LARGEST_SIZE or k >= _NONE:
                raise Broken("holds a code that is none")
            if abs(brightness[colour]) * step > _LARGEST_MEAN + step:
                raise Broken("holds a brightness beyond black and white")
            if 64 < k < _LAST:
                raise Broken("holds a block of more than 64 values")
    read_bytes = held[: (place + 7) // 8]
    at += len(read_bytes) + read_bytes.count(b"\xff")
    marker = _MARKER.search(data, at)
    if marker is None:
        raise Broken("has no end")
    left = data[at : marker.start()]
    if len(left) - left.count(b"\0") - left.count(b"\xff") > _MOST_LEFT:
        raise Broken("goes on behind its last block")
    return marker.start()
