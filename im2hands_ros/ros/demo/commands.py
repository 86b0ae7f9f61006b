"""The command lines and the environment of the demo's processes."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

NODE_NAME = "im2hands"


def commands(args: argparse.Namespace) -> dict[str, list[str]]:
    """Process name -> command, for recorder, node and replay, in the order of their starts."""
    return {
        "recorder": [*_module("demo.recorder"), "--output", str(args.out / "bag"), "--announce"],
        "node": _node(args),
        "replay": _replay(args, wait_for_subscribers=2),  # the node and the recorder
    }


def view_commands(args: argparse.Namespace) -> dict[str, list[str]]:
    """Process name -> command, for viewer, node and endless replay, in order of their starts."""
    viewer: dict[str, object] = {"port": args.port, "announce": True}
    return {
        "viewer": _module("viewer.node") + _ros_parameters(viewer),
        "node": _node(args),
        "replay": _replay(args, loop=True),
    }


def _node(args: argparse.Namespace) -> list[str]:
    node: dict[str, object] = {"device": args.device, "resolution": args.resolution}
    if args.weights:
        node["weights"] = str(Path(args.weights).resolve())
    return _module("node") + _ros_parameters(node)


def _replay(args: argparse.Namespace, **more: object) -> list[str]:
    replay: dict[str, object] = {
        "rate": float(args.rate),
        "wait_for_node": NODE_NAME,
        "wait_timeout": float(args.start_timeout),
        "announce": True,
        **more,
    }
    if args.sequence:
        replay["sequence"] = str(Path(args.sequence).resolve())
    return _module("demo.replay") + _ros_parameters(replay)


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
