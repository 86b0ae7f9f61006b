"""`im2hands calibrate`: from a bag to a file, and what it says of bags that do not do."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_bags import FRAME_ID, Entry, header, stamp_of, write_bag
from new_messages import MESSAGES
from two_hands import CAMERA, joints

from im2hands_ros import cli
from im2hands_ros.calibration import calibrate, recorded_hands
from im2hands_ros.calibration.skin import SkinPoints
from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.hand_calibration import HandCalibration
from im2hands_ros.skeleton import LINKS, SIDES
from im2hands_ros.synthetic.depth_camera import perfect_depth
from im2hands_ros.synthetic.raytracing import plain_part

FRAMES = 12
IMAGE, INFO, KEYPOINTS = "/image/compressed", "/camera_info", "/keypoints"
DEPTH = "/aligned_depth/image_raw"
KINDS = {
    IMAGE: "sensor_msgs/msg/CompressedImage",
    INFO: "sensor_msgs/msg/CameraInfo",
    KEYPOINTS: "im2hands_ros/msg/HandKeypoints",
    DEPTH: "sensor_msgs/msg/Image",
}


def messages(number: int, depth: np.ndarray, sides: tuple[str, ...]) -> dict[str, object]:
    head = header(stamp_of(number))
    picture = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)
    picture[depth < 0.7] = (150, 170, 220)
    fields: dict = {}
    for side in sides:
        fields |= {f"{side}_valid": True, f"{side}_xyz": joints(side).ravel()}
    millimetres = np.rint(1e3 * depth).astype("<u2")
    return {
        INFO: {
            "width": CAMERA.width,
            "height": CAMERA.height,
            "distortion_model": "plumb_bob",
            "d": np.zeros(5),
            "k": np.asarray(CAMERA.K, np.float64).ravel(),
        },
        IMAGE: {"format": "png", "data": cv2.imencode(".png", picture)[1].ravel()},
        KEYPOINTS: fields,
        DEPTH: {
            "height": CAMERA.height,
            "width": CAMERA.width,
            "encoding": "16UC1",
            "step": 2 * CAMERA.width,
            "data": millimetres.view(np.uint8).ravel(),
        },
    } | {"header": head}


@pytest.fixture(scope="module")
def depth() -> np.ndarray:
    parts = [plain_part(*CapsuleHand(joints(side)).mesh(48), np.ones(3)) for side in SIDES]
    return perfect_depth(parts, CAMERA, 0.9)


@pytest.fixture(scope="module")
def bag(tmp_path_factory, depth):
    """Makes a bag with some of the topics and sides."""

    def make(topics=tuple(KINDS), sides=SIDES, frames=FRAMES, late_ns=0, empty=False) -> Path:
        entries = []
        for number in range(frames):
            shown = np.full_like(depth, 0.9) if empty else depth
            given = messages(number, shown, sides)
            head = given.pop("header")
            for topic, fields in given.items():
                if topic in topics:
                    late = late_ns if topic == DEPTH else 0
                    own = header(stamp_of(number) + late, FRAME_ID) if late else head
                    message = MESSAGES.new(KINDS[topic], header=own, **fields)
                    entries.append(Entry(topic, KINDS[topic], stamp_of(number), message))
        return write_bag(tmp_path_factory.mktemp("bags") / "hands", entries)

    return make


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(calibrate, "STEPS", 4)


def run(*arguments: object) -> int:
    return cli.main(["calibrate", *map(str, arguments)])


def error(capsys) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_a_bag_with_depth_becomes_a_file_and_a_picture(bag, tmp_path, capsys, few_steps):
    out, picture = tmp_path / "c.yaml", tmp_path / "c.png"
    assert run(bag(), "-o", out, "--picture", picture) == 0
    made = HandCalibration.read(out)
    assert made.convention == "mano" and made.sides == SIDES and made.shape is not None
    assert made.record["by"] == "depth" and made.record["hands"] == {"left": 12, "right": 12}
    assert set(made.record["residual_mm"]) == {"before", "after"}
    said = capsys.readouterr().out
    assert "index_pip" in said and "before" in said and "12 left, 12 right hands" in said
    assert cv2.imread(str(picture)).shape == (CAMERA.height, 2 * CAMERA.width, 3)


def test_one_hand_alone_is_said(bag, tmp_path, capsys, few_steps):
    assert run(bag(sides=("right",), frames=24), "-o", tmp_path / "c.yaml") == 0
    assert HandCalibration.read(tmp_path / "c.yaml").sides == ("right",)
    assert "right hand alone" in capsys.readouterr().err


def test_without_depth_it_says_what_outlines_are_worth(bag, tmp_path, capsys, few_steps):
    topics = (IMAGE, INFO, KEYPOINTS)
    assert run(bag(topics, empty=True), "-o", tmp_path / "c.yaml") == 2
    said = capsys.readouterr().err
    assert "bone lengths alone are calibrated" in said
    assert "12 frames show" in said and "hands with outlines where their joints are: 20" in said


def test_without_depth_bone_lengths_alone_are_new(bag, tmp_path, capsys, monkeypatch):
    def skin_of_outline(mask, camera, joints):
        points = {side: xyz.repeat(2, axis=0).astype(float) for side, xyz in joints.items()}
        none = np.zeros(42, bool)
        return {side: SkinPoints(each, none, np.zeros(3)) for side, each in points.items()}

    monkeypatch.setattr(recorded_hands, "skin_of_outline", skin_of_outline)
    assert run(bag(), "-o", tmp_path / "c.yaml", "--no-depth") == 0
    made = HandCalibration.read(tmp_path / "c.yaml")
    assert made.shape is None and not made.offsets.any()
    starts, ends = np.array(LINKS).T
    links = np.linalg.norm(joints("left")[ends] - joints("left")[starts], axis=1)
    np.testing.assert_allclose(made.lengths, links, rtol=0.02)


@pytest.mark.parametrize(
    ("made", "options", "said"),
    [
        ({"topics": (IMAGE, INFO, DEPTH)}, (), "no keypoints topic"),
        ({"frames": 5}, (), "5 frames show 5 left and 5 right hands"),
        ({"late_ns": 60_000_000}, (), "stamps differ too much"),
        ({}, ("--depth", "/depth"), "--depth /depth: no such Image topic"),
        ({}, ("--depth", DEPTH, "--no-depth"), "give one of them"),
        ({}, ("--frames", 0), "--frames 0: give 1 or more"),
    ],
)
def test_what_cannot_be_calibrated_with_is_one_line(bag, tmp_path, capsys, made, options, said):
    out = tmp_path / "c.yaml"
    assert run(bag(**made), "-o", out, *options) == 2
    assert said in error(capsys)
    assert not out.exists()


def test_a_bag_that_is_not_there_and_an_output_of_another_kind(tmp_path, capsys):
    assert run(tmp_path / "none", "-o", tmp_path / "c.yaml") == 2
    assert "does not exist" in error(capsys)
    assert run(tmp_path / "none", "-o", tmp_path / "c.txt") == 2
    assert ".yaml" in error(capsys)
