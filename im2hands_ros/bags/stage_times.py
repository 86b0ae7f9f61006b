"""How long the stages of a replay take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class StageTimes:
    """Mean milliseconds by stage; a long bag takes no more memory than a short one."""

    totals: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def took(self, stage: str, milliseconds: float) -> None:
        """Add one time."""
        self.totals[stage] = self.totals.get(stage, 0.0) + milliseconds
        self.counts[stage] = self.counts.get(stage, 0) + 1

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body."""
        start = time.perf_counter()
        yield
        self.took(name, 1e3 * (time.perf_counter() - start))

    def means(self) -> dict[str, float]:
        """Milliseconds by stage, in the order in which they were first seen."""
        return {name: total / self.counts[name] for name, total in self.totals.items()}
