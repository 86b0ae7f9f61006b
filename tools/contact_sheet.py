"""Make docs/images/detected.jpg: pictures, the hands found in them, and their meshes.

    source scripts/env.sh && python tools/contact_sheet.py

Each row is a picture and what `im2hands detect` and `im2hands reconstruct` make of its file alone,
with its camera; shown is the part around the hands. The pictures are rendered, of the split `val`,
with both hands interacting: the first ones, none left out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from im2hands_ros.cli import main as im2hands
from im2hands_ros.files import read_image, write_image
from im2hands_ros.synthetic.camera_pictures import CAMERA, camera_pictures
from im2hands_ros.synthetic.sample import Sample, present

ROOT = Path(__file__).resolve().parents[1]
SUBSET = "interacting"
GAP = 6  # pixels
SHOWN = 0.6  # of a picture's width and height


def row(image: np.ndarray, folder: Path) -> list[np.ndarray]:
    """The picture, the joints over it and the meshes over it."""
    given, joints, meshes = (folder / name for name in ("given.png", "joints.png", "meshes.png"))
    write_image(given, image)
    camera = ["--camera", f"{CAMERA.fx},{CAMERA.fy},{CAMERA.cx},{CAMERA.cy}"]
    for command, picture, out in (
        ("detect", joints, folder / "hands.json"),
        ("reconstruct", meshes, folder / "hands.glb"),
    ):
        arguments = [command, str(given), "-o", str(out), "--picture", str(picture), *camera]
        if im2hands(arguments) != 0:
            raise SystemExit(f"im2hands {' '.join(arguments)} failed")
    return [image, read_image(joints), read_image(meshes)]


def around_hands(sample: Sample) -> tuple[slice, slice]:
    """Rows and columns of the part that is shown."""
    pixels = np.concatenate([CAMERA.project(xyz) for xyz in present(sample.keypoints).values()])
    middle = (pixels.min(0) + pixels.max(0)) / 2
    whole = np.array([CAMERA.width, CAMERA.height])
    part = np.rint(SHOWN * whole).astype(int)
    x, y = np.rint(middle - part / 2).clip(0, whole - part).astype(int)
    return slice(y, y + part[1]), slice(x, x + part[0])


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4, help="pictures (4)")
    parser.add_argument("--width", type=int, default=320, help="of each, pixels (320)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "detected.jpg")
    given = parser.parse_args()
    size = (given.width, given.width * CAMERA.height // CAMERA.width)
    rows: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        for picture in camera_pictures("val", 0, 1000):
            if len(rows) == given.rows:
                break
            if picture.sample.subset == SUBSET:
                part = around_hands(picture.sample)
                tiles = [tile[part] for tile in row(picture.sample.image, Path(folder))]
                small = [cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in tiles]
                padded = [
                    np.pad(t, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for t in small
                ]
                rows.append(np.concatenate(padded, axis=1))
    write_image(given.out, np.concatenate(rows)[:-GAP, :-GAP])


if __name__ == "__main__":
    main()
