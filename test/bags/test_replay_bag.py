"""`im2hands replay` without ROS: any bag in, a bag of hands out, read back by another library."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import made_bags
import numpy as np
import pytest
from compressed_pictures import encoded, with_orientation
from made_bags import (
    BallModel,
    camera_info,
    compressed_image,
    image,
    keypoints,
    meshes,
    numbers,
    pose_array,
    read,
    recording,
    replay,
    stamp_of,
    stamps,
    write_bag,
)
from rosbags.rosbag2 import Reader
from two_hands import joints

from im2hands_ros import cli
from im2hands_ros.bags.definitions import DEFINITIONS
from im2hands_ros.bags.reader import BagReader
from im2hands_ros.bags.topics import choose
from im2hands_ros.messages.results import RESULT_TYPES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("storage", ["mcap", "db3"])
@pytest.mark.parametrize("picture", [image, compressed_image])
@pytest.mark.parametrize("hands", [keypoints, pose_array])
def test_every_kind_of_input_in_every_storage_becomes_all_results(
    tmp_path: Path, model: BallModel, storage: str, picture: Any, hands: Any
) -> None:
    entries = [make(i) for i in range(3) for make in (camera_info, picture, hands)]
    status, out = replay(write_bag(tmp_path / "bag", entries, storage))
    assert status == 0
    found = read(out)
    assert set(found) == set(RESULT_TYPES)
    for topic in set(RESULT_TYPES) - {"/markers"}:
        assert stamps(found[topic]) == numbers(0, 1, 2)
        assert {each.header.frame_id for each in found[topic]} == {made_bags.FRAME_ID}
    assert [given.image[0, 0].tolist() for given in model.given] == [[v] * 3 for v in (40, 41, 42)]
    np.testing.assert_allclose(model.given[0].keypoints["left"], joints("left"), atol=1e-6)
    assert model.given[0].camera.fx == 60.0
    right = found["/meshes"][1].hands[1]
    vertices = np.reshape(right.vertices, (-1, 3))
    np.testing.assert_allclose(vertices.mean(0), joints("right").mean(0), atol=1e-5)
    assert right.side == 1 and right.confidence == 0.75
    np.testing.assert_array_equal(np.reshape(right.triangles, (-1, 3)), made_bags.BALL.faces)
    assert found["/occupancy"][0].width == 10
    kept = np.reshape(found["/refined_keypoints"][0].left_xyz, (21, 3))
    np.testing.assert_allclose(kept, joints("left"), atol=1e-6)


def test_a_picture_is_not_turned_as_its_exif_data_say(tmp_path: Path, model: BallModel) -> None:
    picture = compressed_image(0)
    wide = np.full((made_bags.HEIGHT, made_bags.WIDTH, 3), 90, np.uint8)
    file = with_orientation(encoded(".jpg", wide), 6)
    picture.message.format, picture.message.data = "jpeg", np.frombuffer(file, np.uint8)
    status, _ = replay(write_bag(tmp_path / "bag", [camera_info(0), picture, keypoints(0)]))
    assert status == 0 and model.given[0].image.shape == wide.shape


def test_results_are_received_when_the_image_was(tmp_path: Path, model: BallModel) -> None:
    _, out = replay(write_bag(tmp_path / "bag", recording(2)))
    times = [each.received_ns for each in meshes(out)]
    assert times == [stamp_of(0) + 20, stamp_of(1) + 20]


def test_a_hand_that_is_lost_is_deleted_from_view(tmp_path: Path, model: BallModel) -> None:
    entries = [camera_info(0), image(0), keypoints(0), image(1), keypoints(1, ("right",))]
    _, out = replay(write_bag(tmp_path / "bag", entries))
    second = read(out, "/markers")["/markers"][1].markers
    deleted = {marker.ns for marker in second if marker.action == 2}
    assert deleted == {"left", "left_occupancy", "left_keypoints"}
    assert {marker.ns for marker in second if marker.action == 0} >= {"right", "right_occupancy"}


def test_a_file_name_gives_one_file(tmp_path: Path, model: BallModel) -> None:
    bag = write_bag(tmp_path / "bag", recording(1))
    assert cli.main(["replay", str(bag), "-o", str(tmp_path / "hands.mcap")]) == 0
    assert len(meshes(tmp_path / "hands.mcap")) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bag", "hands.mcap"]


def test_without_a_name_the_result_lies_beside_the_bag(tmp_path: Path, model: BallModel) -> None:
    bag = write_bag(tmp_path / "walk", recording(1))
    assert cli.main(["replay", str(bag / "walk.mcap")]) == 0
    assert len(meshes(bag / "walk_hands")) == 1


def test_inputs_are_copied_byte_for_byte(tmp_path: Path, model: BallModel) -> None:
    bag = write_bag(tmp_path / "bag", recording(2))
    _, out = replay(bag, "--copy-inputs", "--every", "2")
    with Reader(bag) as before, Reader(out) as after:
        for topic in ("/camera/image_raw", "/camera/camera_info", "/tracker/keypoints"):
            first = next(before.messages([c for c in before.connections if c.topic == topic]))
            copies = list(after.messages([c for c in after.connections if c.topic == topic]))
            assert [bytes(data) for _, _, data in copies] == [bytes(first[2])]


def test_frames_are_chosen_by_time_and_stride(tmp_path: Path, model: BallModel) -> None:
    bag = write_bag(tmp_path / "bag", recording(10))
    _, out = replay(bag, "--start", "0.25", "--duration", "0.5", "--every", "2")
    assert stamps(meshes(out)) == numbers(3, 5, 7)


def test_stamps_within_the_slop_are_pairs_and_the_rest_is_counted(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [camera_info(0), *(image(i) for i in range(3))]
    entries += [keypoints(0), keypoints(1, late_ns=4_000_000), keypoints(2, late_ns=20_000_000)]
    entries.sort(key=lambda entry: entry.received_ns)
    status, out = replay(write_bag(tmp_path / "bag", entries), "--sync-slop", "0.005")
    assert status == 0 and stamps(meshes(out)) == numbers(0, 1)
    printed = capsys.readouterr().out
    assert "3 images, 2 matched, 2 reconstructed" in printed
    assert "1 image_unmatched" in printed and "1 keypoints_unmatched" in printed


def test_what_is_unlikely_about_pairs_and_frames_is_a_warning(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    infos = [camera_info(number) for number in range(25)]
    for info in infos:
        info.message.header.frame_id = "depth_optical_frame"
        info.message.k[2] = info.message.k[5] = 0.0
    entries = [*infos, *(image(number) for number in range(25))]
    entries += [keypoints(number, late_ns=4_000_000) for number in range(25)]
    entries.sort(key=lambda entry: entry.received_ns)
    status, out = replay(write_bag(tmp_path / "bag", entries))
    assert status == 0 and len(meshes(out)) == 25
    said = capsys.readouterr().err
    assert said.count("the stamps of keypoints and image are never equal, keypoints 4 ± 0 ms") == 1
    assert said.count("camera_info is of frame 'depth_optical_frame' but the image of") == 1
    assert said.count("K has the principal point (0, 0) px") == 1


def test_what_cannot_be_used_is_counted_and_the_rest_goes_on(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [*recording(1), image(1, "yuv420p"), keypoints(1), image(2), keypoints(2)]
    status, out = replay(write_bag(tmp_path / "bag", entries))
    assert status == 0 and stamps(meshes(out)) == numbers(0, 2)
    assert "1 image_encoding: encoding 'yuv420p' is not supported" in capsys.readouterr().out


def test_a_camera_that_tells_its_calibration_once_and_late_is_enough(
    tmp_path: Path, model: BallModel
) -> None:
    entries = [image(0), keypoints(0), image(1), keypoints(1), camera_info(1)]
    _, out = replay(write_bag(tmp_path / "bag", entries), "--start", "0.05")
    assert stamps(meshes(out)) == numbers(1)


def test_garbled_messages_are_counted_and_the_rest_goes_on(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / "bag", recording(2), "db3")
    with sqlite3.connect(bag / "bag.db3") as database:  # the first two are camera_info and image
        database.execute("UPDATE messages SET data = x'0001000000' WHERE id <= 2")
    status, out = replay(bag)
    assert status == 0 and stamps(meshes(out)) == numbers(1)
    assert "unreadable: a message of /camera/camera_info" in capsys.readouterr().out


def test_intrinsics_may_come_from_the_command_line(tmp_path: Path, model: BallModel) -> None:
    bag = write_bag(tmp_path / "bag", [image(0), keypoints(0)])
    assert replay(bag, "--camera", "50,51,30,20")[0] == 0
    camera = model.given[0].camera
    assert (camera.width, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 50, 51, 30, 20)


def test_usual_names_decide_between_topics_of_one_type(tmp_path: Path) -> None:
    entries = [
        *recording(1),
        compressed_image(0),
        image(0)._replace(topic="/camera/depth/image_raw"),
        image(0)._replace(topic="/debug/overlay"),
        camera_info(0)._replace(topic="/camera/depth/camera_info"),
        keypoints(0)._replace(topic="/refined_keypoints"),
        pose_array(0),
    ]
    with BagReader(write_bag(tmp_path / "bag", entries), pytest.fail) as source:
        chosen = choose(source.topics, {})
    assert chosen.names == ("/camera/image_raw", "/camera/camera_info", "/tracker/keypoints")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_leaves_a_readable_bag(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    encode = model.encode

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if len(model.given) == 2:
            os.kill(os.getpid(), number)
        return encode(*arguments, **options)

    model.encode = interrupted
    before = signal.getsignal(number)
    status, out = replay(write_bag(tmp_path / "bag", recording(9)))
    assert status == 130 and signal.getsignal(number) is before
    assert stamps(meshes(out)) == numbers(0, 1, 2)
    assert "interrupted" in capsys.readouterr().out


def test_the_networks_reconstruct_a_bag(tmp_path: Path) -> None:
    status, out = replay(write_bag(tmp_path / "bag", recording(1)), "--resolution", "32")
    assert status == 0
    hands = meshes(out)[0].hands
    assert [hand.side for hand in hands] == [0, 1]
    for hand in hands:
        vertices = np.reshape(hand.vertices, (-1, 3))
        expected = joints(("left", "right")[hand.side])
        assert np.abs(vertices.mean(0) - expected.mean(0)).max() < 0.06


def test_the_packaged_definitions_are_those_of_the_messages() -> None:
    ours = {path.name: path.read_text() for path in DEFINITIONS.iterdir()}
    assert ours == {path.name: path.read_text() for path in (ROOT / "msg").iterdir()}
