"""Freed memory is kept for the next frame, and can be given back."""

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
import numpy as np
from im2hands_ros.allocator import give_back_freed_memory, keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

print(int("keep" in sys.argv and keep_freed_memory()))
for _ in range(3):
    parts = [np.ones(2**20, np.uint8) for _ in range(40)]
    np.concatenate(parts[:4])
    del parts
kept = resident()
give_back_freed_memory()
print(kept - resident())
"""


def run(*arguments: str, **environment: str) -> tuple[bool, float]:
    """Whether freed memory is kept, and the MiB given back at the end."""
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    kept, given_back = answer.stdout.split()
    return kept == "1", float(given_back)


@pytest.fixture
def plain() -> dict[str, str]:
    ours = ("MALLOC_", "GLIBC_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def test_freed_memory_is_kept_on_request_and_given_back(plain) -> None:
    kept, given_back = run(**plain)
    assert not kept
    assert given_back < 20
    kept, given_back = run("keep", **plain)
    assert kept
    assert given_back > 20


def test_a_user_s_own_settings_stay(plain) -> None:
    assert not run("keep", **plain, MALLOC_TRIM_THRESHOLD_="0")[0]
