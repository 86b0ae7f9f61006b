"""Damaged bags are read as far as they go, and what is missing is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
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
    write_split_bag,
)
from rosbags.rosbag2 import CompressionMode

from im2hands_ros.bags.frames import Frames
from im2hands_ros.bags.reader import BagReader
from im2hands_ros.bags.topics import choose


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
    with BagReader(bag, warnings.append) as source:
        times = [raw.received_ns for raw in source.raw_messages(("/camera/image_raw",))]
    everything = [stamp_of(number) + 20 for number in range(400)]
    assert times[0] == everything[0] and times[-1] == everything[-1]
    assert sorted(times) == times and 200 < len(times) < 400
    assert len(warnings) == 1 and "cannot be read on after" in warnings[0]


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("storage", ["mcap", "db3"])
def test_a_split_bag_is_used_without_a_part_that_is_missing(
    tmp_path: Path,
    model: BallModel,
    capsys: pytest.CaptureFixture[str],
    missing: int,
    storage: str,
) -> None:
    folder = write_split_bag(tmp_path / "bag", 2, storage)
    (folder / f"part_{missing}.{storage}").unlink()
    status, out = replay(folder)
    there = [number for number in range(6) if number // 2 != missing]
    assert status == 0 and stamps(meshes(out)) == numbers(*there)
    said = capsys.readouterr().err
    assert f"part_{missing}.{storage}' is a part of the bag but is not there: copy it" in said
    assert "the other parts are used" in said
    assert "damaged" not in said


def listed_backwards(folder: Path) -> None:
    metadata = folder / "metadata.yaml"
    text = metadata.read_text()
    metadata.write_text(text.replace("_0.", "_x.").replace("_2.", "_0.").replace("_x.", "_2."))


def renamed(folder: Path) -> None:
    for number, file in enumerate(sorted(folder.glob("*.mcap"))):
        file.rename(folder / f"lab_{number}.mcap")


def listing_nothing(folder: Path) -> None:
    fields = "rosbag2_bagfile_information:\n  relative_file_paths: []\n"
    (folder / "metadata.yaml").write_text(fields)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (listed_backwards, ""),
        (renamed, "lists part_0.mcap, part_1.mcap, part_2.mcap, and nothing that is there: all"),
        (listing_nothing, "lists no file, and nothing that is there: all bag files beside it are"),
    ],
)
def test_parts_are_used_whatever_the_metadata_list(
    tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    folder = write_split_bag(tmp_path / "bag", 2)
    change(folder)
    warnings: list[str] = []
    with BagReader(folder, warnings.append) as source:
        found = [each.stamp_ns for each in source.messages("/camera/image_raw")]
    assert found == numbers(*range(6))
    assert len(warnings) == bool(said) and said in "".join(warnings)


@pytest.mark.parametrize("storage", ["mcap", "db3"])
def test_a_packed_file_is_called_by_its_own_name(tmp_path: Path, storage: str) -> None:
    folder = write_bag(tmp_path / "bag", recording(40), storage, CompressionMode.FILE)
    file = folder / f"bag.{storage}.zstd"
    file.write_bytes(file.read_bytes()[:20])
    warnings: list[str] = []
    with pytest.raises(ValueError, match=f"bag.{storage}.zstd' is damaged and nothing of it can"):
        BagReader(folder, warnings.append)
    assert f"'{file}' is damaged" in warnings[0]


def test_a_part_that_the_metadata_do_not_list_is_left_out_with_a_warning(tmp_path: Path) -> None:
    folder = write_split_bag(tmp_path / "bag", 1)
    metadata = folder / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("    - part_1.mcap\n", ""))
    warnings: list[str] = []
    with BagReader(folder, warnings.append) as source:
        assert source.count("/camera/image_raw") == 2
    (text,) = warnings
    assert "part_1.mcap' lies beside the bag's parts and is left out: list it in" in text


def test_a_database_log_that_was_not_written_back_is_told(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", recording(1), "db3")
    (bag / "bag.db3-wal").write_bytes(b"pages")
    warnings: list[str] = []
    with BagReader(bag, warnings.append):
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
            with BagReader(bag, lambda text: None) as source:
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
    with BagReader(bag, pytest.fail) as source:
        info = source.parse(next(source.raw_messages(("/camera/camera_info",))))
    assert info.roi.x_offset == 0


def test_a_replay_that_was_killed_leaves_what_can_be_salvaged(
    tmp_path: Path, model: BallModel
) -> None:
    file = write_bag(tmp_path / "bag", recording(200)) / "bag.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])  # no index, no end
    warnings: list[str] = []
    with BagReader(file, warnings.append) as source:
        assert source.topics["/tracker/keypoints"].count > 60
        assert source.end_ns > stamp_of(60)
    assert len(warnings) == 1
