"""The browser view when things go wrong around it; its images are compressed here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import Chromium, Page
from harness import NodeProcess, camera_info, new_namespace
from viewed import BOTH, SIZE, VIEWER, Publisher, shows, url_of, wait_until

pytestmark = pytest.mark.timeout(600)  # a busy machine

PARAMETERS = ("port:=18180", "max_rate:=5.0", "image_transport:=compressed")
GREEN, GREY = (40, 200, 40), (90, 90, 90)


class Surroundings:
    """A viewer, a publisher that stands for camera and node, and a page."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.namespace = folder, new_namespace()
        self._browser = Chromium(folder, SIZE)
        self.viewer = self._new_viewer("first")
        self.publisher = self._new_publisher()
        self.page: Page = self._browser.open(url_of(self.viewer))

    def _new_viewer(self, name: str) -> NodeProcess:
        log = self._folder / f"{name}.txt"
        return NodeProcess(VIEWER, PARAMETERS, log, namespace=self.namespace)

    def _new_publisher(self) -> Publisher:
        publisher = Publisher(self.namespace, compressed=True)
        wait_until(lambda: publisher.listeners("camera_info") > 0, "the viewer")
        publisher.outputs["camera_info"].publish(camera_info(1.0))
        return publisher

    def shows_green(self) -> bool:
        """Whether the page shows the green picture; camera_info comes again each time: what is
        sent before the viewer has found its sender is lost."""
        self.publisher.outputs["camera_info"].publish(camera_info(1.0))
        return greenness(self.page) > 0.1

    def kill_viewer(self) -> None:
        """End the viewer as the kernel does when memory runs out, and start another one."""
        self.viewer.kill()
        self.viewer = self._new_viewer("second")

    def replace_publisher(self) -> None:
        """End camera and node and start them again, with a clock that begins anew."""
        self.publisher.close()
        self.publisher = self._new_publisher()

    def close(self) -> None:
        """End everything."""
        self.publisher.close()
        self.viewer.stop()
        self._browser.close()


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    surroundings = Surroundings(tmp_path_factory.mktemp("viewer"))
    yield surroundings
    surroundings.close()


def greenness(page: Page) -> float:
    """The share of the page that the camera's green picture covers."""
    picture = page.picture().astype(int)
    return float((picture[..., 1] - picture[..., [0, 2]].max(-1) > 80).mean())


def test_compressed_images_are_shown_live_when_there_is_no_hand(around: Surroundings) -> None:
    around.publisher.sides = ()
    around.publisher.colour = GREEN
    wait_until(around.shows_green, "the green picture")
    around.publisher.colour = GREY
    wait_until(lambda: greenness(around.page) < 0.01, "the grey picture")
    assert shows(around.page)


def test_bytes_that_are_no_message_are_refused(around: Surroundings) -> None:
    around.publisher.sides = None  # a result that comes right after would take the junk's place
    wait_until(lambda: around.publisher.listeners("meshes") == 1, "the viewer")

    def is_refused() -> bool:
        # Again and again: what is sent before the viewer has found the publisher too, is lost.
        for length in (0, 9, 400):
            junk = bytes([0, 1, 0, 0]) + np.random.default_rng(length).bytes(length)
            for publisher in around.publisher.outputs.values():
                publisher.publish(junk)
        return "bytes are no HandMeshArray" in around.viewer.log

    wait_until(is_refused, "the refusal")
    around.publisher.sides = BOTH
    wait_until(lambda: shows(around.page, *BOTH), "both hands")


def test_a_node_that_starts_again_with_an_earlier_clock_is_shown(around: Surroundings) -> None:
    around.publisher.sides = BOTH
    wait_until(lambda: shows(around.page, *BOTH), "both hands")
    around.replace_publisher()
    wait_until(lambda: shows(around.page), "an empty scene")
    around.publisher.sides = BOTH
    wait_until(lambda: shows(around.page, *BOTH), "both hands again")


def test_an_open_page_finds_a_viewer_that_was_killed_and_started_again(
    around: Surroundings,
) -> None:
    around.kill_viewer()
    around.publisher.sides = ("left",)
    wait_until(lambda: shows(around.page, "left"), "the left hand from the new viewer")
    around.publisher.colour = GREEN
    wait_until(around.shows_green, "the picture from the new viewer")
    assert around.page.errors == []
