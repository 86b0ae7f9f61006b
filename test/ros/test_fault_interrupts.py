"""SIGINT at every time and more than once: processes end in order and leave none behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

PYTHON = (sys.executable, "-X", "faulthandler")
CLEAN = (0, 130, -signal.SIGINT)  # the last: SIGINT before Python or after it
# Seconds: an idle machine takes one, a busy one many. A stuck process takes longer than any.
ENDING = 100.0

# A demo whose processes take a second to end.
DEMO = """
import argparse, sys
from pathlib import Path
from im2hands_ros.commands import demo
parser = argparse.ArgumentParser()
demo.add_arguments(parser)
args = parser.parse_args(["--out", sys.argv[2], "--port", "18100", "--rate", "3"])
slow = [sys.executable, "-c", '''
import signal, time
ended = []
signal.signal(signal.SIGINT, lambda *_: ended.append(1))
open(__import__("sys").argv[1] + "/" + str(time.time_ns()), "w")
while not ended:
    time.sleep(0.05)
time.sleep(1)
''', sys.argv[3]]
if sys.argv[1] == "view":
    sys.exit(demo.show(args, dict.fromkeys(("viewer", "node", "replay"), slow)))
sys.exit(demo.play_and_report(args, None, dict.fromkeys(("recorder", "node"), slow)))
"""


def start(command: list[str], **options: object) -> subprocess.Popen:
    """A process that SIGINT reaches, as one in a terminal; a test run in the background of a shell
    ignores it, and hands that on."""

    def take_interrupts() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(command, preexec_fn=take_interrupts, **options)


def end(process: subprocess.Popen, *gaps: float) -> int:
    """SIGINT, and again after each gap, seconds; the exit status, SIGABRT's if it is stuck."""
    process.send_signal(signal.SIGINT)
    for gap in gaps:
        time.sleep(gap)
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler writes where each thread is
        return process.wait()
    finally:
        process.kill()


@pytest.mark.timeout(2.5 * ENDING)
@pytest.mark.parametrize("gaps", [(0.05, 0.05), (0.3, 1.0, 1.0)])
@pytest.mark.parametrize(("kind", "there", "status"), [("view", 3, 0), ("play", 2, 130)])
def test_a_demo_that_is_interrupted_again_waits_for_its_processes(
    kind, there, status, gaps, tmp_path
):
    started = tmp_path / "started"
    started.mkdir()
    demo = start([*PYTHON, "-c", DEMO, kind, str(tmp_path), str(started)])
    deadline = time.monotonic() + ENDING
    while len(list(started.iterdir())) < there:
        assert time.monotonic() < deadline, "the demo's processes do not start"
        time.sleep(0.05)
    children = psutil.Process(demo.pid).children()
    assert len(children) == there
    assert end(demo, *gaps) == status
    assert not any(child.is_running() for child in children)


PROCESSES = {
    "node": ["-m", "im2hands_ros.ros", "node"],
    "viewer": ["-m", "im2hands_ros.ros", "viewer.node", "--ros-args", "-p", "port:=18100"],
    "recorder": ["-m", "im2hands_ros.ros", "demo.recorder", "--output", "{folder}"],
    "replay": ["-m", "im2hands_ros.ros", "demo.replay", "--ros-args", "-p", "loop:=true"],
}


@pytest.mark.timeout(4.5 * ENDING)
@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_that_is_interrupted_while_it_starts_and_again_ends(name, tmp_path):
    """At moments from before its first line to after its last."""
    for delay in (0.1, 0.6, 1.2, 2.0):
        folder = tmp_path / str(delay)
        command = [*PYTHON, *(word.format(folder=folder) for word in PROCESSES[name])]
        with (tmp_path / "log.txt").open("w") as log:
            process = start(command, stdout=log, stderr=log)
        time.sleep(delay)
        status, said = end(process, 0.02, 0.2, 0.2), (tmp_path / "log.txt").read_text()
        # Before the first line of ours Python itself ends as it likes; from then on at once.
        by_python = status == 1 and "KeyboardInterrupt" in said
        assert status in CLEAN or by_python, f"{status} after {delay} s:\n{said}"


PROGRAMS = ("node", "detector.node", "camera.node", "viewer.node", "demo.replay", "demo.recorder")


def test_no_program_imports_what_catches_an_interrupt():
    """trimesh imports what it can use, catching whatever is raised: Ctrl-C would be lost there."""
    modules = ", ".join(f"im2hands_ros.ros.{name}" for name in PROGRAMS)
    code = f"import sys, {modules}; sys.exit('trimesh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
