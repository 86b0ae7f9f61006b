"""What a measurement was taken with: machine, libraries, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import torch


def describe(device: str | torch.device = "cpu") -> dict[str, str | int]:
    """Processor, cores, device, versions and the checkout's commit, for a report's head."""
    target = torch.device(device)
    described: dict[str, str | int] = {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "device": str(target),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": _commit(),
    }
    if target.type == "cuda":
        described["gpu"] = torch.cuda.get_device_name(target)
    return described


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """Short commit of the checkout, with + where files differ from it; "installed" outside one."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "--short", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "installed"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
