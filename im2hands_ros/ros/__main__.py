"""The programs of this room: `python -m im2hands_ros.ros node --ros-args …`."""

from __future__ import annotations

import runpy
import signal
import sys


def run(program: str) -> None:
    """Run `im2hands_ros.ros.<program>` as the main module; it reads `sys.argv`.

    Until the program has a handler of its own, SIGINT ends the process at once: torch aborts the
    process when Python's KeyboardInterrupt is raised while it is being imported, and other
    libraries catch it there.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    runpy.run_module(f"im2hands_ros.ros.{program}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("im2hands: name a program: python -m im2hands_ros.ros node --ros-args …")
    run(sys.argv.pop(1))
