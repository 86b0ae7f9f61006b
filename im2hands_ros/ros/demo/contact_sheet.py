"""The demo's pictures: a column per frame; rows: input, meshes over it, meshes from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.skeleton import BONES
from im2hands_ros.synthetic.renderer import render_meshes, render_meshes_over

Meshes = dict[str, tuple[np.ndarray, np.ndarray]]

COLORS = {"left": (0.36, 0.62, 0.93), "right": (0.95, 0.60, 0.32)}  # display RGB
SECOND_VIEW_DEGREES = (25.0, 50.0)  # about the vertical axis, then from above
_ROWS = ("input and keypoints", "meshes over input", "meshes from above")
_PANEL = 320  # px, side of one picture
_MARGIN, _SECOND_VIEW_MARGIN = 0.25, 0.05  # around the hands, share of their extent
_UNIT_CAMERA = Camera(1, 1, 1.0, 1.0, 0.0, 0.0)
_GAP = 6
_TITLE = 30
_PAPER, _INK = (255, 255, 255), (40, 40, 44)


@dataclass(frozen=True)
class Shot:
    """One frame of the sheet.

    Attributes:
        title: what is written above it.
        image: (H, W, 3) uint8 RGB as the node received it.
        camera: its intrinsics.
        keypoints: side -> (21, 3) metres, camera frame, or None.
        meshes: side -> ((V, 3) vertices, camera frame, and (T, 3) triangles); absent: left out.
    """

    title: str
    image: np.ndarray
    camera: Camera
    keypoints: dict[str, np.ndarray | None]
    meshes: Meshes


def contact_sheet(shots: Sequence[Shot]) -> np.ndarray:
    """Draw the sheet, (H, W, 3) uint8 RGB.

    Raises:
        ValueError: there is no shot to draw.
    """
    if not shots:
        raise ValueError("a contact sheet needs at least one frame: nothing was recorded")
    columns = [
        np.vstack([_title(shot.title), *_panels(shot)])
        for shot in tqdm(shots, desc="drawing", unit="frame", dynamic_ncols=True)
    ]
    return _framed(np.hstack([_margin(columns[0].shape[0]), *columns]))


def _panels(shot: Shot) -> list[np.ndarray]:
    joints = [xyz for xyz in shot.keypoints.values() if xyz is not None]
    vertices = [vertices for vertices, _ in shot.meshes.values()]
    crop = crop_around(shot.camera, np.concatenate(joints or vertices), _PANEL, _MARGIN)
    image, camera = crop.extract(shot.image), crop.camera
    meshes, colors = list(shot.meshes.values()), [COLORS[side] for side in shot.meshes]
    pictures = [
        draw_keypoints(image, shot.keypoints, camera),
        render_meshes_over(image, meshes, colors, camera),
        second_view(shot.meshes, _PANEL),
    ]
    return [
        cv2.copyMakeBorder(each, _GAP, 0, _GAP, 0, cv2.BORDER_CONSTANT, value=_PAPER)
        for each in pictures
    ]


def draw_keypoints(
    image: np.ndarray, keypoints: dict[str, np.ndarray | None], camera: Camera
) -> np.ndarray:
    """A copy of the (H, W, 3) uint8 RGB image with each hand's bones and joints drawn in."""
    drawn = np.ascontiguousarray(image).copy()
    for side, points in keypoints.items():
        if points is None or not (np.isfinite(points).all() and (points[:, 2] > 0).all()):
            continue
        pixels = np.round(camera.project(points)).astype(int)
        color = tuple(int(255 * channel) for channel in COLORS[side])
        for parent, child in BONES:
            cv2.line(
                drawn,
                pixels[parent].tolist(),
                pixels[child].tolist(),
                color,
                2,
                cv2.LINE_AA,
            )
        for pixel in pixels:
            cv2.circle(drawn, pixel.tolist(), 3, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(drawn, pixel.tolist(), 2, color, -1, cv2.LINE_AA)
    return drawn


def second_view(meshes: Meshes, size: int) -> np.ndarray:
    """The meshes seen from above and a little from the side, (size, size, 3) uint8 RGB."""
    if not meshes:
        return np.full((size, size, 3), 238, np.uint8)
    everything = np.concatenate([vertices for vertices, _ in meshes.values()]).astype(np.float64)
    centre = (everything.min(0) + everything.max(0)) / 2
    turn = _rotation(*SECOND_VIEW_DEGREES)
    away = (0, 0, 4 * np.linalg.norm(everything - centre, axis=1).max())
    turned = [
        (((vertices - centre) @ turn.T + away).astype(np.float32), triangles)
        for vertices, triangles in meshes.values()
    ]
    points = np.concatenate([vertices for vertices, _ in turned])
    camera = crop_around(_UNIT_CAMERA, points, size, _SECOND_VIEW_MARGIN).camera
    return render_meshes(turned, [COLORS[side] for side in meshes], camera)


def _rotation(about_vertical: float, from_above: float) -> np.ndarray:
    yaw, pitch = np.radians([about_vertical, from_above])
    sideways = cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
    downwards = cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0]
    return downwards @ sideways


def _title(text: str) -> np.ndarray:
    strip = np.full((_TITLE, _PANEL + _GAP, 3), _PAPER, np.uint8)
    return _written(strip, text, (_GAP + 2, 21))


def _margin(height: int) -> np.ndarray:
    """The rows' names, written upwards at the left edge."""
    strip = np.full((_TITLE, height, 3), _PAPER, np.uint8)
    for row, name in enumerate(reversed(_ROWS)):
        _written(strip, name, (row * (_PANEL + _GAP) + 60, 21))
    return np.rot90(strip)


def _written(strip: np.ndarray, text: str, origin: tuple[int, int]) -> np.ndarray:
    cv2.putText(strip, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.55, _INK, 1, cv2.LINE_AA)
    return strip


def _framed(sheet: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(sheet, _GAP, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=_PAPER)
