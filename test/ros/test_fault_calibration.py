"""Calibrations: what cannot be used is refused, and lens, binning and window are honoured.

The oracle is OpenCV's own projection: a bright spot is drawn where it sees a wrist, and the node's
stand-in model puts the wrist where the node's camera says that the spot is.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from harness import (
    ANALYTIC_NODE,
    LOSSLESS,
    LOSSLESS_INPUTS,
    Client,
    NodeProcess,
    hand,
    header,
    keypoints,
)
from reference_messages import image_message, keypoints_message
from sensor_msgs.msg import CameraInfo, RegionOfInterest

SIZE = (640, 480)
K = np.array([[500.0, 0, 330], [0, 510, 235], [0, 0, 1]])
_stamps = itertools.count(2.0)
WRIST = hand("right")[0].astype(np.float64)


@pytest.fixture(scope="module")
def process(tmp_path_factory) -> Iterator[NodeProcess]:
    log = tmp_path_factory.mktemp("node") / "log.txt"
    process = NodeProcess([ANALYTIC_NODE, "--look"], LOSSLESS_INPUTS, log)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def client(process) -> Iterator[Client]:
    client = Client(process.namespace, qos=LOSSLESS)
    client.wait_for_node()
    yield client
    client.close()


def calibration(model: str = "plumb_bob", coefficients: tuple[float, ...] = ()) -> CameraInfo:
    info = CameraInfo(header=header(1.0), width=SIZE[0], height=SIZE[1], distortion_model=model)
    info.k, info.d = K.ravel().tolist(), list(coefficients)
    return info


def binned(info: CameraInfo) -> CameraInfo:
    info.binning_x, info.binning_y = 2, 2
    return info


def windowed(info: CameraInfo) -> CameraInfo:
    info.roi = RegionOfInterest(x_offset=240, y_offset=100, width=320, height=240)
    return info


def seen_at(info: CameraInfo) -> np.ndarray:
    """(2,) pixel of the wrist in the whole, unbinned picture, as OpenCV has it."""
    if info.distortion_model == "equidistant":
        point = WRIST.reshape(1, 1, 3)
        d = np.array(info.d[:4])
        return cv2.fisheye.projectPoints(point, np.zeros(3), np.zeros(3), K, d)[0].ravel()
    return cv2.projectPoints(WRIST, np.zeros(3), np.zeros(3), K, np.array(info.d))[0].ravel()


def picture(info: CameraInfo) -> np.ndarray:
    """A bright spot at the wrist, binned by averaging and cut to the window as a camera does it."""
    v, u = np.indices(SIZE[::-1])
    x, y = seen_at(info)
    spot = 100 + 150 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * 6.0**2))
    step = max(info.binning_x, 1)
    roi = info.roi
    if roi.width:
        spot = spot[roi.y_offset :][: roi.height, roi.x_offset :][:, : roi.width]
    rows, columns = (side // step for side in spot.shape)
    spot = spot.reshape(rows, step, columns, step).mean((1, 3))
    return np.repeat(spot.round().astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize(
    "info",
    [
        calibration(),
        calibration("plumb_bob", (-0.25, 0.08, 0.002, -0.003, 0.01)),
        calibration("rational_polynomial", (0.3, -0.1, 0.001, 0.002, 0.05, 0.4, -0.05, 0.02)),
        calibration("equidistant", (0.05, -0.02, 0.01, -0.003)),
        calibration("equidistant", (0.05, -0.02, 0.01, -0.003, 0.0)),
        calibration("plumb_bob", (-0.25, 0.08, 0.002, -0.003, 0.01, 0.0, 0.0, 0.0)),
        binned(calibration()),
        windowed(calibration()),
        binned(windowed(calibration("plumb_bob", (-0.25, 0.08, 0.002, -0.003, 0.01)))),
    ],
    ids=[
        "pinhole",
        "plumb_bob",
        "rational",
        "fisheye",
        "fisheye5",
        "plumb_bob8",
        "binned",
        "window",
        "all",
    ],
)
def test_the_wrist_lies_where_the_picture_shows_it_to_less_than_a_pixel(client, info):
    stamp = next(_stamps)
    beside = hand("right") + np.float32([0.02, 0.01, 0])
    client.send(
        info,
        image_message(header(stamp), picture(info)),
        keypoints_message(header(stamp), {"right": beside}),
    )
    (mesh,) = client.wait_for_frame(stamp).hands
    balls = np.array(mesh.vertices).reshape(21, -1, 3)
    wrist = balls[0].mean(0)
    off = K[:2, :2] @ (wrist / wrist[2] - WRIST / WRIST[2])[:2]
    assert np.hypot(*off) < 1.0, off


def emptied(info: CameraInfo) -> None:
    info.k = [0.0] * 9


def not_a_number(info: CameraInfo) -> None:
    info.k[0] = float("nan")


def of_another_size(info: CameraInfo) -> None:
    info.width = 1280


def windowed_beyond(info: CameraInfo) -> None:
    info.roi = RegionOfInterest(x_offset=600, y_offset=400, width=2**31, height=2**31)


def with_few_coefficients(info: CameraInfo) -> None:
    info.d = [0.1, 0.2, 0.3]


def of_an_unknown_lens(info: CameraInfo) -> None:
    info.distortion_model, info.d = "telescope", [0.1]


def with_endless_distortion(info: CameraInfo) -> None:
    info.d = [float("inf")] * 5


def binned_away(info: CameraInfo) -> None:
    info.binning_x = info.binning_y = 2**32 - 1


UNUSABLE = (
    emptied,
    not_a_number,
    of_another_size,
    windowed_beyond,
    with_few_coefficients,
    of_an_unknown_lens,
    with_endless_distortion,
    binned_away,
)


def test_what_cannot_be_used_is_refused_until_a_good_one_comes(process, client):
    before = Counter(refusals(client))
    good = []
    for change in UNUSABLE:
        bad = calibration()
        change(bad)
        for info in (bad, calibration()):
            good.append(next(_stamps))
            pixels = image_message(header(good[-1]), picture(calibration()))
            client.send(info, pixels, keypoints(good[-1]))
            client.spin(0.1)
        client.wait_for_frame(good[-1])
        assert good.pop(-2) not in client.stamps(), change.__name__
    found = Counter(refusals(client)) - before
    # The good frame may have come before the worker looked at the bad one.
    assert found.total() == len(UNUSABLE)
    assert found["dropped.camera_info_size"] > 0
    assert found["dropped.camera_info_values"] > 0
    assert process.is_alive
    assert "Traceback" not in process.log


def test_a_lens_that_folds_in_the_picture_is_warned_of_and_used(process, client):
    folding = calibration("radtan", (-3.0, 0.0, 0.0, 0.0))
    stamp = next(_stamps)
    pixels = image_message(header(stamp), picture(calibration()))
    client.send(folding, pixels, keypoints(stamp))
    client.wait_for_frame(stamp)
    process.wait_for_log("the lens model plumb_bob has no inverse in")
    stamp = next(_stamps)
    client.send(calibration(), image_message(header(stamp), picture(calibration())))
    client.send(keypoints(stamp))
    client.wait_for_frame(stamp)


def refusals(client: Client) -> dict[str, int]:
    names = ("dropped.camera_info", "dropped.overwritten")
    values = client.diagnostics()
    return {name: int(value) for name, value in values.items() if name.startswith(names)}
