"""Frame time by stage, and how much faster than the dense evaluation of the same lattice.

Reads
  weights    the packaged ones, or --weights
  COMPARE    an OUT of before: exit status 1 when a frame's 95th percentile is more than 15 % above
             it; a file of another device is named and not compared
Writes
  OUT        .json: per resolution the median and 95th percentile of every stage in milliseconds,
             points evaluated, the time of a dense evaluation of the same lattice in the same run
             and the ratio; the time to build the ROS messages, directly and through rclpy, where
             ROS 2 is installed; the machine. With --ros: what ROS alone costs a frame, with ready
             made hands in place of the networks. With --detector: what finding the hands costs a
             frame of a stream and a picture by itself. With --against torch: the frame's times with
             the compiled kernels and without, by turns, and how far the surfaces are apart. With
             --against reference: the same beside the published order of work on these weights.
             With --profile: calls, points, operations and the reached share of the matrix peak
  SVG        with --cost: the time of a frame by cells, and of the field by query points

The preset paper without --weights has made-up ones: octahedra of a hand's surface area.

Frames are synthetic ones of two interacting hands, one after the other, after a warm-up.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from im2hands_ros.command_line import add_model_arguments
from im2hands_ros.evaluation import regression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.scene import Hands
    from im2hands_ros.synthetic.sample import Sample

_FRAMES, _ROS_FRAMES, _RESOLUTIONS = 30, 300, "64,128"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands bench`."""
    parser.add_argument(
        "--frames",
        type=int,
        help=f"frames per resolution ({_FRAMES}; --ros {_ROS_FRAMES}; COMPARE's)",
    )
    parser.add_argument("--resolutions", metavar="N,...", help=f"({_RESOLUTIONS}; COMPARE's)")
    add_model_arguments(parser)
    parser.add_argument("--threads", type=int, help="CPU threads (torch's choice; COMPARE's)")
    parser.add_argument(
        "--dense-up-to",
        "--naive-up-to",
        type=int,
        default=64,
        metavar="N",
        help="compare with the dense evaluation up to this resolution (64; 128 takes minutes)",
    )
    parser.add_argument(
        "--against",
        choices=("torch", "reference"),
        help="the same frames by the compiled kernels and in torch, or by ours and in the "
        "published order of work, by turns",
    )
    parser.add_argument(
        "--depth",
        choices=("realsense", "kinect"),
        help="frames with depth images of a simulated camera of this kind and a tracker's errors "
        "of the joints (none)",
    )
    parser.add_argument("--preset", default="compact", help="compact or paper (compact)")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16 (auto)")
    parser.add_argument("--profile", action="store_true", help="count calls, points and operations")
    parser.add_argument("--cost", type=Path, metavar="SVG", help=".svg plot of the cost to write")
    parser.add_argument("--ros", action="store_true", help="what ROS costs a frame; needs ROS 2")
    parser.add_argument(
        "--detector", action="store_true", help="what it costs to find and follow the hands instead"
    )
    parser.add_argument("--compare", type=Path, help=".json file of before to compare with")
    parser.add_argument("--out", type=Path, help=".json file to write")


def run(args: argparse.Namespace) -> int:
    """Measure, write and compare. 1: slower than COMPARE."""
    if args.out is None and args.compare is None and args.cost is None:
        raise ValueError("nothing would come of it: give --out FILE, --compare FILE or both")
    stored = regression.read(args.compare) if args.compare else {}
    frames = args.frames or stored.get("frames") or (_ROS_FRAMES if args.ros else _FRAMES)
    if args.frames is not None and args.frames < 1:
        raise ValueError(f"--frames {args.frames}: give at least 1")
    if stored and not args.threads:
        args.threads = stored["machine"].get("threads")
    if args.ros:
        from im2hands_ros.ros.bench import frame_cost

        report = frame_cost.report(frames)
    elif args.detector:
        from im2hands_ros.evaluation import detector_cost

        report = detector_cost.report(frames, args.threads)
    else:
        text = args.resolutions or ",".join(stored.get("resolutions", {})) or _RESOLUTIONS
        report = _measured(args, frames, _resolutions(text))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not stored:
        return 0
    comparison = regression.compare(report, stored)
    print(comparison)
    return comparison.status


def _measured(args: argparse.Namespace, frames: int, resolutions: list[int]) -> dict[str, Any]:
    import torch

    from im2hands_ros.evaluation import against_torch
    from im2hands_ros.evaluation.benchmark import frame_report, interacting_samples

    if args.threads:
        torch.set_num_threads(args.threads)

    def load() -> Im2Hands:
        return _model(args)

    if args.against == "torch":
        both = against_torch.models(load)
    else:
        both = {"native": load()}
        if args.against or args.profile:
            both["torch"] = against_torch.without_kernels(load)
    report = frame_report(
        *(both["native"], frames, resolutions, args.dense_up_to, _message_times, args.depth)
    )
    report["kernels"] = both["native"].kernels
    report |= {"preset": args.preset, "weights": _weights_name(args)}
    for resolution in resolutions:
        samples = interacting_samples(frames if args.against else 1)
        for name, row, text in _further(args, both, samples, resolution):
            report["resolutions"][str(resolution)][name] = row
            print(text, flush=True)
    if args.cost:
        report["cost"] = _cost(both["native"], report["machine"], args.cost)
    return report


def _further(
    args: argparse.Namespace, both: dict[str, Im2Hands], samples: list[Sample], resolution: int
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """What else is measured at this resolution: name, values, in words; comparisons last."""
    from im2hands_ros.evaluation import against_reference, against_torch, frame_profile

    if args.profile:
        row = frame_profile.profile(both["native"], both["torch"], samples[0], resolution)
        yield "profile", row, frame_profile.line(resolution, row)
    if args.against == "torch":
        row = against_torch.compare(both, samples, resolution)
        yield "against_torch", row, against_torch.line(resolution, row)
    elif args.against == "reference":
        row = against_reference.compare(both["native"], both["torch"], samples, resolution)
        yield "against_reference", row, against_reference.line(resolution, row)


def _model(args: argparse.Namespace) -> Im2Hands:
    from im2hands_ros.evaluation.reference.frame import paper_model
    from im2hands_ros.loaded_networks import choose_device
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.precision import inference_dtype

    if args.preset == "paper" and args.weights is None:
        device = choose_device(args.device)
        return paper_model(device, inference_dtype(args.precision, device, "fp32"))
    return Im2Hands.load(args.weights, args.preset, args.device, args.precision)


def _weights_name(args: argparse.Namespace) -> str:
    if args.weights:
        return args.weights.name
    return "octahedra" if args.preset == "paper" else "packaged"


def _cost(model: Im2Hands, machine: dict[str, Any], path: Path) -> dict[str, Any]:
    from im2hands_ros.evaluation import cost, cost_plot
    from im2hands_ros.evaluation.benchmark import interacting_samples

    row = cost.cost(model, interacting_samples(1)[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(cost_plot.svg(row, machine), encoding="utf-8")
    print(cost.lines(row))
    return row


def _message_times(hands: Hands) -> dict[str, Any]:
    """Milliseconds to build the frame's messages, where ROS 2 and the interfaces are installed."""
    if any(find_spec(module) is None for module in ("rclpy", "im2hands_ros.msg")):
        return {}
    from im2hands_ros.ros.bench.message_cost import message_times

    return message_times(hands)


def _resolutions(text: str) -> list[int]:
    try:
        return [int(value) for value in text.split(",")]
    except ValueError:
        raise ValueError(f"--resolutions {text}: give whole numbers like 64,128") from None
