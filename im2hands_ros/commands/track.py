"""Follow the hands of a video.

Reads
  VIDEO      a video file that OpenCV reads, or a folder of images of one size, in the order of
             their names; the hand detector finds the keypoints
Writes
  OUT        a rosbag2 folder with an .mcap, or one .mcap file, for Foxglove, RViz and rosbags: the
             topics meshes, markers, occupancy, refined_keypoints, left/wrist_pose and
             right/wrist_pose as the node publishes them, and the inputs image/compressed,
             camera_info and keypoints, which `im2hands replay` reads; stamps count from 1 s
  OVERLAY    .mp4: the meshes drawn over the frames

The camera's intrinsics are --camera or, as a guess, --fov: every distance is as wrong as the guess.
Ctrl-C ends early; what was written until then is complete.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from im2hands_ros.command_line import (
    INTERRUPTED,
    add_camera_arguments,
    add_settings,
    camera_from_arguments,
    settings_from,
    warn,
)
from im2hands_ros.tracking.settings import FrameSettings

if TYPE_CHECKING:
    from im2hands_ros.bags.track import Track


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands track`."""
    parser.add_argument("video", type=Path, metavar="VIDEO", help="video file or image folder")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="bag folder or .mcap file to write"
    )
    parser.add_argument("--video", type=Path, dest="overlay", metavar="OVERLAY", help=".mp4 file")
    add_camera_arguments(parser)
    parser.add_argument(
        "--rate", type=float, metavar="HZ", help="frames per second (the video's; folders: 30)"
    )
    parser.add_argument("--frame-id", default="camera", help="frame of the results (camera)")
    parser.add_argument(
        "--results-only", action="store_true", help="leave the inputs out of the bag"
    )
    add_settings(parser.add_argument_group("parameters of the node"), FrameSettings)


def run(args: argparse.Namespace) -> int:
    """Track; the exit status. Raises ValueError when no frame showed a hand."""
    from im2hands_ros.bags.track import Track
    from im2hands_ros.detection.detector import HandDetector
    from im2hands_ros.tracking.image_stream import open_stream
    from im2hands_ros.tracking.settings import load_model
    from im2hands_ros.tracking.tracker import HandTracker
    from im2hands_ros.viewing.overlay import OverlayVideo

    settings = settings_from(args, FrameSettings)
    stream = open_stream(args.video, args.rate)
    if stream.notice:
        warn("track", stream.notice)
    camera = camera_from_arguments(args, *stream.size)
    if camera is None:
        raise ValueError(f"{args.video} names no camera: give --camera FX,FY,CX,CY or --fov")
    overlay = OverlayVideo(args.overlay, stream.size, stream.rate) if args.overlay else None
    track = Track(stream, camera, args.frame_id, args.out, not args.results_only, overlay)
    tracker = HandTracker(load_model(settings), settings, HandDetector.load())
    if tracker.missing_stages:
        warn("track", tracker.missing_stages)
    track.run(tracker, partial(warn, "track"))
    return _summarise(args, track)


def _summarise(args: argparse.Namespace, track: Track) -> int:
    """What became of the video, on standard output; the exit status."""
    reasons = "; ".join(f"{name} ({count})" for name, count in track.skipped.items())
    if not track.hands.total() and not track.interrupted:
        raise ValueError(
            f"no hand was found in the {track.frames} frames of '{args.video}'"
            f"{': ' + reasons if reasons else ''}: is a hand in view, unmirrored and in the light?"
        )
    found = ", ".join(f"{track.hands[side]} {side}" for side in ("left", "right"))
    rate = track.frames / track.seconds
    print(
        f"{args.video}: {track.frames} frames in {track.seconds:.1f} s ({rate:.2f} frames/s), "
        f"hands: {found}" + ", interrupted" * track.interrupted
    )
    if reasons:
        print(f"  skipped {reasons}")
    means = ", ".join(f"{name} {mean:.1f}" for name, mean in track.times.means().items())
    print(f"  ms per frame: {means}")
    print(f"{args.out}: {sum(track.output.counts.values())} messages")
    if args.overlay:
        print(f"{args.overlay}: {track.frames} frames")
    return INTERRUPTED if track.interrupted else 0
