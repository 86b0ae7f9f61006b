"""Reconstruct the hands of one image: a picture in, meshes out.

Reads
  IMAGE      any file that OpenCV reads (png, jpg, ...); an EXIF orientation is not applied
  KEYPOINTS  3D keypoints, metres, camera frame (x right, y down, z forward):
             .json  {"left": [[x, y, z], ... 21 of them], "right": ...,
                     "camera": {"fx": .., "fy": .., "cx": .., "cy": ..}}
             .npz   arrays "left" and "right" (21, 3), and "camera" [fx, fy, cx, cy]
             A hand that is left out is absent. "camera" may be left out where --camera or --fov
             is given; in JSON it may also hold "distortion_model" and "distortion".
             Without KEYPOINTS the detector finds them (`im2hands detect`), and a camera that is
             not given is guessed: the meshes fit the image, distances are as wrong as the guess
  DEPTH      with --depth, a depth image registered to IMAGE: a 16-bit .png in millimetres, or a
             .npy of floats in metres; 0 or NaN: unknown. Each hand is moved to where its skin is
Writes
  OUT        .glb, .obj, .ply or .stl: a closed mesh for each hand, left blue and right orange.
             Metres in the camera frame; a .glb is turned the right way up for viewers.
  PICTURE    with --picture, the meshes drawn over the image
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera, lens_problem
from im2hands_ros.checks import check_depth, check_keypoints
from im2hands_ros.command_line import (
    add_camera_arguments,
    add_model_arguments,
    camera_from_arguments,
    warn,
)
from im2hands_ros.commands.detect import add_detector_arguments, camera_or_guess, detect_hands
from im2hands_ros.depth_file import read_depth_file
from im2hands_ros.files import (
    MESH_SUFFIXES,
    camera_of_file,
    check_output,
    read_keypoints,
    write_image,
    write_meshes,
)
from im2hands_ros.keypoint_convention import AUTO, CONVENTIONS, DETECTED
from im2hands_ros.pictures import orientation_notice, read_image
from im2hands_ros.skeleton import ORDER_NAMES, SIDES
from im2hands_ros.tracking.joint_confidence import undeclared
from im2hands_ros.tracking.own_joints import OwnJoints
from im2hands_ros.tracking.picture_evidence import contradicted_once
from im2hands_ros.tracking.picture_looks import looks_on
from im2hands_ros.tracking.plausibility import unlikely_inputs
from im2hands_ros.tracking.settings import FrameSettings

if TYPE_CHECKING:
    import trimesh

    from im2hands_ros.pair import Keypoints
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.scene import Hands


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands reconstruct`."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="image file")
    parser.add_argument(
        "keypoints",
        type=Path,
        nargs="?",
        metavar="KEYPOINTS",
        help=".json or .npz file (the detector's)",
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="mesh file: " + " ".join(MESH_SUFFIXES)
    )
    parser.add_argument(
        "--depth", type=Path, help=".png or .npy depth image, registered to IMAGE (none)"
    )
    add_camera_arguments(parser)
    parser.add_argument(
        "--order", choices=sorted(ORDER_NAMES), default="mano", help="joint order (mano)"
    )
    add_detector_arguments(parser)
    parser.add_argument(
        "--keypoint-convention",
        choices=(AUTO, *CONVENTIONS),
        default=AUTO,
        help="where the joints of a hand lie; auto: by --order, or as the detector has them (auto)",
    )
    parser.add_argument("--calibration", default="", help="file of im2hands calibrate (none)")
    parser.add_argument("--picture", type=Path, help=".png or .jpg file to write")
    add_model_arguments(parser, resolution=128)
    parser.add_argument("--preset", default="compact", help="compact or paper (compact)")


def run(args: argparse.Namespace) -> int:
    """Read, reconstruct, write; one line for each hand."""
    check_output(args.out, MESH_SUFFIXES)
    if args.picture:
        check_output(args.picture, (".png", ".jpg", ".jpeg"))
    image = read_image(args.image)
    if notice := orientation_notice(args.image, image):
        warn("reconstruct", notice)
    depth = read_depth_file(args.depth) if args.depth else None
    given, camera = _from_file(args, image) if args.keypoints else _detected(args, image, depth)
    if depth is not None:
        check_depth(depth, camera)
    settings = FrameSettings(
        keypoint_convention=args.keypoint_convention, calibration=args.calibration
    )
    own = _own_joints(args, settings, given)
    if problem := lens_problem(camera):
        warn("reconstruct", problem)

    from im2hands_ros.pipeline import Im2Hands

    model = Im2Hands.load(
        weights=args.weights,
        preset=args.preset,
        device=args.device,
        calibration=settings.read_calibration(),
    )
    for _, text in undeclared(given, None):
        warn("reconstruct", text)
    _warn_of_unlikely(args, model, image, camera, own)
    started = time.perf_counter()
    scene = model.encode(image, dict.fromkeys(SIDES) | own, camera, depth)
    hands = scene.reconstruct(resolution=args.resolution)
    elapsed_ms = 1e3 * (time.perf_counter() - started)
    meshes = _written(args, hands)
    if args.picture:
        _draw(args.picture, image, camera, meshes)
    for side, mesh in meshes.items():
        print(_summary(side, mesh))
    print(f"{args.out}: {len(meshes)} hand{'s' * (len(meshes) > 1)}, {elapsed_ms:.0f} ms")
    return 0


def _own_joints(
    args: argparse.Namespace, settings: FrameSettings, given: Keypoints
) -> dict[str, NDArray[np.float32]]:
    """The joints where this package has them, of the hands that are there."""
    convention = args.order if args.keypoints else DETECTED
    own, notices = OwnJoints(settings)(check_keypoints(given), convention, settings)
    for _, text in notices:
        warn("reconstruct", text)
    return own


def _warn_of_unlikely(
    args: argparse.Namespace,
    model: Im2Hands,
    image: np.ndarray,
    camera: Camera,
    own: dict[str, NDArray[np.float32]],
) -> None:
    for _, text in unlikely_inputs(image, camera, own):
        warn("reconstruct", text)
    if args.keypoints:  # the detector has looked at the picture itself
        for _, text in contradicted_once(looks_on(model.device), image, camera, own):
            warn("reconstruct", text)


def _written(args: argparse.Namespace, hands: Hands) -> dict[str, trimesh.Trimesh]:
    """The meshes, which are in the file OUT now."""
    meshes = {side: surface.mesh for side, surface in hands.present.items()}
    if not meshes:
        source = args.keypoints or args.image
        raise ValueError(f"{source}: no surface was found; do the keypoints fit the image?")
    write_meshes(args.out, meshes)
    return meshes


def _from_file(args: argparse.Namespace, image: np.ndarray) -> tuple[Keypoints, Camera]:
    keypoints, intrinsics = read_keypoints(args.keypoints, args.order)
    height, width = image.shape[:2]
    camera = camera_from_arguments(args, width, height)
    if camera is None and intrinsics is None:
        raise ValueError(f"{args.keypoints} names no camera: give --camera FX,FY,CX,CY or --fov")
    return keypoints, camera or camera_of_file(
        intrinsics, width, height, f"{args.keypoints}: camera"
    )


def _detected(
    args: argparse.Namespace, image: np.ndarray, depth: np.ndarray | None
) -> tuple[Keypoints, Camera]:
    camera = camera_or_guess(args, image, "reconstruct")
    if depth is not None:
        check_depth(depth, camera)
    hands = detect_hands(args, image, camera, depth)
    return {side: hands[side].keypoints if side in hands else None for side in SIDES}, camera


def _draw(
    path: Path, image: np.ndarray, camera: Camera, meshes: dict[str, trimesh.Trimesh]
) -> None:
    from im2hands_ros.viewing.overlay import hands_over

    arrays = {
        side: (mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))
        for side, mesh in meshes.items()
    }
    write_image(path, hands_over(image, camera, arrays))


def _summary(side: str, mesh: trimesh.Trimesh) -> str:
    closed = "watertight" if mesh.is_watertight else "NOT watertight"
    return (
        f"{side:5}  {len(mesh.vertices)} vertices, {len(mesh.faces)} triangles, "
        f"{1e6 * mesh.volume:.0f} cm3, {closed}"
    )
