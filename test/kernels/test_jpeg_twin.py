"""JPEG files looked through without compiled kernels: the same are broken, for the same reason."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from compressed_pictures import Compressed, broken, jpeg

from im2hands_ros.bad_input import BadInput
from im2hands_ros.kernels.jpeg import Broken, read
from im2hands_ros.kernels.library import available, best
from im2hands_ros.messages.images import read_image

KINDS = {
    "colours": (),
    "restarts": (cv2.IMWRITE_JPEG_RST_INTERVAL, 3),
    "progressive": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "own codes": (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "no subsampling": (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "rough": (cv2.IMWRITE_JPEG_QUALITY, 20),
}
SHAPES = ((40, 56, 3), (40, 56), (77, 101, 3))


def in_python(file: bytes) -> str:
    try:
        return "whole" if read(file) else "not looked into"
    except Broken as reason:
        return str(reason)


def compiled(file: bytes) -> str:
    library, data = best(), np.frombuffer(file, np.uint8)
    answer = library.jpeg(data.ctypes.data, len(data))
    return library.error().decode() if answer < 0 else ("whole", "not looked into")[answer]


def damaged(file: bytes, random: np.random.Generator) -> bytes:
    """With other bytes here and there behind the head, or without a part of it."""
    codes = file.rindex(b"\xff\xda") + 14
    changed = np.frombuffer(file, np.uint8).copy()
    changed[random.integers(codes, len(file), 2)] = random.integers(0, 256, 2)
    if random.random() < 0.5:
        return changed.tobytes()
    start = int(random.integers(codes, len(file)))
    return file[:start] + file[start + int(random.integers(1, 40)) :]


@pytest.mark.skipif(not available(), reason="no compiled library to compare with")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_files_are_broken_for_the_same_reason(kind, shape):
    file = jpeg(*KINDS[kind], shape=shape)
    whole = "not looked into" if kind == "progressive" else "whole"
    assert in_python(file) == compiled(file) == whole
    random = np.random.default_rng(4)
    files = [damaged(file, random) for _ in range(60)]
    answers = [in_python(each) for each in files]
    assert answers == [compiled(each) for each in files]
    assert len(set(answers)) >= 3 or whole != "whole"


@pytest.mark.skipif(not available(), reason="no compiled library to compare with")
def test_files_that_are_cut_off_anywhere_are_answered_alike():
    file = jpeg(shape=(24, 24, 3))
    codes = file.rindex(b"\xff\xda")
    lengths = [*range(0, codes, 7), *range(codes, len(file))]
    assert [in_python(file[:n]) for n in lengths] == [compiled(file[:n]) for n in lengths]


def test_a_picture_without_its_middle_is_refused_where_no_kernel_is_compiled(monkeypatch):
    monkeypatch.setattr("im2hands_ros.kernels.jpeg.best", lambda: None)
    file = jpeg()
    assert read_image(Compressed("jpeg", file)).shape == (120, 160, 3)
    assert read_image(Compressed("jpeg", jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1))).shape[0] == 120
    with pytest.raises(BadInput, match="a JPEG that .*: send it whole"):
        read_image(Compressed("jpeg", broken(file)))
    png = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    assert read_image(Compressed("png", png)).shape == (4, 4, 3)
