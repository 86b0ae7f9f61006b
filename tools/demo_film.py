"""Write a sequence of two rendered hands as a film, for ``im2hands track``.

    python tools/demo_film.py hands.mp4                # the bundled sequence, which clasps
    python tools/demo_film.py hands.mp4 --motion 5     # a drawn motion, as `evaluate --sequences`

Prints the camera that it was seen with.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.synthetic.motion import draw_motion
from im2hands_ros.synthetic.motion_pictures import motion_pictures
from im2hands_ros.synthetic.photography import decode

MOTION_RATE = 15.0


def pictures(motion: int | None, seconds: float) -> tuple[Iterator[np.ndarray], Camera, float]:
    """(H, W, 3) uint8 RGB frames, their camera, and their rate."""
    if motion is None:
        demo = load_demo_sequence()
        return (decode(frame.jpeg) for frame in demo.frames), demo.camera, demo.rate
    drawn = draw_motion(seconds, motion, MOTION_RATE)
    return motion_pictures(drawn, motion), drawn.camera, MOTION_RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help=".mp4 file to write")
    parser.add_argument("--motion", type=int, help="seed of a drawn motion (the bundled sequence)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a drawn motion (5)")
    args = parser.parse_args()
    frames, camera, rate = pictures(args.motion, args.seconds)
    size = camera.width, camera.height
    writer = cv2.VideoWriter(str(args.out), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    if args.out.suffix != ".mp4" or not writer.isOpened():
        raise SystemExit(f"{args.out}: give a new .mp4 file in a folder that exists")
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    intrinsics = ",".join(f"{value:g}" for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    print(f"{args.out}: --camera {intrinsics}")


if __name__ == "__main__":
    main()
