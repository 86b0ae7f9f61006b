"""Images, raw and compressed, and depth become arrays; what does not fit is refused."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest
from compressed_pictures import Compressed, broken, encoded, jpeg, with_orientation
from raw_images import COLOUR, HEIGHT, RGB, WIDTH, Image, as_grey, message

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.header import Header
from im2hands_ros.messages.images import (
    ENCODINGS,
    read_depth,
    read_image,
    write_image,
)
from im2hands_ros.pictures import orientation_notice
from im2hands_ros.pictures import read_image as read_file


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
        ({"encoding": "bayer_rgbe8"}, "image_encoding", "'bayer_rgbe8' is not supported"),
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
        ({"encoding": "nv12", "height": 3}, "image_size", "6x3 nv12: the width and height must"),
        ({"encoding": "nv12", "step": 6}, "image_data", "72 bytes .* step 6 needs 36"),
        ({"encoding": "nv24", "step": 5}, "image_step", "at least 6"),
        ({"encoding": "bayer_rggb8", "width": 2}, "image_size", "at least 4x4 pixels"),
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


def test_a_compressed_image_has_its_colours_in_rgb_order():
    png = Compressed("png", encoded(".png", RGB[..., ::-1]))
    assert np.array_equal(read_image(png), RGB)
    plain = np.full((16, 16, 3), (200, 60, 20), np.uint8)
    photo = Compressed("rgb8; jpeg compressed bgr8", encoded(".jpg", plain[..., ::-1]))
    assert np.abs(read_image(photo).astype(int) - plain).max() < 4
    grey = Compressed("png", encoded(".png", RGB[..., 0]))
    assert np.array_equal(read_image(grey), as_grey(RGB[..., 0]))


@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_compressed_mosaic_gets_its_colours_back(order, suffix):
    tile = np.array([COLOUR["rgb".index(letter)] for letter in order], np.uint8).reshape(2, 2)
    mosaic = encoded(suffix, np.tile(tile, (16, 16)))
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    rgb = read_image(Compressed(f"bayer_{order}8; {kind} compressed ", mosaic)).astype(int)
    assert np.abs(rgb - COLOUR).max() <= (0 if suffix == ".png" else 12)
    colours = encoded(".png", RGB[..., ::-1])
    for made in ("bgr8", ""):  # image_transport says so, others do not
        of_colours = Compressed(f"bayer_{order}8; png compressed {made}", colours)
        assert np.array_equal(read_image(of_colours), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotation_in_a_files_exif_data_is_not_applied(tmp_path, orientation):
    wide = np.zeros((16, 32, 3), np.uint8)
    wide[:, :16] = (200, 60, 20)
    wide[:8, 16:] = (10, 180, 90)  # no turn and no mirror shows the same
    stored = encoded(".jpg", wide[..., ::-1])
    turned = with_orientation(stored, orientation)
    shape = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape
    assert shape == ((32, 16, 3) if orientation > 4 else (16, 32, 3))
    image = read_image(Compressed("jpeg", turned))
    assert np.array_equal(image, read_image(Compressed("jpeg", stored)))
    path = tmp_path / "turned.jpg"
    path.write_bytes(turned)
    assert np.array_equal(read_file(path), image)
    said = orientation_notice(path, image)
    assert ("EXIF orientation, which is not applied" in said) == (orientation > 1)
    path.write_bytes(stored)
    assert orientation_notice(path, image) == ""


@pytest.mark.parametrize(
    ("image", "reason", "said"),
    [
        (Compressed("jpeg", b""), "image_data", "holds no bytes"),
        (Compressed("jpeg", b"not an image"), "image_data", "12 bytes of format 'jpeg' cannot"),
        (Compressed("jpeg", broken(jpeg())), "image_data", "bytes of format 'jpeg': a JPEG that"),
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


@pytest.mark.parametrize("encoding", [" rgb8", "rgb8 ", "RGB8\0"])
def test_an_encoding_is_read_without_what_c_strings_leave_around_it(encoding):
    source = message("rgb8", RGB)
    source.encoding = encoding
    assert np.array_equal(read_image(source), RGB)


def words_of(pixels: np.ndarray, encoding: str, byte_order: str, is_bigendian: bool) -> Image:
    data = pixels.astype(f"{byte_order}u2").tobytes()
    height, width = pixels.shape[:2]
    step = len(data) // height
    return Image(encoding, width, height, step, is_bigendian, array.array("B", data))


@pytest.mark.parametrize("encoding", ["mono16", "rgb16", "bayer_rggb16"])
@pytest.mark.parametrize("bits", [12, 14, 16])
def test_words_of_exchanged_bytes_are_refused_and_others_read(encoding, bits):
    noise = np.random.default_rng(bits).integers(0, 1 << (bits - 8), (64, 64))
    ramp = np.add.outer(3 * np.arange(64), np.arange(64))  # smooth, and noise in what cameras add
    pixels = (ramp << (bits - 8)) + noise
    pixels = np.repeat(pixels[..., None], 3, axis=2) if encoding == "rgb16" else pixels
    for order, flag in (("<", False), (">", True)):
        assert read_image(words_of(pixels, encoding, order, flag)).shape == (64, 64, 3)
        with pytest.raises(BadInput, match="the other way round than is_bigendian") as refused:
            read_image(words_of(pixels, encoding, order, not flag))
        assert refused.value.reason == "image_byte_order"


def test_a_picture_of_8_bits_in_the_upper_or_both_bytes_is_no_exchange():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64))
    for sixteen in (pixels << 8, 257 * pixels):
        assert (read_image(words_of(sixteen, "mono16", "<", False))[..., 0] == pixels).all()


def test_the_colours_of_a_jpeg_are_in_the_order_that_its_format_says():
    _, file = cv2.imencode(".png", RGB)  # OpenCV takes it for BGR, so the file's red is the blue
    swapped = Compressed("rgb8; png compressed rgb8", file.tobytes())
    assert np.array_equal(read_image(swapped), RGB)
    _, file = cv2.imencode(".png", RGB[..., ::-1])
    assert np.array_equal(read_image(Compressed("rgb8; png compressed bgr8", file.tobytes())), RGB)


@pytest.mark.parametrize("format", ["16UC1; png compressed ", "32FC1; compressedDepth"])
def test_a_compressed_depth_image_is_no_picture(format):
    _, file = cv2.imencode(".png", np.full((4, 6), 500, np.uint16))
    with pytest.raises(BadInput, match="is a depth image: publish the colour image"):
        read_image(Compressed(format, file.tobytes()))
