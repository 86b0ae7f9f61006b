"""Depth images as files: what is read, and what is refused in one line with the remedy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from im2hands_ros.depth_file import read_depth_file

METRES = np.array([[0.0, 0.5, 1.234], [2.0, 0.25, 0.75]])


def test_png_and_arrays_of_millimetres_and_metres_are_the_same_metres(tmp_path):
    millimetres = np.rint(1000 * METRES).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), millimetres)
    np.save(tmp_path / "b.npy", millimetres)
    np.save(tmp_path / "c.npy", METRES)
    for name in ("a.png", "b.npy", "c.npy"):
        read = read_depth_file(tmp_path / name)
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, METRES, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("colour.png", np.zeros((4, 4, 3), np.uint8), "uint16"),
        ("grey.png", np.zeros((4, 4), np.uint8), "uint16"),
        ("cube.npy", np.zeros((2, 4, 4)), "give \\(H, W\\)"),
        ("counts.npy", np.zeros((4, 4), np.int64), "int64"),
        ("text.npy", b"no array", "no array"),
        ("text.png", b"no picture", "cannot be decoded"),
        ("depth.exr", b"", "give a 16-bit .png"),
    ],
)
def test_what_is_no_depth_image_is_refused(tmp_path, name, content, said):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".npy":
        np.save(path, content)
    else:
        cv2.imwrite(str(path), content)
    with pytest.raises(ValueError, match=said):
        read_depth_file(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="depth.png"):
        read_depth_file(tmp_path / "depth.png")
