"""Which kernels evaluate a field: what the environment variable says, else the best there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

VARIABLE = "IM2HANDS_KERNELS"
CHOICES = ("native", "torch", "triton")


def wanted() -> str:
    """The variable's value, empty where it is unset; ValueError for one that is unknown."""
    value = os.environ.get(VARIABLE, "")
    if value not in ("", *CHOICES):
        known = ", ".join(CHOICES[:-1])
        raise ValueError(
            f"{VARIABLE} is '{value}': use {known} or {CHOICES[-1]}, or leave it unset"
        )
    return value


@contextmanager
def kernels_wanted(value: str) -> Iterator[None]:
    """The variable has this value in the body; "": the best kernels there are."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = value
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def triton_chosen(device: torch.device) -> bool:
    """Whether a device uses Triton's kernel: a GPU where Triton is installed, or by demand.

    Raises RuntimeError when the variable demands what the device cannot run.
    """
    from im2hands_ros.kernels.gpu.field import triton_is_there  # and with it torch

    value, there = wanted(), triton_is_there(device)
    if value == "native" and device.type != "cpu":
        raise RuntimeError(
            f"{VARIABLE} is native, but compiled kernels are for the CPU and the networks are on "
            f"{device}: use device cpu, or unset {VARIABLE}"
        )
    if value == "triton" and not there:
        raise RuntimeError(
            f"{VARIABLE} is triton, but Triton is not installed or cannot use {device}: install "
            f"it (pip install triton) on a machine with a GPU, or unset {VARIABLE}"
        )
    return there and (value == "triton" or (not value and device.type == "cuda"))
