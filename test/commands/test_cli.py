"""The command `im2hands`: its help, its errors, and `reconstruct` from files to a file."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import trimesh
from compressed_pictures import encoded, with_orientation
from two_hands import joints

from im2hands_ros import __version__, cli
from im2hands_ros.pair import HandPair

HAND = (np.arange(63).reshape(21, 3) * 0.001 + (0, 0, 0.5)).astype(np.float32)
CAMERA = {"fx": 60.0, "fy": 60.0, "cx": 31.5, "cy": 23.5}


class FakeModel:
    """Keeps what it was given and finds a ball where the left hand is."""

    device = "cpu"

    def encode(self, image, keypoints, camera, depth=None, *, settle=None):
        FakeModel.given = SimpleNamespace(
            image=image, keypoints=keypoints, camera=camera, depth=depth
        )
        return self

    def reconstruct(self, resolution):
        FakeModel.given.resolution = resolution
        ball = trimesh.creation.icosphere(subdivisions=2, radius=0.05)
        return HandPair(left=SimpleNamespace(mesh=ball))


@pytest.fixture
def fake_model(monkeypatch):
    monkeypatch.setattr("im2hands_ros.pipeline.Im2Hands.load", lambda **options: FakeModel())


@pytest.fixture
def files(tmp_path):
    """Paths of an image, of keypoints with their camera, and of a mesh to write."""
    image, keypoints = tmp_path / "hand.png", tmp_path / "hand.json"
    cv2.imwrite(str(image), np.full((48, 64, 3), (10, 20, 30), np.uint8))
    keypoints.write_text(json.dumps({"left": HAND.tolist(), "camera": CAMERA}))
    return SimpleNamespace(image=image, keypoints=keypoints, out=tmp_path / "out.glb")


def reconstruct(files, *options: str) -> int:
    arguments = ["reconstruct", str(files.image), str(files.keypoints), "-o", str(files.out)]
    return cli.main([*arguments, *options])


def the_one_line(capsys) -> str:
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert captured.out == ""
    return lines[0]


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_says_what_the_command_reads_and_writes(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    text = capsys.readouterr().out.lower()
    assert f"usage: im2hands {command}" in text
    assert "read" in text or "play" in text
    assert "writ" in text or "print" in text


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in cli.COMMANDS)


def test_version_is_the_package_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out.split()[-1] == __version__


@pytest.mark.parametrize("arguments", [[], ["juggle"], ["reconstruct"], ["reconstruct", "--x"]])
def test_a_wrong_command_line_is_one_line_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    line = the_one_line(capsys)
    assert line.startswith("im2hands")
    assert "--help" in line


def test_a_missing_file_is_one_line_and_status_2(files, capsys):
    files.image.unlink()
    assert reconstruct(files) == 2
    line = the_one_line(capsys)
    assert line.startswith("im2hands: error: ")
    assert str(files.image) in line


def test_debug_shows_where_an_error_came_from(files):
    files.image.unlink()
    with pytest.raises(FileNotFoundError):
        reconstruct(files, "--debug")


def test_a_missing_module_is_named_with_its_remedy(files, capsys, monkeypatch):
    def load(**options):
        raise ModuleNotFoundError("No module named 'rclpy'", name="rclpy")

    module = types.ModuleType("im2hands_ros.pipeline")
    module.Im2Hands = SimpleNamespace(load=load)
    monkeypatch.setitem(sys.modules, "im2hands_ros.pipeline", module)
    assert reconstruct(files) == 2
    line = the_one_line(capsys)
    assert "'rclpy'" in line
    assert "source" in line


# Runs the command with one module after the other hidden, as after `pip install .`.
WITHOUT = """
import sys
modules = ["rosbags", "ruamel", "lz4"] + ["backports"] * (sys.version_info < (3, 14))
for module in modules:
    ours = ("im2hands_ros", "rosbags", "ruamel", "lz4", "backports", "compression")
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]
    sys.modules[module] = None
    from im2hands_ros import cli
    print(module, cli.main(["replay", sys.argv[1]]), file=sys.stderr)
    del sys.modules[module]
"""


def test_what_bags_are_read_with_is_named_with_its_extra(tmp_path):
    run = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    said = subprocess.run(run, capture_output=True, text=True).stderr.splitlines()
    assert len(said) == 2 * (3 + (sys.version_info < (3, 14)))
    for line, result in zip(said[::2], said[1::2], strict=True):
        module, status = result.split()
        assert f"'replay' needs the module '{module}', which is not installed: pip install" in line
        assert "'im2hands_ros[ros-demo]'" in line and status == "2"


def test_an_interrupt_gives_status_130(files, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("im2hands_ros.commands.reconstruct.read_image", interrupt)
    assert reconstruct(files) == 130


def test_reconstruct_reads_a_depth_image_and_checks_that_it_fits(files, fake_model, capsys):
    depth = files.image.with_name("depth.png")
    cv2.imwrite(str(depth), np.full((48, 64), 550, np.uint16))
    assert reconstruct(files, "--depth", str(depth)) == 0
    np.testing.assert_allclose(FakeModel.given.depth, 0.55)
    capsys.readouterr()
    cv2.imwrite(str(depth), np.full((24, 32), 550, np.uint16))
    assert reconstruct(files, "--depth", str(depth)) == 2
    assert "the camera needs (48, 64)" in the_one_line(capsys)


def test_reconstruct_hands_the_files_to_the_model_and_writes_the_mesh(files, fake_model, capsys):
    assert reconstruct(files, "--resolution", "32") == 0
    assert "left" in capsys.readouterr().out
    given = FakeModel.given
    assert given.image[0, 0].tolist() == [30, 20, 10]
    np.testing.assert_array_equal(given.keypoints["left"], HAND)
    assert given.keypoints["right"] is None
    assert (given.camera.width, given.camera.height, given.camera.fx) == (64, 48, 60.0)
    assert given.resolution == 32
    assert list(trimesh.load(files.out).geometry) == ["left"]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_rotation_in_an_image_file_is_said_and_not_applied(
    files, fake_model, capsys, orientation
):
    wide = np.zeros((48, 64, 3), np.uint8)
    wide[:, :32] = 200
    files.image = files.image.with_suffix(".jpg")
    files.image.write_bytes(with_orientation(encoded(".jpg", wide), orientation))
    assert reconstruct(files) == 0
    assert np.abs(FakeModel.given.image.astype(int) - wide)[:, :24].max() < 8
    said = "has an EXIF orientation, which is not applied" in capsys.readouterr().err
    assert said == (orientation > 1)


def test_a_field_of_view_stands_in_for_the_intrinsics(files, fake_model):
    assert reconstruct(files, "--fov", "90") == 0
    camera = FakeModel.given.camera
    assert camera.fx == pytest.approx(32)
    assert (camera.cx, camera.cy) == (31.5, 23.5)


def test_a_lens_that_folds_in_the_picture_is_warned_of(files, fake_model, capsys):
    folding = CAMERA | {"distortion_model": "radtan", "distortion": [-5.0, 0, 0, 0]}
    files.keypoints.write_text(json.dumps({"left": HAND.tolist(), "camera": folding}))
    assert reconstruct(files) == 0
    assert "warning: the lens model plumb_bob has no inverse" in capsys.readouterr().err
    assert FakeModel.given.camera.distortion_model == "plumb_bob"


def test_intrinsics_on_the_command_line_come_before_the_file(files, fake_model):
    assert reconstruct(files, "--camera", "50,51,30,20") == 0
    camera = FakeModel.given.camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (50, 51, 30, 20)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"left": HAND.tolist()}, "--fov"),
        ({"camera": CAMERA}, "neither 'left' nor 'right'"),
        ({"left": HAND[:20].tolist(), "camera": CAMERA}, "(20, 3)"),
        ({"left": (1000 * HAND).tolist(), "camera": CAMERA}, "metres"),
        ({"left": [[None] * 3] * 21, "camera": CAMERA}, "NaN or infinite"),
        ({"left": "hand", "camera": CAMERA}, "left"),
        ({"left": HAND.tolist(), "camera": {**CAMERA, "width": 640}}, "640x48"),
        ({"left": HAND.tolist(), "camera": {"fx": 60}}, "fy"),
        ({"left": HAND.tolist(), "camera": [1, 2]}, "four numbers"),
        ([1, 2], "list"),
    ],
)
def test_unfit_keypoint_files_are_one_line_with_the_reason(files, fields, message, capsys):
    files.keypoints.write_text(json.dumps(fields))
    assert reconstruct(files) == 2
    assert message in the_one_line(capsys)


@pytest.mark.parametrize(
    ("options", "message"), [(["--fov", "200"], "--fov 200"), (["--camera", "1,2"], "fx,fy")]
)
def test_unfit_camera_options_are_one_line_with_the_reason(files, options, message, capsys):
    assert reconstruct(files, *options) == 2
    assert message in the_one_line(capsys)


@pytest.mark.parametrize(("name", "message"), [("out.xyz", ".glb"), ("no/out.glb", "create")])
def test_an_unfit_output_is_refused_before_any_work(files, name, message, capsys):
    files.out = files.out.with_name(name) if "/" not in name else files.out.parent / name
    assert reconstruct(files) == 2
    assert message in the_one_line(capsys)


def test_what_is_unlikely_about_the_input_is_a_warning(files, fake_model, capsys):
    image = np.zeros((48, 64, 3), np.uint8)
    cv2.imwrite(str(files.image), image)
    assert reconstruct(files, "--camera", "60,60,0,0") == 0
    lines = capsys.readouterr().err.splitlines()
    assert any("warning: the image is nearly black" in line for line in lines)
    assert any("K has the principal point (0, 0) px" in line for line in lines)


def test_joints_that_are_not_numbers_are_named_and_estimated(files, fake_model, capsys):
    hand = joints("left", x=0.0).tolist()
    hand[8] = [None] * 3
    files.keypoints.write_text(json.dumps({"left": hand, "camera": CAMERA}))
    assert reconstruct(files) == 0
    assert (
        "warning: index_tip of the left hand are NaN, infinite or zero" in capsys.readouterr().err
    )


def test_a_picture_without_a_hand_where_the_keypoints_lie_is_a_warning(files, fake_model, capsys):
    wall = np.random.default_rng(0).normal(120, 3, (240, 320, 3)).astype(np.uint8)
    cv2.imwrite(str(files.image), wall)
    fields = {"left": (joints("left", x=0.0)).tolist()}
    files.keypoints.write_text(json.dumps(fields))
    assert reconstruct(files, "--camera", "300,300,159.5,119.5") == 0
    lines = capsys.readouterr().err.splitlines()
    assert any("the picture shows no hand at the keypoints of the left hand" in x for x in lines)


@pytest.mark.parametrize(("scale", "unit"), [(1000, "millimetres"), (100, "centimetres")])
def test_keypoints_of_another_unit_are_refused_by_its_name(files, fake_model, capsys, scale, unit):
    fields = {"left": (scale * joints("left")).tolist(), "camera": CAMERA}
    files.keypoints.write_text(json.dumps(fields))
    assert reconstruct(files) == 2
    assert f"give metres, not {unit}: divide by {scale}" in the_one_line(capsys)


def test_a_progress_bar_starts_no_process():
    """Python 3.14's default way to start processes, by which tqdm's own lock would start one."""
    code = (
        "import multiprocessing; multiprocessing.set_start_method('forkserver')\n"
        "import psutil; from im2hands_ros import cli; from tqdm import tqdm\n"
        "for _ in tqdm(range(2)):\n    assert psutil.Process().children() == []"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
