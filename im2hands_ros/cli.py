"""The command `im2hands`: runs the subcommand's module and turns errors into one line."""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from im2hands_ros import __version__
from im2hands_ros.allocator import keep_freed_memory

# Subcommand -> (module with `add_arguments(parser)` and `run(args) -> int`, what it does).
COMMANDS = {
    "demo": (
        "im2hands_ros.commands.demo",
        "replay, node and recorder over DDS; pictures and a bag",
    ),
    "reconstruct": (
        "im2hands_ros.commands.reconstruct",
        "one image and its keypoints to a mesh file",
    ),
    "replay": ("im2hands_ros.commands.replay", "a recorded bag to a bag of meshes; no ROS needed"),
    "train": ("im2hands_ros.commands.train", "train the networks on synthetic hands"),
    "evaluate": ("im2hands_ros.commands.evaluate", "accuracy on held-out scenes"),
    "evaluate-detector": (
        "im2hands_ros.commands.evaluate_detector",
        "accuracy of the camera's keypoints, and of what is made from them",
    ),
    "bench": ("im2hands_ros.commands.bench", "frame time by stage"),
    "import-checkpoint": (
        "im2hands_ros.commands.import_checkpoint",
        "a published checkpoint to our weights file",
    ),
    "synthesize": ("im2hands_ros.commands.synthesize", "write synthetic two-hand scenes"),
}

# Module that may be missing -> how to get it.
REMEDIES = {
    "rclpy": "source a ROS 2 setup file, or run 'source scripts/env.sh' in a checkout",
    "embreex": "pip install 'im2hands_ros[synthetic]'",
    "igl": "pip install 'im2hands_ros[synthetic]'",
    "rosbags": "pip install 'im2hands_ros[ros-demo]'",
    "viser": "pip install 'im2hands_ros[view]'",
}
FAILURE, INTERRUPTED = 2, 130


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with the way to the help at its end."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAILURE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `im2hands` with these arguments (None: the process's); return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    chosen = _main_parser().parse_args(arguments[:1])
    keep_freed_memory()
    try:
        return _run(chosen.command, arguments[1:])
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(command: str, arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        module = importlib.import_module(COMMANDS[command][0])
        parser = _parser_of(command, inspect.getdoc(module) or "")
        module.add_arguments(parser)
        return module.run(parser.parse_args(arguments)) or 0
    except (ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
        if debug:
            raise
        print(f"im2hands: error: {_one_line(error, command)}", file=sys.stderr)
        return FAILURE


def run_alone(
    prog: str,
    description: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Callable[[argparse.Namespace], int],
    arguments: Sequence[str] | None,
) -> int:
    """Run a module that is a command of its own (`python -m`); errors are one line, status 2."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args(arguments))
    except (ValueError, OSError) as error:
        print(f"im2hands: error: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED


def _main_parser() -> OneLineParser:
    width = max(map(len, COMMANDS)) + 2
    commands = "\n".join(f"  {name:{width}}{what}" for name, (_, what) in COMMANDS.items())
    parser = OneLineParser(
        prog="im2hands",
        description="Two interacting hands as meshes, from one RGB image and coarse 3D keypoints.",
        epilog=f"commands:\n{commands}\n\nCOMMAND --help says what each reads and writes.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"im2hands_ros {__version__}")
    parser.add_argument("command", choices=list(COMMANDS), metavar="COMMAND", help="see below")
    return parser


def _parser_of(command: str, description: str) -> OneLineParser:
    parser = OneLineParser(
        prog=f"im2hands {command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def _one_line(error: BaseException, command: str) -> str:
    missing = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if missing in REMEDIES:
        return (
            f"'{command}' needs the module '{missing}', which is not installed: {REMEDIES[missing]}"
        )
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
