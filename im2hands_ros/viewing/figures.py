"""The node's diagnostics as a piece of HTML: state, rates, milliseconds by stage, drops."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_LEVELS = ("#3fb950", "#d29922", "#f85149", "#8b949e")  # OK, WARN, ERROR, STALE
_WHOLES = ("frame", "latency")  # sums of the others: no bars
_BAR = "#6ea8fe"
_FRAME = '<div style="padding:0 0.8em 0.8em;font-size:0.8em">{}</div>'


def waiting_for(awaited: str) -> str:
    """What stands in the figures' place until they come."""
    return _FRAME.format(f'<span style="opacity:0.7">waiting for {escape(awaited)}</span>')


def figures_html(level: int, message: str, values: Mapping[str, str]) -> str:
    """The figures as HTML without scripts, links or styles from elsewhere.

    Args:
        level: of the DiagnosticStatus: 0 OK, 1 WARN, 2 ERROR, 3 STALE.
        message: its one line.
        values: its pairs, named as in `im2hands_ros.ros.diagnostics.diagnostic_values`.
    """
    parts = [
        _state(level, message, values.get("state", "")),
        _rates(values),
        _stages(_medians(values)),
        _drops(values),
    ]
    return _FRAME.format("".join(parts))


def _state(level: int, message: str, state: str) -> str:
    colour = _LEVELS[min(level, 3)]
    text = ": ".join(filter(None, (state, message)))
    return f'<div><span style="color:{colour}">●</span> {escape(text)}</div>'


def _rates(values: Mapping[str, str]) -> str:
    received = values.get("received.image.hz", "0.0")
    published = values.get("published.hz", "0.0")
    return f"<div>{escape(received)} images/s → {escape(published)} results/s</div>"


def _medians(values: Mapping[str, str]) -> dict[str, float]:
    """Stage -> median milliseconds, in the order of the message."""
    medians = {}
    for key, value in values.items():
        if key.startswith("stage.") and key.endswith(".median_ms"):
            try:
                medians[key[len("stage.") : -len(".median_ms")]] = float(value)
            except ValueError:
                continue  # another version's node: no number, no bar
    return medians


def _stages(medians: Mapping[str, float]) -> str:
    parts = {stage: ms for stage, ms in medians.items() if stage not in _WHOLES}
    longest = max([*parts.values(), 1e-3])
    rows = [_row(stage, ms, ms / longest) for stage, ms in parts.items()]
    rows += [_row(stage, medians[stage], 0.0) for stage in _WHOLES if stage in medians]
    table = 'style="width:100%;border-collapse:collapse;margin:0.5em 0"'
    return f"<table {table}>{''.join(rows)}</table>" if rows else ""


def _row(stage: str, milliseconds: float, share: float) -> str:
    bar = (
        f'<div style="width:{100 * min(max(share, 0.0), 1.0):.0f}%;height:0.7em;'
        f'background:{_BAR};border-radius:2px"></div>'
    )
    number = f"{milliseconds:.1f} ms"
    return (
        f'<tr><td style="white-space:nowrap;padding-right:0.6em">{escape(stage)}</td>'
        f'<td style="width:55%">{bar if share else ""}</td>'
        f'<td style="text-align:right;white-space:nowrap;padding-left:0.6em">{number}</td></tr>'
    )


def _drops(values: Mapping[str, str]) -> str:
    drops = {key[8:]: value for key, value in values.items() if key.startswith("dropped.")}
    counts = ", ".join(f"{reason} {count}" for reason, count in drops.items()) or "nothing"
    return f"<div>dropped: {escape(counts)}</div>"
