"""Lens models as drivers name and count them, against OpenCV's own; where they have no inverse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from im2hands_ros.camera import Camera, lens_problem

TWELVE = (0.2, -0.1, 0.001, 0.001, 0.02, 0.15, -0.05, 0.01, 0.002, -0.001, 0.001, 0.002)
PLACES = np.stack(np.meshgrid((-0.4, -0.1, 0.0, 0.3), (-0.3, 0.0, 0.25)), -1).reshape(-1, 2)
POINTS = np.concatenate([PLACES, np.ones((len(PLACES), 1))], axis=1) * 0.5
FISHEYE = (0.02, -0.01, 0.003, -0.001)


def camera(model: str, distortion: tuple[float, ...]) -> Camera:
    return Camera(640, 480, 500.0, 510.0, 310.0, 245.0, model, distortion)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("plumb_bob", (*TWELVE[:5], 0.0, 0.0, 0.0)),
        ("plumb_bob", TWELVE[:8]),
        ("plumb_bob", TWELVE[:4]),
        ("radtan", TWELVE[:4]),
        ("", TWELVE[:5]),
        ("", TWELVE[:8]),
        ("rational_polynomial", TWELVE[:5]),
        ("rational_polynomial", TWELVE),
        ("rational_polynomial", (*TWELVE, 0.01, -0.02)),
        ("Brown-Conrady", TWELVE[:5]),
        ("plumb_bob", TWELVE),
        ("pinhole-radtan", TWELVE[:4]),
        ("OPENCV", TWELVE[:4]),
        ("FULL_OPENCV", TWELVE[:8]),
    ],
)
def test_what_opencv_takes_is_projected_and_inverted_as_it_does(model, distortion):
    taken = camera(model, distortion)
    pixels = cv2.projectPoints(POINTS, np.zeros(3), np.zeros(3), taken.K, np.array(distortion))[0]
    assert np.allclose(taken.project(POINTS), pixels[:, 0], atol=1e-9)
    exact = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    places = cv2.undistortPoints(pixels, taken.K, np.array(distortion), criteria=exact)[:, 0]
    back = taken.back_project(pixels[:, 0], np.ones(len(pixels)))
    assert np.allclose(back[:, :2], places, atol=1e-9)
    assert np.allclose(back[:, :2], PLACES, atol=1e-9)
    assert lens_problem(taken) == ""


@pytest.mark.parametrize(
    "model", ["equidistant", "fisheye", "Kannala-Brandt4", "KannalaBrandt8", "OPENCV_FISHEYE"]
)
@pytest.mark.parametrize("zeros", [(), (0.0,), (0.0,) * 4])
@pytest.mark.parametrize("four", [FISHEYE, (0.0,) * 4])
def test_a_fisheye_by_any_name_and_with_zeros_is_opencvs(model, zeros, four):
    taken = camera(model, (*four, *zeros))
    pixels = cv2.fisheye.projectPoints(
        POINTS[:, None], np.zeros(3), np.zeros(3), taken.K, np.array(four)
    )[0]
    assert np.allclose(taken.project(POINTS), pixels[:, 0], atol=1e-9)
    assert np.allclose(taken.back_project(pixels[:, 0], POINTS[:, 2]), POINTS, atol=1e-9)
    assert lens_problem(taken) == ""


@pytest.mark.parametrize(
    ("model", "distortion", "said"),
    [
        ("plumb_bob", (0.1, 0.2, 0.3), "3 coefficients, needs 4 or 5 or 8 or 12 or 14"),
        ("plumb_bob", (0.1,) * 6, "6 coefficients"),
        ("rational_polynomial", (0.1,) * 15, "15 coefficients"),
        ("equidistant", (*FISHEYE, 0.1), "5 coefficients, needs 4"),
        ("", (0.1, 0.2), "2 coefficients"),
        ("none", (0.1,), "1 coefficients, needs 0"),
        ("inverse_brown_conrady", TWELVE[:5], "unknown: use one of none, plumb_bob, .*fisheye"),
    ],
)
def test_what_opencv_does_not_take_is_refused(model, distortion, said):
    with pytest.raises(ValueError, match=said):
        camera(model, distortion)


def test_a_strong_lens_is_inverted_where_opencvs_few_steps_are_pixels_off():
    strong = camera("plumb_bob", (-0.35, 0.15, 0.0, 0.0, -0.03))
    corners = np.array([[0.0, 0.0], [639.0, 0.0], [0.0, 479.0], [639.0, 479.0]])
    again = strong.project(strong.back_project(corners, np.ones(4)))
    assert np.abs(again - corners).max() < 1e-6
    few = cv2.undistortPoints(corners[:, None], strong.K, np.array(strong.distortion))[:, 0]
    assert np.abs(strong.pixels_of(few) - corners).max() > 0.02
    assert lens_problem(strong) == ""


@pytest.mark.parametrize(
    ("second", "fold"),
    [
        # r (1 - 0.9 r^2) is largest at r = 0.609, where it is 0.406: 203 pixels at 500 a unit.
        (0.0, 203),
        # r (1 - 0.9 r^2 + 0.35 r^4) at r = 0.786, where it is 0.454; it grows again from 0.962 on.
        (0.35, 227),
    ],
)
def test_a_lens_that_folds_within_the_picture_says_where(second, fold):
    coefficients = (-0.9, second, 0.0, 0.0)
    folding = Camera(640, 480, 500.0, 500.0, 319.5, 239.5, "plumb_bob", coefficients)
    said = lens_problem(folding)
    beyond = float(said.partition("from ")[2].split()[0])
    assert fold <= beyond < fold + 20
    y, x = np.indices((480, 640))
    share = (np.hypot(x - 319.5, y - 239.5) > fold).mean()
    assert abs(float(said.partition(" in ")[2].split()[0]) - 100 * share) < 5
    assert "640x480" in said and "calibrate" in said
