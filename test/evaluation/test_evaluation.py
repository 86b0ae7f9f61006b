"""The evaluation's inputs, scores and runs of methods."""

import numpy as np
import pytest
from stand_in_model import StandInModel

from im2hands_ros.evaluation import runner
from im2hands_ros.evaluation.inputs import EvaluationInput, input_of
from im2hands_ros.evaluation.methods import (
    PredictedHand,
    Prediction,
    methods_of,
    network_method,
)
from im2hands_ros.evaluation.noise_levels import parse_levels
from im2hands_ros.evaluation.runner import EvaluationPlan, run_evaluation
from im2hands_ros.evaluation.scoring import (
    mean_stages,
    score_prediction,
    summarise,
    true_hands,
)
from im2hands_ros.synthetic.dataset import PointCounts, make_samples
from im2hands_ros.synthetic.sample import Sample, present

NEAR = 64
TWO_HANDS, ONE_HAND = 0, 1  # of the first scenes of the test split


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(make_samples("test", 0, 2, PointCounts(NEAR, 1024)))


def test_noise_is_gaussian_the_same_every_time_and_only_on_the_keypoints(samples) -> None:
    sample = samples[TWO_HANDS]
    given, again = input_of(sample, 10.0, 8), input_of(sample, 10.0, 8)
    assert list(present(given.keypoints)) == ["left", "right"]
    for side in present(given.keypoints):
        noise = given.keypoints[side] - sample.keypoints[side]
        np.testing.assert_array_equal(given.keypoints[side], again.keypoints[side])
        assert 0.006 < noise.std() < 0.014
        np.testing.assert_array_equal(given.points[side], sample.points[side][8:])
        exact = input_of(sample, 0.0, 8).keypoints[side]
        np.testing.assert_array_equal(exact, sample.keypoints[side])


@pytest.mark.parametrize("camera", ["realsense", "kinect"])
def test_a_simulated_depth_camera_sees_the_true_hands_the_same_every_time(samples, camera) -> None:
    sample = samples[TWO_HANDS]
    given = input_of(sample, 0.0, 8, depth_camera=camera)
    np.testing.assert_array_equal(given.depth, input_of(sample, 0.0, 8, depth_camera=camera).depth)
    assert given.depth.shape == sample.mask.shape
    assert 0.005 < (given.depth == 0).mean() < 0.3
    u, v = np.rint(sample.camera.project(sample.meshes["left"])).astype(int).T
    inside = (u >= 0) & (u < 256) & (v >= 0) & (v < 256)
    gap = sample.meshes["left"][inside, 2] - given.depth[v[inside], u[inside]]
    # Some of the vertices are what is seen, the others lie behind it.
    assert (np.abs(gap) < 0.01).mean() > 0.1
    assert input_of(sample, 0.0, 8).depth is None


def test_a_trackers_errors_are_larger_across_a_hand_than_within_it_and_repeat(samples) -> None:
    sample = samples[TWO_HANDS]
    given, again = input_of(sample, None, 8), input_of(sample, None, 8)
    reported = sorted(joints.tobytes() for joints in given.keypoints.values())
    assert reported == sorted(joints.tobytes() for joints in again.keypoints.values())
    error = np.concatenate(
        [given.keypoints[side] - sample.keypoints[side] for side in ("left", "right")]
    )
    assert 0.002 < np.linalg.norm(error, axis=1).mean() < 0.3
    common = np.linalg.norm(error.reshape(2, 21, 3).mean(1), axis=1)
    assert common.max() > 0.003


def test_levels_are_those_of_the_chosen_errors() -> None:
    assert parse_levels("0,2.5", "gaussian") == [0, 2.5]
    assert parse_levels("0,2.5", "tracker") == [None]
    assert parse_levels("0", "gaussian,tracker") == [0, None]


def true_prediction(
    sample: Sample, given: EvaluationInput, without: tuple[str, ...] = ()
) -> Prediction:
    """The true hands with the given keypoints, but for sides that were not found."""
    hands = {
        side: PredictedHand(
            None if side in without else sample.mesh_of(side),
            given.keypoints[side],
        )
        for side in present(given.keypoints)
    }
    return Prediction(hands, 12.5)


def test_the_truth_scores_perfectly_and_its_keypoints_by_their_distance(samples) -> None:
    sample = samples[TWO_HANDS]
    given = input_of(sample, 5.0, NEAR)
    scores = score_prediction(true_hands(sample, NEAR), given, true_prediction(sample, given))
    assert scores["iou"] == scores["iou_field"] == scores["f5"] == scores["found"] == [1, 1]
    assert max(scores["chamfer_mm"]) < 1e-6
    assert len(scores["penetration_cm3"]) == len(scores["penetration_mm"]) == 1
    moved = np.linalg.norm(given.keypoints["left"] - sample.keypoints["left"], axis=1).mean()
    assert scores["keypoints_in_mm"][0] == pytest.approx(1000 * moved)
    assert scores["keypoints_out_mm"] == scores["keypoints_in_mm"]
    assert scores["frame_ms"] == [12.5]


def test_a_hand_without_a_mesh_counts_as_nothing_and_has_no_distances(samples) -> None:
    sample = samples[TWO_HANDS]
    given = input_of(sample, 0.0, NEAR)
    prediction = true_prediction(sample, given, without=("left",))
    scores = score_prediction(true_hands(sample, NEAR), given, prediction)
    assert scores["found"] == scores["iou"] == scores["iou_field"] == [0, 1]
    assert len(scores["chamfer_mm"]) == len(scores["watertight"]) == 1
    assert "penetration_cm3" not in scores


def test_a_hand_reported_as_the_other_one_is_not_found_and_has_no_keypoints(samples) -> None:
    sample = samples[ONE_HAND]
    exact = input_of(sample, 0.0, NEAR)
    swapped = EvaluationInput(
        exact.image,
        exact.camera,
        {"left": None, "right": exact.keypoints["left"]},
        exact.points,
    )
    predicted = PredictedHand(sample.mesh_of("left"), None)
    scores = score_prediction(
        true_hands(sample, NEAR), swapped, Prediction({"right": predicted}, 1.0)
    )
    assert scores["found"] == scores["iou"] == [0]
    assert "keypoints_in_mm" not in scores and "keypoints_out_mm" not in scores


def test_methods_run_the_stages_of_their_names_whatever_ran_before(samples) -> None:
    model = StandInModel(samples)
    inputs = [input_of(samples[ONE_HAND], 10.0, NEAR)]
    names = ("keypoints+initial+refinement", "initial", "network", "keypoints+initial")
    methods = [network_method(model, name, 32) for name in names]
    for method in methods:
        method(inputs)
    every = ("initial", "refinement", "keypoints")
    assert model.encoded == [every, ("initial",), every, ("initial", "keypoints")]


def test_methods_are_offered_for_the_stages_that_the_weights_hold(samples) -> None:
    assert methods_of(StandInModel(samples, ("initial",))) == ["initial"]
    some = StandInModel(samples, ("initial", "keypoints"))
    assert methods_of(some) == ["initial", "keypoints+initial"]
    with pytest.raises(ValueError, match="stand-in.safetensors has no stage 'refinement'"):
        network_method(some, "initial+refinement", 32)


def test_stages_are_told_apart_by_their_scores(samples) -> None:
    model = StandInModel(samples)
    plan = EvaluationPlan(tuple(methods_of(model)), (0.0, 10.0), NEAR)
    networks = {name: network_method(model, name, 32) for name in plan.methods}
    scored = run_evaluation(samples, plan, networks)
    means = {configuration: summarise(scenes)["all"] for configuration, scenes in scored.items()}
    assert all(len(scenes) == len(samples) for scenes in scored.values())
    given, halved = means["initial", 10.0], means["keypoints+initial", 10.0]
    assert halved["keypoints_in_mm"] == given["keypoints_in_mm"] == given["keypoints_out_mm"]
    assert halved["keypoints_out_mm"] == pytest.approx(given["keypoints_out_mm"] / 2, rel=1e-3)
    assert halved["iou"] > given["iou"] + 0.05
    assert means["initial+refinement", 10.0]["iou"] == 1
    assert mean_stages(scored["keypoints+initial", 0.0])["keypoints"] == 1.0


def test_workers_find_the_same_scores(samples) -> None:
    plan = EvaluationPlan(("capsules", "skinned"), (0.0, None), NEAR)
    here, there = run_evaluation(samples, plan, {}), run_evaluation(samples, plan, {}, workers=1)
    for configuration, scenes in here.items():
        for mine, theirs in zip(scenes, there[configuration], strict=True):
            for name in set(mine.scores) - {"frame_ms"}:
                np.testing.assert_allclose(theirs.scores[name], mine.scores[name], atol=1e-3)


def test_baselines_are_not_run_again_while_scenes_and_errors_are_the_same(
    samples, tmp_path, monkeypatch
) -> None:
    plan = EvaluationPlan(("capsules",), (0.0, 5.0), NEAR, cache=tmp_path)
    first = run_evaluation(samples, plan, {})
    monkeypatch.setattr(runner, "baseline_method", None)  # would fail if it were called
    second = run_evaluation(samples, plan, {})
    for configuration, scenes in first.items():
        for mine, theirs in zip(scenes, second[configuration], strict=True):
            assert "frame_ms" not in theirs.scores
            assert theirs.scores == {k: v for k, v in mine.scores.items() if k != "frame_ms"}
    with pytest.raises(TypeError):
        run_evaluation(samples[:1], plan, {})
    with pytest.raises(TypeError):
        run_evaluation(samples, EvaluationPlan(("capsules",), (6.0,), NEAR, cache=tmp_path), {})
