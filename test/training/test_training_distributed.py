"""Training in two processes is training in one: real processes, gloo, loopback only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import distributed
from training_worker import stage_curve, toy_curve
from two_hands import untrained_networks

from im2hands_ros.networks import checkpoints
from im2hands_ros.training.distributed import Processes
from im2hands_ros.training.run_state import write_finite
from im2hands_ros.training.stages import STAGES

SUPPORT = Path(__file__).resolve().parents[1] / "support"
COUNT, LIMIT = 2, 300
pytestmark = pytest.mark.timeout(LIMIT + 60)
ALONE = Processes(torch.device("cpu"))
# A step moves weights by at most the learning rate: differences of rounding stay small.
TOLERANCE = {"rel": 2e-3, "abs": 2e-4}


def start(store: distributed.TCPStore, out: Path, weights: Path) -> list[subprocess.Popen]:
    """The workers, in the environment that torchrun would give them, on loopback alone."""
    common = {
        **os.environ,
        "PYTHONPATH": str(SUPPORT.parents[1]),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "GLOO_SOCKET_IFNAME": "lo",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(COUNT),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(SUPPORT / "training_worker.py"), str(out), str(weights)]
    return [
        subprocess.Popen(
            command, env={**common, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True
        )
        for rank in range(COUNT)
    ]


def stop_one(workers: list[subprocess.Popen], log: Path) -> None:
    """Stop one worker once the run is under way; all must end well."""
    end = time.monotonic() + LIMIT
    try:
        while not (log.exists() and log.read_text().count("\n") > 3):
            failed = [worker.stderr.read() for worker in workers if worker.poll() is not None]
            assert not failed and time.monotonic() < end, failed
            time.sleep(0.2)
        workers[1].send_signal(signal.SIGTERM)
        for worker in workers:
            _, errors = worker.communicate(timeout=max(1, end - time.monotonic()))
            assert worker.returncode == 0, errors
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


@pytest.fixture(scope="module")
def initial_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "initial.safetensors"
    write_finite(untrained_networks("keypoints", "landmarks").state_dict(), path, {})
    return path


@pytest.fixture(scope="module")
def together(initial_weights, tmp_path_factory):
    """The folder that two processes have left."""
    out = tmp_path_factory.mktemp("together")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        descriptor = os.dup(listener.fileno())
    store = distributed.TCPStore(
        "127.0.0.1", port, None, True, wait_for_workers=False, master_listen_fd=descriptor
    )
    stop_one(start(store, out, initial_weights), out / "log.jsonl")
    return out


def curves_of(folder: Path) -> dict[str, list[dict[str, float]]]:
    first, second = (json.loads((folder / f"curves{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    return first


def test_two_processes_have_the_losses_of_one(together):
    alone, curve = toy_curve(ALONE), curves_of(together)["toy"]
    assert alone[-1]["square"] < 0.8 * alone[0]["square"]
    assert len(curve) == len(alone)
    for found, expected in zip(curve, alone, strict=True):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", list(STAGES))
def test_a_stage_in_two_processes_has_the_losses_of_one(name, together, initial_weights):
    alone = stage_curve(name, initial_weights, ALONE)
    for found, expected in zip(curves_of(together)[name], alone, strict=True):
        assert found == pytest.approx(expected, **TOLERANCE)


def test_a_signal_to_one_process_stops_all_after_the_same_step_and_saves(together):
    ends = [json.loads((together / f"end{rank}.json").read_text()) for rank in range(COUNT)]
    last = ends[0][1]
    assert ends == [[0, last], [signal.SIGTERM, last]]
    assert checkpoints.record_of(together / "latest.safetensors")["step"] == last
    assert len((together / "log.jsonl").read_text().splitlines()) == last


def test_a_batch_smaller_than_the_processes_is_refused():
    with pytest.raises(ValueError, match="2 scenes cannot be split over 3 processes: use --batch"):
        Processes(ALONE.device, 0, 3).part(2)


def test_the_parts_of_a_batch_make_it_whole():
    parts = [Processes(ALONE.device, rank, 3).part(16) for rank in range(3)]
    assert [number for part in parts for number in range(16)[part]] == list(range(16))
