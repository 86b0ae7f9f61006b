"""The browser view: a viewer process, a publisher here, and a page in headless Chromium."""

from __future__ import annotations

import itertools
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import rclpy
import trimesh
from chromium import Chromium, Page
from diagnostic_msgs.msg import DiagnosticArray
from harness import NodeProcess, camera_info, hand, header, image
from im2hands_ros.msg import HandMesh, HandMeshArray

from im2hands_ros.ros.arrays import cloud_points
from im2hands_ros.ros.messages import cloud_message, keypoints_message, mesh_array_message
from im2hands_ros.ros.reporter import diagnostic_array
from im2hands_ros.ros.viewer import TOPICS

VIEWER = ("-m", "im2hands_ros.ros.viewer")
PORT = 18080
SIZE = (960, 600)
BOTH = ("left", "right")
PATIENCE = 60.0
# Where hands may be seen: not under the panel, nor under the browser's word on software rendering.
SCENE = np.s_[195:, :600]
SCENE_PIXELS = (SIZE[1] - 195) * 600
FIGURES = {
    "state": "active",
    "received.image.hz": "29.7",
    "published.hz": "12.4",
    "stage.encode.median_ms": "31.25",
    "dropped.overwritten": "41",
}


def surface(side: str) -> SimpleNamespace:
    """A palm-sized egg around each test hand's middle, and a voxel for each of its vertices."""
    joints = hand(side)
    egg = trimesh.creation.icosphere(subdivisions=3, radius=1.0)
    vertices = (egg.vertices * (0.05, 0.08, 0.03) + joints.mean(0)).astype(np.float32)
    voxels = np.unique(np.floor(vertices / 0.005), axis=0).astype(np.float32) * 0.005 + 0.0025
    return SimpleNamespace(
        vertices=vertices,
        triangles=egg.faces,
        confidence=1.0,
        keypoints=joints,
        voxels=voxels,
        voxel_occupancy=np.full(len(voxels), 0.9, np.float32),
    )


SURFACES = {side: surface(side) for side in BOTH}


class Publisher:
    """Sends what camera and node would into a viewer's namespace, a few times a second.

    Attributes:
        sides: the hands that the results hold; None: there are no results.
    """

    def __init__(self, namespace: str) -> None:
        self.node = rclpy.create_node("publisher", namespace=namespace)
        self.outputs = {
            name: self.node.create_publisher(kind, name, qos)
            for name, (kind, qos) in TOPICS.items()
        }
        self.sides: tuple[str, ...] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for number in itertools.count(1000):
            if self._closed.wait(0.3):
                return
            stamp = number / 10
            self.outputs["image"].publish(image(stamp))
            if self.sides is not None:
                self._send_results(stamp, self.sides)
            self.outputs["/diagnostics"].publish(self._diagnostics())

    def _send_results(self, stamp: float, sides: tuple[str, ...]) -> None:
        head = header(stamp)
        hands = SimpleNamespace(
            **{side: SURFACES[side] if side in sides else None for side in BOTH}
        )
        joints = {side: hand(side) if side in sides else None for side in BOTH}
        self.outputs["meshes"].publish(mesh_array_message(head, hands))
        self.outputs["occupancy"].publish(cloud_message(head, cloud_points(hands)))
        self.outputs["refined_keypoints"].publish(keypoints_message(head, joints))

    def _diagnostics(self) -> DiagnosticArray:
        name = f"{self.node.get_namespace()}/im2hands".lstrip("/")
        return diagnostic_array(name, header(1.0).stamp, 0, "fine", FIGURES)

    def listeners(self, topic: str) -> int:
        """How many subscribe."""
        return self.outputs[topic].get_subscription_count()

    def close(self) -> None:
        """Leave the graph."""
        self._closed.set()
        self._thread.join()
        self.node.destroy_node()


def covered(page: Page) -> dict[str, np.ndarray]:
    """Where each hand's colour is seen: side -> the columns of its pixels in the scene."""
    picture = page.picture()[SCENE].astype(int)
    blueness = picture[..., 2] - picture[..., 0]
    return {"left": np.nonzero(blueness > 40)[1], "right": np.nonzero(blueness < -40)[1]}


def shows(page: Page, *sides: str) -> bool:
    """Whether the hands' colours cover plausible areas, left of right, and absent hands none."""
    columns = covered(page)
    shares = {side: columns[side].size / SCENE_PIXELS for side in BOTH}
    if all(0.01 < shares[side] < 0.3 if side in sides else shares[side] < 1e-3 for side in BOTH):
        return len(sides) < 2 or columns["left"].mean() < columns["right"].mean() - 30
    return False


def wait_until(done: Callable[[], bool], what: str) -> None:
    """Wait until `done()`; fails after a while, naming what was waited for."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    chromium = Chromium(tmp_path_factory.mktemp("chromium"), SIZE)
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """One viewer for all tests that look at the page."""
    log = tmp_path_factory.mktemp("viewer") / "log.txt"
    process = NodeProcess(VIEWER, (f"port:={PORT}", "max_rate:=5.0"), log)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def publisher(viewer: NodeProcess) -> Iterator[Publisher]:
    publisher = Publisher(viewer.namespace)
    wait_until(lambda: publisher.listeners("camera_info") > 0, "the viewer")
    publisher.outputs["camera_info"].publish(camera_info(1.0))  # once, before any page
    yield publisher
    publisher.close()


@pytest.fixture(scope="module")
def page(viewer: NodeProcess, publisher: Publisher, browser: Chromium) -> Page:
    assert publisher.listeners("meshes") == publisher.listeners("image") == 0  # nobody looks
    return browser.open(url_of(viewer))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Starts viewers; stops them after the test."""
    viewers = []

    def start_viewer(*parameters: str) -> NodeProcess:
        viewers.append(NodeProcess(VIEWER, parameters, tmp_path / f"viewer{len(viewers)}.txt"))
        return viewers[-1]

    yield start_viewer
    for viewer in viewers:
        viewer.stop()


def url_of(viewer: NodeProcess) -> str:
    viewer.wait_for_log("the hands are at ")
    return viewer.log.split("the hands are at ")[1].split()[0]


def test_the_page_shows_each_hand_while_it_is_there(publisher: Publisher, page: Page) -> None:
    publisher.sides = BOTH
    wait_until(lambda: shows(page, *BOTH), "both hands")
    publisher.sides = ("left",)
    wait_until(lambda: shows(page, "left"), "the left hand alone")
    publisher.sides = ("right",)
    wait_until(lambda: shows(page, "right"), "the right hand alone")
    publisher.sides = None
    wait_until(lambda: shows(page), "an empty scene when nothing comes any more")


def test_a_page_that_is_opened_late_shows_the_same(
    viewer: NodeProcess, publisher: Publisher, page: Page, browser: Chromium
) -> None:
    publisher.sides = BOTH
    wait_until(lambda: shows(page, *BOTH), "both hands")
    late = browser.open(url_of(viewer))
    wait_until(lambda: shows(late, *BOTH), "both hands on the late page")
    browser.shut(late)


def test_each_kind_of_result_is_asked_for_only_while_it_is_switched_on(
    publisher: Publisher, page: Page
) -> None:
    publisher.sides = BOTH
    wait_until(lambda: shows(page, *BOTH), "both hands")
    assert publisher.listeners("occupancy") == 0
    page.click("Meshes")
    page.click("Keypoints")
    wait_until(lambda: publisher.listeners("meshes") == 0, "no meshes asked for")
    wait_until(lambda: shows(page), "an empty scene")
    page.click("Occupancy")
    wait_until(lambda: publisher.listeners("occupancy") == 1, "occupancy asked for")
    wait_until(lambda: shows(page, *BOTH), "the voxels of both hands")
    page.click("Occupancy")
    page.click("Meshes")
    page.click("Keypoints")
    wait_until(lambda: publisher.listeners("refined_keypoints") == 1, "keypoints asked for")


def test_the_node_s_figures_are_on_the_page(publisher: Publisher, page: Page) -> None:
    wait_until(
        lambda: {
            "● active: fine",
            "29.7 images/s → 12.4 results/s",
            "dropped: overwritten 41",
        }.issubset((page.evaluate("document.body.innerText") or "").splitlines()),
        "the figures on the page",
    )
    assert page.evaluate("document.body.innerText").count("31.2 ms") == 1


def test_a_mesh_that_is_none_is_refused_and_the_next_one_shown(
    viewer: NodeProcess, publisher: Publisher, page: Page
) -> None:
    publisher.sides = None
    wait_until(lambda: publisher.listeners("meshes") == 1, "the viewer")
    broken = HandMesh(side=0, vertices=[0.0] * 9, triangles=[0, 1, 7])
    publisher.outputs["meshes"].publish(HandMeshArray(header=header(1.0), hands=[broken]))
    viewer.wait_for_log("triangles beyond its 3 vertices")
    publisher.sides = BOTH
    wait_until(lambda: shows(page, *BOTH), "both hands")


def test_the_page_asks_nobody_but_the_viewer(viewer: NodeProcess, page: Page) -> None:
    here = (url_of(viewer), url_of(viewer).replace("http", "ws"), "blob:", "data:")
    assert any(url.startswith("ws:") for url in page.requested)
    assert [url for url in page.requested if not url.startswith(here)] == []
    assert page.errors == []


def test_the_page_is_served_to_this_machine_alone_on_the_next_free_port(start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        viewer = start(f"port:={port}")
        url = url_of(viewer)
    other = int(url.rpartition(":")[2])
    assert port < other < port + 100
    assert f"port {port} is taken: serving on {other} instead" in viewer.log
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200
    listening = [
        each.laddr.ip
        for each in psutil.Process(viewer.pid).net_connections("tcp")
        if each.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
    status, _ = viewer.interrupt()
    assert status == 0


def test_an_address_of_another_machine_is_refused_in_one_line(start) -> None:
    viewer = start("host:=192.0.2.1")
    assert viewer.wait() == 2
    assert "host '192.0.2.1' cannot be served on" in viewer.log
    assert "give 127.0.0.1 or an address of this machine" in viewer.log
