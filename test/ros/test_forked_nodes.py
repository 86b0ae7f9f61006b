"""A forked node is as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from forked_nodes import ForkedProcess

SCRIPT = """
import os, sys, time
print(sys.argv[1:], os.environ.get("COLOUR"), __name__)
print("too", file=sys.stderr, flush=True)
if "sleep" in sys.argv:
    time.sleep(60)
sys.exit(3)
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    processes = []

    def start_script(*arguments: str, **environment: str) -> tuple[ForkedProcess, Path]:
        log = tmp_path / f"log{len(processes)}.txt"
        log.touch()
        run = [str(tmp_path / "script.py"), *arguments]
        processes.append(ForkedProcess(run, log, {**os.environ, **environment}))
        return processes[-1], log

    yield start_script
    for process in processes:
        process.kill()
        process.wait()


def test_it_has_arguments_environment_output_and_status_of_its_own(start):
    (first, log), (second, other) = start("a", COLOUR="red"), start("b", "c")
    assert (first.wait(60), second.wait(60)) == (3, 3)
    assert sorted(log.read_text().splitlines()) == ["['a'] red __main__", "too"]
    assert sorted(other.read_text().splitlines()) == ["['b', 'c'] None __main__", "too"]
    assert first.pid != second.pid


def test_a_signal_ends_it_and_is_its_status(start):
    process, log = start("sleep")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    while "too" not in log.read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM


def test_an_error_is_in_its_output(tmp_path):
    log = tmp_path / "log.txt"
    log.touch()
    process = ForkedProcess([str(tmp_path / "none.py")], log, dict(os.environ))
    assert process.wait(60) == 1
    assert "none.py" in log.read_text()
