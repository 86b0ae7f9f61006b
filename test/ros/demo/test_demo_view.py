"""The demo in a browser: replay, the real node and the viewer as processes, and a page."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from chromium import Chromium, Page

from im2hands_ros.commands.demo import add_arguments, show

PATIENCE = 120.0
SIZE = (960, 600)
SCENE = np.s_[195:, :600]  # beside the panel, below the browser's word on software rendering


def wait_until(done: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "demo.txt"


@pytest.fixture
def demo(tmp_path: Path, log: Path) -> Iterator[subprocess.Popen]:
    """`im2hands demo --view` without a display, with the packaged weights."""
    command = [sys.executable, "-m", "im2hands_ros.cli", "demo", "--view"]
    options = ["--out", str(tmp_path), "--port", "18280", "--resolution", "32", "--device", "cpu"]
    unseen = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, *options], stdout=output, stderr=subprocess.STDOUT, env=unseen
        )
    yield process
    process.terminate()
    process.wait(30)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    (tmp_path / "profile").mkdir()
    chromium = Chromium(tmp_path / "profile", SIZE)
    yield chromium
    chromium.close()


def shares(page: Page) -> tuple[float, float]:
    """Shares of the scene that the left hand's blue and the right hand's orange cover."""
    picture = page.picture()[SCENE].astype(int)
    blueness = picture[..., 2] - picture[..., 0]
    return float((blueness > 40).mean()), float((blueness < -40).mean())


def test_rendered_frames_become_two_hands_on_the_page_until_the_demo_is_ended(
    demo: subprocess.Popen, log: Path, browser: Chromium
) -> None:
    wait_until(lambda: "playing 90 frames over and over" in log.read_text(), log.read_text)
    lines = [line for line in log.read_text().splitlines() if "http" in line]
    assert lines == ["the hands are at http://127.0.0.1:18280 (Ctrl-C ends the demo)"]
    page = browser.open("http://127.0.0.1:18280")
    page.click("Camera picture")  # skin is orange too
    seen: list[tuple[float, float]] = []

    def both_hands() -> bool:
        seen.append(shares(page))
        return all(0.01 < share < 0.3 for share in seen[-1])

    wait_until(both_hands, lambda: f"covered by blue and orange: {seen}")
    children = psutil.Process(demo.pid).children()
    demo.send_signal(signal.SIGINT)
    assert demo.wait(30) == 0
    assert len(children) == 3
    assert not any(child.is_running() for child in children)


def test_a_view_whose_process_ends_is_reported_with_its_last_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    asleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    broken = [sys.executable, "-c", "print('no page here'); exit(2)"]
    commands = {"viewer": broken, "node": asleep, "replay": asleep}
    assert show(parser.parse_args(["--view", "--rate", "3", "--out", str(tmp_path)]), commands) == 1
    message = capfd.readouterr().err
    assert "viewer ended with status 2" in message
    assert "| no page here" in message
