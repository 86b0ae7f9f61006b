"""`im2hands replay --depth`: every frame gets the depth image of its instant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_bags import (
    HEIGHT,
    WIDTH,
    BallModel,
    Entry,
    header,
    numbers,
    read,
    recording,
    replay,
    stamp_of,
    stamps,
    write_bag,
)
from new_messages import MESSAGES

TOPIC = "/camera/depth"
OPTION = ("--depth", TOPIC)


def depth(number: int, late_ns: int = 0, off_ns: int = 0, height: int = HEIGHT) -> Entry:
    """Depth of 500 mm and so many more, received late, with a stamp that is off."""
    message = MESSAGES.new(
        "sensor_msgs/msg/Image",
        header=header(stamp_of(number) + off_ns),
        height=height,
        width=WIDTH,
        encoding="16UC1",
        step=2 * WIDTH,
        data=np.full(height * WIDTH, 500 + number, "<u2").view(np.uint8),
    )
    kind = "sensor_msgs/msg/Image"
    return Entry(TOPIC, kind, stamp_of(number) + 10 + late_ns, message)


def bag(tmp_path: Path, *depths: Entry, count: int = 3) -> Path:
    entries = sorted([*recording(count), *depths], key=lambda entry: entry.received_ns)
    return write_bag(tmp_path / "bag", entries)


def given(model: BallModel) -> list[Any]:
    """Millimetres of the depth image that each frame came with, None without."""
    return [None if each.depth is None else round(1000 * each.depth[0, 0]) for each in model.given]


@pytest.mark.parametrize("late_ns", [0, 35, 60_000_000, 250_000_000])
def test_each_frame_gets_its_own_however_late_it_was_received(tmp_path, model, late_ns):
    path = bag(tmp_path, *(depth(number, late_ns, off_ns=3_000_000) for number in range(3)))
    status, out = replay(path, *OPTION)
    assert status == 0
    assert given(model) == [500, 501, 502]
    assert stamps(read(out)["/meshes"]) == numbers(0, 1, 2)


def test_frames_without_one_go_on_in_their_order_and_it_is_said(tmp_path, model, capsys):
    path = bag(tmp_path, depth(0), depth(1, off_ns=45_000_000), depth(2))
    status, out = replay(path, *OPTION)
    assert status == 0
    assert given(model) == [500, None, 502]
    assert stamps(read(out)["/meshes"]) == numbers(0, 1, 2)
    assert "1 of 3 frames have no depth image" in capsys.readouterr().err


def test_one_that_cannot_be_used_is_left_out_and_named(tmp_path, model, capsys):
    status, _ = replay(bag(tmp_path, depth(0, height=HEIGHT // 2), depth(1), depth(2)), *OPTION)
    assert status == 0
    assert given(model) == [None, 501, 502]
    assert "depth: depth image is (24, 64)" in capsys.readouterr().err


def test_without_the_option_or_with_use_depth_off_no_depth_is_used(tmp_path, model):
    path = bag(tmp_path, *(depth(number) for number in range(3)))
    replay(path)
    replay(path, *OPTION, "--no-use-depth", "-o", str(tmp_path / "other"))
    assert given(model) == [None] * 6


def test_depth_is_copied_with_the_inputs(tmp_path, model):
    path = bag(tmp_path, *(depth(number) for number in range(3)))
    _, out = replay(path, *OPTION, "--copy-inputs")
    assert stamps(read(out)[TOPIC]) == numbers(0, 1, 2)


def test_a_topic_that_is_not_there_is_refused(tmp_path, model, capsys):
    status, _ = replay(bag(tmp_path), *OPTION)
    assert status == 2
    assert f"--depth {TOPIC}: no messages of that topic" in capsys.readouterr().err
