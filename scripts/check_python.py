"""Say in one line why an interpreter cannot carry this project's environment; nothing when it can.

Run by the interpreter in question, so it is written for any Python 3.
"""

import platform
import sys
import sysconfig
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 14)


def problem():
    """Return the first thing that is missing, with its remedy, or an empty string."""
    version = "%d.%d" % sys.version_info[:2]
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ("x86_64", "AMD64"):
        return (
            "this is %s on %s, the ROS 2 wheels are for Linux on x86-64: install ROS 2 Jazzy from "
            "its apt repository, then 'rosdep install' and 'colcon build' (README.md)"
            % (sys.platform, machine)
        )
    is_cpython = platform.python_implementation() == "CPython"
    if not (is_cpython and OLDEST <= sys.version_info[:2] <= NEWEST):
        return (
            "%s is %s %s, CPython 3.10 to 3.14 is needed: install one and name it, "
            "'make PYTHON=python3.11'" % (sys.executable, platform.python_implementation(), version)
        )
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        return (
            "%s has no Python.h, which the message generators compile against: "
            "apt-get install python%s-dev" % (sys.executable, version)
        )
    return ""


if __name__ == "__main__":
    MESSAGE = problem()
    print(MESSAGE)
    sys.exit(1 if MESSAGE else 0)
