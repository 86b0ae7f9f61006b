"""What diagnostics say of memory, with a stand-in for a GPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from im2hands_ros.ros.device import free_device_memory, memory_values

MIB = 2**20


def test_a_process_without_a_gpu_reports_its_own_memory_only(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert list(memory_values()) == ["memory.process_mib"]
    free_device_memory()


def test_a_gpu_in_use_reports_allocated_reserved_and_peak_memory(monkeypatch):
    emptied = []
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        memory_reserved=lambda device: 300 * MIB * device,
        memory_allocated=lambda device: 200 * MIB,
        max_memory_allocated=lambda device: 250 * MIB,
        empty_cache=lambda: emptied.append(True),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    values = memory_values()
    assert values.pop("memory.process_mib")
    assert values == {
        "memory.cuda:1.mib": "200",
        "memory.cuda:1.reserved_mib": "300",
        "memory.cuda:1.peak_mib": "250",
    }
    free_device_memory()
    assert emptied


def test_a_torch_that_has_not_touched_the_gpu_is_left_alone(monkeypatch):
    cuda = SimpleNamespace(is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert list(memory_values()) == ["memory.process_mib"]
    free_device_memory()
