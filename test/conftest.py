"""Threads that sleep when idle, and the tests in test/ros only where there is a ROS."""

from __future__ import annotations

import os
from importlib.util import find_spec

# Before torch is imported: the nodes under test share these cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

# A ROS environment that lacks rclpy must fail; a plain `pip install` has neither.
_HAS_NO_ROS = "ROS_DISTRO" not in os.environ and find_spec("rclpy") is None
collect_ignore = ["ros"] if _HAS_NO_ROS else []


def pytest_report_header() -> str | None:
    """Say what is left out."""
    return "no ROS 2 in this environment: test/ros is left out" if _HAS_NO_ROS else None
