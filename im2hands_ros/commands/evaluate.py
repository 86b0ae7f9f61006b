"""Accuracy on held-out synthetic scenes, stage by stage, with three baselines beside the network.

Reads
  samples    drawn on the fly from the split's seeds, or with --data from shards that
             `im2hands synthesize --split test` wrote
  hand       of the scenes, with --hand: one of tools/bake_other_hand.py, which no training saw;
             the baselines keep the packaged one
  weights    the packaged ones, or --weights
Writes
  OUT        .json with everything, and beside it a .md with the tables
  --pictures best, median and worst scene: image, truth, reconstruction, second viewpoint
  --cache    scores of the baselines; read again while code, scenes and errors are the same

Joints are given where the scenes' hand has them; --keypoint-convention or --calibration says how
they are moved to where the networks have theirs, errors and all, and the true ones with them.

Methods: initial (initial occupancy on the keypoints as given), and before or after it the stages
that the weights hold: keypoints (refined from the image first), refinement (two-hand occupancy);
network (all that the weights hold); capsules (a union of capsules and a rounded palm on the
keypoints); skinned (the generator's mean hand carried along by the bones between the keypoints);
fitted (the same hand with pose, place and scale fitted to the keypoints by least squares: it
shares the true hands' mesh, rig and keypoint convention, which no real hand does).

Errors: gaussian is noise with the standard deviations of --noise on every coordinate of every
keypoint; tracker is what trackers do: wrong size, depth, place and relative depth of the hands,
noise, joints far off, now and then left and right swapped.

With --depth the networks are given depth images as well: noise of 2 mm and 0.2 % of the depth,
steps of disparities or millimetres, holes, and edges that mix hand and wall. Baselines use none.

With --sequences nothing of that, but how well hands are followed over time: rendered sequences of
drawn hands in motion at 30 Hz, with errors of a tracker that last for a second or two and 10 mm of
noise in every frame, beside single frames; hands that are lost, that cross, and that move steadily.
With --depth as well, one row more: followed and single frames, both with depth images.

IoU: volume points against the published mesh (iou) and the field (iou_field). Means are over
hands, those of penetration over pairs. Time is the median of a frame from picture to meshes, of
baselines from keypoints to meshes (fitted: its share of a fit of several frames).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.command_line import add_model_arguments
from im2hands_ros.evaluation.noise_levels import (
    BASELINES,
    ERRORS,
    METHODS,
    Configuration,
    parse_levels,
    parse_methods,
)
from im2hands_ros.hand_calibration import HandCalibration
from im2hands_ros.keypoint_convention import CONVENTIONS, OWN, convention_offsets

if TYPE_CHECKING:
    from im2hands_ros.evaluation.methods import Method
    from im2hands_ros.evaluation.runner import EvaluationPlan, Scored
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.synthetic.sample import Sample


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands evaluate`."""
    parser.add_argument("--split", choices=("test", "val"), default="test", help="seeds (test)")
    parser.add_argument("--count", type=int, default=224, help="how many scenes (224)")
    parser.add_argument("--data", type=Path, help="folder of shards, instead of drawing scenes")
    parser.add_argument("--hand", type=Path, help="another hand to draw scenes with (packaged)")
    add_model_arguments(parser, resolution=64)
    parser.add_argument(
        "--noise", default="0,5,10,15", metavar="MM,...", help="keypoint noise, mm (0,5,10,15)"
    )
    parser.add_argument(
        "--errors",
        default="gaussian",
        metavar="NAME,...",
        help=f"of the keypoints: {', '.join(ERRORS)} (gaussian)",
    )
    parser.add_argument(
        "--methods",
        metavar="NAME,...",
        help=f"{', '.join(METHODS)} (every set of stages that the weights hold, and the baselines)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="processes that score and run the baselines while this one runs the network; "
        "0: this one does it all, and times are those of a machine that does nothing else (0)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        help="folder that keeps the baselines' scores for the next run, without times (none)",
    )
    parser.add_argument(
        "--depth",
        choices=("realsense", "kinect"),
        help="give the networks the depth images of a simulated camera of this kind (none)",
    )
    parser.add_argument(
        "--sequences",
        type=int,
        metavar="N",
        help="measure tracking over time on N drawn motions of two hands instead",
    )
    parser.add_argument(
        "--keypoint-convention",
        choices=CONVENTIONS,
        default=OWN,
        help="where the hand of the scenes has its joints (mano: the packaged hand's)",
    )
    parser.add_argument(
        "--calibration", type=Path, help="file of im2hands calibrate, of this hand (none)"
    )
    parser.add_argument("--out", type=Path, required=True, help=".json file to write")
    parser.add_argument("--pictures", type=Path, help="folder for pictures (none)")


def run(args: argparse.Namespace) -> int:
    """Score every method at every noise level; 0 when the report is written."""
    levels = tuple(parse_levels(args.noise, args.errors))
    names = None if args.methods is None else parse_methods(args.methods)
    _check(args)
    if args.sequences:
        return _run_sequences(args)

    from im2hands_ros.evaluation.report import markdown, report_of, settings_of
    from im2hands_ros.evaluation.report_file import check_report_path, write_report
    from im2hands_ros.evaluation.runner import EvaluationPlan, run_evaluation
    from im2hands_ros.provenance import describe
    from im2hands_ros.synthetic.dataset import DEFAULT_POINTS

    check_report_path(args.out)

    model, networks = _networks(names, args)
    names = names or [*networks, *BASELINES]
    samples = list(_samples(args))
    near = DEFAULT_POINTS[args.split].near
    plan = EvaluationPlan(tuple(names), levels, near, args.cache, _offsets(args), args.depth)
    scored = run_evaluation(samples, plan, networks, args.workers)
    settings = settings_of(args, plan, samples, model)
    report = report_of(scored, settings, describe(model.device if model else "cpu"))
    write_report(args.out, report, markdown(report))
    if args.pictures:
        _save_pictures(args.pictures, samples, plan, networks, scored)
    return 0


def _run_sequences(args: argparse.Namespace) -> int:
    """Write the report of hands in motion."""
    from im2hands_ros.evaluation.report_file import (
        check_report_path,
        command_of,
        describe_weights,
        write_report,
    )
    from im2hands_ros.evaluation.sequence_report import SECONDS, sequence_report, sequence_tables
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.provenance import describe

    check_report_path(args.out)
    model = Im2Hands.load(args.weights, device=args.device)
    settings = {
        "command": command_of(args, "evaluate"),
        "sequences": args.sequences,
        "seconds": SECONDS,
        "weights": describe_weights(model, args.weights),
    }
    machine = describe(model.device)
    report = sequence_report(model, args.sequences, settings, machine, args.depth)
    write_report(args.out, report, sequence_tables(report))
    return 0


def _check(args: argparse.Namespace) -> None:
    for name, least in (("count", 1), ("workers", 0), ("sequences", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ValueError(f"--{name} {getattr(args, name)}: give at least {least}")
    if args.calibration and args.keypoint_convention != OWN:
        raise ValueError(
            f"--calibration {args.calibration} says where joints lie, --keypoint-convention "
            f"{args.keypoint_convention} too: give one"
        )
    if args.hand and args.data:
        raise ValueError(f"--hand {args.hand} draws scenes, --data {args.data} has them: give one")


def _calibration(args: argparse.Namespace) -> HandCalibration | None:
    return HandCalibration.read(args.calibration) if args.calibration else None


def _offsets(args: argparse.Namespace) -> NDArray[np.float64] | None:
    """From where the scenes' hand has its joints to where the networks do."""
    calibration = _calibration(args)
    return calibration.offsets if calibration else convention_offsets(args.keypoint_convention)


def _networks(
    names: list[str] | None, args: argparse.Namespace
) -> tuple[Im2Hands | None, dict[str, Method]]:
    """The model, warm, and its methods among the names (None: all that it has)."""
    from im2hands_ros.evaluation.methods import methods_of, network_method
    from im2hands_ros.pipeline import Im2Hands

    if names is not None and set(names) <= set(BASELINES):
        return None, {}
    model = Im2Hands.load(args.weights, device=args.device, calibration=_calibration(args))
    wanted = methods_of(model) if names is None else [n for n in names if n not in BASELINES]
    networks = {name: network_method(model, name, args.resolution) for name in wanted}
    model.warm_up(args.resolution)
    return model, networks


def _save_pictures(
    folder: Path,
    samples: list[Sample],
    plan: EvaluationPlan,
    networks: dict[str, Method],
    scored: Scored,
) -> None:
    """Pictures of the last network, or of the first baseline where there is none, first level."""
    from im2hands_ros.evaluation.methods import baseline_method
    from im2hands_ros.evaluation.pictures import save_ranked

    name = [*networks][-1] if networks else plan.methods[0]
    method = networks[name] if networks else baseline_method(name)
    level = plan.levels[0]
    scores = [scene.scores for scene in scored[Configuration(name, level)]]
    save_ranked(folder, method, samples, plan.inputs(samples, level), scores)


def _samples(args: argparse.Namespace) -> Iterator[Sample]:
    from tqdm import tqdm

    from im2hands_ros.synthetic.dataset import make_samples
    from im2hands_ros.synthetic.hand import ASSET
    from im2hands_ros.synthetic.shards import load_shard, split_shards

    split, count, data = args.split, args.count, args.data
    if data is None:
        drawn = make_samples(split, 0, count, asset=args.hand or ASSET)
        yield from tqdm(drawn, total=count, desc="scenes", unit="scene")
        return
    for shard in split_shards(data, split, "im2hands synthesize"):
        for sample in load_shard(shard)[:count]:
            yield sample
            count -= 1
