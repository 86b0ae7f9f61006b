"""Reconstruct the hands of recorded bags.

Reads
  BAG        a rosbag2: its folder, or an .mcap or .db3 file (.zstd too), with an image (Image or
             CompressedImage), its CameraInfo, and keypoints (HandKeypoints, PoseArray, or
             IsaacTeleop's NamedPoseArray).
             With --depth, depth images (16UC1 or 32FC1) registered to it.
             The topics are found by their types; where several would do, name them. Of a damaged
             bag what can be read is used.
Writes
  OUT        a rosbag2 folder with an .mcap, or one .mcap file, for Foxglove, RViz and rosbags: the
             topics meshes, markers, occupancy, refined_keypoints, left/wrist_pose and
             right/wrist_pose as the node publishes them, with the image's stamp and frame_id, all
             message definitions included.

Of many bags, and with --workers, OUT is a folder: each bag becomes a file BAG_hands.mcap in it
when it is complete. Files that are there already are not made again, so the same command goes on
where it was interrupted. Bags that came to nothing are listed, and the exit status is 1.

No ROS is needed. With --node the frames go through the node, in a process of its own and over DDS
on this machine: ROS must be sourced. Ctrl-C ends early; what was written until then is complete.
"""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from im2hands_ros.bags.many import Recording
from im2hands_ros.command_line import Intrinsics, add_settings, intrinsics_from, settings_from, warn
from im2hands_ros.tracking.settings import ReplaySettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from im2hands_ros.bags.reader import BagReader
    from im2hands_ros.bags.replay import Engine, Replay
    from im2hands_ros.bags.topics import Chosen

INTERRUPTED = 130
_MOST_REASONS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands replay`."""
    parser.add_argument(
        "bags", type=Path, nargs="+", metavar="BAG", help="rosbag2 folder, .mcap or .db3"
    )
    parser.add_argument(
        "-o", "--out", type=Path, help="bag folder or .mcap file to write (BAG's name + _hands)"
    )
    parser.add_argument("--image", metavar="TOPIC", help="Image or CompressedImage topic")
    parser.add_argument("--camera-info", metavar="TOPIC", help="CameraInfo topic")
    parser.add_argument("--keypoints", metavar="TOPIC", help="topic of keypoints")
    parser.add_argument(
        "--depth", metavar="TOPIC", help="Image topic of depth, registered to the image (none)"
    )
    parser.add_argument(
        "--camera", metavar="FX,FY,CX,CY", help="intrinsics in pixels, in place of camera_info"
    )
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="begin so long after the bag's start"
    )
    parser.add_argument("--duration", type=float, metavar="S", help="stop so long after that")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="take one of N matched frames (1)"
    )
    parser.add_argument(
        "--copy-inputs", action="store_true", help="write the frames' inputs into OUT as well"
    )
    parser.add_argument("--node", action="store_true", help="through the node (ROS 2 needed)")
    parser.add_argument(
        "--workers",
        metavar="N|ray://HOST:PORT",
        help="bags at a time: so many processes, or those of a Ray cluster (extra 'cluster')",
    )
    add_settings(parser.add_argument_group("parameters of the node"), ReplaySettings)


def run(args: argparse.Namespace) -> int:
    """Replay; the exit status. Raises ValueError when no frame gave a result."""
    if args.every < 1:
        raise ValueError(f"--every {args.every}: give 1 or more")
    if args.workers is not None or len(args.bags) > 1:
        return _run_many(args)
    (bag,) = args.bags
    path = args.out or _beside(bag)
    replay, means_ms = _replay(args, bag, path)
    for text in _summary(bag, path, replay, means_ms):
        print(text)
    return INTERRUPTED if replay.interrupted else 0


def _replay(
    args: argparse.Namespace, bag: Path, path: Path, bar: bool = True
) -> tuple[Replay, dict[str, float]]:
    """Replay a bag into a path; what became of it, and milliseconds by stage."""
    from im2hands_ros.bags.frames import Frames
    from im2hands_ros.bags.output import Output
    from im2hands_ros.bags.reader import BagReader
    from im2hands_ros.bags.replay import Replay

    say = partial(warn, "replay" if bar else f"replay {bag.name}")  # of which of many bags
    settings = settings_from(args, ReplaySettings)
    intrinsics = None if args.camera is None else intrinsics_from(args.camera)
    with BagReader(bag, say) as source:
        chosen = _chosen(args, source)
        window_ns = _window(args, source)
        copied = [source.topics[name] for name in chosen.names] if args.copy_inputs else []
        output = Output(path, copied, source.types)
        frames = Frames(source, chosen, settings.sync_slop, args.every, window_ns)
        with _engine(args.node, settings, chosen, intrinsics, say) as engine:
            replay = Replay(frames, output, bool(copied), bar)
            replay.run(engine, window_ns)
            for text in frames.warnings.values():
                say(text)
            return replay, engine.times.means()


class Job(NamedTuple):
    """A bag of many, as a worker gets it."""

    args: argparse.Namespace
    recording: Recording


def replay_one(job: Job) -> list[str]:
    """Replay a bag of many; the summary's lines. Its file appears when it is complete."""
    args, recording = job
    recording.clear()
    replay, means_ms = _replay(args, recording.bag, recording.part, bar=False)
    if replay.interrupted:
        raise InterruptedError("interrupted")
    lines = _summary(recording.bag, recording.out, replay, means_ms)
    recording.complete()
    return lines


def _run_many(args: argparse.Namespace) -> int:
    from im2hands_ros.bags.many import recordings, run_all

    if args.node or args.out is None:
        reason = "--node serves one bag" if args.node else "many bags need -o FOLDER"
        raise ValueError(f"{reason}: " + ("leave it out" if args.node else "give it"))
    args.out.mkdir(parents=True, exist_ok=True)
    every = recordings(args.bags, args.out)
    left = [each for each in every if not each.out.exists()]
    if len(left) < len(every):
        print(f"{len(every) - len(left)} of {len(every)} bags are there already in {args.out}")
    failures = []
    jobs = [Job(args, each) for each in left]
    for number, (job, result) in enumerate(run_all(replay_one, jobs, args.workers or "1"), 1):
        print(f"[{number}/{len(left)}] ", end="")
        if isinstance(result, Exception):
            failures.append(f"{job.recording.bag}: {result}")
            print(f"{failures[-1]}", flush=True)
        else:
            print("\n".join(result), flush=True)
    for failure in failures:
        warn("replay", f"nothing of {failure}")
    return 1 if failures else 0


def _engine(
    through_node: bool,
    settings: ReplaySettings,
    chosen: Chosen,
    intrinsics: Intrinsics | None,
    say: Callable[[str], None],
) -> AbstractContextManager[Engine]:
    from im2hands_ros.bags.frames import Decoder

    decoder = Decoder(intrinsics)
    if not through_node:
        from im2hands_ros.bags.replay import TrackerEngine

        return nullcontext(TrackerEngine(settings, decoder, say))
    from im2hands_ros.ros.through_node import ThroughNode

    return ThroughNode(settings, decoder, chosen)


def _beside(bag: Path) -> Path:
    bag = bag.resolve()  # "." has no name
    return bag.with_name(f"{bag.name.partition('.')[0]}_hands")


def _chosen(args: argparse.Namespace, source: BagReader) -> Chosen:
    from im2hands_ros.bags.topics import choose

    roles = ("image", "camera_info", "keypoints", "depth")
    wanted = {role: getattr(args, role) for role in roles}
    return choose(source.topics, wanted, needs_camera_info=args.camera is None)


_LONGEST = 1e9  # seconds, beyond which a duration is none


def _window(args: argparse.Namespace, source: BagReader) -> tuple[int, int]:
    """Reception of the messages to replay: from, and up to but not at; ns."""
    length = (source.end_ns - source.start_ns) / 1e9
    if not 0 <= args.start < length:
        raise ValueError(f"--start {args.start:g}: the bag is {length:.1f} s long")
    if args.duration is not None and not 0 < args.duration < _LONGEST:
        raise ValueError(f"--duration {args.duration:g}: give seconds, more than 0")
    start_ns = source.start_ns + round(1e9 * args.start)
    if args.duration is None:
        return start_ns, source.end_ns
    return start_ns, min(source.end_ns, start_ns + round(1e9 * args.duration))


def _summary(bag: Path, out: Path, replay: Replay, means_ms: dict[str, float]) -> list[str]:
    """What became of the bag, in lines."""
    frames, written = replay.frames, replay.written
    reasons = frames.skipped.most_common(_MOST_REASONS)
    if not written and not replay.interrupted:
        why = "; ".join(f"{name} ({count}): {frames.details[name]}" for name, count in reasons)
        raise ValueError(f"no frame of '{bag}' gave a result: {why or 'no image was matched'}")
    rate = written / replay.seconds
    stages = ", ".join(f"{name} {mean:.1f}" for name, mean in means_ms.items())
    counts = ", ".join(f"{count} {name}" for name, count in replay.output.counts.items())
    return [
        f"{bag}: {frames.images} images, {frames.matched} matched, {written} reconstructed in "
        f"{replay.seconds:.1f} s ({rate:.2f} frames/s)" + ", interrupted" * replay.interrupted,
        *(f"  skipped {count:5} {name}: {frames.details[name]}" for name, count in reasons),
        f"  ms per frame: {stages}",
        f"{out}: {counts or 'nothing written'}",
    ]
