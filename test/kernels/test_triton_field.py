"""Logits of the Triton kernel equal those of torch: by Triton's interpreter, on a CPU.

Runs where Triton can be imported (`pip install triton==3.6.0`, the version that torch 2.11 brings);
the variable TRITON_INTERPRET must be set before that, so a process of its own does it.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="no Triton")


def run(name, *arguments, **variables):
    """What a program of test/support prints."""
    environment = os.environ | variables | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SUPPORT / name), *arguments]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


SCENES = ("two hands", "two hands apart", "a left hand", "all corrections", "no refinement")


@pytest.mark.parametrize("scene", SCENES)
def test_logits_equal_those_of_torch(scene):
    assert "same" in run("triton_logits.py", scene, TRITON_INTERPRET="1")


@pytest.mark.parametrize("precision", ["ieee", "tf32"])
def test_the_kernel_compiles_for_a_gpu_that_is_not_there(precision):
    """With the compiler and assembler that come with Triton, without a device."""
    made = run("triton_compile.py", precision, TRITON_INTERPRET="0")
    assert "compiled" in made
