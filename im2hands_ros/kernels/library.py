"""Finds the compiled library, chooses its instruction set and declares its functions."""

from __future__ import annotations

import ctypes
import logging
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import im2hands_ros
from im2hands_ros.kernels import choice
from im2hands_ros.kernels.choice import VARIABLE

VERSION = 7
# Suffixes of the library's files by the level of the processor that they need (src/kernels.h).
LEVELS = {1: "", 3: "_v3", 4: "_v4"}
_REMEDY = (
    "build it with a C++17 compiler ('make build', colcon, or 'pip install .' where g++ is "
    f"installed), or unset {VARIABLE}"
)

_FLOATS, _INT = POINTER(c_float), c_int
_ARRAYS = POINTER(_FLOATS)
# Result and arguments of each function of src/kernels.h. Arrays are passed by address.
_FUNCTIONS = {
    "im2hands_version": (c_int, ()),
    "im2hands_instructions": (c_char_p, ()),
    "im2hands_level": (c_int, ()),
    "im2hands_error": (c_char_p, ()),
    "im2hands_threads": (c_int, (c_int,)),
    "im2hands_network_new": (c_void_p, (c_void_p, c_int64)),
    "im2hands_network_free": (None, (c_void_p,)),
    "im2hands_image_new": (c_void_p, (c_void_p, c_int64, c_int, c_int, c_int)),
    "im2hands_image_free": (None, (c_void_p,)),
    "im2hands_frame_new": (c_void_p, (c_void_p, c_void_p, _ARRAYS, c_int, c_int64)),
    "im2hands_frame_free": (None, (c_void_p,)),
    "im2hands_frame_refine": (c_int, (c_void_p, _ARRAYS, c_int64, c_int)),
    "im2hands_logits": (c_int, (c_void_p, c_int, c_int, c_void_p, c_int64, c_void_p)),
    "im2hands_logits_around": (c_int, (c_void_p, c_int, c_void_p, c_int64, c_float, c_void_p)),
    "im2hands_search_new": (c_void_p, (c_int, c_int, c_void_p)),
    "im2hands_search_free": (None, (c_void_p,)),
    "im2hands_search_run": (
        c_int,
        (c_void_p, c_void_p, c_int, c_float, c_void_p, c_void_p, c_int, c_float),
    ),
    "im2hands_search_cells": (c_int64, (c_void_p, c_int, c_void_p, c_int64)),
    "im2hands_search_rounds": (c_int, (c_void_p, c_int, c_void_p, c_int)),
    "im2hands_blocks_new": (c_void_p, (c_void_p, c_int64, c_int, c_int, c_int)),
    "im2hands_blocks_free": (None, (c_void_p,)),
    "im2hands_blocks_run": (c_int, (c_void_p, c_void_p, c_int, c_int, c_void_p)),
    "im2hands_encoder_new": (c_void_p, (c_void_p, c_int64, c_int)),
    "im2hands_encoder_free": (None, (c_void_p,)),
    "im2hands_encoder_run": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "im2hands_keypoints_new": (c_void_p, (c_void_p, c_int64)),
    "im2hands_keypoints_free": (None, (c_void_p,)),
    "im2hands_keypoints_run": (c_int, (c_void_p,) * 9),
    "im2hands_closeups_new": (c_void_p, (c_void_p, c_int64)),
    "im2hands_closeups_free": (None, (c_void_p,)),
    "im2hands_closeups_run": (
        c_int,
        (c_void_p, c_void_p, c_int, c_int, *(c_void_p,) * 7),
    ),
    "im2hands_attention_new": (c_void_p, (c_void_p, c_int64, c_int)),
    "im2hands_attention_free": (None, (c_void_p,)),
    "im2hands_attention_run": (
        c_int,
        (
            *(c_void_p, c_void_p, c_void_p, c_void_p, c_int),
            *(c_void_p, c_void_p, c_void_p, c_int64, c_int, c_void_p, c_void_p),
        ),
    ),
    "im2hands_nearest": (c_int, (c_void_p, c_int64, c_void_p, c_int, c_int, c_void_p)),
    "im2hands_decoder_new": (c_void_p, (c_void_p, c_int64, c_int, c_int, c_int)),
    "im2hands_decoder_free": (None, (c_void_p,)),
    "im2hands_decoder_run": (
        c_int,
        (c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p),
    ),
    "im2hands_canonicalise": (c_int, (c_void_p, c_void_p, c_int, c_void_p)),
    "im2hands_mesher_new": (c_void_p, (c_void_p, c_int64)),
    "im2hands_mesher_free": (None, (c_void_p,)),
    "im2hands_mesher_run": (
        c_int64,
        (
            *(c_void_p, c_void_p, c_int, c_void_p, c_int64),
            *(c_float, c_double, c_double, c_void_p),
        ),
    ),
    "im2hands_mesher_copy": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "im2hands_components": (
        c_int,
        (c_void_p, c_int64, c_void_p, c_int64, c_double, c_void_p, POINTER(c_int)),
    ),
    "im2hands_shade": (
        c_int,
        (c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p, c_float, c_void_p),
    ),
    "im2hands_corners": (
        c_int,
        (c_void_p, c_int64, c_int, c_void_p, c_int64, c_int64, c_void_p),
    ),
    "im2hands_jpeg": (c_int, (c_void_p, c_int64)),
    "im2hands_voxels": (
        c_int64,
        (c_void_p, c_int64, c_void_p, c_int64, c_double, c_void_p, c_int64),
    ),
    "im2hands_known_pixels": (
        c_int64,
        (
            *(c_void_p, c_int, c_int, c_void_p, c_int, c_double, c_double, c_int),
            *(c_void_p, c_void_p, c_void_p, c_int64),
        ),
    ),
    "im2hands_fronts": (
        c_int,
        (c_void_p, c_int64, c_void_p, c_int, c_void_p, c_int, c_void_p),
    ),
    "im2hands_best_steps": (
        c_int,
        (
            *(c_void_p, c_void_p, c_void_p, c_int, c_void_p, c_int64),
            *(c_void_p, c_int, c_void_p, c_void_p),
        ),
    ),
    "im2hands_attach": (c_int, (c_void_p, c_int64, c_void_p, c_void_p, c_void_p)),
    "im2hands_skin_step": (
        c_int,
        (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p, c_int, c_void_p),
    ),
}

_log = logging.getLogger(__name__)


class KernelError(RuntimeError):
    """A call that the library refused; its message says why."""


class Library:
    """The functions of `src/kernels.h`, attributes without the prefix ``im2hands_``.

    Attributes:
        path: the file. compiled_for: the instructions that it may use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        functions = ctypes.CDLL(str(path))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(functions, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("im2hands_"), function)
        if self.version() != VERSION:
            raise OSError(f"{path} has version {self.version()}, not {VERSION}")
        self.compiled_for: str = self.instructions().decode()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def checked(self, result: int | None) -> int:
        """A call's result; KernelError when it is a refusal."""
        if result is None or result < 0:
            raise KernelError(self.error().decode())
        return result

    def use_torch_threads(self) -> None:
        """As many threads as torch may use."""
        import torch  # those who only read images do without

        self.checked(self.threads(torch.get_num_threads()))


def chosen() -> Library | None:
    """The library to use, None for torch: what the environment variable says, else the library
    where there is one.

    Raises RuntimeError when the variable demands a library that is missing, and ValueError when it
    has another value.
    """
    wanted = choice.wanted()
    if wanted in ("torch", "triton"):
        return None
    library = best()
    if library is None and wanted == "native":
        raise RuntimeError(f"{VARIABLE} is native, but there is no compiled library: {_REMEDY}")
    return library


@cache
def best() -> Library | None:
    """The library for the best instruction set that this processor has; None, and a line in the
    log, without any."""
    levels = available()
    if not levels:
        _log.warning("kernels: torch (no compiled library; frames take several times as long)")
        return None
    library = levels[max(levels)]
    _log.info("kernels: native (%s, %s)", library.compiled_for, library.path)
    return library


@cache
def available() -> dict[int, Library]:
    """The libraries that this processor can run, by the level that they need."""
    for package in im2hands_ros.__path__:
        try:
            baseline = Library(_file(package, 1))
        except (OSError, AttributeError) as error:
            _log.debug("no kernels in %s: %s", package, error)
            continue
        known = {1: baseline}
        for level in LEVELS:
            if 1 < level <= baseline.level() and _file(package, level).is_file():
                known[level] = Library(_file(package, level))
        return known
    return {}


def _file(package: str, level: int) -> Path:
    return Path(package) / "kernels" / "lib" / f"libim2hands_kernels{LEVELS[level]}.so"
