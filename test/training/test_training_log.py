"""TensorBoard event files, read back as the format says."""

from __future__ import annotations

import json
import struct

import pytest

from im2hands_ros.training.event_file import EventFile, crc32c
from im2hands_ros.training.run_log import RunLog


def records(folder):
    """Contents of all records of the one event file in a folder; checksums must be right."""
    (path,) = folder.glob("*tfevents*")
    data = path.read_bytes()
    found = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        content = data[12 : 12 + length]
        assert struct.unpack("<I", data[8:12])[0] == masked(data[:8])
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked(content)
        found.append(content)
        data = data[16 + length :]
    return found


def masked(content):
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def fields(message):
    """Protobuf wire format: number -> values."""
    found: dict[int, list] = {}
    while message:
        key, message = varint(message)
        kind = key & 7
        if kind == 0:
            value, message = varint(message)
        elif kind == 2:
            size, message = varint(message)
            value, message = message[:size], message[size:]
        else:
            size, code = {1: (8, "<d"), 5: (4, "<f")}[kind]
            (value,), message = struct.unpack(code, message[:size]), message[size:]
        found.setdefault(key >> 3, []).append(value)
    return found


def varint(data):
    value = shift = 0
    for index, byte in enumerate(data):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, data[index + 1 :]
    raise AssertionError("message ends within a number")


def scalars(event):
    (summary,) = event[5]
    values = [fields(value) for value in fields(summary)[1]]
    return {value[1][0].decode(): value[2][0] for value in values}


def test_checksums_are_those_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_scalars_come_back_from_an_event_file(tmp_path):
    file = EventFile(tmp_path, first_step=300)
    file.scalars(300, {"loss/depth": 1.5, "rate": 2e-3})
    file.scalars(2**20, {"loss/depth": float("nan")})
    file.close()
    version, start, first, second = map(fields, records(tmp_path))
    assert version[3] == [b"brain.Event:2"]
    assert start[2] == [300] and fields(start[7][0]) == {1: [1]}
    assert first[2] == [300] and scalars(first) == pytest.approx({"loss/depth": 1.5, "rate": 2e-3})
    assert second[2] == [2**20] and scalars(second)["loss/depth"] != scalars(second)["loss/depth"]
    assert first[1][0] == pytest.approx(second[1][0], abs=60) and first[1][0] > 1.7e9


def test_a_run_logs_losses_rate_and_validation(tmp_path):
    with RunLog(tmp_path, "initial", 4, 6, quiet=False) as log:
        log.step(5, {"mask": 0.25}, 1e-3)
        log.validation(5, {"iou": 0.5})
    _, _, step, validation = map(fields, records(tmp_path))
    assert scalars(step) == pytest.approx({"loss/mask": 0.25, "learning_rate": 1e-3})
    assert scalars(validation) == {"validation/iou": 0.5}
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 2


def logged(folder):
    return [
        (entry["step"], "validation" in entry)
        for entry in map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    ]


def test_a_resumed_run_drops_the_lines_after_its_checkpoint(tmp_path):
    with RunLog(tmp_path, "initial", 0, 9, quiet=False) as log:
        for step in (1, 2, 3, 4):
            log.step(step, {"mask": 0.25}, 1e-3)
            if step % 2 == 0:
                log.validation(step, {"iou": 0.5})
    with (tmp_path / "log.jsonl").open("a") as lines:
        lines.write('{"time": 1.0, "st')  # the crash
    with RunLog(tmp_path, "initial", 3, 9, quiet=False, validated=2) as log:
        log.step(4, {"mask": 0.25}, 1e-3)
    assert logged(tmp_path) == [(1, False), (2, False), (2, True), (3, False), (4, False)]


def test_a_validation_that_the_checkpoint_does_not_know_is_dropped(tmp_path):
    """It was logged, and then the run ended before it saved that."""
    with RunLog(tmp_path, "initial", 0, 9, quiet=False) as log:
        log.step(1, {"mask": 0.25}, 1e-3)
        log.validation(1, {"iou": 0.5})
    with RunLog(tmp_path, "initial", 1, 9, quiet=False, validated=0) as log:
        log.validation(1, {"iou": 0.5})
    assert logged(tmp_path) == [(1, False), (1, True)]


def test_a_quiet_log_leaves_nothing(tmp_path, capsys):
    with RunLog(tmp_path / "run", "initial", 0, 2, quiet=True) as log:
        log.step(1, {"mask": 0.25}, 1e-3)
        log.validation(1, {"iou": 0.5})
    assert not (tmp_path / "run").exists()
    assert capsys.readouterr() == ("", "")
