"""Real nodes in processes of their own and a client in this one, over DDS on the loopback."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Before rclpy is imported anywhere: nothing leaves this machine, no other test run is heard.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Test processes side by side have the parent's number in common and differ by their own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_RUN = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
os.environ["ROS_DOMAIN_ID"] = str(1 + (4 * _RUN + _WORKER) % 100)
os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(ROOT / "config/fastdds_loopback.xml"))

if find_spec("rclpy") is not None:
    import rclpy
    from harness import ANALYTIC_NODE, Client, NodeProcess

    @pytest.fixture(scope="session", autouse=True)
    def _ros(tmp_path_factory):
        os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("ros_log"))
        rclpy.init()
        yield
        rclpy.try_shutdown()


@pytest.fixture
def start(tmp_path_factory):
    """Starts nodes with the analytic model; stops them after the test."""
    processes = []

    def start_node(*parameters: str, options: tuple[str, ...] = (), **rest: object) -> NodeProcess:
        log = tmp_path_factory.mktemp("node") / "log.txt"
        processes.append(NodeProcess([ANALYTIC_NODE, *options], parameters, log, **rest))
        return processes[-1]

    yield start_node
    for process in processes:
        process.stop()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """One running node for all tests of a module."""
    process = NodeProcess([ANALYTIC_NODE], (), tmp_path_factory.mktemp("node") / "log.txt")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def _client(node):
    client = Client(node.namespace)
    client.wait_for_node()
    yield client
    client.close()


@pytest.fixture
def client(_client):
    """The client of the module's node, with nothing received yet."""
    _client.spin(0.05)
    _client.forget()
    return _client


@pytest.fixture
def connect():
    """Connects clients to nodes of the test's own; closes them after the test."""
    clients = []

    def make_client(process: NodeProcess, listen: bool = True, **options: object) -> Client:
        clients.append(Client(process.namespace, listen, **options))
        clients[-1].wait_for_node()
        return clients[-1]

    yield make_client
    for client in clients:
        client.close()
