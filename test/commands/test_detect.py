"""`im2hands detect`, and `im2hands reconstruct` of a picture alone: files to files."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import trimesh
from compressed_pictures import encoded, with_orientation
from seen_hands import PerfectFinder, landmarks_of, open_hand, shifted

from im2hands_ros import cli
from im2hands_ros.command_line import guessed_camera
from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.files import read_keypoints
from im2hands_ros.pair import HandPair
from im2hands_ros.pictures import read_image
from im2hands_ros.skeleton import SIDE_COLOURS
from im2hands_ros.viewing.skeletons import draw_skeletons

CAMERA = guessed_camera(640, 480)
JOINTS = {"left": shifted(open_hand(), -0.15), "right": shifted(open_hand(), 0.15)}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "hands.png"
    cv2.imwrite(str(path), np.full((480, 640, 3), (60, 80, 100), np.uint8))
    return path


@pytest.fixture
def shown(monkeypatch) -> dict[str, Landmarks]:
    """The hands that the detector finds; a test may change them."""
    hands = {
        side: landmarks_of(joints, CAMERA, float(side == "right"))
        for side, joints in JOINTS.items()
    }
    detector = HandDetector(PerfectFinder(hands))
    monkeypatch.setattr(HandDetector, "load", lambda: detector)
    return hands


@pytest.fixture
def model(monkeypatch) -> SimpleNamespace:
    """A model that finds a ball around the joints of each hand, and keeps what it was given."""
    kept = SimpleNamespace()

    def encode(image, keypoints, camera, depth):
        kept.keypoints, kept.camera = keypoints, camera
        return kept

    def reconstruct(resolution):
        hands = {
            side: None if joints is None else SimpleNamespace(mesh=ball(joints))
            for side, joints in kept.keypoints.items()
        }
        return HandPair(**hands)

    kept.encode, kept.reconstruct = encode, reconstruct
    monkeypatch.setattr("im2hands_ros.pipeline.Im2Hands.load", lambda **options: kept)
    return kept


def ball(joints: np.ndarray) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.05)
    mesh.apply_translation(joints.mean(axis=0))
    return mesh


def test_keypoints_are_written_as_reconstruct_reads_them(image, shown, tmp_path, capsys) -> None:
    out = tmp_path / "keypoints.json"
    assert cli.main(["detect", str(image), "-o", str(out)]) == 0
    keypoints, intrinsics = read_keypoints(out)
    assert intrinsics["fx"] == CAMERA.fx and intrinsics["width"] == 640
    for side, joints in JOINTS.items():
        projected = CAMERA.project(keypoints[side])
        # The wrist is moved on purpose.
        assert np.abs(projected - CAMERA.project(joints))[1:].max() < 0.1
    fields = json.loads(out.read_text())
    assert np.allclose(fields["pixels"]["left"], shown["left"].pixels, atol=0.01)
    assert set(fields["confidence"]) == {"left", "right"}
    assert "2 hands" in capsys.readouterr().out


def test_a_guessed_camera_is_said_and_a_given_one_is_not(image, shown, tmp_path, capsys) -> None:
    out = str(tmp_path / "keypoints.json")
    assert cli.main(["detect", str(image), "-o", out]) == 0
    assert "warning: the camera is a guess, fx = fy = 704 pixels" in capsys.readouterr().err
    assert cli.main(["detect", str(image), "-o", out, "--fov", "60"]) == 0
    assert capsys.readouterr().err == ""
    assert json.loads(Path(out).read_text())["camera"]["fx"] == pytest.approx(554.26, abs=0.01)


def test_a_rotation_in_an_image_file_is_said_and_not_applied(shown, tmp_path, capsys) -> None:
    path, out = tmp_path / "turned.jpg", tmp_path / "keypoints.json"
    path.write_bytes(with_orientation(encoded(".jpg", np.full((480, 640, 3), 60, np.uint8)), 6))
    assert cli.main(["detect", str(path), "-o", str(out), "--fov", "60"]) == 0
    # What is the same when it is turned has another size.
    assert "must be of the pixels as stored, 640x480" in capsys.readouterr().err
    assert json.loads(out.read_text())["camera"]["width"] == 640


def test_a_hand_that_is_not_found_is_left_out(image, shown, tmp_path, capsys) -> None:
    del shown["left"]
    out = tmp_path / "keypoints.json"
    assert cli.main(["detect", str(image), "-o", str(out)]) == 0
    assert "left" not in json.loads(out.read_text())
    assert "1 hand\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [["detect", "-o", "keypoints.json"], ["reconstruct", "-o", "hands.glb"]]
)
def test_without_a_hand_nothing_is_written_and_the_reason_is_one_line(
    image, shown, model, tmp_path, monkeypatch, capsys, command
) -> None:
    monkeypatch.chdir(tmp_path)
    shown.clear()
    assert cli.main([*command, "--fov", "60", str(image)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{image}: no hand was found: is one in view" in error
    assert not Path(command[-1]).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "keypoints.txt"], "the suffix must be one of .json"),
        (["-o", "nowhere/keypoints.json"], "create it first"),
        (["-o", "k.json", "--picture", "k.pdf"], "the suffix must be one of .png"),
        (["-o", "k.json", "--palm-length", "9.3"], "--palm-length 9.3: give metres"),
        (["-o", "k.json", "--fov", "200"], "--fov 200"),
    ],
)
def test_bad_arguments_are_one_line_that_names_them(
    image, shown, tmp_path, monkeypatch, capsys, options, message
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["detect", str(image), *options]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_longer_palm_is_further_away(image, shown, tmp_path) -> None:
    distances = []
    for length in ("0.08", "0.1"):
        out = tmp_path / "keypoints.json"
        assert cli.main(["detect", str(image), "-o", str(out), "--palm-length", length]) == 0
        distances.append(read_keypoints(out)[0]["left"][:, 2].mean())
    assert distances[1] / distances[0] == pytest.approx(1.25, rel=1e-3)


def test_a_picture_alone_becomes_meshes_and_an_overlay(
    image, shown, model, tmp_path, capsys
) -> None:
    out, picture = tmp_path / "hands.glb", tmp_path / "over.png"
    arguments = ["reconstruct", str(image), "-o", str(out), "--picture", str(picture)]
    assert cli.main(arguments) == 0
    assert set(trimesh.load(out).geometry) == {"left", "right"}
    assert model.camera == CAMERA
    assert "the camera is a guess" in capsys.readouterr().err
    changed = (read_image(picture) != read_image(image)).any(axis=2)
    for joints in JOINTS.values():
        column, row = np.rint(CAMERA.project(joints).mean(axis=0)).astype(int)
        assert changed[row, column]
    assert not changed[:20].any()


def test_joints_are_drawn_in_the_colour_of_their_side(image, shown, tmp_path) -> None:
    picture = tmp_path / "joints.png"
    out = str(tmp_path / "keypoints.json")
    assert cli.main(["detect", str(image), "-o", out, "--picture", str(picture)]) == 0
    drawn = read_image(picture)
    for side, hand in shown.items():
        column, row = np.rint(hand.pixels[9]).astype(int)
        colour = np.array(SIDE_COLOURS[side]) * 255
        assert np.abs(drawn[row, column] - colour).max() < 3


def test_drawing_leaves_the_image_as_it_is() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    pixels = np.random.default_rng(0).uniform(5, 35, (21, 2))
    assert draw_skeletons(image, {"left": pixels}).any() and not image.any()
