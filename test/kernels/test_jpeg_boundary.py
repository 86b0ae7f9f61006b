"""JPEG files over the C interface with what does not fit; see test_kernel_boundary.py."""

import cv2
import numpy as np
import pytest
from kernel_calls import every_library, refused

pytestmark = every_library

PICTURE = np.random.default_rng(2).integers(0, 256, (40, 56, 3), np.uint8)
KINDS = ((), (cv2.IMWRITE_JPEG_RST_INTERVAL, 3), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))


def look(kernels, data: np.ndarray) -> int:
    """Through a copy that ends where it ends."""
    exact = data.copy()
    return kernels.jpeg(exact.ctypes.data, len(exact))


@pytest.mark.parametrize("options", KINDS)
def test_any_bytes_are_answered(kernels, options):
    file = cv2.imencode(".jpg", PICTURE, options)[1]
    whole = int(cv2.IMWRITE_JPEG_PROGRESSIVE in options)  # progressive ones are not looked at
    assert look(kernels, file) == whole
    random = np.random.default_rng(len(options))
    answers = set()
    for turn in range(1500):
        damaged = file.copy()
        start = 0 if turn % 2 else len(file) // 2  # headers and tables as well, or the scan alone
        places = random.integers(start, len(file), int(random.integers(1, 9)))
        damaged[places] = random.integers(0, 256, len(places))
        answers.add(
            look(kernels, damaged[: int(random.choice([len(file), len(file) - turn % 90]))])
        )
    assert answers == {0, 1, -1} or (whole and 1 in answers)


def test_cut_files_and_none_are_answered(kernels):
    file = cv2.imencode(".jpg", PICTURE)[1]
    scan = int(np.flatnonzero((file[:-1] == 0xFF) & (file[1:] == 0xDA))[0])
    for length in range(len(file)):
        assert look(kernels, file[:length]) in ((1,) if length < scan + 14 else (1, -1))
    refused(kernels, look(kernels, file[:-2]), "has no end")
    refused(kernels, kernels.jpeg(None, 10), "file is null")
    refused(kernels, kernels.jpeg(file.ctypes.data, -1), "negative length")
