"""``im2hands demo``: replay, node and recorder as processes over DDS, then pictures and figures."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from im2hands_ros.command_line import add_model_arguments

if TYPE_CHECKING:
    from im2hands_ros.synthetic.demo_sequence import DemoSequence

EXIT_NO_MESH = 1
EXIT_CANNOT_RUN = 2
EXIT_INTERRUPTED = 130
_PRODUCTS = ("contact_sheet.png", "last_frame.glb", "summary.json", "summary.md", "bag", "log")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``im2hands demo``."""
    parser.description = (
        "Plays the bundled sequence of two interacting hands through the real node. Writes "
        "contact_sheet.png, last_frame.glb, bag/ (MCAP), summary.json, summary.md and log/."
    )
    parser.add_argument("--out", type=Path, default=Path("demo_out"), help="folder (demo_out)")
    parser.add_argument(
        "--view",
        action="store_true",
        help="show it in a browser, over and over until Ctrl-C, instead; writes only log/",
    )
    parser.add_argument(
        "--port", type=int, default=8080, help="with --view: first port to try on 127.0.0.1 (8080)"
    )
    parser.add_argument(
        "--rate",
        type=float,
        help="frames per second (as many as this machine answers, measured first, up to 15)",
    )
    parser.add_argument("--sequence", type=Path, help="sequence file to play (the bundled one)")
    add_model_arguments(parser, resolution=64)
    _add_limits(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--start-timeout",
        type=float,
        default=180.0,
        metavar="S",
        help="seconds that loading and warming up may take (180)",
    )
    parser.add_argument(
        "--stall-timeout",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds without any progress after which the demo gives up (60)",
    )
    parser.add_argument(
        "--metric-frames",
        type=int,
        default=12,
        help="frames whose meshes are compared with the truth (12)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0, or 1 without any mesh or when a process died, 2 when it cannot start."""
    missing = _missing(args.view)
    if missing:
        return _stop(missing, EXIT_CANNOT_RUN)
    from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

    try:
        truth = load_demo_sequence(args.sequence) if args.sequence else load_demo_sequence()
        if args.rate is None:
            args.rate = _measured_rate(args, truth)
    except (OSError, ValueError) as error:
        return _stop(str(error), EXIT_CANNOT_RUN)
    return show(args) if args.view else play_and_report(args, truth)


def _measured_rate(args: argparse.Namespace, sequence: DemoSequence) -> float:
    from im2hands_ros.ros.demo.rate import frame_seconds, rate_for
    from im2hands_ros.tracking.settings import FrameSettings, load_model

    weights = str(args.weights.resolve()) if args.weights else ""
    model = load_model(FrameSettings(weights=weights, device=args.device))
    seconds = frame_seconds(model, sequence, args.resolution)
    rate = rate_for(seconds)
    print(f"a frame takes {1e3 * seconds:.0f} ms here: playing {rate:g} a second (--rate sets it)")
    return rate


def play_and_report(
    args: argparse.Namespace, truth: DemoSequence, commands: dict[str, list[str]] | None = None
) -> int:
    """Play a sequence through the three processes and write what came of it; the exit status.

    Args:
        args: options as ``add_arguments`` declares them.
        truth: the sequence, which holds the true meshes.
        commands: process name -> command to run in place of the usual one.
    """
    from im2hands_ros.ros.demo.report import write_report
    from im2hands_ros.ros.demo.run import DemoFailed, DemoRun
    from im2hands_ros.ros.subprocesses import ChildExited, interrupted_once

    _clear(args.out)
    try:
        with interrupted_once():
            sent = DemoRun(args, commands or {}).play()
            summary = write_report(args.out, sent, truth, args.metric_frames, _settings(args))
    except KeyboardInterrupt:
        return _stop("interrupted", EXIT_INTERRUPTED)
    except (ChildExited, DemoFailed) as error:
        return _stop(str(error), EXIT_NO_MESH)
    print(f"\n{(args.out / 'summary.md').read_text()}")
    if not summary["surfaces"]["meshes"]:
        return _stop(f"no mesh was produced; see {args.out / 'log' / 'node.log'}", EXIT_NO_MESH)
    print(f"pictures: {args.out / 'contact_sheet.png'}, bag: {args.out / 'bag'}")
    return 0


def show(args: argparse.Namespace, commands: dict[str, list[str]] | None = None) -> int:
    """Show the demo in a browser until Ctrl-C, which is the way to end it: status 0.

    Args: as of `play_and_report`.
    """
    from im2hands_ros.ros.demo.view import show_demo
    from im2hands_ros.ros.subprocesses import ChildExited, interrupted_once

    try:
        with interrupted_once():
            show_demo(args, commands or {})
    except KeyboardInterrupt:
        pass
    except ChildExited as error:
        return _stop(str(error), EXIT_NO_MESH)
    return 0


def _settings(args: argparse.Namespace) -> dict[str, object]:
    """What the figures of a run depend on."""
    return {
        "sequence": str(args.sequence or "bundled"),
        "weights": str(args.weights or "packaged"),
        "rate": args.rate,
        "resolution": args.resolution,
        "device": args.device,
        "processor_cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _missing(view: bool) -> str | None:
    """What the demo lacks on this machine, with the remedy; None when it can run."""
    for module, remedy in (
        ("rclpy", "run `make demo`, or source a ROS 2 installation"),
        (
            "im2hands_ros.msg",
            "build the package (`make build` or `colcon build`) and source its install/setup.bash",
        ),
        ("viser", "pip install viser==1.1.*")
        if view
        else ("rosbags", "pip install rosbags==0.11.*"),
    ):
        if find_spec(module) is None:
            return f"the Python module '{module}' is not here: {remedy}"
    return None


def _clear(out: Path) -> None:
    """Remove an earlier run's products, and nothing else, from ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    for name in _PRODUCTS:
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _stop(message: str, status: int) -> int:
    print(f"im2hands demo: {message}", file=sys.stderr)
    return status
