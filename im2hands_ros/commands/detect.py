"""Find the hands of one image: 3D keypoints, ready for `im2hands reconstruct`.

Reads
  IMAGE      any file that OpenCV reads (png, jpg, ...), not mirrored; an EXIF orientation is not
             applied
Writes
  KEYPOINTS  .json {"left": [[x, y, z], ... 21 of them], "right": ..., "camera": {"fx": ..},
             "pixels": {"left": [[x, y], ..], ..}, "confidence": {"left": 0 to 1, ..}}: metres,
             camera frame (x right, y down, z forward), MANO order; a hand that was not found is
             left out
  PICTURE    with --picture, the image with the hands' joints drawn over it

The camera's intrinsics are --camera or --fov. Without them they are guessed, and every distance is
as wrong as the guess: what is seen fits the image all the same. The distance follows from the size
of the hand, --palm-length.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.command_line import (
    add_camera_arguments,
    camera_from_arguments,
    guessed_camera,
    warn,
)
from im2hands_ros.detection.lift import PALM_LENGTH
from im2hands_ros.files import check_output, write_image
from im2hands_ros.pictures import orientation_notice, read_image

if TYPE_CHECKING:
    from im2hands_ros.detection.detector import DetectedHand

_PALMS = (0.05, 0.15)  # metres that a hand's palm may measure
NO_HAND = (
    "no hand was found: is one in view, not mirrored, in the light, and bare? A part of the image "
    "cut out around the hands may help"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands detect`."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="image file")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="KEYPOINTS", help=".json file to write"
    )
    add_camera_arguments(parser)
    add_detector_arguments(parser)
    parser.add_argument("--picture", type=Path, help=".png or .jpg file to write")


def add_detector_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --palm-length."""
    parser.add_argument(
        "--palm-length",
        type=float,
        default=PALM_LENGTH,
        metavar="METRES",
        help=f"of the hand, wrist to middle knuckle ({PALM_LENGTH})",
    )


def run(args: argparse.Namespace) -> int:
    """Read, detect, write; one line for each hand."""
    check_output(args.out, (".json",))
    if args.picture:
        check_output(args.picture, (".png", ".jpg", ".jpeg"))
    image = read_image(args.image)
    if notice := orientation_notice(args.image, image):
        warn("detect", notice)
    camera = camera_or_guess(args, image, "detect")
    hands = detect_hands(args, image, camera)
    args.out.write_text(json.dumps(_fields(hands, camera)) + "\n", encoding="utf-8")
    for side, hand in hands.items():
        distance = float(hand.keypoints[:, 2].mean())
        print(f"{side:5}  {distance:.2f} m away, confidence {hand.confidence:.2f}")
    print(f"{args.out}: {len(hands)} hand{'s' * (len(hands) > 1)}")
    if args.picture:
        from im2hands_ros.viewing.skeletons import draw_skeletons

        drawn = draw_skeletons(image, {side: hand.keypoints_px for side, hand in hands.items()})
        write_image(args.picture, drawn)
    return 0


def camera_or_guess(args: argparse.Namespace, image: np.ndarray, command: str) -> Camera:
    """The camera that the arguments say, or a usual one, with a warning that it is a guess."""
    height, width = image.shape[:2]
    camera = camera_from_arguments(args, width, height)
    if camera is None:
        camera = guessed_camera(width, height)
        warn(
            command,
            f"the camera is a guess, fx = fy = {camera.fx:.0f} pixels: distances are as wrong as "
            "it is; give --camera FX,FY,CX,CY or --fov",
        )
    return camera


def detect_hands(
    args: argparse.Namespace,
    image: np.ndarray,
    camera: Camera,
    depth: np.ndarray | None = None,
) -> dict[str, DetectedHand]:
    """The hands of an image, by side.

    Raises:
        ValueError: none was found, or a palm's length that is none.
    """
    if not _PALMS[0] <= args.palm_length <= _PALMS[1]:
        raise ValueError(
            f"--palm-length {args.palm_length}: give metres from wrist to middle knuckle, "
            f"{_PALMS[0]} to {_PALMS[1]}"
        )

    from im2hands_ros.detection.detector import HandDetector

    found = HandDetector.load().detect(image, camera, depth, palm_length=args.palm_length)
    hands = {side: hand for side, hand in found.items() if hand is not None}
    if not hands:
        raise ValueError(f"{args.image}: {NO_HAND}")
    return hands


def _fields(hands: Mapping[str, DetectedHand], camera: Camera) -> dict[str, Any]:
    intrinsics = {name: getattr(camera, name) for name in ("fx", "fy", "cx", "cy")}
    return {
        **{side: _short(hand.keypoints, 5) for side, hand in hands.items()},
        "camera": {"width": camera.width, "height": camera.height, **intrinsics},
        "pixels": {side: _short(hand.keypoints_px, 2) for side, hand in hands.items()},
        "confidence": {side: round(hand.confidence, 3) for side, hand in hands.items()},
    }


def _short(points: np.ndarray, digits: int) -> list[list[float]]:
    return [[round(float(value), digits) for value in row] for row in points]
