"""The model on its device, for the node: load it, let go of it, and what memory it takes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from im2hands_ros.allocator import give_back_freed_memory
from im2hands_ros.ros.collection import collect_everything
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.tracking.settings import load_model

if TYPE_CHECKING:
    from im2hands_ros.pipeline import Im2Hands

_MIB = 2**20


def load_im2hands(settings: Settings) -> Im2Hands:
    """The packaged networks, or the weights that the parameters name."""
    from rclpy.logging import get_logger

    model = load_model(settings)
    if settings.device == "auto" and model.device.type == "cpu":
        get_logger("im2hands").warning(
            "no GPU found: the networks run on the CPU (device: cpu says that this is meant); "
            "/diagnostics says how long a frame takes"
        )
    return model


def free_device_memory() -> None:
    """Give back what torch and the C library keep of the memory that the model had."""
    collect_everything()
    give_back_freed_memory()
    cuda = _cuda()
    if cuda is not None:
        cuda.empty_cache()


def memory_values() -> dict[str, str]:
    """Memory of the process, and of this process on the GPU it uses, MiB, as diagnostic values."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    values = {"memory.process_mib": f"{pages * os.sysconf('SC_PAGE_SIZE') / _MIB:.0f}"}
    cuda = _cuda()
    if cuda is not None:
        for device in range(cuda.device_count()):
            if cuda.memory_reserved(device):
                name = f"memory.cuda:{device}"
                values[f"{name}.mib"] = f"{cuda.memory_allocated(device) / _MIB:.0f}"
                values[f"{name}.reserved_mib"] = f"{cuda.memory_reserved(device) / _MIB:.0f}"
                values[f"{name}.peak_mib"] = f"{cuda.max_memory_allocated(device) / _MIB:.0f}"
    return values


def _cuda() -> Any:
    """torch.cuda if something uses it; asking must not start it."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None
