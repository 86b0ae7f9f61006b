"""The command `im2hands`: runs the subcommand's module and turns errors into one line."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence

from im2hands_ros import __version__
from im2hands_ros.allocator import keep_freed_memory
from im2hands_ros.command_line import OneLineParser, exit_status

# Subcommand -> what it does. Its module in commands/ has `add_arguments(parser)` and `run(args)`.
COMMANDS = {
    "demo": "replay, node and recorder over DDS; pictures and a bag",
    "reconstruct": "one image to a mesh file of its hands",
    "detect": "3D keypoints of the hands in one image",
    "replay": "a recorded bag to a bag of meshes; no ROS needed",
    "track": "a video to a bag and a film of its hands; no ROS needed",
    "calibrate": "a recording to a file about its tracker and its person's hands; no ROS needed",
    "train": "train the networks on synthetic hands",
    "evaluate": "accuracy on held-out scenes",
    "evaluate-detector": "accuracy of the camera's keypoints, and of what is made from them",
    "bench": "frame time by stage",
    "import-checkpoint": "a published checkpoint to our weights file",
    "synthesize": "write synthetic two-hand scenes",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `im2hands` with these arguments (None: the process's); return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    command = _main_parser().parse_args(arguments[:1]).command
    keep_freed_memory()
    return exit_status(lambda: _run(command, arguments[1:]), command, "--debug" in arguments)


def _run(command: str, arguments: list[str]) -> int:
    module = importlib.import_module(f"im2hands_ros.commands.{command.replace('-', '_')}")
    parser = OneLineParser(f"im2hands {command}", inspect.getdoc(module))
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    module.add_arguments(parser)
    return module.run(parser.parse_args(arguments)) or 0


def _main_parser() -> OneLineParser:
    width = max(map(len, COMMANDS)) + 2
    commands = "\n".join(f"  {name:{width}}{what}" for name, what in COMMANDS.items())
    parser = OneLineParser(
        "im2hands",
        "Two interacting hands as meshes, from one RGB image and coarse 3D keypoints.",
        f"commands:\n{commands}\n\nCOMMAND --help says what each reads and writes.",
    )
    parser.add_argument("--version", action="version", version=f"im2hands_ros {__version__}")
    parser.add_argument("command", choices=list(COMMANDS), metavar="COMMAND", help="see below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
