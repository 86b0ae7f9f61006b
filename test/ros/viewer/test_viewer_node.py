"""The browser view: a viewer process, a publisher here, and a page in headless Chromium."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from chromium import Chromium, Page
from harness import NodeProcess, camera_info, header
from im2hands_ros.msg import HandMesh, HandMeshArray
from viewed import BOTH, SIZE, VIEWER, Publisher, shows, url_of, wait_until

pytestmark = pytest.mark.timeout(600)  # a busy machine

PORT = 18080


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
    status = viewer.interrupt()
    assert status == 0


def test_an_address_of_another_machine_is_refused_in_one_line(start) -> None:
    viewer = start("host:=192.0.2.1")
    assert viewer.wait() == 2
    assert "host '192.0.2.1' cannot be served on" in viewer.log
    assert "give 127.0.0.1 or an address of this machine" in viewer.log
