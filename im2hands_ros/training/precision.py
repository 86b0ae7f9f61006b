"""Which arithmetic the networks train in."""

from __future__ import annotations

from pathlib import Path

import torch

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype of a plan's ``precision``; ``auto`` takes what the machine has units for.

    Raises ValueError for fp16 on a CPU, which has no use for it.
    """
    if name == "fp16" and device.type == "cpu":
        raise ValueError("precision 'fp16' is for GPUs: use auto, bf16 or fp32 on a CPU")
    if name != "auto":
        return _DTYPES[name]
    if device.type == "cpu":
        return torch.bfloat16 if _has_matrix_units() else torch.float32
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def _has_matrix_units() -> bool:
    """Whether the CPU multiplies bf16 matrices itself (AMX); others only emulate it."""
    processor = Path("/proc/cpuinfo")
    return processor.is_file() and "amx_bf16" in processor.read_text()
