"""What `im2hands replay` cannot use is one line that says why, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_bags import (
    BallModel,
    camera_info,
    image,
    keypoints,
    recording,
    replay,
    write_bag,
)

from im2hands_ros.messages.camera_info import keypoints_elsewhere


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def fails(bag: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line that a replay ends with; it writes nothing."""
    status, out = replay(bag, *options)
    assert status == 2 and not out.exists()
    return one_line(capsys)


@pytest.mark.parametrize(
    ("entries", "options", "refusal"),
    [
        (
            [image(0), camera_info(0)],
            (),
            "no keypoints topic (HandKeypoints or PoseArray or NamedPoseArray)",
        ),
        ([keypoints(0), camera_info(0)], (), "no image topic"),
        ([image(0), keypoints(0)], (), "or give --camera FX,FY,CX,CY"),
        (recording(1), ("--image", "/nowhere"), "choose from /camera/image_raw (sensor_msgs"),
        (recording(1), ("--keypoints", "/camera/image_raw"), "it is sensor_msgs/msg/Image"),
        (recording(1), ("--start", "9"), "--start 9"),
        (recording(1), ("--duration", "0"), "--duration 0"),
        (recording(1), ("--every", "0"), "--every 0"),
        (recording(1), ("--camera", "1,2"), "fx,fy,cx,cy"),
        (recording(1), ("--resolution", "7"), "resolution"),
    ],
)
def test_what_a_user_must_repair_is_one_line(
    tmp_path: Path,
    model: BallModel,
    capsys: pytest.CaptureFixture[str],
    entries: list,
    options: tuple[str, ...],
    refusal: str,
) -> None:
    bag = write_bag(tmp_path / "bag", entries)
    line = fails(bag, capsys, *options)
    assert refusal in line


def test_a_bag_without_any_result_says_why_and_leaves_nothing(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / "bag", [camera_info(0), image(0, "gray"), keypoints(0)])
    status, out = replay(bag)
    assert status == 2 and not out.exists()
    last = capsys.readouterr().err.splitlines()[-1]
    assert "no frame of" in last and "encoding 'gray' is not supported" in last


def test_a_lens_that_folds_in_the_picture_is_warned_of_once(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = recording(3)
    for entry in entries[::3]:
        entry.message.d[:] = (-5.0, 0.0, 0.0, 0.0, 0.0)
    assert replay(write_bag(tmp_path / "bag", entries))[0] == 0
    said = capsys.readouterr().err
    assert said.count("the lens model plumb_bob has no inverse in") == 1


MISTAKES = {
    "zeros": (0.0, "left_xyz holds zeros alone: set left_valid to false"),
    "millimetres": (1000.0, "give metres, not millimetres: divide by 1000"),
    "metres divided by 1000": (0.001, "give metres: multiply by 1000"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_bag_of_refused_keypoints_says_why_and_not_that_none_came(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str], mistake: str
) -> None:
    factor, said = MISTAKES[mistake]
    entries = recording(3)
    for entry in entries[2::3]:
        for side in ("left", "right"):
            setattr(entry.message, f"{side}_xyz", factor * getattr(entry.message, f"{side}_xyz"))
    status, out = replay(write_bag(tmp_path / "bag", entries))
    assert status == 2 and not out.exists()
    line = capsys.readouterr().err.splitlines()[-1]
    assert said in line
    assert "unmatched" not in line and "partner" not in line


def test_keypoints_of_another_frame_are_refused_in_the_node_s_words(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = recording(2)
    for entry in entries[2::3]:
        entry.message.header.frame_id = "base_link"
    status, out = replay(write_bag(tmp_path / "bag", entries))
    assert status == 2 and not out.exists()
    line = capsys.readouterr().err.splitlines()[-1]
    assert keypoints_elsewhere("base_link", "camera_optical_frame") in line
    assert "transform them into the image's frame" in line


def test_two_cameras_are_listed_and_one_is_chosen_by_name(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    other = [image(0)._replace(topic="/left/image_raw"), camera_info(0)._replace(topic="/left/ci")]
    bag = write_bag(tmp_path / "bag", [*recording(1), *other])
    line = fails(bag, capsys)
    assert "/camera/image_raw (sensor_msgs/msg/Image, 1), /left/image_raw" in line
    assert "--image TOPIC" in line
    assert replay(bag, "--image", "left/image_raw", "--camera-info", "/left/ci")[0] == 0


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("bag.mcap", b"", "is not an MCAP file"),
        ("bag.mcap", b"\x89MCAP0\r\n", "no message can be read"),
        ("bag.db3", b"SQLite format 3\0" + bytes(200), ".recover"),
        ("bag.db3", b"", ".recover"),
        ("bag.bag", b"#ROSBAG V2.0", "rosbags-convert"),
        ("bag.txt", b"", "is no rosbag2"),
        ("bag", None, "does not exist"),
    ],
)
def test_what_is_no_bag_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, refusal: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert refusal in fails(tmp_path / name, capsys)


def test_an_empty_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bag").mkdir()
    assert "holds no bag" in fails(tmp_path / "bag", capsys)


def test_an_existing_output_is_left_alone(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / "bag", recording(1))
    (tmp_path / "out").write_text("mine")
    assert replay(bag)[0] == 2
    assert "exists already" in one_line(capsys)
    assert (tmp_path / "out").read_text() == "mine"
