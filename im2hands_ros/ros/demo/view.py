"""The demo in a browser: viewer, node and endless replay, until somebody ends it."""

from __future__ import annotations

import argparse
import os
import time
import webbrowser
from contextlib import ExitStack
from typing import Any, NoReturn

from im2hands_ros.ros.demo.commands import view_commands
from im2hands_ros.ros.subprocesses import start_child

_POLL = 0.2  # seconds


def show_demo(args: argparse.Namespace, replaced: dict[str, list[str]]) -> NoReturn:
    """Show the sequence over and over; every process has ended when this raises.

    Args:
        args: options as ``demo.add_arguments`` declares them.
        replaced: process name -> command to run in place of the usual one.

    Raises:
        KeyboardInterrupt: the user has seen enough.
        ChildExited: a process ended.
    """
    with ExitStack() as stack:
        children = [
            start_child(stack, name, command, args.out / "log" / f"{name}.log")
            for name, command in (view_commands(args) | replaced).items()
        ]
        while True:
            time.sleep(_POLL)
            for child in children:
                for event in child.events():
                    _print(event)
                child.check_running()


def _print(event: dict[str, Any]) -> None:
    """Say what a user wants to know of a process's event."""
    if event["event"] == "serving":
        print(f"the hands are at {event['url']} (Ctrl-C ends the demo)")
        print("loading the model ...", flush=True)
        if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            webbrowser.open(event["url"])
    elif event["event"] == "started":
        print(f"playing {event['frames']} frames over and over", flush=True)
