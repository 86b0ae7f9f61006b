"""Reconstruct the hands of one image.

Reads
  IMAGE      any file that OpenCV reads (png, jpg, ...)
  KEYPOINTS  3D keypoints, metres, camera frame (x right, y down, z forward):
             .json  {"left": [[x, y, z], ... 21 of them], "right": ...,
                     "camera": {"fx": .., "fy": .., "cx": .., "cy": ..}}
             .npz   arrays "left" and "right" (21, 3), and "camera" [fx, fy, cx, cy]
             A hand that is left out is absent. "camera" may be left out where --camera or --fov
             is given; in JSON it may also hold "distortion_model" and "distortion".
Writes
  OUT        .glb, .obj, .ply or .stl: a closed mesh for each hand, left blue and right orange.
             Metres in the camera frame; a .glb is turned the right way up for viewers.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_hand
from im2hands_ros.skeleton import ORDER_NAMES, SIDES, to_mano_order

if TYPE_CHECKING:
    import trimesh

COLOURS = {"left": (70, 130, 200, 255), "right": (235, 140, 60, 255)}
FORMATS = (".glb", ".obj", ".ply", ".stl")

# glTF's axes (x right, y up, z to the viewer) from the camera's (y down, z forward).
_GLTF_FROM_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands reconstruct`."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="image file")
    parser.add_argument("keypoints", type=Path, metavar="KEYPOINTS", help=".json or .npz file")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="mesh file: " + " ".join(FORMATS)
    )
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--camera", metavar="FX,FY,CX,CY", help="intrinsics in pixels")
    view.add_argument("--fov", type=float, metavar="DEGREES", help="horizontal field of view")
    parser.add_argument(
        "--order", choices=sorted(ORDER_NAMES), default="mano", help="joint order (mano)"
    )
    parser.add_argument("--resolution", type=int, default=128, help="cells per box side (128)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    parser.add_argument("--weights", type=Path, help="weights file (the packaged ones)")
    parser.add_argument("--preset", default="compact", help="compact or paper (compact)")


def run(args: argparse.Namespace) -> int:
    """Read, reconstruct, write; one line for each hand."""
    _check_output(args.out)
    image = read_image(args.image)
    keypoints, intrinsics = read_keypoints(args.keypoints, args.order)
    camera = _camera(args, intrinsics, image)

    from im2hands_ros.pipeline import Im2Hands

    model = Im2Hands.load(weights=args.weights, preset=args.preset, device=args.device)
    started = time.perf_counter()
    hands = model.encode(image, keypoints, camera).reconstruct(resolution=args.resolution)
    elapsed_ms = 1e3 * (time.perf_counter() - started)
    surfaces = {side: getattr(hands, side) for side in SIDES}
    meshes = {side: surface.mesh for side, surface in surfaces.items() if surface is not None}
    if not meshes:
        raise ValueError(f"{args.keypoints}: no surface was found; do the keypoints fit the image?")
    write_meshes(args.out, meshes)
    for side, mesh in meshes.items():
        print(_summary(side, mesh))
    print(f"{args.out}: {len(meshes)} hand{'s' * (len(meshes) > 1)}, {elapsed_ms:.0f} ms")
    return 0


def read_image(path: Path) -> np.ndarray:
    """Read an image file as (H, W, 3) uint8 RGB.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image that OpenCV reads.
    """
    import cv2

    if not path.is_file():
        raise FileNotFoundError(f"image '{path}' does not exist: check the path")
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(
            f"image '{path}' cannot be decoded: give a png, jpg or other OpenCV format"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_keypoints(
    path: Path, order: str = "mano"
) -> tuple[dict[str, np.ndarray | None], dict[str, Any] | None]:
    """Read the keypoints of up to two hands.

    Args:
        path: a .json or .npz file as the module's docstring describes.
        order: joint order of the file, a key of ``skeleton.ORDER_NAMES``.

    Returns:
        ``{"left": (21, 3) float32 or None, "right": ...}`` in MANO order, metres, camera frame; and
        the camera's fields as the file gives them, or None.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another file type, no hand, wrong counts, not finite, not metres.
    """
    if not path.is_file():
        raise FileNotFoundError(f"keypoints '{path}' do not exist: check the path")
    fields = _read_fields(path)
    keypoints = {
        side: _hand_keypoints(fields.get(side), f"{path}: {side}", order) for side in SIDES
    }
    if all(points is None for points in keypoints.values()):
        raise ValueError(f"{path} has neither 'left' nor 'right': give the keypoints of a hand")
    return keypoints, fields.get("camera")


def write_meshes(path: Path, meshes: dict[str, trimesh.Trimesh]) -> None:
    """Write the hands into one coloured mesh file; its suffix, one of ``FORMATS``, says the format.

    Args:
        path: file to write; its directory exists.
        meshes: ``left`` and/or ``right``, metres, camera frame.
    """
    import trimesh

    if path.suffix.lower() != ".glb":
        coloured = []
        for side, mesh in meshes.items():
            colours = np.tile(np.array(COLOURS[side], np.uint8), (len(mesh.vertices), 1))
            coloured.append(
                trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False)
            )
        trimesh.util.concatenate(coloured).export(path)
        return
    scene = trimesh.Scene()
    for side, mesh in meshes.items():
        part = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        # Without a material viewers take metal, which is black where nothing is mirrored in it.
        material = trimesh.visual.material.PBRMaterial(
            name=f"{side} hand",
            baseColorFactor=COLOURS[side],
            metallicFactor=0.0,
            roughnessFactor=0.6,
        )
        part.visual = trimesh.visual.TextureVisuals(material=material)
        scene.add_geometry(part, node_name=side, geom_name=side, transform=_GLTF_FROM_CAMERA)
    scene.export(path, include_normals=True)


def _check_output(path: Path) -> None:
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"output '{path}': the suffix must be one of {' '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"directory '{path.parent}' does not exist: create it first")


def _read_fields(path: Path) -> dict[str, Any]:
    suffix = path.suffix.lower()
    if suffix not in (".json", ".npz"):
        raise ValueError(f"keypoints '{path}': give a .json or .npz file")
    try:
        if suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        fields = json.loads(path.read_text(encoding="utf-8"))
    except Exception as error:
        raise ValueError(f"keypoints '{path}' cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"keypoints '{path}' hold a {type(fields).__name__}: give an object")
    return fields


def _hand_keypoints(points: Any, name: str, order: str) -> np.ndarray | None:
    if points is None:
        return None
    try:
        array = np.asarray(points, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not a list of [x, y, z]: {error}") from error
    try:
        array = to_mano_order(array, ORDER_NAMES[order])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    check_hand(array, name, "leave it out")
    return array


def _camera(args: argparse.Namespace, fields: Any, image: np.ndarray) -> Camera:
    height, width = image.shape[:2]
    centre = {"cx": (width - 1) / 2, "cy": (height - 1) / 2}
    if args.fov is not None:
        if not 0 < args.fov < 180:
            raise ValueError(f"--fov {args.fov}: give the horizontal angle in degrees, 0 to 180")
        focal = width / 2 / np.tan(np.radians(args.fov) / 2)
        return Camera(width, height, fx=focal, fy=focal, **centre)
    if args.camera is not None:
        fields = _four_numbers(args.camera.split(","), f"--camera {args.camera}")
    if fields is None:
        raise ValueError(f"{args.keypoints} names no camera: give --camera FX,FY,CX,CY or --fov")
    if not isinstance(fields, dict):
        fields = _four_numbers(fields, f"{args.keypoints}: camera")
    return _camera_of_fields(fields, width, height, str(args.keypoints))


def _four_numbers(values: Any, name: str) -> dict[str, float]:
    try:
        fx, fy, cx, cy = (float(value) for value in values)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: give four numbers, fx,fy,cx,cy in pixels") from None
    return {"fx": fx, "fy": fy, "cx": cx, "cy": cy}


def _camera_of_fields(fields: dict[str, Any], width: int, height: int, name: str) -> Camera:
    size = (int(fields.get("width", width)), int(fields.get("height", height)))
    if size != (width, height):
        raise ValueError(
            f"{name}: camera of {size[0]}x{size[1]}, but the image has {width}x{height}: "
            "give the intrinsics of this image's size"
        )
    try:
        intrinsics = {key: float(fields[key]) for key in ("fx", "fy", "cx", "cy")}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: camera needs the numbers fx, fy, cx, cy ({error})") from error
    distortion = tuple(float(value) for value in fields.get("distortion", ()))
    model = fields.get("distortion_model", "plumb_bob" if distortion else "none")
    return Camera(width, height, **intrinsics, distortion_model=model, distortion=distortion)


def _summary(side: str, mesh: trimesh.Trimesh) -> str:
    closed = "watertight" if mesh.is_watertight else "NOT watertight"
    return (
        f"{side:5}  {len(mesh.vertices)} vertices, {len(mesh.faces)} triangles, "
        f"{1e6 * mesh.volume:.0f} cm3, {closed}"
    )
