"""Calibrate a tracker and a person: from half a minute of recorded hands.

Reads
  BAG        a rosbag2 as `im2hands replay` reads it: images, CameraInfo, keypoints, and depth
             images (16UC1 or 32FC1) registered to the colour image. One person, both hands apart
             from each other, turning and bending before the camera
Writes
  OUT        .yaml for the parameter `calibration` of node, replay, track, reconstruct and evaluate:
             where this tracker's joints lie, bone lengths, and the shape of the flesh, which holds
             for the weights that it was made with
  PICTURE    with --picture, one frame with the surfaces of today over it, and beside it with
             those of the calibration

Without depth images bone lengths alone are calibrated. The residuals are of hands that were not
fitted to.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from im2hands_ros.command_line import intrinsics_from, warn
from im2hands_ros.keypoint_convention import AUTO, CONVENTIONS, chosen_convention

if TYPE_CHECKING:
    from im2hands_ros.calibration.calibrate import Calibrated
    from im2hands_ros.calibration.recorded_hands import Seen
    from im2hands_ros.calibration.recording import Recording
    from im2hands_ros.pipeline import Im2Hands

_SLOP = 0.01  # seconds between an image and its keypoints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands calibrate`."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder, .mcap or .db3")
    parser.add_argument("-o", "--out", type=Path, required=True, help=".yaml file to write")
    parser.add_argument("--image", metavar="TOPIC", help="Image or CompressedImage topic")
    parser.add_argument("--camera-info", metavar="TOPIC", help="CameraInfo topic")
    parser.add_argument("--keypoints", metavar="TOPIC", help="topic of keypoints")
    parser.add_argument("--depth", metavar="TOPIC", help="Image topic of registered depths")
    parser.add_argument(
        "--no-depth", action="store_true", help="bone lengths alone, even if there are depth images"
    )
    parser.add_argument(
        "--camera", metavar="FX,FY,CX,CY", help="intrinsics in pixels, in place of camera_info"
    )
    parser.add_argument(
        "--keypoint-convention",
        choices=(AUTO, *CONVENTIONS),
        default=AUTO,
        help="where the tracker has its joints, to begin with; auto: by their order (auto)",
    )
    parser.add_argument(
        "--frames", type=int, default=120, help="about so many frames are used (120)"
    )
    parser.add_argument("--weights", type=Path, help="weights file (the packaged ones)")
    parser.add_argument("--picture", type=Path, help=".png or .jpg file to write")


def run(args: argparse.Namespace) -> int:
    """Calibrate; 0 when the file is written."""
    from im2hands_ros.files import check_output

    check_output(args.out, (".yaml", ".yml"))
    if args.picture:
        check_output(args.picture, (".png", ".jpg", ".jpeg"))
    if args.frames < 1:
        raise ValueError(f"--frames {args.frames}: give 1 or more")
    if args.depth and args.no_depth:
        raise ValueError("--depth names a topic that --no-depth leaves out: give one of them")

    from im2hands_ros.pipeline import Im2Hands

    recording, with_depth = _read(args)
    convention = chosen_convention(args.keypoint_convention, recording.convention)
    model = Im2Hands.load(args.weights, device="cpu")
    seen, result = _fit(args, model, recording, convention, with_depth)
    result.calibration.write(args.out)
    _report(args, seen, result)
    if args.picture:
        _draw(args, recording, seen, result)
    return 0


def _read(args: argparse.Namespace) -> tuple[Recording, bool]:
    """The recording, and whether it has depths."""
    from tqdm import tqdm

    from im2hands_ros.bags.frames import Decoder
    from im2hands_ros.bags.reader import BagReader
    from im2hands_ros.bags.topics import choose
    from im2hands_ros.calibration.recording import depth_topic, read_recording

    wanted = {role: getattr(args, role) for role in ("image", "camera_info", "keypoints")}
    intrinsics = None if args.camera is None else intrinsics_from(args.camera)
    with BagReader(args.bag, partial(warn, "calibrate")) as source:
        chosen = choose(source.topics, wanted, needs_camera_info=args.camera is None)
        depth = None
        if not args.no_depth:
            depth = depth_topic(source.topics, chosen.image, args.depth)
            chosen = replace(chosen, depth=depth)
        window_ns = source.start_ns, source.end_ns
        with tqdm(desc="reading", unit="frame") as bar:
            recording = read_recording(
                source, chosen, Decoder(intrinsics), args.frames, _SLOP, window_ns, bar.update
            )
        if not recording.frames:
            why = "; ".join(f"{name} ({n})" for name, n in recording.skipped.most_common(3))
            details = "; ".join(recording.details.values())
            raise ValueError(
                f"no image of '{args.bag}' came with keypoints: {why or 'none was matched'}"
                f"{': ' + details if details else ''}"
            )
    return recording, _has_depth(recording, None if depth is None else depth.name)


def _has_depth(recording: Recording, topic: str | None) -> bool:
    """Whether there are depths; ValueError where those of a topic go with no image."""
    with_depth = recording.with_depth > 0
    if topic is not None and not with_depth:
        raise ValueError(
            f"no depth image of {topic} goes with an image: "
            f"{'; '.join(recording.details.values()) or 'their stamps differ too much'}; "
            "choose with --depth TOPIC, or leave depths out with --no-depth"
        )
    if not with_depth:
        warn(
            "calibrate",
            "no depth images: bone lengths alone are calibrated, outlines say too little about "
            "joints and flesh; record depth as well where there is a depth camera",
        )
    return with_depth


def _fit(
    args: argparse.Namespace,
    model: Im2Hands,
    recording: Recording,
    convention: str,
    with_depth: bool,
) -> tuple[Seen, Calibrated]:
    from tqdm import tqdm

    from im2hands_ros import __version__
    from im2hands_ros.calibration.calibrate import STEPS, calibrate
    from im2hands_ros.calibration.recorded_hands import observe

    frames = recording.frames
    with tqdm(total=len(frames), desc="observing", unit="frame") as bar:
        seen = observe(model, frames, with_depth, bar.update)
    record: dict[str, object] = {
        "version": __version__,
        "bag": args.bag.name,
        "frames": len(frames),
        "by": "depth" if with_depth else "outlines",
    }
    with tqdm(total=STEPS, desc="fitting", unit="step") as bar:
        return seen, calibrate(model, seen, convention, record, with_depth, bar.update)


def _report(args: argparse.Namespace, seen: Seen, result: Calibrated) -> None:
    """Print what was found."""
    import numpy as np

    from im2hands_ros.skeleton import JOINT_NAMES

    calibration, before, after = result
    print(
        f"{'joint':12} {'moved':>8} {'before':>8} {'after':>8}  (mm; median distance of the skin)"
    )
    moved = 1e3 * np.linalg.norm(calibration.offsets, axis=1)
    for name, *values in zip(JOINT_NAMES, moved, before.joints, after.joints, strict=True):
        cells = ("" if np.isnan(value) else f"{value:.1f}" for value in values)
        print(f"{name:12} " + " ".join(f"{cell:>8}" for cell in cells))
    print(f"{'all':12} {moved.mean():8.1f} {before.all:8.2f} {after.all:8.2f}")
    hands = ", ".join(f"{seen.sides.count(side)} {side}" for side in calibration.sides)
    print(f"{args.out}: joints of '{calibration.convention}', {hands} hands")
    if notice := calibration.missing_side():
        warn("calibrate", notice)
    if not after.all < before.all:
        warn(
            "calibrate",
            f"the calibration does not fit better than none ({before.all:.2f} to {after.all:.2f} "
            "mm): do not use it; check that depth is registered to the image and joints are in its "
            "frame",
        )


def _draw(args: argparse.Namespace, recording: Recording, seen: Seen, result: Calibrated) -> None:
    """One frame in the middle, today's surfaces and the calibrated ones side by side."""
    import numpy as np

    from im2hands_ros.files import write_image
    from im2hands_ros.keypoint_convention import in_own_convention
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.viewing.overlay import hands_over

    calibration = result.calibration
    frame = recording.frames[seen.frames[len(seen.frames) // 2]]
    given = frame.joints.present
    today = in_own_convention(given, calibration.convention)
    own = {side: calibration.own_joints(xyz, side) for side, xyz in given.items()}
    halves = []
    for joints, used in ((today, None), (own, calibration)):
        model = Im2Hands.load(args.weights, device="cpu", calibration=used)
        hands = model.encode(frame.image, joints, frame.camera).reconstruct()
        meshes = {side: (hand.vertices, hand.triangles) for side, hand in hands.present.items()}
        halves.append(hands_over(frame.image, frame.camera, meshes))
    write_image(args.picture, np.concatenate(halves, axis=1))
    print(f"{args.picture}: without calibration (left), with it (right)")
