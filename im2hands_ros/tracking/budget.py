"""A lower resolution while frames take longer than they may. No ROS here."""

from __future__ import annotations

from collections import deque

import numpy as np

_STEPS = (256, 192, 128, 96, 64, 48, 32)
_PATIENCE = 5  # frames whose median decides on a step down
_CALM = 30  # frames that must leave room for the step up, more after one that was taken back
_MOST_CALM = 960
_ROOM = 0.9  # share of the budget that a step up may be expected to take


class LatencyBudget:
    """Chooses the resolution of each frame from how long the last ones took. For one thread.

    Steps down after a few frames over the budget. Steps back up, to the requested resolution at
    most, when frames leave room for the greater cost: about the square of the resolution, as the
    lattice points near a surface.
    """

    def __init__(self) -> None:
        self._requested, self._budget = 0, 0.0
        self._resolution = 0
        self._calm, self._rose = _CALM, False  # the last move was a step up
        self._took: deque[float] = deque(maxlen=_MOST_CALM)

    def resolution(self, requested: int, budget_ms: float) -> int:
        """Lattice cells for the next frame; a change of either value starts afresh.

        Args:
            requested: the resolution without a budget.
            budget_ms: milliseconds that a frame may take; 0: no limit.
        """
        if (requested, budget_ms) != (self._requested, self._budget):
            self._requested, self._budget = requested, budget_ms
            self._calm, self._rose = _CALM, False
            self._move(requested)
        return self._resolution

    def note(self, milliseconds: float) -> None:
        """Learn how long a frame took."""
        if not self._budget:
            return
        self._took.append(milliseconds)
        last = list(self._took)[-_PATIENCE:]
        if len(last) == _PATIENCE and np.median(last) > self._budget:
            self._step_down()
        elif len(self._took) >= self._calm and self._leaves_room():
            self._rose = True
            self._move(self._next_up())

    @property
    def values(self) -> dict[str, str]:
        """For diagnostics; empty before the first frame."""
        return {"resolution": str(self._resolution)} if self._resolution else {}

    @property
    def notice(self) -> str:
        """Says that the resolution is reduced; empty when it is not."""
        if self._resolution == self._requested:
            return ""
        return (
            f"resolution {self._resolution} instead of {self._requested} to keep to "
            f"latency_budget_ms ({self._budget:g})"
        )

    def _step_down(self) -> None:
        lower = [step for step in _STEPS if step < self._resolution]
        if lower:
            # A step up that is soon taken back is not tried again soon.
            if self._rose:
                self._calm = min(2 * self._calm, _MOST_CALM)
            self._rose = False
            self._move(lower[0])
        else:
            self._took.clear()

    def _leaves_room(self) -> bool:
        up = self._next_up()
        if up == self._resolution:
            return False
        expected = np.percentile(list(self._took)[-self._calm :], 80)
        return bool(expected * (up / self._resolution) ** 2 < _ROOM * self._budget)

    def _next_up(self) -> int:
        higher = [step for step in _STEPS if self._resolution < step < self._requested]
        return higher[-1] if higher else self._requested

    def _move(self, resolution: int) -> None:
        self._resolution = resolution
        self._took.clear()
