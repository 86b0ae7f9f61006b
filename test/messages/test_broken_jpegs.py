"""JPEG files that lack a part, from messages and from files: refused, where OpenCV decodes them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from compressed_pictures import Compressed, broken, jpeg

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.images import read_image
from im2hands_ros.pictures import read_image as read_file

RESTARTS = (cv2.IMWRITE_JPEG_RST_INTERVAL, 7)
KINDS = {
    "colours": (),
    "restarts": RESTARTS,
    "own codes": (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "no subsampling": (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "rough": (cv2.IMWRITE_JPEG_QUALITY, 20),
}


@pytest.mark.parametrize("shape", [(120, 160, 3), (120, 160), (77, 101, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_that_lacks_a_packet_is_refused_and_a_whole_one_read(kind, shape, tmp_path):
    file = jpeg(*KINDS[kind], shape=shape)
    assert read_image(Compressed("jpeg", file)).shape[:2] == shape[:2]
    path = tmp_path / "picture.jpg"
    for at in (0.4, 0.5, 0.6, 0.7):
        lacking = broken(file, at)
        with pytest.raises(BadInput, match="part of its picture would be grey or shifted"):
            read_image(Compressed("jpeg", lacking))
        path.write_bytes(lacking)
        with pytest.raises(BadInput, match=r"picture.jpg': a JPEG that .*: send it whole"):
            read_file(path)


def test_what_cameras_leave_behind_the_last_block_of_a_jpeg_is_no_damage():
    file = jpeg()
    for left in (b"\x17", b"\x17" * 12, bytes(500)):
        assert read_image(Compressed("jpeg", file[:-2] + left + file[-2:])).shape == (120, 160, 3)
    assert read_image(Compressed("jpeg", file + bytes(1000))).shape == (120, 160, 3)
    with pytest.raises(BadInput, match="goes on behind its last block"):
        read_image(Compressed("jpeg", file[:-2] + b"\x17" * 40 + file[-2:]))


@pytest.mark.parametrize("options", [(cv2.IMWRITE_JPEG_PROGRESSIVE, 1), RESTARTS, ()])
def test_random_damage_to_a_jpeg_is_survived(options):
    random = np.random.default_rng(11)
    file = np.frombuffer(jpeg(*options), np.uint8)
    refused = 0
    for _ in range(300):
        damaged = file.copy()
        damaged[random.integers(0, len(file), random.integers(1, 6))] = random.integers(256)
        try:
            read_image(Compressed("jpeg", damaged[: random.choice([len(file), 600])].tobytes()))
        except BadInput:
            refused += 1
    assert refused > 30
