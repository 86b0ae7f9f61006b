"""Projection, lens models and the crop agree with each other to a fraction of a pixel."""

from dataclasses import replace

import numpy as np
import pytest

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera, crop_around

LENSES = [
    ("none", ()),
    ("plumb_bob", (0.1, -0.05, 0.001, -0.002, 0.01)),
    ("rational_polynomial", (0.2, -0.1, 0.001, 0.001, 0.02, 0.15, -0.05, 0.01)),
    ("equidistant", (0.02, -0.01, 0.003, -0.001)),
]


def camera(model="none", distortion=(), width=640, height=480):
    return Camera(width, height, 500.0, 510.0, 310.0, 245.0, model, distortion)


def hand_points():
    rng = np.random.default_rng(0)
    return rng.uniform((-0.1, -0.08, 0.45), (0.12, 0.1, 0.6), (42, 3))


def image_with_dots(pixels, width, height):
    """Black image with a small Gaussian dot at each sub-pixel place, in a channel of its own."""
    v, u = np.mgrid[:height, :width]
    channels = [255 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * 4.0**2)) for x, y in pixels]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("model", "distortion"), LENSES)
def test_back_projection_undoes_projection(model, distortion):
    points = hand_points()
    cam = camera(model, distortion)
    again = cam.back_project(cam.project(points), points[:, 2])
    assert np.abs(again - points).max() < 2e-5


@pytest.mark.parametrize(("model", "distortion"), LENSES)
def test_a_point_lies_in_the_crop_where_the_crops_camera_says(model, distortion):
    points = np.array([[-0.05, -0.03, 0.5], [0.06, 0.05, 0.55], [0.01, -0.06, 0.45]])
    cam = camera(model, distortion)
    crop = crop_around(cam, hand_points(), 192)
    seen = crop.extract(image_with_dots(cam.project(points), 640, 480)).astype(float)
    v, u = np.mgrid[:192, :192]
    for channel, expected in enumerate(crop.camera.project(points)):
        weight = seen[..., channel] / seen[..., channel].sum()
        centroid = np.array([(u * weight).sum(), (v * weight).sum()])
        assert np.abs(centroid - expected).max() < 0.2


def test_a_crop_that_shrinks_much_averages_instead_of_skipping_pixels():
    checkerboard = (np.indices((1440, 1920)).sum(0) % 2 * 255).astype(np.uint8)
    image = np.repeat(checkerboard[..., None], 3, axis=2)
    cam = Camera(1920, 1440, 1500.0, 1500.0, 960.0, 720.0)
    corners = np.array([[-0.15, -0.12, 0.5], [0.15, 0.12, 0.5]])
    seen = crop_around(cam, corners, 192).extract(image)
    assert np.abs(seen[20:-20, 20:-20].astype(float) - 127.5).max() < 20


def test_a_crop_in_which_the_whole_picture_is_less_than_a_pixel_is_dark_and_no_failure():
    tiny = Camera(64, 48, 0.06, 0.06, 31.5, 23.5)  # K in millimetres, say
    crop = crop_around(tiny, np.array([[-0.2, 0.0, 0.4], [0.2, 0.1, 0.4]]), 192)
    assert crop.extract(np.full((48, 64, 3), 200, np.uint8)).shape == (192, 192, 3)


def test_the_crop_holds_all_points_with_the_margin():
    points = hand_points()
    crop = crop_around(camera(), points, 192, margin=0.3)
    pixels = crop.camera.project(points)
    extent = np.ptp(pixels, axis=0).max()
    assert extent == pytest.approx(192 / 1.6, rel=1e-6)
    assert pixels.min() > 0.15 * 192 and pixels.max() < 0.85 * 192


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "camera size 0x480"),
        ({"fx": 0.0}, "focal length"),
        ({"cx": float("nan")}, "principal point"),
        ({"distortion_model": "fov"}, "'fov' is unknown"),
        ({"distortion_model": "plumb_bob", "distortion": (1.0,)}, "has 1 coefficients"),
    ],
)
def test_an_unusable_camera_is_refused_by_name(change, message):
    values = {"width": 640, "height": 480, "fx": 500.0, "fy": 500.0, "cx": 320.0, "cy": 240.0}
    with pytest.raises(ValueError, match=message):
        Camera(**{**values, **change})


def test_keypoints_behind_the_camera_are_refused_by_name():
    with pytest.raises(BadInput, match="depth -0.300 m"):
        crop_around(camera(), np.array([[0.0, 0.0, -0.3], [0.0, 0.1, 0.5]]), 192)


def test_keypoints_beside_the_camera_are_refused_by_name():
    with pytest.raises(BadInput, match="span 80.0 focal lengths, the nearest 0.020 m away: give"):
        crop_around(camera(), np.array([[-0.5, 0.0, 0.02], [0.5, 0.1, 0.02]]), 192)


@pytest.mark.parametrize("name", ["width", "fx", "cy"])
def test_a_number_of_the_camera_that_is_none_is_named(name):
    with pytest.raises(ValueError, match=f"{name} of the camera is '600': give a number"):
        replace(Camera(64, 48, 60, 60, 31.5, 23.5), **{name: "600"})
