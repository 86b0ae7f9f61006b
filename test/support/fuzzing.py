"""Messages that no camera and no tracker should send, made from good ones; the same every time."""

from __future__ import annotations

import array
from collections.abc import Callable

import numpy as np
from harness import hand, image, keypoints
from im2hands_ros.msg import HandKeypoints
from sensor_msgs.msg import Image

from im2hands_ros.messages.images import ENCODINGS

_LARGEST = 2**32 - 1
_NAMES = (*ENCODINGS, "", "bayer_rggb8", "RGB8", "rgb8; jpeg", "32FC1", "\u270b" * 40, "x" * 5000)
_SIZES = (0, 1, 2, 47, 63, 4320, 7680, 2**31, _LARGEST)


def _encoding(message: Image, random: np.random.Generator) -> None:
    message.encoding = str(random.choice(_NAMES))


def _width(message: Image, random: np.random.Generator) -> None:
    message.width = int(random.choice(_SIZES))


def _height(message: Image, random: np.random.Generator) -> None:
    message.height = int(random.choice(_SIZES))


def _step(message: Image, random: np.random.Generator) -> None:
    message.step = int(random.choice((0, 1, message.step - 1, message.step + 1, _LARGEST)))


def _length(message: Image, random: np.random.Generator) -> None:
    count = int(random.choice((0, 1, len(message.data) - 1, len(message.data) + 1, 30_000)))
    message.data = array.array("B", random.bytes(count))


def _endian(message: Image, random: np.random.Generator) -> None:
    message.is_bigendian = int(random.choice((1, 2, 255)))


def fuzzed_image(stamp: float, random: np.random.Generator) -> Image:
    """An image with one to three wrong fields; by chance it may be one that can be used."""
    message = image(stamp)
    changes = [_encoding, _width, _height, _step, _length, _endian]
    for number in random.permutation(len(changes))[: random.integers(1, 4)]:
        changes[number](message, random)
    return message


def _noise(xyz: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return xyz + random.normal(0, random.choice((0.003, 0.03, 0.3, 3)), xyz.shape)


def _numbers(xyz: np.ndarray, random: np.random.Generator) -> np.ndarray:
    which = random.random(xyz.shape) < random.choice((0.02, 0.5, 1))
    value = random.choice((np.nan, np.inf, -np.inf, 0.0, -0.0, 1e9, -1e9, 3e38, 1e-40))
    return np.where(which, value, xyz)


def _count(xyz: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.resize(xyz.ravel(), random.choice((0, 1, 3, 60, 62, 64, 66, 78, 126, 10_000)))


def _collapsed(xyz: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Some joints in one place: bones without a length."""
    which = random.random(len(xyz)) < random.choice((0.1, 0.5, 0.95))
    return np.where(which[:, None], xyz[random.integers(len(xyz))], xyz)


def _shuffled(xyz: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.permutation(xyz)


def _flat(xyz: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """All joints on a line or in a plane."""
    squeezed = xyz.copy()
    for axis in random.permutation(3)[: random.integers(1, 3)]:
        squeezed[:, axis] = squeezed[0, axis]
    return squeezed


def _scaled(xyz: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return xyz * random.choice((1000, 30, 3, 0.1, 0.01, -1))


Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
ODD_SHAPES: tuple[Change, ...] = (_noise, _collapsed, _shuffled, _flat)
_CHANGES: tuple[Change, ...] = (*ODD_SHAPES, _numbers, _count, _scaled)


def fuzzed_keypoints(
    stamp: float, random: np.random.Generator, changes: tuple[Change, ...] = _CHANGES
) -> HandKeypoints:
    """Keypoints of which one or both hands are wrong; some can be used all the same."""
    message = keypoints(stamp)
    hands = [hand("left"), hand("right")]
    if random.random() < 0.2:
        hands.reverse()
    for side, xyz in zip(("left", "right"), hands, strict=True):
        if random.random() < 0.7:
            xyz = changes[random.integers(len(changes))](xyz, random)
        with np.errstate(over="ignore"):
            setattr(message, f"{side}_xyz", array.array("f", xyz.astype(np.float32).ravel()))
    if changes is _CHANGES and random.random() < 0.2:
        message.joint_order = int(random.choice((1, 2, 3, 255)))
    if changes is _CHANGES and random.random() < 0.2:
        confidence = random.normal(0, 1e20, random.choice((0, 1, 21, 42)))
        message.left_confidence = array.array("f", confidence.astype(np.float32))
    return message
