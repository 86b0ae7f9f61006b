"""The detector's accuracy: whole camera pictures, hands found in them, and the command's report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from seen_hands import PerfectFinder
from stand_in_model import StandInModel

from im2hands_ros.bad_input import BadInput
from im2hands_ros.cli import main
from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.evaluation.detections import DEPTH, LIFTS, PICTURE, detect, scores_of
from im2hands_ros.evaluation.end_to_end import SOURCES, TRUE, end_to_end_methods, end_to_end_scores
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.camera_pictures import CAMERA, CameraPicture, camera_pictures


def detector_of(landmarks: Mapping[str, Landmarks]) -> HandDetector:
    return HandDetector(PerfectFinder(landmarks))


@pytest.fixture(scope="module")
def pictures() -> list[CameraPicture]:
    return list(camera_pictures("test", 0, 3))


@pytest.fixture(scope="module")
def pair() -> CameraPicture:
    """Two hands that do not touch and hide nothing of each other."""
    return next(camera_pictures("test", 4, 1))


def landmarks_in(picture: CameraPicture) -> dict[str, Landmarks]:
    """What a perfect landmark network would see of each hand."""
    found = {}
    for side in SIDES:
        joints = picture.sample.keypoints[side]
        if joints is not None:
            relief = (joints[:, 2] / joints[:, 2].mean() - 1) * CAMERA.fx
            middle = joints - joints.mean(axis=0)
            found[side] = Landmarks(CAMERA.project(joints), relief, middle, float(side == "right"))
    return found


def test_a_picture_shows_its_hands_whole_and_depends_on_its_index_alone(pictures) -> None:
    again = next(camera_pictures("test", 1, 1))
    same = next(each for each in pictures if each.sample.seed == again.sample.seed)
    assert again.sample.jpeg == same.sample.jpeg and np.array_equal(again.depth, same.depth)
    for picture in pictures:
        assert picture.sample.image.shape == (480, 640, 3)
        for side, hand in landmarks_in(picture).items():
            assert (hand.pixels > 0).all() and (hand.pixels < (639, 479)).all()
            assert (picture.sample.mask == {"left": 1, "right": 2}[side]).sum() > 1000


def test_the_depth_image_shows_the_skin(pair) -> None:
    """Vertices are seen or lie behind what is seen; beside the outline a pixel shows the wall."""
    vertices = np.concatenate([pair.sample.meshes[side] for side in SIDES])
    columns, rows = np.rint(CAMERA.project(vertices)).astype(int).T
    inside = (columns > 0) & (columns < 639) & (rows > 0) & (rows < 479)
    behind = vertices[inside, 2] - pair.depth[rows[inside], columns[inside]]
    assert np.mean(behind > -0.004) > 0.9
    assert np.mean(np.abs(behind) < 0.004) > 0.15


def test_perfect_landmarks_are_found_on_their_sides_and_depth_places_them(pair) -> None:
    found = landmarks_in(pair)
    scores = scores_of(pair.sample, detect(detector_of(found), pair))
    assert scores["found"] == scores["true"] == scores["right_side"] == [1, 1]
    assert max(scores["pixels"]) < 3
    assert max(scores[f"{DEPTH}: absolute_mm"]) < 20
    assert max(scores[f"{PICTURE}: centred_mm"]) < 25
    assert all(len(scores[f"{lift}: pair_mm"]) == 1 for lift in LIFTS)


def test_swapped_missed_and_invented_hands_are_counted(pair) -> None:
    found = landmarks_in(pair)
    left, right = found["left"], found["right"]
    swapped = {"right": left, "left": right}
    scores = scores_of(pair.sample, detect(detector_of(swapped), pair))
    assert scores["found"] == [1, 1] and scores["right_side"] == [0, 0]
    elsewhere = replace(left, pixels=left.pixels + 2 * left.extent)
    scores = scores_of(pair.sample, detect(detector_of({"left": elsewhere, "right": right}), pair))
    assert scores["found"] == [0, 1] and sorted(scores["true"]) == [0, 1]
    assert len(scores["pixels"]) == 1 and f"{PICTURE}: pair_mm" not in scores
    nothing = scores_of(pair.sample, detect(detector_of({}), pair))
    assert nothing == {"found": [0, 0], "true": []}


def test_the_end_to_end_scores_what_the_stages_make_of_detected_hands(pair) -> None:
    model = StandInModel([pair.sample])
    methods = end_to_end_methods(model, 32)
    assert list(methods) == ["initial+refinement", "keypoints+initial+refinement"]
    only_left = landmarks_in(pair)["left"]
    detection = detect(detector_of({"left": only_left}), pair)
    scores = end_to_end_scores(pair, detection, methods)
    plain, refined = (scores[PICTURE, name] for name in methods)
    assert plain["answered"] == [1, 0]
    assert refined["keypoints_out_mm"][0] == pytest.approx(plain["keypoints_in_mm"][0] / 2, 1e-3)
    assert scores[TRUE, "initial+refinement"]["iou"] == [1, 1]


def test_a_picture_whose_detected_hands_are_refused_is_unanswered(pair, monkeypatch) -> None:
    model = StandInModel([pair.sample], ("initial",))
    detection = detect(detector_of(landmarks_in(pair)), pair)
    encode = model.encode

    def refusing(image, keypoints, camera, depth=None):
        if depth is not None:
            raise BadInput("keypoints_unit", "the right hand is 0.61 m across")
        return encode(image, keypoints, camera, depth)

    monkeypatch.setattr(model, "encode", refusing)
    scores = end_to_end_scores(pair, detection, end_to_end_methods(model, 32))
    assert [scores[source, "initial"]["answered"] for source in (PICTURE, DEPTH)] == [
        [1, 1],
        [0, 0],
    ]


def test_the_networks_get_the_depth_image_that_the_keypoints_were_lifted_by(pair) -> None:
    model = StandInModel([pair.sample], ("initial",))
    detection = detect(detector_of(landmarks_in(pair)), pair)
    end_to_end_scores(pair, detection, end_to_end_methods(model, 32))
    assert [depth is pair.depth for depth in model.depths] == [
        source == DEPTH for source in SOURCES
    ]
    assert model.depths[0] is None


def test_a_mesh_is_scored_again_where_its_joints_should_be(pair) -> None:
    model = StandInModel([pair.sample], ("initial",))
    detection = detect(detector_of(landmarks_in(pair)), pair)
    (scores,) = [
        s
        for (source, _), s in end_to_end_scores(
            pair, detection, end_to_end_methods(model, 32)
        ).items()
        if source == PICTURE
    ]
    assert min(scores["moved_iou"]) > max(scores["iou"]) + 0.1
    assert max(scores["moved_chamfer_mm"]) < min(scores["chamfer_mm"])


def test_the_command_writes_its_tables_and_how_to_repeat_them(
    pair, tmp_path, monkeypatch, capsys
) -> None:
    model = StandInModel([pair.sample])
    monkeypatch.setattr("im2hands_ros.pipeline.Im2Hands.load", lambda *_, **__: model)
    monkeypatch.setattr(HandDetector, "load", lambda: detector_of(landmarks_in(pair)))
    monkeypatch.setattr(
        "im2hands_ros.synthetic.camera_pictures.camera_pictures", lambda *_: iter([pair])
    )
    out = tmp_path / "detector.json"
    assert main(["evaluate-detector", "--count", "1", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    row = report["detection"][0]
    assert (row["subset"], row["hands"], row["found"], row["right_side"]) == ("all", 2, 2, 2)
    assert (row["both_found"], row["false"]) == (1, 0)
    sources = {(each["source"], each["method"]) for each in report["chain"]}
    assert len(sources) == 6
    assert report["settings"]["command"].startswith("im2hands evaluate-detector --count 1")
    text = out.with_suffix(".md").read_text()
    assert "| all | 2 | 2 | 1 of 1 | 0 | 100.0% |" in text
    assert "not photographs" in text
    assert "| true keypoints | initial+refinement | 100.0% | 1.000 |" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.txt"], "give a .json file"),
        (["--count", "0", "--out", "x.json"], "--count 0: give at least 1"),
    ],
)
def test_bad_arguments_are_one_line_that_names_them(arguments, message, capsys) -> None:
    assert main(["evaluate-detector", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
