"""The demo's pictures: a column per frame; rows: input, meshes over it, meshes from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.skeleton import BONES, SIDE_COLOURS
from im2hands_ros.synthetic.renderer import render_hands_over, render_hands_turned

Meshes = dict[str, tuple[np.ndarray, np.ndarray]]

SECOND_VIEW_DEGREES = (25.0, 50.0)  # about the vertical axis, then from above
_ROWS = ("input and keypoints", "meshes over input", "meshes from above")
_PANEL = 320  # px, side of one picture
_MARGIN = 0.25  # around the hands, share of their extent
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
    joints = [xyz for xyz in shot.keypoints.values() if xyz is not None]
    vertices = [vertices for vertices, _ in shot.meshes.values()]
    crop = crop_around(shot.camera, np.concatenate(joints or vertices), _PANEL, _MARGIN)
    image, camera = crop.extract(shot.image), crop.camera
    pictures = [
        draw_keypoints(image, shot.keypoints, camera),
        render_hands_over(image, shot.meshes, camera),
        render_hands_turned(shot.meshes, _PANEL, SECOND_VIEW_DEGREES),
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
