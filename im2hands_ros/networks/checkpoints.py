"""Weights in and out of files: safetensors only, so that loading runs no code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file
from torch import Tensor, nn

MAX_BYTES = 1 << 30


def write(state: dict[str, Tensor], path: Path, record: dict[str, Any]) -> None:
    """Write tensors and a JSON record of their making to one safetensors file."""
    temporary = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, temporary, metadata={"record": json.dumps(record)})
    # safetensors writes files that only their owner may read; weights are installed for all.
    temporary.chmod(0o644)
    temporary.replace(path)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and the record of a weights file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is too large, truncated or not safetensors.
    """
    record = record_of(path)
    try:
        return load_file(path), record
    except SafetensorError as error:
        raise _not_safetensors(path, error) from None


def record_of(path: Path) -> dict[str, Any]:
    """The record of a weights file's making, without its tensors. Raises as ``read``."""
    return json.loads((_header(path)[1] or {}).get("record", "{}"))


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors in a weights file by name, without reading them. Raises as ``read``."""
    return _header(path)[0]


def _header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str] | None]:
    """Shapes by name, and metadata."""
    check_size(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            return shapes, file.metadata()
    except SafetensorError as error:
        raise _not_safetensors(path, error) from None


def _not_safetensors(path: Path, error: SafetensorError) -> ValueError:
    return ValueError(
        f"weights file {path} is not a complete safetensors file ({error}): "
        "copy it again, or convert it"
    )


def check_size(path: Path) -> None:
    """Raise FileNotFoundError without such a file, ValueError when it is too large to be one."""
    if not path.is_file():
        raise FileNotFoundError(f"weights file {path} does not exist: check the 'weights' setting")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"weights file {path} has {size} bytes, more than {MAX_BYTES}: wrong file")


def load_into(network: nn.Module, path: Path) -> dict[str, Any]:
    """Load a weights file into a network; every tensor must fit.

    Returns:
        The record of the weights' making.

    Raises:
        FileNotFoundError, ValueError: as ``read``; missing, unexpected, mis-shaped or non-finite
            tensors are named.
    """
    tensors, record = read(path)
    expected = network.state_dict()
    problems = [f"missing {name}" for name in expected.keys() - tensors.keys()]
    problems += [f"unexpected {name}" for name in tensors.keys() - expected.keys()]
    for name in expected.keys() & tensors.keys():
        have, want = tuple(tensors[name].shape), tuple(expected[name].shape)
        if have != want:
            problems.append(f"{name} is {have}, needs {want}")
        elif not torch.isfinite(tensors[name]).all():
            problems.append(f"{name} has non-finite values")
    if problems:
        listed = "; ".join(sorted(problems)[:5])
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise ValueError(
            f"weights file {path} does not fit this network: {listed}{more}: give weights "
            "of this preset and version, such as the packaged ones, or train these parts anew"
        )
    network.load_state_dict(tensors)
    return record


def sha256(path: Path) -> str:
    """Hex digest of a file, to tell which weights are in use."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
