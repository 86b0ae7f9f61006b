"""SROS 2 with strategy Enforce: who has no permission is refused, and nothing runs unsecured.

The middleware of the pinned wheels is built without security (Fast DDS without -DSECURITY=ON):
there the node must refuse to run. Where it has security, secured topics are tested as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ANALYTIC_NODE, ROOT, NodeProcess
from keystore import make_keystore

# What rmw_fastrtps says when it was built without.
WITHOUT = b"This Fast DDS version doesn't have the security libraries"
# What every node needs; who may publish no more is a stranger.
COMMON = ("ros_discovery_info", "rt/rosout", "rt/parameter_events", "rq/*", "rr/*")
ENCLAVES = {"node": ("*",), "friend": ("*",), "stranger": COMMON}


def has_security() -> bool:
    """Whether the middleware that is loaded was built with security."""
    folders = [Path(each) for each in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)]
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    folders += [Path(each) / "lib" for each in prefixes]
    found = (each / "librmw_fastrtps_shared_cpp.so" for each in folders)
    first = next((each for each in found if each.is_file()), None)
    return first is not None and WITHOUT not in first.read_bytes()


def secured(keystore: Path, enclave: str) -> dict[str, str]:
    return {
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(keystore),
        "ROS_SECURITY_ENCLAVE_OVERRIDE": f"/{enclave}",
    }


@pytest.fixture
def start_secured(tmp_path, monkeypatch):
    """Starts the node in enclave /node of a keystore; stops it after the test."""
    processes = []

    def start(keystore: Path) -> NodeProcess:
        with monkeypatch.context() as patch:
            for name, value in secured(keystore, "node").items():
                patch.setenv(name, value)
            processes.append(NodeProcess([ANALYTIC_NODE], (), tmp_path / "log.txt"))
        return processes[-1]

    yield start
    for process in processes:
        process.stop()


def last_words(process: NodeProcess) -> str:
    """The one line with which the node refused to run."""
    assert process.wait() == 1
    assert "Traceback" not in process.log
    (line,) = [line for line in process.log.splitlines() if line.startswith("im2hands: ")]
    assert "ROS_SECURITY_ENABLE=true: use a middleware built with security" in line
    return line


def test_without_a_key_the_node_does_not_run_unsecured(start_secured, tmp_path):
    (tmp_path / "keystore/enclaves/node").mkdir(parents=True)
    line = last_words(start_secured(tmp_path / "keystore"))
    assert has_security() or WITHOUT.decode() in line


def test_a_keystore_that_is_not_there_is_named(start_secured, tmp_path):
    line = last_words(start_secured(tmp_path / "nowhere"))
    assert f"directory '{tmp_path}/nowhere/enclaves" in line
    assert "does not exist" in line


def peer(process: NodeProcess, role: str, environment: dict[str, str]) -> str:
    """What somebody says who talked to the node, or tried."""
    command = [sys.executable, str(ROOT / "test/support/secure_peer.py"), process.namespace, role]
    paths = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONPATH": paths, **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(400)
@pytest.mark.skipif(not has_security(), reason="this ROS was built without security")
def test_secured_topics_work_and_strangers_are_not_heard(start_secured, tmp_path):
    keystore = tmp_path / "keystore"
    make_keystore(keystore, ENCLAVES)
    process = start_secured(keystore)
    process.wait_for_log("active")
    assert "answered 2" in peer(process, "friend", secured(keystore, "friend"))
    peer(process, "publisher", secured(keystore, "stranger"))
    peer(process, "publisher", {})  # without any security
    heard = peer(process, "friend", secured(keystore, "friend"))
    assert int(heard.split("received ")[1]) < 60  # two friends' images; a stranger sends 100
