"""A calibration becomes the camera that took the image, and a camera a calibration."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.messages.camera_info import (
    Calibration,
    camera_from_info,
    is_same_frame,
    unlike_frame,
    unusable_frame,
    write_camera_info,
)
from im2hands_ros.messages.header import Header

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
K = np.array([60.0, 0, 31.5, 0, 60.0, 23.5, 0, 0, 1])


def info(new, **changes: object) -> object:
    usual = {"width": 64, "height": 48, "distortion_model": "plumb_bob", "d": np.zeros(5), "k": K}
    return new(CAMERA_INFO, **(usual | changes))


def test_the_camera_is_that_of_the_message(new):
    camera = camera_from_info(info(new), (64, 48))
    assert (camera.width, camera.height, camera.distortion_model) == (64, 48, "none")
    assert (camera.fx, camera.cx, camera.fy, camera.cy) == (60.0, 31.5, 60.0, 23.5)


def test_binning_and_region_of_interest_are_applied(new):
    k = np.array([240.0, 0.0, 100.0, 0.0, 240.0, 90.0, 0.0, 0.0, 1.0])
    roi = new("sensor_msgs/msg/RegionOfInterest", x_offset=40, y_offset=20, width=128, height=96)
    full = info(new, width=256, height=192, binning_x=2, binning_y=2, k=k, roi=roi)
    binned = camera_from_info(full, (64, 48))
    whole = camera_from_info(info(new, width=256, height=192, k=k), (256, 192))
    point = np.array([[0.01, -0.02, 0.5]])
    # A whole image's pixel u falls into binned pixel ((u - 40) - 0.5) / 2: both centres at whole.
    expected = (whole.project(point) - [40, 20] - 0.5) / 2
    assert np.allclose(binned.project(point), expected)


def test_lens_models_are_passed_on(new):
    coefficients = [0.1, -0.05, 0.001, 0.002, 0.01]
    camera = camera_from_info(info(new, d=np.array(coefficients)), (64, 48))
    assert camera.distortion_model == "plumb_bob"
    assert camera.distortion == tuple(coefficients)
    for first in (0.1, 0.0):  # an ideal fisheye is no pinhole
        changes = {"distortion_model": "equidistant", "d": np.array([first, 0.0, 0.0, 0.0])}
        assert camera_from_info(info(new, **changes), (64, 48)).is_distorted
    for model, zeros in (("equidistant", ()), ("plumb_bob", (0.0,) * 8), ("", (0.0,) * 5)):
        changes = {"distortion_model": model, "d": np.array(zeros)}
        assert not camera_from_info(info(new, **changes), (64, 48)).is_distorted


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"width": 1280}, "camera_info_size", "1280x48 image but the image is 64x48"),
        ({"binning_x": 2}, "camera_info_size", "32x48"),
        ({"width": 0, "height": 0}, "camera_info_values", "0x0 image, so it is not calibrated"),
        ({"k": np.zeros(9)}, "camera_info_values", "calibrate the camera"),
        ({"k": np.full(9, np.nan)}, "camera_info_values", "calibrate the camera"),
        (
            {"distortion_model": "magic", "d": np.ones(1)},
            "camera_info_values",
            "'magic' is unknown",
        ),
        ({"d": np.array([1.0, 2.0])}, "camera_info_values", "has 2 coefficients"),
        ({"d": np.full(5, np.nan)}, "camera_info_values", "not finite"),
        (
            {"k": K.reshape(3, 3).T.ravel()},
            "camera_info_values",
            r"by columns, its principal point \(31.5, 23.5\) in the last row",
        ),
        ({"k": K + np.eye(9)[1]}, "camera_info_values", "the skew 1 px"),
        ({"k": 2 * K}, "camera_info_values", "ends with 2 in place of 1"),
        ({"binning_x": 2, "binning_y": 2}, "camera_info_size", "set binning_x and binning_y to 0"),
    ],
)
def test_a_calibration_that_is_not_the_images_is_refused(new, changes, reason, said):
    with pytest.raises(BadInput, match=said) as raised:
        camera_from_info(info(new, **changes), (64, 48))
    assert raised.value.reason == reason


@pytest.mark.parametrize("size", [(0, 0), (64, 0), (0, 48)])
def test_a_calibration_without_a_size_is_told_from_none_at_all(new, size):
    lacking = {"width": size[0], "height": size[1]}
    with pytest.raises(BadInput, match="fill in width and height of the pictures that K is of"):
        camera_from_info(info(new, **lacking), (64, 48))
    with pytest.raises(BadInput, match="not calibrated: calibrate the camera, or give the driver"):
        camera_from_info(info(new, **lacking, k=np.zeros(9)), (64, 48))


@pytest.mark.parametrize(
    ("theirs", "is_said"), [("camera", False), ("", False), ("depth_camera", True)]
)
def test_a_calibration_of_another_frame_is_named(theirs, is_said):
    text = unlike_frame(theirs, "camera")
    assert bool(text) == is_said
    assert not is_said or ("'depth_camera'" in text and "frame_id" in text)


@pytest.mark.parametrize(
    "camera",
    [
        Camera(64, 48, 60.0, 61.0, 31.5, 23.25),
        Camera(64, 48, 60.0, 61.0, 31.5, 23.25, "equidistant", (0.1, 0.2, 0.3, 0.4)),
        Camera(64, 48, 60.0, 61.0, 31.5, 23.25, "equidistant", (0.0,) * 4),
    ],
)
def test_a_written_calibration_is_read_back_as_its_camera(parse, camera):
    data = write_camera_info(Header.at(3, "camera"), Calibration.of(camera))
    message = parse(CAMERA_INFO, data)
    assert camera_from_info(message, (64, 48)) == camera
    assert camera_from_info(Calibration.of(camera), (64, 48)) == camera
    assert np.array_equal(message.p, np.hstack([camera.K, np.zeros((3, 1))]).ravel())
    assert np.array_equal(message.r, np.eye(3).ravel())
    assert message.distortion_model != "none"


def test_arbitrary_calibrations_are_opencvs_cameras_or_refused(new):
    random = np.random.default_rng(7)
    rays = np.concatenate([random.uniform(-0.2, 0.2, (9, 2)), np.ones((9, 1))], axis=1)
    taken = 0
    for _ in range(200):
        model = str(random.choice(["plumb_bob", "radtan", "", "rational_polynomial", "magic"]))
        d = random.normal(0, 0.05, int(random.integers(0, 16)))
        d[len(d) // int(random.integers(1, 4)) :] *= float(
            random.choice([0, 1, np.nan], p=[0.4, 0.5, 0.1])
        )
        k = K.copy()
        k[[0, 4]] *= random.choice([1.0, 2.0, 0.0, -1.0, np.inf], p=[0.6, 0.2, 0.1, 0.05, 0.05])
        try:
            camera = camera_from_info(info(new, distortion_model=model, d=d, k=k), (64, 48))
        except BadInput:
            continue
        taken += 1
        count = next(n for n in (4, 5, 8, 12, 14) if n >= len(np.trim_zeros(d, "b")))
        known = np.pad(d, (0, 14))[:count]  # without the zeros that no model has a place for
        zero = np.zeros(3)
        expected = cv2.projectPoints(rays, zero, zero, k.reshape(3, 3), known)[0][:, 0]
        assert np.allclose(camera.project(rays), expected), (model, d, k)
    assert 40 < taken < 160


def test_a_k_with_a_trace_of_skew_or_without_its_last_one_is_taken(new):
    usual = camera_from_info(info(new), (64, 48))
    assert camera_from_info(info(new, k=K + 0.1 * np.eye(9)[1]), (64, 48)) == usual
    assert camera_from_info(info(new, k=K - np.eye(9)[8]), (64, 48)) == usual


@pytest.mark.parametrize(
    "region", [{"x_offset": 1, "width": 64, "height": 48}, {"y_offset": 9}, {"x_offset": 2**31}]
)
def test_a_region_beyond_the_sensor_is_refused(new, region):
    roi = new("sensor_msgs/msg/RegionOfInterest", **region)
    with pytest.raises(BadInput, match="beyond its own 64x48") as refused:
        camera_from_info(info(new, roi=roi), (64, 48))
    assert refused.value.reason == "camera_info_roi"


LENS = np.array([-0.3, 0.1, 0.0, 0.0, 0.0])
P = np.array([50.0, 0, 30.0, 0, 0, 51.0, 22.0, 0, 0, 0, 1, 0])


@pytest.mark.parametrize(
    "topic", ["/camera/image_rect", "/camera/image_rect_color", "/image_rect/compressed"]
)
def test_a_rectified_image_has_the_camera_of_p_without_distortion(new, topic):
    camera = camera_from_info(info(new, d=LENS, p=P), (64, 48), topic)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (50.0, 51.0, 30.0, 22.0)
    assert not camera.is_distorted


@pytest.mark.parametrize("topic", ["", "/camera/image_raw", "/image_rect/image_raw", "/rect"])
def test_another_image_has_the_camera_of_k_with_its_lens(new, topic):
    camera = camera_from_info(info(new, d=LENS, p=P), (64, 48), topic)
    assert (camera.fx, camera.cx) == (60.0, 31.5) and camera.is_distorted


def test_a_rectified_image_without_p_has_the_camera_of_k(new):
    camera = camera_from_info(info(new, d=LENS), (64, 48), "/camera/image_rect")
    assert camera.fx == 60.0 and camera.is_distorted


def test_frame_ids_with_a_slash_of_ros_1_are_those_without_and_named():
    assert is_same_frame("/camera", "camera") and not is_same_frame("/camera", "world")
    assert not unlike_frame("/camera", "camera")
    assert not unusable_frame("camera_optical_frame") and not unusable_frame("robot/camera")
    for refused in ("", "/camera"):
        assert f"frame_id is '{refused}', and so is that of all" in unusable_frame(refused)
