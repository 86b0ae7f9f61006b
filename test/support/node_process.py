"""A node in a process of its own, as the tests start and end it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from forked_nodes import ForkedProcess

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds; a busy machine
ANALYTIC_NODE = str(ROOT / "test/support/analytic_node.py")
REAL_NODE = ("-m", "im2hands_ros.ros", "node")
_numbers = itertools.count(1)


def new_namespace() -> str:
    """A namespace that no other node of this test run has."""
    return f"/test{next(_numbers)}"


class NodeProcess:
    """The node in a process and a namespace of its own; its output goes to a file.

    Args:
        command: Python arguments that run the node.
        parameters: `name:=value`; `{namespace}` in it becomes the node's.
        log: where the output goes.
        modules: a folder of modules that the node finds before all others.
        namespace: the node's; a new one without.
    """

    def __init__(
        self,
        command: Sequence[str],
        parameters: Sequence[str],
        log: Path,
        modules: Path | None = None,
        namespace: str = "",
    ) -> None:
        self._log = log
        self.namespace = namespace or new_namespace()
        arguments = [*command, "--ros-args", "-r", f"__ns:={self.namespace}"]
        for parameter in parameters:
            arguments += ["-p", parameter.replace("{namespace}", self.namespace)]
        paths = [str(modules or ""), str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self._process: subprocess.Popen[bytes] | ForkedProcess
        with log.open("w") as output:
            # The node that is no program of ours may begin with everything imported.
            if command[0] == ANALYTIC_NODE and modules is None:
                self._process = ForkedProcess(arguments, log, environment)
            else:
                run = [sys.executable, *arguments]
                self._process = subprocess.Popen(
                    run, stdout=output, stderr=subprocess.STDOUT, env=environment
                )

    @property
    def log(self) -> str:
        """All the process has written so far."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def processor_seconds(self) -> float:
        """Processor time of all threads so far; the machine's other work is not in it."""
        times = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in times) / 1e9

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self._process.kill()
        self._process.wait()

    def wait_for_log(self, text: str, timeout: float = PATIENCE) -> None:
        """Wait until the process has written this."""
        deadline = time.monotonic() + timeout
        while text not in self.log:
            assert time.monotonic() < deadline, f"'{text}' never appeared in:\n{self.log}"
            assert self._process.poll() is None or text in self.log, self.log
            time.sleep(0.05)

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Send SIGINT, or another signal, and wait for the end; the exit status."""
        self._process.send_signal(number)
        return self._process.wait(PATIENCE / 2)

    def shared_memory(self) -> set[Path]:
        """Fast DDS's shared-memory segments that this process uses."""
        lines = Path(f"/proc/{self._process.pid}/maps").read_text().splitlines()
        paths = {Path(line.split()[-1]) for line in lines if "/dev/shm/fastrtps_" in line}
        return {path for path in paths if "_port" not in path.name}

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the process to end by itself; its exit status."""
        return self._process.wait(timeout)

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
