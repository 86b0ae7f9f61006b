"""Which of the networks run: those that are asked for and that the weights hold. No ROS here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from im2hands_ros.ros.parameters import Settings

# Parameter -> the stage of the model that it switches; a model's attribute has the same name.
OPTIONAL = {"refine_keypoints": "keypoints", "refine_occupancy": "refinement"}
_IN_ORDER = ("keypoints", "initial", "refinement")


class Stages:
    """Switches a model's optional stages as the parameters ask, and tells which run.

    A parameter that asks for what the weights lack is no error: its default does so with weights
    that hold one network only. It is said once.

    Args:
        inform: called with one line.
    """

    def __init__(self, inform: Callable[[str], None]) -> None:
        self._inform = inform
        self._running: tuple[str, ...] = ()
        self._said = ""

    @property
    def values(self) -> dict[str, str]:
        """For diagnostics; empty before the first `apply`."""
        return {"stages": ", ".join(self._running)} if self._running else {}

    def apply(self, model: Any, settings: Settings) -> None:
        """Switch the stages; a change takes effect with the next frame that is encoded.

        Args:
            model: has `stages`, and `refine_keypoints` and `refine_occupancy` to be set.
            settings: what is asked for.
        """
        for name, stage in OPTIONAL.items():
            setattr(model, name, getattr(settings, name) and stage in model.stages)
        off = {stage for name, stage in OPTIONAL.items() if not getattr(model, name)}
        self._running = tuple(each for each in _IN_ORDER if each not in off)
        self._say_what_is_missing(model.stages, settings)

    def _say_what_is_missing(self, held: tuple[str, ...], settings: Settings) -> None:
        asked = [name for name in OPTIONAL if getattr(settings, name)]
        idle = [name for name in asked if OPTIONAL[name] not in held]
        text = (
            f"the weights hold the stages {', '.join(held)}: {' and '.join(idle)} "
            "cannot refine anything until 'weights' names a file that holds "
            + " and ".join(OPTIONAL[name] for name in idle)
        )
        if idle and text != self._said:
            self._said = text
            self._inform(text)
