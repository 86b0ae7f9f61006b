"""The page: a server on this machine, the scene, and the panel with its switches and figures."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
import rich
import viser

from im2hands_ros.camera import Camera
from im2hands_ros.viewing.figures import figures_html, waiting_for
from im2hands_ros.viewing.layers import Frustum, Layer, Mesh, Meshes, Picture, Skeletons, Voxels
from im2hands_ros.viewing.picture import fitted, undistorted

LAYERS = {
    "picture": ("Camera picture", True),
    "frustum": ("Camera frustum", True),
    "meshes": ("Meshes", True),
    "keypoints": ("Keypoints", True),
    "occupancy": ("Occupancy", False),
}
_PORTS_TO_TRY = 100
_PICTURE_WIDTH, _PANEL_WIDTH = 640, 360  # px: what is sent of each picture, at most
_BACKGROUND = (24, 26, 31)
_FIRST_DEPTH = 0.7  # metres: where the picture stands until hands are seen
_BEHIND = 0.05  # metres between the hands and the picture
_DEPTH_STEP = 0.1  # metres: the picture moves in steps, not with every frame
_EYE = np.array([-0.25, -0.17, -0.62])  # from the hands' middle: beside and above the camera
_ASIDE = np.array([0.06, 0.0, 0.0])  # the panel covers the right
_OPACITY = 0.8
_FIELD_OF_VIEW = 0.75  # radians, vertical
_PATIENCE = 60.0  # seconds: a busy machine


class _Server(viser.ViserServer):
    """Stays on this machine: the pictures of a camera are for nobody else."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Never request a public address from viser's makers, as any page can make a server do."""
        return None


def _on_the_server_s_thread(draw: Callable[..., None]) -> Callable[..., None]:
    """Make a method of `Page` run on the thread that sends, and wait for it.

    viser wakes its sender by an asyncio.Event, which is not for other threads: once in many
    thousand updates that raises an exception in the thread that draws.
    """

    @wraps(draw)
    def drawn(page: Page, *args: Any) -> None:
        async def call() -> None:
            draw(page, *args)

        asyncio.run_coroutine_threadsafe(call(), page.loop).result(_PATIENCE)

    return drawn


class Page:
    """A web page that shows what it is given to every browser that opens it.

    Args:
        host: address to serve on; 127.0.0.1 is this machine alone.
        port: first port to try; the next free one is taken.

    Attributes:
        host, port: where it is served.
        loop: the server's.

    Raises:
        ValueError: the address is not this machine's, or no port is free.
    """

    def __init__(self, host: str, port: int) -> None:
        port = free_port(host, port)
        rich.get_console().quiet = True  # viser prints the address, and so do we
        self._server = _Server(host=host, port=port, verbose=False)
        self.host, self.port = host, self._server.get_port()
        self.loop = self._server.get_event_loop()
        self._framed: set[int] = set()
        self._middle: np.ndarray | None = None
        self._depth = _FIRST_DEPTH
        self._set_the_stage()
        scene = self._server.scene
        self._picture, self._frustum = Picture(scene), Frustum(scene)
        self._meshes, self._voxels, self._skeletons = Meshes(scene), Voxels(scene), Skeletons(scene)
        drawn = (self._picture, self._frustum, self._meshes, self._voxels, self._skeletons)
        self._layers: dict[str, Layer] = {layer.name: layer for layer in drawn}
        self._make_panel()

    def _set_the_stage(self) -> None:
        scene, gui = self._server.scene, self._server.gui
        scene.set_up_direction("-y")
        scene.configure_default_lights(cast_shadow=False)
        scene.configure_environment_map(hdri=None)  # dear to browsers without a GPU
        scene.add_light_ambient("/light", intensity=0.9)
        scene.set_background_image(np.full((2, 2, 3), _BACKGROUND, np.uint8), format="png")
        gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False)
        gui.set_panel_label("im2hands")
        self._server.initial_camera.fov = _FIELD_OF_VIEW
        self._server.initial_camera.position = _EYE + [0, 0, 0.5]
        self._server.initial_camera.look_at = (0.0, 0.0, 0.5)

    def _make_panel(self) -> None:
        gui = self._server.gui
        self._image = gui.add_image(
            np.full((_PANEL_WIDTH * 3 // 4, _PANEL_WIDTH, 3), _BACKGROUND, np.uint8),
            label="Camera",
            format="jpeg",
        )
        self._switches = {name: self._add_switch(name) for name in LAYERS}
        opacity = gui.add_slider("Mesh opacity", 0.1, 1.0, 0.05, _OPACITY)
        opacity.on_update(self._fade)
        self._meshes.fade(_OPACITY)
        gui.add_button("Look at the hands").on_click(self._look)
        self._figures = gui.add_html(waiting_for("the node's diagnostics"))

    def _add_switch(self, name: str) -> Any:
        (label, shown), layer = LAYERS[name], self._layers[name]
        layer.root.visible = shown
        switch = self._server.gui.add_checkbox(label, shown)

        async def show_or_hide(event: Any) -> None:
            layer.root.visible = event.target.value

        switch.on_update(show_or_hide)
        return switch

    # viser runs callbacks on the server's thread when they are `async`.

    async def _fade(self, event: Any) -> None:
        self._meshes.fade(event.target.value)

    async def _look(self, event: Any) -> None:
        self._frame(event.client)

    @property
    def url(self) -> str:
        """Where to open it on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether any browser shows it now."""
        return bool(self._server.get_clients())

    def shows(self, layer: str) -> bool:
        """Whether one of `LAYERS` is switched on."""
        return bool(self._switches[layer].value)

    @_on_the_server_s_thread
    def show_image(self, image: np.ndarray, camera: Camera | None) -> None:
        """Show a (H, W, 3) uint8 RGB image; in space too where its camera is known."""
        self._image.image = fitted(image, _PANEL_WIDTH)
        if camera is not None:
            self._picture.show(
                fitted(undistorted(image, camera), _PICTURE_WIDTH), camera, self._depth
            )
            self._frustum.show(camera, self._depth)

    @_on_the_server_s_thread
    def settle_image(self) -> None:
        """Call this a moment after `show_image` when no other image has come."""
        self._picture.settle()

    @_on_the_server_s_thread
    def show_meshes(self, meshes: Mapping[str, Mesh]) -> None:
        """Show these hands' (V, 3) vertices, metres, and (T, 3) triangles, and no other hand."""
        with self._server.atomic():
            self._meshes.show(meshes)
        if meshes:
            self._keep_in_view(np.concatenate([vertices for vertices, _ in meshes.values()]))

    @_on_the_server_s_thread
    def show_keypoints(self, keypoints: Mapping[str, np.ndarray]) -> None:
        """Show these hands' (21, 3) keypoints, metres, MANO order, and no other hand's."""
        with self._server.atomic():
            self._skeletons.show(keypoints)

    @_on_the_server_s_thread
    def show_voxels(self, centres: Mapping[str, np.ndarray], size: float) -> None:
        """Show these hands' occupied voxels: (N, 3) centres, N >= 1, and side, metres."""
        with self._server.atomic():
            self._voxels.show(centres, size)

    @_on_the_server_s_thread
    def show_figures(self, level: int, message: str, values: Mapping[str, str]) -> None:
        """Show the node's diagnostics; see `figures_html`."""
        self._figures.content = figures_html(level, message, values)

    @_on_the_server_s_thread
    def show_no_figures(self, awaited: str) -> None:
        """Show that the figures are `awaited`."""
        self._figures.content = waiting_for(awaited)

    @_on_the_server_s_thread
    def clear(self, *layers: str) -> None:
        """Take from view what these of `LAYERS` show."""
        for layer in layers:
            self._layers[layer].clear()

    def _keep_in_view(self, points: np.ndarray) -> None:
        """Stand the picture behind the hands, and turn browsers that just came to the hands."""
        far = float(points[:, 2].max()) + _BEHIND
        if not far <= self._depth <= far + 2 * _DEPTH_STEP:
            self._depth = far + _DEPTH_STEP
        self._middle = (points.min(0) + points.max(0)) / 2
        clients = self._server.get_clients()
        for number in clients.keys() - self._framed:
            self._frame(clients[number])
        self._framed = set(clients)

    def _frame(self, client: Any) -> None:
        if client is None or self._middle is None:
            return
        with client.atomic():
            client.camera.position = self._middle + _EYE
            client.camera.look_at = self._middle + _ASIDE


def free_port(host: str, first: int) -> int:
    """The first port from `first` on that can be served on.

    Raises:
        ValueError: the address is not this machine's, or too many ports are taken.
    """
    for port in range(first, min(first + _PORTS_TO_TRY, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    continue
                raise ValueError(
                    f"host '{host}' cannot be served on ({error.strerror or error}): "
                    "give 127.0.0.1 or an address of this machine"
                ) from error
        return port
    raise ValueError(f"no port from {first} on is free at {host}: give another port")
