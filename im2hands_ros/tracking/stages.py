"""Which of a model's stages run: those that the settings switch on and the weights hold."""

from __future__ import annotations

from im2hands_ros.tracking.interfaces import FrameModel
from im2hands_ros.tracking.settings import FrameSettings

# Setting -> the stage of the model that it switches; the model's attribute has the setting's name.
_OPTIONAL = {"refine_keypoints": "keypoints", "refine_occupancy": "refinement"}


def switch_stages(model: FrameModel, settings: FrameSettings) -> None:
    """Have the model's optional stages run, or not, from the next frame on."""
    model.refine_keypoints = _runs("refine_keypoints", model, settings)
    model.refine_occupancy = _runs("refine_occupancy", model, settings)


def running_stages(model: FrameModel, settings: FrameSettings) -> tuple[str, ...]:
    """The stages that run, in the order of the work."""
    off = {stage for name, stage in _OPTIONAL.items() if not _runs(name, model, settings)}
    return tuple(each for each in ("keypoints", "initial", "refinement") if each not in off)


def missing_stages(model: FrameModel, settings: FrameSettings) -> str:
    """What the settings switch on and the weights lack, in a line; empty when nothing.

    That is no error: the default does so with weights that hold one network only.
    """
    idle = [
        name for name in _OPTIONAL if getattr(settings, name) and not _runs(name, model, settings)
    ]
    if not idle:
        return ""
    return (
        f"the weights hold the stages {', '.join(model.stages)}: {' and '.join(idle)} "
        "cannot refine anything until 'weights' names a file that holds "
        + " and ".join(_OPTIONAL[name] for name in idle)
    )


def _runs(name: str, model: FrameModel, settings: FrameSettings) -> bool:
    return getattr(settings, name) and _OPTIONAL[name] in model.stages
