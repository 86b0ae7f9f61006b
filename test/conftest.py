"""Threads that sleep when idle; which tests need what; what was not run, in one line."""

from __future__ import annotations

import os
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

# Before torch is imported: the nodes under test share these cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

# A ROS environment that lacks rclpy must fail; a plain `pip install` has neither.
_HAS_ROS = "ROS_DISTRO" in os.environ or find_spec("rclpy") is not None
_HERE = Path(__file__).parent
# Files of test/ros that need no ROS, and those that need it but start no process.
_WITHOUT_ROS = {
    *("test_device_memory.py", "test_diagnostics.py", "test_queries.py", "test_worker.py"),
    *("test_doc_tables.py", "demo/test_report.py", "viewer/test_viewer_memory.py"),
}
_WITHOUT_DDS = _WITHOUT_ROS | {
    *("test_collisions.py", "test_launch.py", "test_message_bytes.py", "test_parameters.py"),
}
# Files whose tests `make test-fast` leaves out, beside those that start processes.
_MARKED = {
    "train": ("training/test_training_distributed.py", "training/test_training_runs.py"),
    "slow": (
        "commands/test_bench.py",
        "datasets/test_interhand_shards.py",
        "evaluation/test_evaluation.py",
        "evaluation/test_evaluation_report.py",
        "networks/test_paper_refined_occupancy.py",
        "synthetic/test_dataset.py",
        "synthetic/test_demo_sequence.py",
        "synthetic/test_other_hand.py",
        "synthetic/test_portable.py",
        "synthetic/test_poses.py",
        "test_gpu_scripts.py",
        "test_paper_pipeline.py",
    ),
}
# Files that take half a minute and more. Processes side by side begin with them, so that none of
# them is left when the others are done.
_LONGEST = (
    *("ros/test_fault_streams.py", "ros/test_fault_messages.py", "ros/test_fault_interrupts.py"),
    *("test_gpu_scripts.py", "ros/test_node.py", "ros/test_lifecycle.py", "test_reference.py"),
    *("training/test_training_runs.py", "training/test_training_distributed.py"),
    *("ros/demo/test_demo.py", "ros/test_field_diagnoses.py", "evaluation/test_evaluation.py"),
    *("commands/test_bench.py", "ros/test_node_bad_input.py", "ros/test_fault_process.py"),
    *("ros/detector/test_detector_camera.py", "ros/viewer/test_viewer_faults.py"),
    *("ros/test_soak.py", "ros/test_node_budget.py", "ros/test_fault_networks.py"),
    *("evaluation/test_evaluation_report.py", "synthetic/test_demo_sequence.py"),
)
_MARKS = {_HERE / name: mark for mark, names in _MARKED.items() for name in names}
_left_out: list[Path] = []


def _in_ros(path: Path) -> str:
    """A test file's path in test/ros; empty for other files."""
    here = _HERE / "ros"
    is_test = path.name.startswith("test_") and here in path.parents
    return path.relative_to(here).as_posix() if is_test else ""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without ROS, leave out the tests that need it."""
    name = _in_ros(collection_path)
    if _HAS_ROS or not name or name in _WITHOUT_ROS:
        return None
    _left_out.append(collection_path)
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark by their place the tests that start processes, train, or take long; order them."""
    longest = [_HERE / name for name in _LONGEST]
    named = [*_MARKS, *longest, *(_HERE / "ros" / name for name in _WITHOUT_DDS)]
    gone = [str(path) for path in named if not path.is_file()]
    assert not gone, f"test/conftest.py names files that are not there: {gone}"
    for item in items:
        name = _in_ros(item.path)
        if name and name not in _WITHOUT_DDS:
            item.add_marker("dds")
        if item.path in _MARKS:
            item.add_marker(_MARKS[item.path])
    if hasattr(config, "workerinput"):  # one of several processes
        counts, first = (
            Counter(item.path for item in items),
            {it: i for i, it in enumerate(longest)},
        )
        items.sort(key=lambda item: (first.get(item.path, len(first)), -counts[item.path]))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line how many tests did not run, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    counts = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    reasons = [f"{reason} ({count})" for reason, count in counts.most_common()]
    lines = [f"{len(skipped)} tests not run: {', '.join(reasons)}"] if reasons else []
    if _left_out:
        lines.append(f"{len(_left_out)} files of test/ros not run: no ROS 2 in this environment")
    if lines:
        terminalreporter.write_line("; ".join(lines))
