"""`im2hands replay` without ROS: any bag in, a bag of hands out, read back by another library."""

from __future__ import annotations

import os
import signal
import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import made_bags
import numpy as np
import pytest
from backports import zstd
from made_bags import (
    BallModel,
    camera_info,
    compressed_image,
    image,
    keypoints,
    pose_array,
    recording,
    stamp_of,
    write_bag,
)
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.rosbag2 import CompressionMode, Reader
from two_hands import joints

from im2hands_ros import cli
from im2hands_ros.bags import offline
from im2hands_ros.bags.definitions import DEFINITIONS
from im2hands_ros.bags.encoding import RESULTS
from im2hands_ros.bags.frames import Frames
from im2hands_ros.bags.source import BagSource
from im2hands_ros.bags.topics import choose

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> BallModel:
    """Takes the place of the networks."""
    fake = BallModel()
    monkeypatch.setattr(offline, "Im2Hands", SimpleNamespace(load=lambda **options: fake))
    return fake


def replay(bag: Path, *options: str) -> tuple[int, Path]:
    """Exit status and the bag that was written."""
    out = bag.with_name("out")
    return cli.main(["replay", str(bag), "-o", str(out), *options]), out


def read(out: Path, *topics: str) -> dict[str, list[Any]]:
    """Topic -> messages (of `topics`, or all), decoded by `mcap` from the file alone."""
    file = out if out.is_file() else next(out.glob("*.mcap"))
    found: dict[str, list[Any]] = {}
    with file.open("rb") as opened:
        reader = make_reader(opened, decoder_factories=[DecoderFactory()])
        for schema, channel, message, decoded in reader.iter_decoded_messages(topics or None):
            assert schema.encoding == "ros2msg" and channel.message_encoding == "cdr"
            decoded.received_ns = message.log_time
            found.setdefault(channel.topic, []).append(decoded)
    return found


def meshes(out: Path) -> list[Any]:
    """The HandMeshArrays of a bag."""
    return read(out, "/meshes")["/meshes"]


def stamps(messages: list[Any]) -> list[int]:
    return [each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in messages]


def numbers(*frames: int) -> list[int]:
    return [stamp_of(frame) for frame in frames]


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
    assert set(found) == set(RESULTS)
    for topic in set(RESULTS) - {"/markers"}:
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
    told = capsys.readouterr().out
    assert "3 images, 2 matched, 2 reconstructed" in told
    assert "1 image_unmatched" in told and "1 keypoints_unmatched" in told


def test_what_cannot_be_used_is_counted_and_the_rest_goes_on(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [*recording(1), image(1, "bayer_rggb8"), keypoints(1), image(2), keypoints(2)]
    status, out = replay(write_bag(tmp_path / "bag", entries))
    assert status == 0 and stamps(meshes(out)) == numbers(0, 2)
    assert "1 image_encoding: encoding 'bayer_rggb8' is not supported" in capsys.readouterr().out


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


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE])
@pytest.mark.parametrize("storage", ["mcap", "db3"])
def test_compressed_bags_are_read_as_a_folder_and_as_a_file(
    tmp_path: Path, model: BallModel, storage: str, mode: CompressionMode
) -> None:
    bag = write_bag(tmp_path / "bag", recording(2), storage, mode)
    for path in (bag, next(file for file in bag.iterdir() if file.name != "metadata.yaml")):
        with BagSource(path, pytest.fail) as source:
            names = [raw.topic for raw in source.messages(("/camera/image_raw",))]
            assert len(names) == 2 and source.topics["/camera/image_raw"].count == 2
            assert all(source.message(raw).height == 48 for raw in source.messages(names))


def test_compressed_chunks_are_read(tmp_path: Path, model: BallModel) -> None:
    bag = write_bag(tmp_path / "bag", recording(2), "mcap", CompressionMode.STORAGE)
    assert len(meshes(replay(bag)[1])) == 2


def test_an_old_bag_without_definitions_is_read_by_the_standard_ones(
    tmp_path: Path, model: BallModel
) -> None:
    bag = write_bag(tmp_path / "bag", recording(2), "db3")
    with sqlite3.connect(bag / "bag.db3") as database:  # as Humble writes it
        database.execute("DROP TABLE message_definitions")
        database.execute("DROP TABLE schema")
    assert len(meshes(replay(bag)[1])) == 2


def test_a_folder_without_metadata_is_read_file_by_file(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = recording(8)
    folder = write_bag(tmp_path / "bag_2", frames[:12])
    (write_bag(tmp_path / "late", frames[12:]) / "late.mcap").rename(folder / "bag_10.mcap")
    (folder / "metadata.yaml").unlink()
    status, out = replay(folder)
    assert status == 0 and stamps(meshes(out)) == numbers(*range(8))
    assert "metadata.yaml' cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (CompressionMode.NONE, 0.3),
        (CompressionMode.NONE, 0.99),
        (CompressionMode.STORAGE, 0.6),
        (CompressionMode.STORAGE, 0.99),
    ],
)
def test_a_truncated_mcap_is_used_up_to_the_damage(
    tmp_path: Path,
    model: BallModel,
    capsys: pytest.CaptureFixture[str],
    mode: CompressionMode,
    kept: float,
) -> None:
    noise = np.random.default_rng(0)
    entries = recording(30)
    for entry in entries:  # or zstd leaves nothing to cut
        if entry.topic == "/camera/image_raw":
            entry.message.data = noise.integers(0, 255, 9216, np.uint8)
    bag = write_bag(tmp_path / "bag", entries, "mcap", mode)
    file = bag / "bag.mcap"
    file.write_bytes(file.read_bytes()[: int(kept * file.stat().st_size)])
    status, out = replay(bag)
    found = stamps(meshes(out))
    assert status == 0 and found == numbers(*range(len(found)))
    assert kept * 30 - 16 < len(found) <= 30  # zstd gives whole blocks: 14 of these frames
    assert "is damaged or was not closed" in capsys.readouterr().err


def test_a_chunk_that_is_garbled_is_left_out(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", recording(400), "mcap", CompressionMode.STORAGE)
    data = bytearray((bag / "bag.mcap").read_bytes())
    third = len(data) // 3
    data[third : third + 200] = bytes(200)
    (bag / "bag.mcap").write_bytes(data)
    warnings: list[str] = []
    with BagSource(bag, warnings.append) as source:
        times = [raw.received_ns for raw in source.messages(("/camera/image_raw",))]
    everything = [stamp_of(number) + 20 for number in range(400)]
    assert times[0] == everything[0] and times[-1] == everything[-1]
    assert sorted(times) == times and 200 < len(times) < 400
    assert len(warnings) == 1 and "cannot be read on after" in warnings[0]


def test_messages_out_of_order_and_without_an_index_are_all_read(tmp_path: Path) -> None:
    from mcap.writer import IndexType, Writer

    entries = recording(6)
    entries[3], entries[4] = entries[4], entries[3]
    with (tmp_path / "fast.mcap").open("wb") as file:  # as rosbag2's preset fastwrite
        writer = Writer(file, use_chunking=False, index_types=IndexType.NONE)
        writer.start(profile="ros2", library="test")
        for entry in entries:
            schema = writer.register_schema(entry.kind, "", b"")
            channel = writer.register_channel(entry.topic, "cdr", schema)
            data = made_bags.MESSAGES.serialise(entry.kind, entry.message)
            writer.add_message(channel, entry.received_ns, data, entry.received_ns)
        writer.finish()
    warnings: list[str] = []
    with BagSource(tmp_path / "fast.mcap", warnings.append) as source:
        chosen = choose(source.topics, {})
        frames = Frames(source, chosen, 0.01, 1, (source.start_ns, source.end_ns))
        assert sum(frame is not None for frame, _ in frames.steps()) == 6


def test_a_database_log_that_was_not_written_back_is_told(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", recording(1), "db3")
    (bag / "bag.db3-wal").write_bytes(b"pages")
    warnings: list[str] = []
    with BagSource(bag, warnings.append):
        assert "wal_checkpoint" in warnings[0]


@pytest.mark.parametrize("storage", ["mcap", "db3"])
def test_random_damage_is_survived_or_said(tmp_path: Path, storage: str) -> None:
    random = np.random.default_rng(0)
    bag = write_bag(tmp_path / "bag", recording(4), storage)
    intact = np.fromfile(bag / f"bag.{storage}", np.uint8)
    outcomes = set()
    for _ in range(12):
        data = intact.copy()
        for at in random.integers(0, len(data), random.integers(1, 20)):
            data[at : at + random.integers(1, 60)] = random.integers(0, 256)
        data[: random.integers(len(data) // 10, 2 * len(data))].tofile(bag / f"bag.{storage}")
        try:
            with BagSource(bag, lambda text: None) as source:
                chosen = choose(source.topics, {})
                frames = Frames(source, chosen, 0.01, 1, (source.start_ns, source.end_ns))
                outcomes.add(sum(frame is not None for frame, _ in frames.steps()))
        except (ValueError, OSError):
            outcomes.add(None)
    assert 4 in outcomes and len(outcomes) > 1


def test_damaged_definitions_are_not_used(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", recording(1))
    data = (bag / "bag.mcap").read_bytes()
    (bag / "bag.mcap").write_bytes(data.replace(b"uint32 x_offset", b"uint32 x_uffset"))
    with BagSource(bag, pytest.fail) as source:
        info = source.message(next(source.messages(("/camera/camera_info",))))
    assert info.roi.x_offset == 0


def test_a_replay_that_was_killed_leaves_what_can_be_salvaged(
    tmp_path: Path, model: BallModel
) -> None:
    file = write_bag(tmp_path / "bag", recording(200)) / "bag.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])  # no index, no end
    warnings: list[str] = []
    with BagSource(file, warnings.append) as source:
        assert source.topics["/tracker/keypoints"].count > 60
        assert source.end_ns > stamp_of(60)
    assert len(warnings) == 1


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
    ("entries", "options", "complaint"),
    [
        ([image(0), camera_info(0)], (), "no keypoints topic (HandKeypoints or PoseArray): it"),
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
    complaint: str,
) -> None:
    bag = write_bag(tmp_path / "bag", entries)
    line = fails(bag, capsys, *options)
    assert complaint in line


def test_a_bag_without_any_result_says_why_and_leaves_nothing(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / "bag", [camera_info(0), image(0, "gray"), keypoints(0)])
    status, out = replay(bag)
    assert status == 2 and not out.exists()
    last = capsys.readouterr().err.splitlines()[-1]
    assert "no frame of" in last and "encoding 'gray' is not supported" in last


def test_two_cameras_are_listed_and_one_is_chosen_by_name(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    other = [image(0)._replace(topic="/left/image_raw"), camera_info(0)._replace(topic="/left/ci")]
    bag = write_bag(tmp_path / "bag", [*recording(1), *other])
    line = fails(bag, capsys)
    assert "/camera/image_raw (sensor_msgs/msg/Image, 1), /left/image_raw" in line
    assert "--image TOPIC" in line
    assert replay(bag, "--image", "left/image_raw", "--camera-info", "/left/ci")[0] == 0


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
    with BagSource(write_bag(tmp_path / "bag", entries), pytest.fail) as source:
        chosen = choose(source.topics, {})
    assert chosen.names == ("/camera/image_raw", "/camera/camera_info", "/tracker/keypoints")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
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
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, complaint: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert complaint in fails(tmp_path / name, capsys)


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_leaves_a_readable_bag(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    encode = model.encode

    def interrupted(*arguments: Any) -> Any:
        if len(model.given) == 2:
            os.kill(os.getpid(), number)
        return encode(*arguments)

    model.encode = interrupted
    before = signal.getsignal(number)
    status, out = replay(write_bag(tmp_path / "bag", recording(9)))
    assert status == 130 and signal.getsignal(number) is before
    assert stamps(meshes(out)) == numbers(0, 1, 2)
    assert "interrupted" in capsys.readouterr().out


@pytest.fixture
def long_bag(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A short and a long bag of the same kind, 0.9 and 3.7 MB of pixels."""
    return (
        write_bag(tmp_path / "short", recording(100)),
        write_bag(tmp_path / "long", recording(400)),
    )


@pytest.mark.parametrize("damaged", [False, True])
def test_a_long_bag_takes_no_more_memory_than_a_short_one(
    long_bag: tuple[Path, Path], damaged: bool
) -> None:
    peaks = []
    for bag in long_bag:
        file = next(bag.glob("*.mcap"))
        if damaged:
            file.write_bytes(file.read_bytes()[:-100])
        with BagSource(file, lambda text: None) as source:
            chosen = choose(source.topics, {})
            frames = Frames(source, chosen, 0.01, 1, (source.start_ns, source.end_ns))
            tracemalloc.start()
            count = sum(frame is not None for frame, _ in frames.steps())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert count >= 99
    assert peaks[1] < 1.5 * peaks[0] + 2e6


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


def test_a_bag_file_packed_by_hand_is_read(tmp_path: Path) -> None:
    plain = (write_bag(tmp_path / "bag", recording(1)) / "bag.mcap").read_bytes()
    with zstd.open(tmp_path / "bag.mcap.zstd", "wb") as packed:
        packed.write(plain)
    with BagSource(tmp_path / "bag.mcap.zstd", pytest.fail) as source:
        assert len(list(source.messages(tuple(source.topics)))) == 3
