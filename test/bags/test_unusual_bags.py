"""Bags as other writers and older versions make them are read, without being called damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_bags import (
    BallModel,
    Entry,
    meshes,
    recording,
    replay,
    write_bag,
)
from mcap.writer import CompressionType, Writer
from new_messages import MESSAGES

from im2hands_ros.bags.definitions import full_type, standard_types
from im2hands_ros.bags.reader import BagReader


def write_mcap(
    path: Path,
    encoding: str = "ros2msg",
    rename: Callable[[str], str] = str,
    compression: CompressionType = CompressionType.ZSTD,
) -> Path:
    """Four frames by the reference library, with recorded QoS of which most is missing."""
    channels: dict[str, int] = {}
    with path.open("wb") as file:
        writer = Writer(file, compression=compression, chunk_size=2000)
        writer.start(profile="ros2", library="test")
        for entry in recording(4):
            if entry.topic not in channels:
                text, _ = standard_types().generate_msgdef(entry.kind, ros_version=2)
                schema = writer.register_schema(rename(entry.kind), encoding, text.encode())
                qos = {"offered_qos_profiles": "- history: 3\n  depth: 0\n  reliability: 9\n"}
                channels[entry.topic] = writer.register_channel(entry.topic, "cdr", schema, qos)
            data = MESSAGES.serialise(entry.kind, entry.message)
            writer.add_message(channels[entry.topic], entry.received_ns, data, entry.received_ns)
        writer.add_attachment(0, 0, "notes.txt", "text/plain", b"lab 3")
        writer.finish()
    return path


@pytest.mark.parametrize("compression", [CompressionType.ZSTD, CompressionType.LZ4])
def test_recorded_qos_that_lacks_policies_is_no_damage(
    tmp_path: Path, model: BallModel, compression: CompressionType
) -> None:
    file = write_mcap(tmp_path / "bag.mcap", compression=compression)
    with BagReader(file, pytest.fail) as source:
        assert source.count("/camera/image_raw") == 4
    status, out = replay(file)
    assert status == 0 and len(meshes(out)) == 4


@pytest.mark.parametrize("encoding", ["ros1msg", "ros2idl", ""])
def test_definitions_in_another_language_leave_the_standard_ones(
    tmp_path: Path, encoding: str
) -> None:
    with BagReader(write_mcap(tmp_path / "bag.mcap", encoding), pytest.fail) as source:
        (first, *_) = source.messages("/camera/image_raw")
        assert first.message.encoding == "rgb8"


NAMES = {
    "sensor_msgs/Image": "sensor_msgs/msg/Image",
    "sensor_msgs::msg::dds_::Image_": "sensor_msgs/msg/Image",
    "im2hands_ros/msg/HandKeypoints": "im2hands_ros/msg/HandKeypoints",
    "Image": "Image",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_type_has_one_name(name: str) -> None:
    assert full_type(name) == NAMES[name]


@pytest.mark.parametrize(
    "rename",
    [
        lambda kind: kind.replace("/msg/", "/"),
        lambda kind: kind.replace("/msg/", "::msg::dds_::") + "_",
    ],
    ids=["without msg", "of DDS"],
)
def test_topics_of_types_by_their_other_names_are_found(
    tmp_path: Path, model: BallModel, rename: Callable[[str], str]
) -> None:
    status, out = replay(write_mcap(tmp_path / "bag.mcap", rename=rename))
    assert status == 0 and len(meshes(out)) == 4


# How the tables were before Foxy and before Iron.
OLD_TABLES = {
    "eloquent": (
        "create table old as select id, name, type, serialization_format from topics",
        "drop table topics",
        "alter table old rename to topics",
        "drop table message_definitions",
        "drop table schema",
        "drop table metadata",
    ),
    "foxy": ("drop table message_definitions", "drop table schema", "drop table metadata"),
}


@pytest.mark.parametrize("release", OLD_TABLES)
def test_databases_of_older_releases_are_read(
    tmp_path: Path, model: BallModel, release: str
) -> None:
    bag = write_bag(tmp_path / "bag", recording(3), storage="db3")
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as database:
        for statement in OLD_TABLES[release]:
            database.execute(statement)
    status, out = replay(file)
    assert status == 0 and len(meshes(out)) == 3


WITHOUT_DEFINITIONS = (
    "drop table message_definitions",
    "delete from message_definitions",
    "update message_definitions set encoding = 'unknown', encoded_message_definition = ''",
    "update message_definitions set encoding = ''",
    "delete from message_definitions where topic_type like 'im2hands%'",
)


@pytest.mark.parametrize("statement", WITHOUT_DEFINITIONS)
def test_a_database_of_today_without_definitions_is_read_by_the_standard_ones(
    tmp_path: Path, model: BallModel, statement: str
) -> None:
    bag = write_bag(tmp_path / "bag", recording(3), storage="db3")
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as database:
        database.execute(statement)
    with BagReader(bag, pytest.fail) as source:
        first, *_ = stamps = [each.received_ns for each in source.messages()]
        assert len(stamps) == 9 == sum(topic.count for topic in source.topics.values())
        assert stamps == sorted(stamps) and source.start_ns == first
        later = source.raw_messages(["/camera/image_raw"], first + 1, source.end_ns)
        assert 0 < len(list(later)) < 4
    status, out = replay(bag)
    assert status == 0 and len(meshes(out)) == 3


def test_the_metadata_s_own_path_is_the_bag(tmp_path: Path, model: BallModel) -> None:
    bag = write_bag(tmp_path / "bag", recording(2))
    with BagReader(bag / "metadata.yaml", pytest.fail) as source:
        assert source.count("/camera/image_raw") == 2


def changed(change: Callable[[Entry], None], count: int = 3) -> list[Entry]:
    entries = recording(count)
    for entry in entries:
        change(entry)
    return entries


def refusal(bag: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    status, out = replay(bag, *options)
    assert status == 2 and not out.exists()
    return capsys.readouterr().err.splitlines()[-1]


def test_keypoints_of_another_clock_are_called_so_at_the_end_of_a_short_bag(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    def by_atomic_time(entry: Entry) -> None:
        if entry.topic == "/tracker/keypoints":
            entry.message.header.stamp.sec += 37

    line = refusal(write_bag(tmp_path / "bag", changed(by_atomic_time)), capsys)
    assert "the stamps of keypoints are 36.8 s away" in line or "37" in line
    assert "ended before" not in line


def test_a_stamp_before_the_epoch_is_named_with_its_value(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    def negative(entry: Entry) -> None:
        entry.message.header.stamp.sec = -10

    line = refusal(write_bag(tmp_path / "bag", changed(negative)), capsys)
    assert "header.stamp is -10 s" in line


@pytest.mark.parametrize("duration", ["inf", "nan", "1e300"])
def test_a_duration_without_end_is_refused(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str], duration: str
) -> None:
    bag = write_bag(tmp_path / "bag", recording(1))
    assert f"--duration {duration}" in refusal(bag, capsys, "--duration", duration).replace("+", "")


def test_frame_ids_of_ros_1_and_none_at_all_are_warned_of_and_used(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str]
) -> None:
    def slash(entry: Entry) -> None:
        if entry.topic == "/camera/image_raw":
            entry.message.header.frame_id = "/camera_optical_frame"

    status, out = replay(write_bag(tmp_path / "bag", changed(slash)))
    assert status == 0 and len(meshes(out)) == 3
    assert "frame_id is '/camera_optical_frame'" in capsys.readouterr().err


def test_a_rectified_image_is_seen_by_p_without_distortion(
    tmp_path: Path, model: BallModel
) -> None:
    def lens(entry: Entry) -> None:
        if entry.topic == "/camera/camera_info":
            entry.message.d = np.array([-0.3, 0.1, 0.0, 0.0, 0.0])
            entry.message.p = np.array([50.0, 0, 30, 0, 0, 50, 22, 0, 0, 0, 1, 0])

    for topic, focal in (("/camera/image_rect", 50.0), ("/camera/image_raw", 60.0)):
        entries = [
            each._replace(topic=topic) if each.topic == "/camera/image_raw" else each
            for each in changed(lens, 1)
        ]
        folder = tmp_path / topic.rpartition("/")[2]
        folder.mkdir()
        assert replay(write_bag(folder / "bag", entries))[0] == 0
        camera = model.given[-1].camera
        assert camera.fx == focal and camera.is_distorted == (focal == 60.0)
