"""Whether a benchmark has become slower than a stored one of the same machine.

Field notes, fault row 20: more than 15 % over the stored 95th percentile of a frame is a
regression. Of ROS's part the processor time is compared: its wall time depends on what else runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ALLOWED = 1.15
_SAME = ("cpu", "cores", "threads", "device", "gpu")  # of the machine; all else may differ
_SAME_WORK = ("frames", "depth", "rate", "image", "triangles", "voxels")


@dataclass
class Comparison:
    """A benchmark against a stored one.

    Attributes:
        differences: why the two cannot be compared; empty when they can.
        lines: one for each figure that both have.
        slower: names of the figures beyond what is allowed.
    """

    differences: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    slower: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status: 1 for a regression."""
        return int(bool(self.slower))

    def __str__(self) -> str:
        if self.differences:
            why = "; ".join(self.differences)
            return f"not compared, the stored benchmark is of another device: {why}"
        end = f"slower than allowed: {', '.join(self.slower)}" if self.slower else "no regression"
        return "\n".join([*self.lines, end])


def read(path: Path) -> dict[str, Any]:
    """A stored benchmark.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no benchmark of `im2hands bench`.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        figures(report)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no benchmark: give what 'im2hands bench' wrote") from error
    return report


def compare(now: dict[str, Any], stored: dict[str, Any]) -> Comparison:
    """Compare `figures`.

    Args:
        now, stored: what `im2hands bench` writes.

    Raises:
        ValueError: they measured different work, or nothing in common.
    """
    comparison = Comparison()
    for name in _SAME:
        ours, theirs = now["machine"].get(name), stored["machine"].get(name)
        if ours != theirs:
            comparison.differences.append(f"{name} {ours}, stored {theirs}")
    if comparison.differences:
        return comparison
    for name in _SAME_WORK:
        if now.get(name) != stored.get(name):
            raise ValueError(
                f"{name} {now.get(name)} against {stored.get(name)} in the stored benchmark: "
                "measure the same"
            )
    ours, theirs = figures(now), figures(stored)
    common = [name for name in theirs if name in ours]
    if not common:
        raise ValueError(f"only {', '.join(ours)} measured, only {', '.join(theirs)} stored")
    for name in common:
        ratio = ours[name] / theirs[name]
        comparison.lines.append(
            f"{name}: {ours[name]:.1f} ms, stored {theirs[name]:.1f} ms ({ratio - 1:+.0%})"
        )
        if ratio > ALLOWED:
            comparison.slower.append(name)
    return comparison


def figures(report: dict[str, Any]) -> dict[str, float]:
    """What is compared: milliseconds a frame, by name."""
    if "resolutions" in report:
        stages = {name: each["stages_ms"] for name, each in report["resolutions"].items()}
        return {f"{name}³ p95": each["frame"]["p95"] for name, each in stages.items()}
    if "detector" in report:
        rows = report["detector"].items()
        return {f"detector, {name} p95": each["processor_ms"]["p95"] for name, each in rows}
    return {name: each["processor_ms"]["total"] for name, each in report["cases"].items()}
