"""Which arithmetic the networks compute in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """The dtype of matrix products on a device."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """A block whose matrix products are in that dtype; for float32 it changes nothing."""
        reduced = self.dtype is not torch.float32
        return torch.autocast(self.device.type, self.dtype, enabled=reduced)


def autocast_disabled(like: Tensor) -> torch.autocast:
    """A block that is never in reduced precision, on the tensor's device.

    For geometry: bfloat16 rounds a place on a hand by a quarter of a millimetre, and a pixel to its
    neighbour.
    """
    return torch.autocast(like.device.type, enabled=False)


def inference_dtype(name: str, device: torch.device, on_gpu: str = "bf16") -> torch.dtype:
    """The dtype of a ``precision`` setting; ``auto`` is ``on_gpu`` on a GPU, fp32 on a CPU."""
    if name == "auto":
        name = on_gpu if device.type == "cuda" else "fp32"
    if name not in DTYPES:
        raise ValueError(f"precision '{name}' is unknown: use auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def training_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype of a training plan's ``precision``; ``auto`` is what the machine multiplies fast.

    Raises ValueError for fp16 on a CPU, which has no use for it.
    """
    if name == "fp16" and device.type == "cpu":
        raise ValueError("precision 'fp16' is for GPUs: use auto, bf16 or fp32 on a CPU")
    if name != "auto":
        return DTYPES[name]
    if device.type == "cpu":
        return torch.bfloat16 if _has_matrix_units() else torch.float32
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def _has_matrix_units() -> bool:
    """Whether the CPU multiplies bf16 matrices itself (AMX); others only emulate it."""
    processor = Path("/proc/cpuinfo")
    return processor.is_file() and "amx_bf16" in processor.read_text()
