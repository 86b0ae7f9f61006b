"""Image buffers of every supported encoding become RGB arrays, whatever their padding."""

from __future__ import annotations

import array
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.header import Header
from im2hands_ros.messages.images import (
    ENCODINGS,
    read_depth,
    read_image,
    write_image,
)

WIDTH, HEIGHT = 6, 4


@dataclass
class Image:
    """The fields of sensor_msgs/Image."""

    encoding: str = "rgb8"
    width: int = WIDTH
    height: int = HEIGHT
    step: int = 3 * WIDTH
    is_bigendian: int = 0
    data: array.array = field(default_factory=lambda: array.array("B"))


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def message(encoding: str, pixels: np.ndarray, padding: int = 0, big: int = 0) -> Image:
    """An Image of (H, W, ...) pixels whose rows end in padding."""
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(HEIGHT, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    data = array.array("B", rows.tobytes())
    return Image(encoding, WIDTH, HEIGHT, rows.shape[1], big, data)


def as_grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


RGB = picture()
ALPHA = np.full((HEIGHT, WIDTH, 1), 9, np.uint8)
WORDS = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH), np.uint16)


@pytest.mark.parametrize("padding", [0, 2, 10])
@pytest.mark.parametrize(
    ("encoding", "pixels", "expected"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("8UC3", RGB[..., ::-1], RGB),
        ("rgba8", np.concatenate([RGB, ALPHA], 2), RGB),
        ("bgra8", np.concatenate([RGB[..., ::-1], ALPHA], 2), RGB),
        ("mono8", RGB[..., 0], as_grey(RGB[..., 0])),
        ("8UC1", RGB[..., 0], as_grey(RGB[..., 0])),
        ("mono16", WORDS.astype("<u2"), as_grey((WORDS >> 8).astype(np.uint8))),
    ],
)
def test_encodings_are_decoded_with_and_without_padding(encoding, pixels, expected, padding):
    rgb = read_image(message(encoding, pixels, padding))
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert np.array_equal(rgb, expected)


def test_big_endian_words_are_read_as_such():
    rgb = read_image(message("mono16", WORDS.astype(">u2"), padding=4, big=1))
    assert np.array_equal(rgb, as_grey((WORDS >> 8).astype(np.uint8)))


@pytest.mark.parametrize(
    ("yuv", "rgb"),
    [
        ((16, 128, 128), (0, 0, 0)),
        ((235, 128, 128), (255, 255, 255)),
        ((126, 128, 128), (128, 128, 128)),
        ((81, 90, 240), (255, 0, 0)),
        ((145, 54, 34), (0, 255, 0)),
        ((41, 240, 110), (0, 0, 255)),
    ],
)
def test_yuyv_follows_bt601(yuv, rgb):
    y, u, v = yuv
    pixels = np.tile(np.array([[y, u], [y, v]], np.uint8), (HEIGHT, WIDTH // 2, 1))
    decoded = read_image(message("yuv422_yuy2", pixels, padding=3)).astype(int)
    assert np.abs(decoded - rgb).max() <= 2


def test_the_result_does_not_share_the_messages_memory():
    source = message("rgb8", RGB)
    rgb = read_image(source)
    source.data[0] ^= 255
    assert np.array_equal(rgb, RGB)


def test_the_padding_of_the_last_row_may_be_missing():
    source = message("bgr8", RGB, padding=5)
    source.data = source.data[:-5]
    assert np.array_equal(read_image(source), RGB[..., ::-1])


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"encoding": "bayer_rggb8"}, "image_encoding", "'bayer_rggb8' is not supported"),
        ({"encoding": ""}, "image_encoding", "publish one of mono8"),
        ({"width": 0}, "image_size", "0x4"),
        ({"height": 0}, "image_size", "6x0"),
        ({"step": 17}, "image_step", "step 17 .* at least 18"),
        ({"step": 0}, "image_step", "step 0"),
        ({"data": array.array("B", bytes(71))}, "image_data", "71 bytes .* needs 72"),
        ({"data": array.array("B", bytes(73))}, "image_data", "73 bytes .* needs 72"),
        ({"data": array.array("B")}, "image_data", "0 bytes"),
        ({"encoding": "mono16", "step": 11}, "image_step", "step 11"),
        ({"encoding": "yuv422_yuy2", "width": 5}, "image_size", "even"),
        ({"width": 2**31}, "image_step", "too small"),
    ],
)
def test_what_does_not_fit_is_named_with_its_remedy(changes, reason, said):
    source = message("rgb8", RGB)
    for name, value in changes.items():
        setattr(source, name, value)
    with pytest.raises(BadInput, match=said) as raised:
        read_image(source)
    assert raised.value.reason == reason
    assert "\n" not in str(raised.value)


def test_arbitrary_fields_are_decoded_or_refused():
    random = np.random.default_rng(5)
    for _ in range(500):
        source = Image(
            encoding=str(random.choice([*ENCODINGS, "32FC1"])),
            width=int(random.integers(0, 9)),
            height=int(random.integers(0, 9)),
            step=int(random.integers(0, 40)),
            is_bigendian=int(random.integers(0, 3)),
            data=array.array("B", random.bytes(int(random.integers(0, 200)))),
        )
        try:
            shape = read_image(source).shape
        except BadInput:
            continue
        assert shape == (source.height, source.width, 3)


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [("rgb8", RGB), ("bgr8", RGB), ("mono8", RGB[..., 1]), ("rgb8", RGB[:, ::2])],
)
def test_a_written_image_decodes_to_what_was_put_in(parse, encoding, pixels):
    data = write_image(Header.at(1_000_000_002, "camera"), pixels, encoding)
    image = parse("sensor_msgs/msg/Image", data)
    expected = {"rgb8": pixels, "bgr8": pixels[..., ::-1], "mono8": as_grey(RGB[..., 1])}[encoding]
    assert np.array_equal(read_image(image), expected)
    assert (image.header.stamp.sec, image.header.stamp.nanosec) == (1, 2)
    assert image.header.frame_id == "camera"


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB[..., 0]),
        ("rgb8", RGB[..., :2]),
        ("mono8", RGB),
        ("mono8", RGB[0, :, 0]),
        ("rgb8", RGB.astype(float)),
        ("rgba8", RGB),
    ],
)
def test_arrays_that_do_not_fit_the_encoding_are_refused(encoding, pixels):
    with pytest.raises(ValueError, match="give uint8"):
        write_image(Header.at(1, "camera"), pixels, encoding)


@dataclass
class Compressed:
    """The fields of sensor_msgs/CompressedImage."""

    format: str
    data: bytes


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


def test_a_compressed_image_has_its_colours_in_rgb_order():
    png = Compressed("png", encoded(".png", RGB[..., ::-1]))
    assert np.array_equal(read_image(png), RGB)
    plain = np.full((16, 16, 3), (200, 60, 20), np.uint8)
    jpeg = Compressed("rgb8; jpeg compressed bgr8", encoded(".jpg", plain[..., ::-1]))
    assert np.abs(read_image(jpeg).astype(int) - plain).max() < 4
    grey = Compressed("png", encoded(".png", RGB[..., 0]))
    assert np.array_equal(read_image(grey), as_grey(RGB[..., 0]))


@pytest.mark.parametrize(
    ("image", "reason", "said"),
    [
        (Compressed("jpeg", b""), "image_data", "holds no bytes"),
        (Compressed("jpeg", b"not an image"), "image_data", "12 bytes of format 'jpeg' cannot"),
        (Compressed("16UC1; compressedDepth png", b"1"), "image_encoding", "is a depth image"),
    ],
)
def test_what_is_no_compressed_image_is_refused(image, reason, said):
    with pytest.raises(BadInput, match=said) as raised:
        read_image(image)
    assert raised.value.reason == reason


@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize(("encoding", "kind", "unit"), [("16UC1", "u2", 1000), ("32FC1", "f4", 1)])
def test_a_depth_image_becomes_metres(encoding, kind, unit, big):
    metres = np.linspace(0, 2.3, HEIGHT * WIDTH, dtype=np.float32).round(3).reshape(HEIGHT, WIDTH)
    stored = (unit * metres).round(3).astype(f"{'>' if big else '<'}{kind}")
    depth = read_depth(message(encoding, stored, padding=4, big=big))
    assert depth.dtype == np.float32
    assert np.allclose(depth, metres, atol=1e-6)
    with pytest.raises(BadInput, match="'rgb8' is no depth image"):
        read_depth(message("rgb8", RGB))
