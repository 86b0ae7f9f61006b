"""Accuracy of the camera's detector: hands found, sides, keypoints, and the meshes made from them.

Reads
  scenes     of the split's seeds, drawn on the fly as whole pictures of a 640 x 480 camera (hands
             0.35 to 0.7 m away, anywhere in the picture) with a perfect depth image
  weights    of the networks behind the detector: the packaged ones, or --weights
Writes
  OUT        .json with everything, and beside it a .md with the tables

The scenes are computer graphics. The figures show how the detector compares from release to
release, and what the metric lift and the stages after it do with what it found; they are no promise
for a camera.

Each picture is processed by itself: no hand is tracked from a frame before. A hand is found
where the detected joints lie less than a quarter of its extent off on the average. Distances
follow from a usual palm's length (picture), from this person's (hand size) or from the depth
image (depth).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from im2hands_ros.command_line import add_model_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands evaluate-detector`."""
    parser.add_argument("--split", choices=("test", "val"), default="test", help="seeds (test)")
    parser.add_argument("--count", type=int, default=224, help="how many scenes (224)")
    add_model_arguments(parser, resolution=64)
    parser.add_argument("--out", type=Path, required=True, help=".json file to write")


def run(args: argparse.Namespace) -> int:
    """Detect, reconstruct, score; 0 when the report is written."""
    if args.count < 1:
        raise ValueError(f"--count {args.count}: give at least 1")

    from tqdm import tqdm

    from im2hands_ros.detection.detector import HandDetector
    from im2hands_ros.evaluation.detections import detect, scores_of
    from im2hands_ros.evaluation.detector_report import ScoredPicture, markdown, report_of
    from im2hands_ros.evaluation.end_to_end import end_to_end_methods, end_to_end_scores
    from im2hands_ros.evaluation.report_file import (
        check_report_path,
        command_of,
        describe_weights,
        write_report,
    )
    from im2hands_ros.evaluation.scoring import subset_of
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.provenance import describe
    from im2hands_ros.synthetic.camera_pictures import camera_pictures

    check_report_path(args.out)
    detector = HandDetector.load()
    model = Im2Hands.load(args.weights, device=args.device)
    methods = end_to_end_methods(model, args.resolution)
    scored = []
    for picture in tqdm(camera_pictures(args.split, 0, args.count), total=args.count, unit="scene"):
        detection = detect(detector, picture)
        sample = picture.sample
        end_to_end = end_to_end_scores(picture, detection, methods)
        scored.append(ScoredPicture(subset_of(sample), scores_of(sample, detection), end_to_end))
    settings = {
        "command": command_of(args, "evaluate-detector"),
        "split": args.split,
        "scenes": len(scored),
        "resolution": args.resolution,
        "weights": describe_weights(model, args.weights),
    }
    report = report_of(scored, settings, describe(model.device))
    write_report(args.out, report, markdown(report))
    return 0
