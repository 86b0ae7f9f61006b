"""Headless Chromium over its DevTools protocol: opens pages, clicks, takes pictures."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
REMEDY = "the viewer's tests need Chromium: apt-get install chromium-headless-shell (or chromium)"
_PATIENCE = 60.0
# WebGL without a GPU, and nothing that looks up or calls the browser's maker.
_FLAGS = (
    *("--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars", "--mute-audio"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-quic", "--disable-dev-shm-usage", "--remote-debugging-port=0"),
)

# The processor draws: a few frames a second, each finished before the next one (or they would queue
# up for many seconds), and none while a picture is taken.
_SELDOM = """
window.requestAnimationFrame = draw => setTimeout(() => {
    if (window.isStill) return requestAnimationFrame(draw);
    draw(performance.now());
    const canvas = document.querySelector('canvas');
    const gl = canvas && canvas.getContext('webgl2');
    if (gl) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
}, 400);
window.cancelAnimationFrame = clearTimeout;
"""


class Chromium:
    """A browser process with a profile of its own.

    Args:
        profile: an empty folder.
        size: width and height of its pages, pixels.

    Raises:
        FileNotFoundError: no Chromium is installed.
    """

    def __init__(self, profile: Path, size: tuple[int, int] = (1280, 800)) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise FileNotFoundError(REMEDY)
        self._size = size
        window = "--window-size={},{}".format(*size)
        with (profile / "log.txt").open("w") as log:
            self._process = subprocess.Popen(
                [program, *_FLAGS, window, f"--user-data-dir={profile}", "about:blank"],
                stdout=log,
                stderr=log,
                env={name: value for name, value in os.environ.items() if name != "DISPLAY"}
                | {"LD_LIBRARY_PATH": ""},  # ROS's libraries are not for the browser
                start_new_session=True,  # Debian's command is a shell that starts the browser
            )
        self._port = _first_line(profile / "DevToolsActivePort", self._process)
        self._pages: list[Page] = []

    def open(self, url: str) -> Page:
        """Open a page."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT"
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            target = json.load(answer)
        self._pages.append(Page(target["webSocketDebuggerUrl"], url, self._size))
        return self._pages[-1]

    def shut(self, page: Page) -> None:
        """Close a page."""
        self._pages.remove(page)
        page.call("Page.close")
        page.let_go()

    def close(self) -> None:
        """End the browser."""
        for page in self._pages:
            page.let_go()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _first_line(path: Path, process: subprocess.Popen) -> str:
    deadline = time.monotonic() + _PATIENCE
    while not (path.exists() and path.read_text()):
        assert process.poll() is None, (path.parent / "log.txt").read_text()
        assert time.monotonic() < deadline, "Chromium does not start"
        time.sleep(0.05)
    return path.read_text().splitlines()[0]


class Page:
    """A page of the browser.

    Attributes:
        requested: all that the page and its workers have asked the network for.
        errors: exceptions that nothing on the page caught.
    """

    def __init__(self, devtools: str, url: str, size: tuple[int, int]) -> None:
        self._socket = connect(
            devtools, max_size=None, open_timeout=_PATIENCE, ping_interval=None, proxy=None
        )
        self._numbers = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        self.requested: list[str] = []
        self.errors: list[str] = []
        for domain in ("Network", "Page", "Runtime"):
            self.call(f"{domain}.enable")
        self.call(
            "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True
        )
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Page.addScriptToEvaluateOnNewDocument", source=_SELDOM)
        self.call("Page.navigate", url=url)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a DevTools command."""
        number = self._send(method, parameters)
        deadline = time.monotonic() + _PATIENCE
        while number not in self._answers:
            assert time.monotonic() < deadline, f"no answer to {method}"
            time.sleep(0.01)
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for text in self._socket:
                message = json.loads(text)
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self._note(message)

    def _send(self, method: str, parameters: dict[str, Any], **more: str) -> int:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **more}
        self._socket.send(json.dumps(command))
        return number

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requested.append(told["url"])
        elif method == "Target.attachedToTarget":  # a worker, which waits for these
            for command in ("Network.enable", "Runtime.runIfWaitingForDebugger"):
                self._send(command, {}, sessionId=told["sessionId"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB of what the page shows now."""
        self.evaluate("window.isStill = true")
        data = self.call("Page.captureScreenshot", format="png", optimizeForSpeed=True)["data"]
        self.evaluate("window.isStill = false")
        encoded = np.frombuffer(base64.b64decode(data), np.uint8)
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]

    def click(self, text: str) -> None:
        """Click on the element that shows exactly this text."""
        find = (
            "(() => { const all = [...document.querySelectorAll('label, button, span, div')];"
            f" const found = all.filter(e => e.textContent.trim() === {json.dumps(text)}).pop();"
            " if (!found) return null; const b = found.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        self.wait(lambda: self.evaluate(find) is not None, f"'{text}' on the page")
        x, y = self.evaluate(find)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def wait(self, done: Callable[[], bool], what: str, timeout: float = _PATIENCE) -> None:
        """Wait until `done()`; fails after the timeout, naming what was waited for."""
        deadline = time.monotonic() + timeout
        while not done():
            assert time.monotonic() < deadline, f"waited {timeout} s in vain for {what}"
            time.sleep(0.1)

    def let_go(self) -> None:
        """Stop to follow the page."""
        self._socket.close()
