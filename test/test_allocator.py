"""Large arrays that come and go with every frame do not go back to the system in between."""

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
def frame():
    parts = [np.ones(2**20, np.uint8) for _ in range(40)]
    return np.concatenate(parts[:4])
for _ in range(3):
    frame()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    frame()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10)
kept = resident()
give_back_freed_memory()
print(kept - resident())
"""


def run(*arguments: str, **environment: str) -> list[float]:
    """Whether freed memory is kept, pages touched anew in each frame, MiB given back at the end."""
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [float(line) for line in answer.stdout.split()]


@pytest.fixture
def plain() -> dict[str, str]:
    ours = ("MALLOC_", "GLIBC_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def test_a_frame_touches_no_new_pages_once_freed_memory_is_kept(plain) -> None:
    kept, pages, _ = run(**plain)
    assert not kept
    assert pages > 1000
    kept, pages, _ = run("keep", **plain)
    assert kept
    assert pages < 10


def test_what_was_kept_can_be_given_back(plain) -> None:
    assert run("keep", **plain)[2] > 20


def test_a_user_s_own_settings_stay(plain) -> None:
    assert not run("keep", **plain, MALLOC_TRIM_THRESHOLD_="0")[0]
