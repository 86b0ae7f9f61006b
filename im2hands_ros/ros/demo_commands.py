"""The command lines and the environment of the demo's processes."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

NODE_NAME = "im2hands"


def commands(args: argparse.Namespace) -> dict[str, list[str]]:
    """Process name -> command, for recorder, node and replay, in the order of their starts."""
    node: dict[str, object] = {"device": args.device, "resolution": args.resolution}
    if args.weights:
        node["weights"] = str(Path(args.weights).resolve())
    replay: dict[str, object] = {
        "rate": float(args.rate),
        "wait_for_subscribers": 2,  # the node and the recorder
        "wait_for_node": NODE_NAME,
        "wait_timeout": float(args.start_timeout),
        "announce": True,
    }
    if args.sequence:
        replay["sequence"] = str(Path(args.sequence).resolve())
    return {
        "recorder": [*_module("recorder"), "--output", str(args.out / "bag"), "--announce"],
        "node": _module("node") + _ros_parameters(node),
        "replay": _module("replay") + _ros_parameters(replay),
    }


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", f"im2hands_ros.ros.{name}"]


def _ros_parameters(parameters: dict[str, object]) -> list[str]:
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={text}"]
    return arguments


def environment() -> dict[str, str]:
    """This process's environment, with the demo's traffic kept on this machine and to itself.

    Raises:
        FileNotFoundError: the package's Fast DDS profile is not installed.
    """
    profile = os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE") or str(dds_profile())
    return {
        **os.environ,
        "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID") or str(1 + os.getpid() % 100),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": profile,  # Fast DDS 2: Humble, Jazzy
        "FASTDDS_DEFAULT_PROFILES_FILE": profile,  # Fast DDS 3: Kilted and later
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads sleep: three processes share the cores
        "GOMP_SPINCOUNT": "0",
        "PYTHONUNBUFFERED": "1",
    }


def dds_profile() -> Path:
    """The Fast DDS profile of this package, installed or in the source tree.

    Raises:
        FileNotFoundError: it is in neither place.
    """
    prefixes = filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))
    installed = [Path(prefix) / "share" / "im2hands_ros" / "config" for prefix in prefixes]
    for folder in (*installed, Path(__file__).resolve().parents[2] / "config"):
        if (folder / "fastdds_loopback.xml").is_file():
            return folder / "fastdds_loopback.xml"
    raise FileNotFoundError(
        "config/fastdds_loopback.xml is not installed: run `make build` or `colcon build`"
    )
