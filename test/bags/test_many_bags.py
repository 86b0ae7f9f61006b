"""Many recordings at once: a file of results for each, begun again where it was interrupted."""

from __future__ import annotations

import math
import os
import signal
import sys
from ast import literal_eval
from importlib.util import find_spec
from pathlib import Path

import pytest
from made_bags import instead_of_networks, meshes, recording, write_bag

from im2hands_ros import cli
from im2hands_ros.bags import many
from im2hands_ros.bags.many import recordings, run_all, run_on_ray


def made(folder: Path, count: int = 2) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return write_bag(folder, recording(count))


def replay(out: Path, *words: object) -> int:
    return cli.main(["replay", *map(str, words), "-o", str(out), "--resolution", "32"])


@pytest.fixture
def in_this_process(monkeypatch):
    """Jobs are done one after the other, with a quick model."""

    def run_here(work, jobs, workers):
        for job in jobs:
            try:
                yield job, work(job)
            except Exception as error:  # noqa: BLE001 - as the engines do
                yield job, error

    instead_of_networks(monkeypatch)
    monkeypatch.setattr(many, "run_all", run_here)


def test_each_bag_becomes_a_file_and_a_failure_is_listed(in_this_process, tmp_path, capsys):
    bags = [made(tmp_path / name) for name in ("one", "two")]
    (tmp_path / "broken.mcap").write_bytes(b"no bag")
    assert replay(tmp_path / "out", *bags, tmp_path / "broken.mcap") == 1
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["one_hands.mcap", "two_hands.mcap"]
    assert len(meshes(tmp_path / "out" / "one_hands.mcap")) == 2
    said = capsys.readouterr()
    assert "[3/3]" in said.out and "nothing of " in said.err and "broken.mcap" in said.err
    assert "im2hands replay two: warning: the image holds one brightness" in said.err


def test_the_same_command_goes_on_where_it_was_interrupted(in_this_process, tmp_path, capsys):
    out, bags = tmp_path / "out", [made(tmp_path / name) for name in ("one", "two")]
    assert replay(out, *bags, "--workers", 1) == 0
    done = out / "one_hands.mcap"
    before = done.stat().st_mtime_ns
    # What a killed worker leaves: a half-written file, and a half-written folder beside it.
    (out / "two_hands.mcap").unlink()
    (out / "two_hands.part.mcap").write_bytes(b"half")
    (out / "two_hands.part.mcap.part").mkdir()
    assert replay(out, *bags, "--workers", 1) == 0
    assert "1 of 2 bags are there already" in capsys.readouterr().out
    assert done.stat().st_mtime_ns == before
    assert sorted(path.name for path in out.iterdir()) == ["one_hands.mcap", "two_hands.mcap"]


def test_bags_of_one_name_are_told_apart_by_their_folders(tmp_path):
    bags = [tmp_path / day / "hands.mcap" for day in ("monday", "tuesday")]
    names = [each.out.name for each in recordings(bags, tmp_path)]
    assert names == ["monday_hands_hands.mcap", "tuesday_hands_hands.mcap"]
    with pytest.raises(ValueError, match="twice"):
        recordings([bags[0], bags[0]], tmp_path)
    with pytest.raises(ValueError, match="suffix alone"):
        recordings([tmp_path / "a.mcap", tmp_path / "a.db3"], tmp_path)


@pytest.mark.parametrize("workers", ["0", "-1", "two", "tcp://cluster"])
def test_workers_that_are_none_are_said(workers):
    with pytest.raises(ValueError, match=f"--workers {workers}: give a number of processes"):
        list(run_all(math.sqrt, [1.0], workers))


def where(number: float) -> tuple[float, int]:
    """A result, and the process that made it."""
    return math.sqrt(number), os.getpid()


def check(results: list) -> None:
    """Of four jobs one fails, and the others were done elsewhere."""
    found = dict(results)
    assert isinstance(found.pop(-1.0), ValueError)
    assert {job: result[0] for job, result in found.items()} == {4.0: 2.0, 9.0: 3.0, 16.0: 4.0}
    assert os.getpid() not in {result[1] for result in found.values()}


JOBS = [4.0, -1.0, 9.0, 16.0]


@pytest.mark.slow
def test_two_processes_do_all_jobs_and_hand_back_what_they_raise():
    check(list(run_all(where, JOBS, "2")))


def where_unless_killed(number: float) -> tuple[float, int]:
    if number == 13.0:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out
    return where(number)


@pytest.mark.slow
def test_a_process_that_is_killed_costs_its_bag_and_no_other():
    found = dict(run_all(where_unless_killed, [4.0, 13.0, 9.0, 16.0, 25.0], "2"))
    assert "its process was killed" in str(found.pop(13.0))
    assert {job: result[0] for job, result in found.items()} == {4: 2, 9: 3, 16: 4, 25: 5}


@pytest.mark.slow
def test_two_processes_replay_bags_with_the_networks(tmp_path):
    bags = [made(tmp_path / name, 1) for name in ("one", "two")]
    assert replay(tmp_path / "out", *bags, "--workers", 2) == 0
    for name in ("one", "two"):
        assert len(meshes(tmp_path / "out" / f"{name}_hands.mcap")) == 1


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray (extra 'cluster') is not installed")
def test_two_workers_of_a_ray_cluster_do_all_jobs_and_hand_back_what_they_raise(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray leaves a token there
    local = {"address": "local", "num_cpus": 2, "include_dashboard": False}
    jobs = ["1.5", "f()", "[2]", "None"]
    found = dict(run_on_ray(literal_eval, jobs, **local, _node_ip_address="127.0.0.1"))
    assert isinstance(found.pop("f()"), ValueError)
    assert found == {"1.5": 1.5, "[2]": [2], "None": None}


def test_a_cluster_without_ray_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RuntimeError, match="pip install 'im2hands_ros\\[cluster\\]'"):
        list(run_all(where, JOBS, "ray://127.0.0.1:10001"))
