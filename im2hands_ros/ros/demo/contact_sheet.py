"""The demo's pictures: a column per frame; rows: input, meshes over it, meshes from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from tqdm import tqdm

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import BONES, SIDE_COLOURS
from im2hands_ros.synthetic.renderer import render_hands_over, render_hands_turned

Meshes = dict[str, tuple[np.ndarray, np.ndarray]]

SECOND_VIEW_DEGREES = (25.0, 50.0)  # about the vertical axis, then from above
_ROWS = ("input and keypoints", "meshes over input", "meshes from above")
_PANEL = 320  # px, side of one picture
_ROOM = 1.5  # side of the shown part of the image, in spans of the keypoints
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
    sheet = np.hstack([_margin(columns[0].shape[0]), *columns])
    return cv2.copyMakeBorder(sheet, _GAP, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=_PAPER)


def _panels(shot: Shot) -> list[np.ndarray]:
    image, camera = _close_up(shot)
    pictures = [
        draw_keypoints(image, shot.keypoints, camera),
        render_hands_over(image, shot.meshes, camera),
        render_hands_turned(shot.meshes, _PANEL, SECOND_VIEW_DEGREES),
    ]
    return [
        cv2.copyMakeBorder(each, _GAP, 0, _GAP, 0, cv2.BORDER_CONSTANT, value=_PAPER)
        for each in pictures
    ]


def _close_up(shot: Shot) -> tuple[np.ndarray, Camera]:
    """The square part of the image that holds the hands, as one panel, and its camera."""
    height, width = shot.image.shape[:2]
    low, high = np.zeros(2), np.array([width, height])
    if joints := [xyz for xyz in shot.keypoints.values() if xyz is not None]:
        pixels = shot.camera.project(np.concatenate(joints))
        low, high = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
    side = int(min(_ROOM * (high - low).max(), width, height))
    x, y = np.clip((low + high - side) / 2, 0, (width - side, height - side)).astype(int).tolist()
    zoom = _PANEL / side
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    part = shot.image[y : y + side, x : x + side]
    camera = replace(
        shot.camera,
        width=_PANEL,
        height=_PANEL,
        fx=shot.camera.fx * zoom,
        fy=shot.camera.fy * zoom,
        # Pixel centres are whole numbers: half a pixel moves with the zoom.
        cx=(shot.camera.cx - x + 0.5) * zoom - 0.5,
        cy=(shot.camera.cy - y + 0.5) * zoom - 0.5,
    )
    return cv2.resize(part, (_PANEL, _PANEL), interpolation=how), camera


def draw_keypoints(
    image: np.ndarray, keypoints: dict[str, np.ndarray | None], camera: Camera
) -> np.ndarray:
    """A copy of the (H, W, 3) uint8 RGB image with each hand's bones and joints drawn in."""
    drawn = np.ascontiguousarray(image).copy()
    for side, points in keypoints.items():
        if points is None or not (np.isfinite(points).all() and (points[:, 2] > 0).all()):
            continue
        pixels = np.round(camera.project(points)).astype(int)
        color = tuple(int(255 * channel) for channel in SIDE_COLOURS[side])
        for parent, child in BONES:
            ends = pixels[parent].tolist(), pixels[child].tolist()
            cv2.line(drawn, *ends, color, 2, cv2.LINE_AA)
        for pixel in pixels:
            cv2.circle(drawn, pixel.tolist(), 3, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(drawn, pixel.tolist(), 2, color, -1, cv2.LINE_AA)
    return drawn


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
