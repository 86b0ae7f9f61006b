"""Image, keypoint and mesh files of the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_hand
from im2hands_ros.skeleton import ORDER_NAMES, SIDES, to_mano_order
from im2hands_ros.unseen_joints import zeros_as_unseen

if TYPE_CHECKING:
    import trimesh

COLOURS = {"left": (70, 130, 200, 255), "right": (235, 140, 60, 255)}
_INTRINSICS = ("fx", "fy", "cx", "cy")
MESH_SUFFIXES = (".glb", ".obj", ".ply", ".stl")

# glTF's axes (x right, y up, z to the viewer) from the camera's (y down, z forward).
_GLTF_FROM_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])


def read_keypoints(
    path: Path, order: str = "mano"
) -> tuple[dict[str, np.ndarray | None], dict[str, Any] | None]:
    """Read the keypoints of up to two hands.

    Args:
        path: a .json or .npz file as `im2hands reconstruct --help` describes.
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


def camera_of_file(fields: Any, width: int, height: int, name: str) -> Camera:
    """The camera of an image from the fields that a keypoint file gives it.

    Args:
        fields: a mapping with "fx", "fy", "cx", "cy" in pixels and, if need be, "width", "height",
            "distortion_model" and "distortion"; or the four numbers.
        width, height: of the image, pixels.
        name: of the fields, for the error.

    Raises:
        ValueError: a number is missing, or the camera is of another image size.
    """
    if not isinstance(fields, dict):
        fields = dict(zip(_INTRINSICS, four_numbers(fields, name), strict=True))
    size = (int(fields.get("width", width)), int(fields.get("height", height)))
    if size != (width, height):
        raise ValueError(
            f"{name} is of {size[0]}x{size[1]}, but the image has {width}x{height}: "
            "give the intrinsics of this image's size"
        )
    try:
        intrinsics = {key: float(fields[key]) for key in _INTRINSICS}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: give the numbers fx, fy, cx, cy in pixels ({error})") from error
    distortion = tuple(float(value) for value in fields.get("distortion", ()))
    model = fields.get("distortion_model", "plumb_bob" if distortion else "none")
    return Camera(width, height, **intrinsics, distortion_model=model, distortion=distortion)


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise ValueError or FileNotFoundError where no file of these suffixes can be written."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"output '{path}': the suffix must be one of {' '.join(suffixes)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"directory '{path.parent}' does not exist: create it first")


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB image; raises OSError where that fails."""
    done, content = cv2.imencode(path.suffix.lower(), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise OSError(f"image '{path}' cannot be encoded")
    path.write_bytes(content.tobytes())


def write_meshes(path: Path, meshes: dict[str, trimesh.Trimesh]) -> None:
    """Write the hands into one coloured mesh file.

    Args:
        path: file to write, with one of ``MESH_SUFFIXES``; its directory exists.
        meshes: ``left`` and/or ``right``, metres, camera frame.
    """
    import trimesh

    if path.suffix.lower() == ".glb":
        _glb_scene(meshes).export(path, include_normals=True)
        return
    coloured = []
    for side, mesh in meshes.items():
        colours = np.tile(np.array(COLOURS[side], np.uint8), (len(mesh.vertices), 1))
        coloured.append(
            trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False)
        )
    trimesh.util.concatenate(coloured).export(path)


def _glb_scene(meshes: dict[str, trimesh.Trimesh]) -> trimesh.Scene:
    import trimesh

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
    return scene


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
    array = zeros_as_unseen(array)
    check_hand(array, name, "leave it out")
    return array


def four_numbers(values: Any, name: str) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy, pixels. Raises ValueError for anything else."""
    try:
        fx, fy, cx, cy = (float(value) for value in values)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: give four numbers, fx,fy,cx,cy in pixels") from None
    return fx, fy, cx, cy
