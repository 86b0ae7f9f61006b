"""Weights that are none, and a device without memory: told in a line, and the process lives on."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import (
    HEIGHT,
    LOSSLESS,
    LOSSLESS_INPUTS,
    ROOT,
    WIDTH,
    Client,
    NodeProcess,
    camera_info,
    header,
    keypoints,
)
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from reference_messages import image_message
from safetensors.torch import load_file, save_file

from im2hands_ros.networks import checkpoints
from im2hands_ros.pipeline import WEIGHTS

FAULTY = str(ROOT / "test/support/faulty_networks.py")
PACKAGED = WEIGHTS / "compact.safetensors"
LOADING = 240.0  # seconds for torch and the weights on a busy machine
pytestmark = pytest.mark.timeout(600)


def truncated(path: Path) -> None:
    whole = PACKAGED.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def of_another_network(path: Path) -> None:
    save_file({"layer.weight": torch.zeros(3, 3)}, path)


def changed(path: Path, change) -> None:
    """The packaged weights with one tensor changed."""
    tensors, record = load_file(PACKAGED), checkpoints.record_of(PACKAGED)
    name = sorted(tensors)[0]
    tensors[name] = change(tensors[name])
    checkpoints.write(tensors, path, record)


def of_another_shape(path: Path) -> None:
    changed(path, lambda tensor: torch.zeros(2, 3, 5))


def not_a_number(path: Path) -> None:
    changed(path, lambda tensor: torch.full_like(tensor, float("nan")))


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, sentinel: Path) -> None:
        self._sentinel = sentinel

    def __reduce__(self) -> tuple:
        return Path.touch, (self._sentinel,)


def malicious_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Malicious(path.with_suffix(".ran"))))


def malicious_checkpoint(path: Path) -> None:
    torch.save({"state_dict": Malicious(path.with_suffix(".ran"))}, path)


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data.pkl", bytes(2**26))


def header_bomb(path: Path) -> None:
    """Promises a header of an exabyte."""
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")


def tensor_bomb(path: Path) -> None:
    """Promises a tensor of an exabyte."""
    text = json.dumps({"x": {"dtype": "F32", "shape": [2**58], "data_offsets": [0, 2**60]}})
    path.write_bytes(struct.pack("<Q", len(text)) + text.encode())


def larger_than_any(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**31)


def missing(path: Path) -> None:
    pass


UNFIT = {
    missing: "does not exist: check the 'weights' setting",
    truncated: "is not a complete safetensors file",
    of_another_network: "does not fit this network: missing",
    of_another_shape: "is (2, 3, 5), needs",
    not_a_number: "has non-finite values",
    malicious_pickle: "is not a complete safetensors file",
    malicious_checkpoint: "is not a complete safetensors file",
    zip_bomb: "is not a complete safetensors file",
    header_bomb: "is not a complete safetensors file",
    tensor_bomb: "is not a complete safetensors file",
    larger_than_any: "wrong file",
}


def configure(client: Client, number: int) -> bool:
    transition = Transition(id=Transition.TRANSITION_CONFIGURE)
    service = f"/file{number}/im2hands/change_state"
    request = ChangeState.Request(transition=transition)
    return client.call(ChangeState, service, request, LOADING).success


def test_unfit_weights_are_named_no_code_in_them_runs_and_others_still_load(tmp_path):
    files = [tmp_path / f"{make.__name__}.safetensors" for make in UNFIT]
    for make, path in zip(UNFIT, files, strict=True):
        make(path)
    arguments = ["weights", *map(str, files), str(PACKAGED)]
    process = NodeProcess([FAULTY, *arguments], (), tmp_path / "log.txt")
    client = Client(process.namespace, listen=False)
    try:
        process.wait_for_log("waiting", LOADING)
        memory = process.memory_mib
        for number, (path, said) in enumerate(zip(files, UNFIT.values(), strict=True)):
            assert not configure(client, number), path
            lines = [line for line in process.log.splitlines() if path.name in line]
            assert len(lines) == 1, process.log
            assert "[ERROR]" in lines[0] and "cannot configure: weights file" in lines[0]
            assert said in lines[0]
        assert configure(client, len(files)), process.log
        assert process.memory_mib - memory < 1000
        assert not list(tmp_path.glob("*.ran"))
        assert "Traceback" not in process.log
    finally:
        client.close()
        process.stop()


def test_the_malicious_files_would_have_run_code(tmp_path):
    """Or the test above would prove nothing."""
    for make in (malicious_pickle, malicious_checkpoint):
        make(tmp_path / make.__name__)
    pickle.loads((tmp_path / "malicious_pickle").read_bytes())
    torch.load(tmp_path / "malicious_checkpoint", weights_only=False)
    assert len(list(tmp_path.glob("*.ran"))) == 2


@pytest.fixture
def starved(tmp_path):
    """A node whose networks have room for 300 points."""
    parameters = (*LOSSLESS_INPUTS, "resolution:=32", "device:=cpu")
    process = NodeProcess([FAULTY, "memory", "300"], parameters, tmp_path / "log.txt")
    client = Client(process.namespace, qos=LOSSLESS)
    try:
        client.wait_for_node(LOADING)
        yield process, client
    finally:
        client.close()
        process.stop()


def test_without_memory_chunks_halve_and_frames_are_answered_and_the_node_lives(starved):
    process, client = starved

    def send(stamp: float, value: int) -> None:
        pixels = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
        picture = image_message(header(stamp), pixels)
        client.send(camera_info(stamp), picture, keypoints(stamp))

    send(1.0, 90)
    client.wait_for_frame(1.0)
    halvings = process.log.count("out of device memory")
    assert halvings == 4  # 4096 to 256
    assert "256 points at once from now on" in process.log
    send(2.0, 255)  # not even the picture fits
    process.wait_for_log("a frame failed: OutOfMemoryError")
    send(3.0, 90)
    client.wait_for_frame(3.0)
    assert client.diagnostics()["dropped.pipeline_error"] == "1"
    assert process.log.count("out of device memory") == halvings
    assert "Traceback" not in process.log
