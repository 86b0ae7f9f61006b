"""Memory that one frame frees is kept for the next one.

glibc maps every large array afresh from the kernel and gives it back when it is freed, so that a
frame's networks on a processor touch 27 000 new pages: a sixth of its time goes into clearing them.
"""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, from malloc.h
_LARGEST_ON_HEAP = 32 * 2**20  # the most that mallopt accepts on 64 bits
_KEPT = 128 * 2**20
_USERS_OWN = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Have this process keep up to 128 MiB that it freed; whether it does.

    False, and nothing changes, where the C library is not glibc or the user has set its allocator
    by an environment variable (malloc(3), mallopt(3)).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name in os.environ for name in _USERS_OWN):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_ON_HEAP) and mallopt(_TRIM_THRESHOLD, _KEPT))


def give_back_freed_memory() -> None:
    """Return to the system what was kept; after a model is gone."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
