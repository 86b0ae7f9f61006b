"""Image buffers of every supported encoding become RGB arrays, whatever their padding."""

from __future__ import annotations

import array

import numpy as np
import pytest
from raw_images import ALPHA, COLOUR, HEIGHT, RGB, WIDTH, WORDS, Image, as_grey, message

from im2hands_ros.messages.images import read_image


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


@pytest.mark.parametrize("padding", [0, 2, 10])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuyv", "yuyv"), ("yuv422_yuy2", "yuyv"), ("uyvy", "uyvy"), ("yuv422", "uyvy")],
)
def test_four_two_two_is_read_by_its_old_and_new_name(encoding, order, padding):
    random = np.random.default_rng(3)
    y = random.integers(16, 236, (HEIGHT, WIDTH), np.uint8)
    u, v = random.integers(100, 156, (2, HEIGHT, WIDTH // 2), np.uint8)
    values = {"y": iter((y[:, ::2], y[:, 1::2])), "u": iter((u,)), "v": iter((v,))}
    pixels = np.stack([next(values[letter]) for letter in order], axis=2)
    rgb = read_image(message(encoding, pixels.reshape(HEIGHT, -1), padding)).astype(int)
    expected = bt601(y, np.repeat(u, 2, axis=1), np.repeat(v, 2, axis=1))
    assert np.abs(rgb - expected).max() <= 2


def bt601(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(H, W, 3) RGB, from the standard's own fractions."""
    y, u, v = (each.astype(float) for each in (y, u, v))
    luma = 255 / 219 * (y - 16)
    red = luma + 255 / 224 * 1.402 * (v - 128)
    green = luma - 255 / 224 * (0.344136 * (u - 128) + 0.714136 * (v - 128))
    blue = luma + 255 / 224 * 1.772 * (u - 128)
    return np.stack([red, green, blue], axis=2).round().clip(0, 255).astype(int)


@pytest.mark.parametrize("padding", [0, 2, 10])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24", "NV12"])
def test_planes_of_luma_and_chroma_are_read(encoding, padding):
    random = np.random.default_rng(4)
    every = 1 if encoding == "nv24" else 2
    y = random.integers(16, 236, (HEIGHT, WIDTH), np.uint8)
    u, v = random.integers(100, 156, (2, HEIGHT // every, WIDTH // every), np.uint8)
    chroma = np.stack([v, u] if encoding == "nv21" else [u, v], axis=2)
    chroma = chroma.reshape(len(chroma), -1)
    gaps = [((0, 0), (0, padding * n)) for n in (1, chroma.shape[1] // WIDTH)]
    planes = [np.pad(p, gap, constant_values=77) for p, gap in zip((y, chroma), gaps, strict=True)]
    data = array.array("B", b"".join(plane.tobytes() for plane in planes))
    image = Image(encoding, WIDTH, HEIGHT, WIDTH + padding, 0, data)
    expected = bt601(y, *(each.repeat(every, 0).repeat(every, 1) for each in (u, v)))
    assert np.abs(read_image(image).astype(int) - expected).max() <= 2
    if not padding:  # some drivers' step is of all planes together
        image.step = len(data) // HEIGHT
        assert np.abs(read_image(image).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("padding", [0, 2, 10])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_mosaic_of_every_order_gets_its_colours_back(order, bits, padding):
    channels = ["rgb".index(letter) for letter in order]
    tile = np.array([COLOUR[c] for c in channels], np.uint16).reshape(2, 2)
    mosaic = np.tile(tile, (HEIGHT // 2, WIDTH // 2))
    stored = mosaic.astype(np.uint8) if bits == 8 else (mosaic << 8 | 0x7F).astype("<u2")
    rgb = read_image(message(f"bayer_{order}{bits}", stored, padding))
    assert np.array_equal(rgb, np.tile(np.uint8(COLOUR), (HEIGHT, WIDTH, 1)))
    if bits == 16:
        big = message(f"bayer_{order}16", stored.astype(">u2"), padding, big=1)
        assert np.array_equal(read_image(big), rgb)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_mosaic_of_a_picture_gives_the_picture_and_not_one_beside_it(order, bits):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.stack([60 + 20 * x, 40 + 30 * y, 200 - 10 * x - 20 * y], axis=2).astype(np.uint8)
    mosaic = np.empty((HEIGHT, WIDTH), np.uint16)
    for place, letter in enumerate(order):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        mosaic[rows, columns] = picture[rows, columns, "rgb".index(letter)]
    stored = mosaic.astype(np.uint8) if bits == 8 else (mosaic << 8).astype("<u2")
    inside = (slice(1, -1), slice(1, -1))  # a pixel of the edge lacks neighbours
    rgb = read_image(message(f"bayer_{order}{bits}", stored)).astype(int)
    assert np.abs(rgb - picture)[inside].max() <= 1


@pytest.mark.parametrize("padding", [0, 2, 10])
@pytest.mark.parametrize("bits", [10, 12])
def test_ten_and_twelve_bits_in_sixteen_are_scaled(bits, padding):
    stored = (WORDS >> (16 - bits)).astype("<u2")
    rgb = read_image(message(f"mono{bits}", stored, padding))
    assert np.array_equal(rgb, as_grey((WORDS >> 8).astype(np.uint8)))
    beyond = np.full((HEIGHT, WIDTH), 1 << bits, "<u2")  # no such number: white, not black
    assert (read_image(message(f"mono{bits}", beyond)) == 255).all()


@pytest.mark.parametrize(
    "encoding", ["rgb16", "bgr16", "16UC3", "rgba16", "bgra16", "8UC4", "16UC4"]
)
def test_colours_of_sixteen_bits_and_four_channels(encoding):
    ordered = RGB[..., ::-1] if encoding[0] in "b1" or encoding == "8UC4" else RGB
    if encoding in ("rgba16", "bgra16", "8UC4", "16UC4"):
        ordered = np.concatenate([ordered, ALPHA], 2)
    stored = ordered if encoding == "8UC4" else (ordered.astype(np.uint16) << 8 | 200)
    assert np.array_equal(read_image(message(encoding, stored, padding=4)), RGB)
