"""A second hand that the views have not shown: where it is looked for, and what is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.palms import PalmDetector
from im2hands_ros.detection.search import ROUNDS, HandSearch
from im2hands_ros.detection.second_hand import (
    MOST_FOUND,
    alike_in_size,
    candidates,
    fit_better,
    guesses_beside,
    looked_at,
    regions_beside,
)
from im2hands_ros.networks.compact.landmark_encoder import (
    SECOND_HAND_WEIGHTS,
    ConditionedEncoder,
    LandmarkEncoder,
    Look,
    SeenHand,
)
from im2hands_ros.networks.compact.landmark_network import INPUT_SIZE
from im2hands_ros.networks.compact.landmark_regions import (
    is_mirrored,
    moved,
    moved_back,
    region_of,
    scale_of,
    turned,
)
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

MIDDLE = np.full(2, (INPUT_SIZE - 1) / 2)


@pytest.fixture(scope="module")
def conditioned() -> ConditionedEncoder:
    return ConditionedEncoder.load()


@pytest.fixture(scope="module")
def second() -> ConditionedEncoder:
    return ConditionedEncoder.load(SECOND_HAND_WEIGHTS)


@pytest.fixture(scope="module")
def search(conditioned, second) -> HandSearch:
    return HandSearch(PalmDetector.load(), LandmarkEncoder.load(), conditioned, second)


@pytest.fixture(scope="module")
def touching():
    """A picture of touching hands, and their true pixels."""
    sequence = load_demo_sequence()
    frame = sequence.frames[30]
    true = {s: sequence.camera.project(x) for s, x in frame.true_keypoints.items()}
    return frame.image, true


def seen_at(pixels: np.ndarray, side: str = "left", presence: float = 0.9) -> Landmarks:
    return Landmarks(pixels, np.zeros(21), np.zeros((21, 3)), float(side == "right"), presence)


def error(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(found - true, axis=1).mean())


@pytest.mark.parametrize("side", SIDES)
def test_regions_lie_around_the_first_hand_and_show_the_other_side(touching, side) -> None:
    joints = touching[1][side]
    extent = np.linalg.norm(np.ptp(joints, axis=0))
    regions = regions_beside(joints, side)
    assert {is_mirrored(region) for region in regions} == {side == "right"}
    middles = np.array([moved_back(MIDDLE, region) for region in regions])
    assert (np.linalg.norm(middles - joints.mean(0), axis=1) < 1.2 * extent).all()
    assert np.ptp([scale_of(region) for region in regions]) < 1e-9


def test_the_regions_of_the_mirrored_hand_are_the_mirrored_regions(touching) -> None:
    joints, mirror = touching[1]["right"], np.array([-1.0, 1.0])
    pairs = zip(
        regions_beside(joints, "right"), regions_beside(joints * mirror, "left"), strict=True
    )
    for mine, its in pairs:
        assert np.allclose(mine[:, :2] * mirror, its[:, :2]) and np.allclose(mine[:, 2], its[:, 2])


@pytest.mark.parametrize("side", SIDES)
def test_the_other_hand_is_guessed_to_look_like_the_first_one_in_the_mirror(touching, side) -> None:
    joints = touching[1][side]
    upright = moved(joints, region_of(joints, side == "left"))
    guesses, regions = guesses_beside(joints, side), regions_beside(joints, side)
    for guess, region in zip(guesses, regions, strict=True):
        assert np.allclose(moved(guess, region), upright)
        assert is_mirrored(region_of(guess, side == "right")) == (side == "right")


def test_candidates_are_apart_from_the_first_hand_and_from_each_other() -> None:
    rng = np.random.default_rng(0)
    shape = rng.uniform(0, 100, (21, 2))
    first = seen_at(shape, "right")
    there, nearly, faint = shape + 90, shape + 92, shape - 90
    found = [
        seen_at(shape + 3),
        seen_at(there, presence=0.5),
        seen_at(nearly, presence=0.7),
        seen_at(faint, presence=0.01),
        seen_at(0.2 * shape + 200),
    ]
    guesses = guesses_beside(shape, "right")
    (best, *rest) = candidates(first, "right", found)
    assert best is found[2].pixels
    assert np.array_equal(rest, guesses)
    many = [seen_at(shape + (0, 60 * k)) for k in range(2, 4 + MOST_FOUND)]
    assert len(candidates(first, "right", many)) == MOST_FOUND + len(guesses)


def test_a_hand_fits_better_than_what_is_beside_it(second, touching) -> None:
    image, true = touching
    first, wrong = seen_at(true["right"], "right"), true["left"] + (0, 300)
    right, *_ = looked_at(second, image, "right", first, [wrong, true["left"] + 12])
    assert error(right.pixels, true["left"]) < 20 and right.fits > 1
    (alone,) = looked_at(second, image, "right", first, [wrong])
    assert alone.fits < right.fits - 1


def test_a_hand_is_found_from_a_guess_that_is_most_of_its_size_away(second, touching) -> None:
    image, true = touching
    guess = true["left"] + (0, 0.85 * np.ptp(true["left"][:, 1]))
    (found,) = looked_at(second, image, "right", seen_at(true["right"], "right"), [guess])
    assert error(found.pixels, true["left"]) < 20 and found.fits > 1


def test_looks_that_end_at_one_place_count_as_one(second, touching) -> None:
    image, true = touching
    first = seen_at(true["right"], "right")
    joints = [true["left"] + off for off in (0, 3, -3)]
    seen = looked_at(second, image, "right", first, joints)
    assert len(seen) == 1 and error(seen[0].pixels, true["left"]) < 20


def test_hands_are_exchanged_where_all_fit_better_so() -> None:
    def seen(left: float, right: float) -> dict[str, SeenHand]:
        hand = SeenHand(np.zeros((21, 2)), np.zeros(21), np.zeros((21, 3)), 0.9, 0.5)
        return {"left": hand._replace(fits=left), "right": hand._replace(fits=right)}

    assert fit_better(seen(3.0, 2.0), seen(0.0, 1.0))
    assert not fit_better(seen(0.0, 1.0), seen(3.0, 2.0))
    assert not fit_better(seen(3.0, 9.0), seen(10.0, 1.0))  # the right one was seen better
    assert not fit_better(seen(1.5, 1.0), seen(0.0, 1.0))  # not clearly


@pytest.mark.parametrize("side", SIDES)
def test_the_last_round_finds_the_hand_beside_the_known_one(search, touching, side) -> None:
    image, true = touching
    known = search.see(image, {side: true[side]})
    (other,) = set(SIDES) - {side}
    found = search.search(image, known, ROUNDS - 1)
    assert set(found) == {other} and error(found[other].pixels, true[other]) < 20


def test_beside_a_hand_that_is_alone_nothing_is_found(search, touching) -> None:
    image, true = touching
    pixels = true["right"]
    other = np.all([np.rint(true["left"]).astype(int) > 0], axis=0)
    assert other.all()
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    away = np.full(image.shape[:2], np.inf)
    for x, y in pixels:
        away = np.minimum(away, np.hypot(columns - x, rows - y))
    lone = np.where((away < 25)[..., None], image, 120).astype(np.uint8)
    known = search.see(lone, {"right": pixels})
    assert search.search(lone, known, ROUNDS - 1) == {}


def test_a_turned_crop_shows_the_hand_at_the_same_place(conditioned, touching) -> None:
    image, true = touching
    upright, turned = conditioned(image, [Look("left", true), Look("left", true, 15.0)])
    assert error(upright.pixels, turned.pixels) < 10
    assert not np.allclose(upright.pixels, turned.pixels, atol=0.1)


def test_a_region_turns_about_its_middle(touching) -> None:
    region = region_of(touching[1]["left"])
    quarter = turned(region, 90)
    assert np.allclose(moved_back(MIDDLE, quarter), moved_back(MIDDLE, region))
    right_of_it = moved_back(MIDDLE + (10, 0), region)
    assert np.allclose(moved(right_of_it, quarter), MIDDLE + (0, 10))


@pytest.mark.parametrize(("times", "alike"), [(0.4, False), (0.6, True), (1.7, True), (2.2, False)])
def test_the_hands_of_one_person_are_not_twice_as_large_as_each_other(touching, times, alike):
    _, true = touching
    other = seen_at(true["left"].mean(0) + times * (true["left"] - true["left"].mean(0)))
    assert alike_in_size(seen_at(true["left"]), other) is alike
