"""Evaluation in chunks that shrink when the device has no memory for them."""

from __future__ import annotations

import pytest
import torch

from im2hands_ros.surface.chunking import SMALLEST, Chunks


class Device:
    """Squares numbers, of which it has room for some at once."""

    def __init__(self, room: int) -> None:
        self.room, self.refusals = room, 0
        self.calls: list[int] = []

    def squares(self, numbers: torch.Tensor) -> torch.Tensor:
        if len(numbers) > self.room:
            self.refusals += 1
            raise torch.OutOfMemoryError(f"no room for {len(numbers)} numbers")
        self.calls.append(len(numbers))
        return numbers**2


def squares(chunks: Chunks, device: Device, count: int) -> torch.Tensor:
    numbers = torch.arange(count)
    parts = chunks.over(count, lambda part: device.squares(numbers[part]))
    return torch.cat([torch.empty(0, dtype=torch.int64), *parts])


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 5000])
def test_every_point_is_evaluated_once_and_in_order(count):
    device = Device(10_000)
    assert torch.equal(squares(Chunks(1000), device, count), torch.arange(count) ** 2)
    assert sum(device.calls) == count
    assert max(device.calls, default=0) <= 1000


def test_chunks_halve_until_they_fit_and_stay_so(caplog):
    device, chunks = Device(300), Chunks(1000)
    assert torch.equal(squares(chunks, device, 2500), torch.arange(2500) ** 2)
    assert device.calls == [250] * 10
    assert (device.refusals, chunks.points) == (2, 250)
    assert "250 points at once" in caplog.text
    squares(chunks, device, 2500)
    assert device.refusals == 2


def test_what_was_evaluated_before_memory_ran_out_is_kept():
    device, chunks = Device(1000), Chunks(1000)
    numbers = torch.arange(3000)

    def evaluate(part: slice) -> torch.Tensor:
        device.room = 500 if part.start else 1000  # somebody else took the rest
        return device.squares(numbers[part])

    assert torch.equal(torch.cat(chunks.over(3000, evaluate)), numbers**2)
    assert device.calls == [1000, 500, 500, 500, 500]


def test_a_device_without_any_room_is_reported():
    device, chunks = Device(SMALLEST - 1), Chunks(1000)
    with pytest.raises(torch.OutOfMemoryError):
        squares(chunks, device, 1000)
    assert chunks.points == SMALLEST


def test_other_errors_are_not_tried_again():
    calls = []

    def fail(part: slice) -> None:
        calls.append(part)
        raise RuntimeError("CUDA error: an illegal memory access")

    with pytest.raises(RuntimeError, match="illegal"):
        Chunks(100).over(1000, fail)
    assert len(calls) == 1
