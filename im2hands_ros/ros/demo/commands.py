"""The command lines of the demo's processes."""

from __future__ import annotations

import argparse

from im2hands_ros.ros.subprocesses import ros_module


def commands(args: argparse.Namespace) -> dict[str, list[str]]:
    """Process name -> command, for recorder, node and replay, in the order of their starts."""
    return {
        "recorder": [*ros_module("demo.recorder"), "--output", str(args.out / "bag"), "--announce"],
        "node": _node(args),
        "replay": _replay(args, wait_for_subscribers=2),  # the node and the recorder
    }


def view_commands(args: argparse.Namespace) -> dict[str, list[str]]:
    """Process name -> command, for viewer, node and endless replay, in order of their starts."""
    return {
        "viewer": ros_module("viewer.node", {"port": args.port, "announce": True}),
        "node": _node(args),
        "replay": _replay(args, loop=True),
    }


def _node(args: argparse.Namespace) -> list[str]:
    node: dict[str, object] = {"device": args.device, "resolution": args.resolution}
    if args.weights:
        node["weights"] = str(args.weights.resolve())
    return ros_module("node", node)


def _replay(args: argparse.Namespace, **more: object) -> list[str]:
    replay: dict[str, object] = {
        "rate": float(args.rate),
        "wait_for_node": "im2hands",
        "wait_timeout": float(args.start_timeout),
        "announce": True,
        **more,
    }
    if args.sequence:
        replay["sequence"] = str(args.sequence.resolve())
    return ros_module("demo.replay", replay)
