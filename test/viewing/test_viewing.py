"""The browser view's parts that need neither ROS nor a browser."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from im2hands_ros.camera import Camera
from im2hands_ros.viewing.figures import figures_html
from im2hands_ros.viewing.picture import corners, fitted, undistorted

CAMERA = Camera(64, 48, 60.0, 55.0, 30.0, 20.0)
BENT = replace(CAMERA, distortion_model="plumb_bob", distortion=(0.5, 0.0, 0.0, 0.0, 0.0))


def test_the_picture_s_corners_project_to_the_image_s_corners() -> None:
    frame = corners(CAMERA, 0.7)
    assert frame[:, 2] == pytest.approx(0.7)
    edges = [[-0.5, -0.5], [63.5, -0.5], [63.5, 47.5], [-0.5, 47.5]]
    np.testing.assert_allclose(CAMERA.project(frame), edges, atol=1e-9)


def test_a_point_lies_in_the_undistorted_picture_where_a_pinhole_sees_it() -> None:
    point = np.array([[0.2, 0.12, 0.6]])
    seen, straight = BENT.project(point)[0], CAMERA.project(point)[0]
    assert np.linalg.norm(seen - straight) > 1  # or nothing is tested
    columns, rows = np.meshgrid(np.arange(64), np.arange(48))
    spot = 255 * np.exp(-((columns - seen[0]) ** 2 + (rows - seen[1]) ** 2) / 8)
    image = np.repeat(spot[..., None], 3, axis=2).astype(np.uint8)
    weights = undistorted(image, BENT)[..., 0].astype(float)
    centre = [np.average(columns, weights=weights), np.average(rows, weights=weights)]
    np.testing.assert_allclose(centre, straight, atol=0.25)


def test_a_picture_is_only_ever_made_smaller() -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    assert fitted(image, 100).shape == (48, 64, 3)
    assert fitted(image, 32).shape == (24, 32, 3)


def test_figures_name_state_rates_stages_and_drops() -> None:
    text = figures_html(
        1,
        "dropped: bad 2x",
        {
            "state": "active",
            "received.image.hz": "30.0",
            "published.hz": "12.5",
            "stage.encode.median_ms": "10.0",
            "stage.search.median_ms": "40.0",
            "stage.frame.median_ms": "50.0",
            "stage.search.p95_ms": "44.0",
            "dropped.overwritten": "7",
        },
    )
    assert "active: dropped: bad 2x" in text
    assert "30.0 images/s → 12.5 results/s" in text
    assert text.count("width:25%") == text.count("width:100%;height") == 1
    assert "50.0 ms" in text
    assert "44.0 ms" not in text
    assert "dropped: overwritten 7" in text


def test_what_another_node_says_does_not_become_markup() -> None:
    text = figures_html(0, "<script>alert(1)</script>", {"dropped.<b>": "<i>"})
    assert not any(markup in text for markup in ("<script", "<b>", "<i>"))


def test_numbers_that_are_none_get_no_bar() -> None:
    assert "search" not in figures_html(0, "fine", {"stage.search.median_ms": "n/a"})


def test_the_next_free_port_is_found() -> None:
    from im2hands_ros.viewing.page import free_port

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port("127.0.0.1", port) < port + 100


class Watched(dict):
    """Hands that note which thread draws them."""

    drawn_by: set[int]

    def items(self) -> Any:
        self.drawn_by = {*getattr(self, "drawn_by", ()), threading.get_ident()}
        return super().items()


def test_everything_is_drawn_on_the_server_s_thread() -> None:
    from im2hands_ros.viewing.page import Page, free_port

    async def server_s_thread() -> int:
        return threading.get_ident()

    page = Page("127.0.0.1", free_port("127.0.0.1", 18190))
    triangle = (np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.uint32))
    meshes, joints = Watched(left=triangle), Watched(left=np.zeros((21, 3), np.float32))
    centres, values = Watched(left=np.zeros((1, 3), np.float32)), Watched(state="active")
    page.show_meshes(meshes)
    page.show_keypoints(joints)
    page.show_voxels(centres, 0.005)
    page.show_figures(0, "fine", values)
    expected = asyncio.run_coroutine_threadsafe(server_s_thread(), page.loop).result(10)
    assert [each.drawn_by for each in (meshes, joints, centres, values)] == [{expected}] * 4
    with pytest.raises(KeyError):  # what goes wrong there is raised here
        page.show_meshes({"third": triangle})
    page._server.stop()


def test_nobody_can_request_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    from im2hands_ros.viewing.page import Page, free_port

    monkeypatch.setattr("viser._viser.ViserTunnel", lambda *_: pytest.fail("a tunnel was dug"))
    port = free_port("127.0.0.1", 18180)
    page = Page("127.0.0.1", port)
    assert page.url == f"http://127.0.0.1:{port}"
    assert page._server.request_share_url() is None
    page._server.stop()
