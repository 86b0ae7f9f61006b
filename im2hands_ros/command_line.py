"""What every command line of the package shares: options, and errors as one line, status 2."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tqdm import tqdm

from im2hands_ros.camera import Camera
from im2hands_ros.files import four_numbers

if TYPE_CHECKING:
    from im2hands_ros.parameter_schema import ParameterSchema

    S = TypeVar("S", bound=ParameterSchema)

# Progress bars are drawn by one process. tqdm's own lock is for several, and from Python 3.14 on
# starts a process that tracks it.
tqdm.set_lock(RLock())

Intrinsics = tuple[float, float, float, float]  # fx, fy, cx, cy, pixels

FAILURE, INTERRUPTED = 2, 130
_USUAL_FOCAL = 1.1  # of an image's longer side: 49 degrees across

# Module that may be missing -> how to get it.
REMEDIES = {
    "rclpy": "source a ROS 2 setup file, or run 'source scripts/env.sh' in a checkout",
    "embreex": "pip install 'im2hands_ros[synthetic]'",
    "igl": "pip install 'im2hands_ros[synthetic]'",
    # What bags are read with, in the order of its imports.
    **dict.fromkeys(
        ("rosbags", "backports", "ruamel", "lz4"), "pip install 'im2hands_ros[ros-demo]'"
    ),
    "viser": "pip install 'im2hands_ros[view]'",
}


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with the way to the help at its end."""

    def __init__(self, prog: str, description: str | None, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        self.exit(FAILURE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def add_model_arguments(parser: argparse.ArgumentParser, resolution: int | None = None) -> None:
    """Declare --weights and --device, and --resolution where it has a default."""
    parser.add_argument("--weights", type=Path, help="weights file (the packaged ones)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    if resolution is not None:
        parser.add_argument(
            "--resolution", type=int, default=resolution, help=f"cells per box side ({resolution})"
        )


def add_settings(group: Any, kind: type[ParameterSchema]) -> None:
    """An option for every field of a parameter schema, with its default and description."""
    for each in fields(kind):
        default, text = each.default, each.metadata["description"]
        if isinstance(default, bool):
            how: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            how = {"type": type(default), "metavar": each.name.rpartition("_")[2].upper()}
        option = f"--{each.name.replace('_', '-')}"
        group.add_argument(option, default=default, help=f"{text} ({default!r})", **how)


def settings_from(args: argparse.Namespace, kind: type[S]) -> S:
    """The settings that `add_settings` read. Raises ValueError for a value out of range."""
    return kind(**{each.name: getattr(args, each.name) for each in fields(kind)})


def intrinsics_from(text: str) -> Intrinsics:
    """fx, fy, cx, cy of "FX,FY,CX,CY", pixels. Raises ValueError for anything else."""
    return four_numbers(text.split(","), f"--camera {text}")


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --camera and --fov, one or none of them."""
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--camera", metavar="FX,FY,CX,CY", help="intrinsics in pixels")
    view.add_argument("--fov", type=float, metavar="DEGREES", help="horizontal field of view")


def camera_from_arguments(args: argparse.Namespace, width: int, height: int) -> Camera | None:
    """The camera that --camera or --fov says, of images of this size, pixels; None without them.

    Raises:
        ValueError: no four numbers, no angle, or no camera.
    """
    if args.camera is not None:
        return Camera(width, height, *intrinsics_from(args.camera))
    if args.fov is None:
        return None
    if not 0 < args.fov < 180:
        raise ValueError(f"--fov {args.fov}: give the horizontal angle in degrees, 0 to 180")
    focal = width / 2 / math.tan(math.radians(args.fov) / 2)
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def guessed_camera(width: int, height: int) -> Camera:
    """A usual camera of images of this size, pixels: between a telephone's and a webcam's."""
    focal = _USUAL_FOCAL * max(width, height)
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def warn(command: str, text: str) -> None:
    """A line on standard error, above a progress bar if there is one."""
    tqdm.write(f"im2hands {command}: warning: {text}", file=sys.stderr)


def run_alone(
    prog: str,
    description: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Callable[[argparse.Namespace], int],
    arguments: Sequence[str] | None,
) -> int:
    """Run a module that is a command of its own (`python -m`); returns the exit status."""
    parser = OneLineParser(prog, description)
    add_arguments(parser)
    return exit_status(lambda: run(parser.parse_args(arguments)), prog)


def exit_status(work: Callable[[], int], name: str, debug: bool = False) -> int:
    """What `work` returns, or the status of its error, which is printed as one line.

    Args:
        work: the command.
        name: of the command, where it needs a module that is not installed.
        debug: let errors through with their traceback.
    """
    try:
        return work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
        if debug:
            raise
        print(f"im2hands: error: {_one_line(error, name)}", file=sys.stderr)
        return FAILURE


def _one_line(error: BaseException, name: str) -> str:
    missing = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if missing in REMEDIES:
        return f"'{name}' needs the module '{missing}', which is not installed: {REMEDIES[missing]}"
    return " ".join(str(error).split()) or type(error).__name__
