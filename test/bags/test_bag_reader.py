"""Bags of every storage, compression and profile are read."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_bags import (
    BallModel,
    meshes,
    numbers,
    recording,
    replay,
    stamp_of,
    stamps,
    write_bag,
)
from new_messages import MESSAGES
from rosbags.rosbag2 import CompressionMode

from im2hands_ros import cli
from im2hands_ros.bags.frames import Frames
from im2hands_ros.bags.reader import BagReader
from im2hands_ros.bags.salvage import zstd
from im2hands_ros.bags.topics import choose


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE])
@pytest.mark.parametrize("storage", ["mcap", "db3"])
def test_compressed_bags_are_read_as_a_folder_and_as_a_file(
    tmp_path: Path, model: BallModel, storage: str, mode: CompressionMode
) -> None:
    bag = write_bag(tmp_path / "bag", recording(2), storage, mode)
    for path in (bag, next(file for file in bag.iterdir() if file.name != "metadata.yaml")):
        with BagReader(path, pytest.fail) as source:
            names = [raw.topic for raw in source.raw_messages(("/camera/image_raw",))]
            assert len(names) == 2 and source.topics["/camera/image_raw"].count == 2
            assert all(source.parse(raw).height == 48 for raw in source.raw_messages(names))


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


def mixed_mcap(path: Path, profile: str, *, ours: bool = True, theirs: bool = True) -> Path:
    """An intact file of two frames and of two topics that are protobuf and JSON."""
    from mcap.writer import Writer

    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile=profile, library="test")
        for entry in recording(2) if ours else []:
            schema = writer.register_schema(entry.kind, "ros2msg", b"")
            channel = writer.register_channel(entry.topic, "cdr", schema)
            data = MESSAGES.serialise(entry.kind, entry.message)
            writer.add_message(channel, entry.received_ns, data, entry.received_ns)
        for topic, encoding in (("/arm", "protobuf"), ("/notes", "json")) if theirs else ():
            schema = writer.register_schema("some.Type", encoding, b"definition")
            channel = writer.register_channel(topic, encoding, schema)
            writer.add_message(channel, stamp_of(0), b"{}", stamp_of(0))
        writer.finish()
    return path


@pytest.mark.parametrize("profile", ["", "ros2"])
def test_channels_that_are_no_ros_messages_are_named_and_the_others_used(
    tmp_path: Path, model: BallModel, capsys: pytest.CaptureFixture[str], profile: str
) -> None:
    status, out = replay(mixed_mcap(tmp_path / "mixed.mcap", profile))
    assert status == 0 and stamps(meshes(out)) == numbers(0, 1)
    said = capsys.readouterr().err
    assert "damaged" not in said
    assert "no ROS 2 messages and are left out: /arm (protobuf), /notes (json)" in said


def test_a_file_of_another_profile_is_read_without_a_word_and_a_cut_one_with(
    tmp_path: Path,
) -> None:
    file = mixed_mcap(tmp_path / "plain.mcap", "", theirs=False)
    with BagReader(file, pytest.fail) as source:
        assert source.count("/camera/image_raw") == 2
    file.write_bytes(file.read_bytes()[:-50])
    warnings: list[str] = []
    with BagReader(file, warnings.append):
        assert "is damaged or was not closed" in warnings[0]


def test_a_file_without_ros_messages_says_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out = replay(mixed_mcap(tmp_path / "other.mcap", "", ours=False))
    assert status == 2 and not out.exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds no ROS 2 messages but /arm (protobuf), /notes (json): convert it" in line


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
            data = MESSAGES.serialise(entry.kind, entry.message)
            writer.add_message(channel, entry.received_ns, data, entry.received_ns)
        writer.finish()
    warnings: list[str] = []
    with BagReader(tmp_path / "fast.mcap", warnings.append) as source:
        chosen = choose(source.topics, {})
        frames = Frames(source, chosen, 0.01, 1, (source.start_ns, source.end_ns))
        assert sum(frame is not None for frame, _ in frames.steps()) == 6


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
        with BagReader(file, lambda text: None) as source:
            chosen = choose(source.topics, {})
            frames = Frames(source, chosen, 0.01, 1, (source.start_ns, source.end_ns))
            tracemalloc.start()
            count = sum(frame is not None for frame, _ in frames.steps())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert count >= 99
    assert peaks[1] < 1.5 * peaks[0] + 2e6


def test_a_bag_file_packed_by_hand_is_read(tmp_path: Path) -> None:
    plain = (write_bag(tmp_path / "bag", recording(1)) / "bag.mcap").read_bytes()
    with zstd.open(tmp_path / "bag.mcap.zstd", "wb") as packed:
        packed.write(plain)
    with BagReader(tmp_path / "bag.mcap.zstd", pytest.fail) as source:
        assert len(list(source.raw_messages(tuple(source.topics)))) == 3


def test_a_bag_without_messages_is_read_and_cannot_be_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / "bag", [])
    with BagReader(bag) as reader:
        assert list(reader.messages()) == [] and reader.count("/image") == 0
    assert cli.main(["replay", str(bag)]) == 2
    assert "the bag has no image topic (Image or CompressedImage): it holds nothing" in (
        capsys.readouterr().err
    )
