"""The cost of frames and of query points as a plot: SVG, both axes logarithmic."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 900, 360
_LEFT, _TOP, _WIDE, _HIGH, _STEP = 70, 56, 340, 244, 440  # px: a panel, and the way to the next
_INK, _LINE = "#1f2933", "#d5dbe3"
_COLOURS = {"frame_ms": "#0f8a7e", "search_ms": "#b7410e", "extract_ms": "#6b4fa0", "ms": "#0f8a7e"}
_NAMES = {"frame_ms": "frame", "search_ms": "search", "extract_ms": "extract", "ms": "one hand"}
_FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"


def svg(cost: dict[str, Any], machine: dict[str, Any]) -> str:
    """The plot of what `cost.cost` measured."""
    panels = [
        _Panel(0, "Two hands", "cells per side", cost["cells"], "cells"),
        _Panel(1, "Occupancy of points", "query points", cost["points"], "points"),
    ]
    where = f"{machine['cpu']}, {machine['threads']} thread(s), {machine['device']}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="{_FONT}" font-size="13" fill="{_INK}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" fill="#f5f7fa"/>',
        *(part for panel in panels for part in panel.drawn()),
        _text(WIDTH / 2, HEIGHT - 10, f"medians, {where}", "middle"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True)
class _Panel:
    """One pair of axes: rows by the column ``across``; every column in milliseconds is a line."""

    number: int
    title: str
    label: str
    rows: list[dict[str, Any]]
    across: str

    @property
    def _series(self) -> list[str]:
        return [name for name in self.rows[0] if name in _COLOURS]

    @property
    def _decades(self) -> tuple[int, int]:
        """Powers of ten below and above all times."""
        values = [max(row[name], 1e-2) for row in self.rows for name in self._series]
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return low, max(high, low + 1)

    def _x(self, value: float) -> float:
        first, last = (math.log(self.rows[end][self.across]) for end in (0, -1))
        share = (math.log(value) - first) / max(last - first, 1e-9)
        return _LEFT + self.number * _STEP + share * _WIDE

    def _y(self, value: float) -> float:
        low, high = self._decades
        return _TOP + _HIGH * (1 - (math.log10(max(value, 1e-2)) - low) / (high - low))

    def drawn(self) -> list[str]:
        """Grid, labels and lines."""
        left, right = _LEFT + self.number * _STEP, _LEFT + self.number * _STEP + _WIDE
        parts = [_text(left, 28, f"{self.title}, milliseconds", "start", bold=True)]
        low, high = self._decades
        for power in range(low, high + 1):
            y = self._y(10.0**power)
            parts += [
                _segment(left, y, right, y),
                _text(left - 8, y + 4, f"{10.0**power:g}", "end"),
            ]
        for row in self.rows:
            x = self._x(row[self.across])
            parts += [_segment(x, _TOP, x, _TOP + _HIGH)]
            parts += [_text(x, _TOP + _HIGH + 18, f"{row[self.across]:,}", "middle")]
        parts.append(_text((left + right) / 2, _TOP + _HIGH + 36, self.label, "middle"))
        for place, name in enumerate(self._series):
            parts += self._line(name)
            parts.append(_text(left + 90 * place, 46, _NAMES[name], "start", _COLOURS[name]))
        return parts

    def _line(self, name: str) -> list[str]:
        places = [(self._x(row[self.across]), self._y(row[name])) for row in self.rows]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        colour = _COLOURS[name]
        dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]
        line = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.4"/>'
        return [line, *dots]


def _segment(x: float, y: float, to_x: float, to_y: float) -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{_LINE}"/>'


def _text(x: float, y: float, text: str, anchor: str, fill: str = _INK, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"'
    return f"<text {place}{weight}>{html.escape(text)}</text>"
