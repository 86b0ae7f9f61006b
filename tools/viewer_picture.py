"""Make docs/images/viewer.png: the demo in the browser view, as headless Chromium shows it.

    source scripts/env.sh && python tools/viewer_picture.py

Needs what the viewer's tests need: Chromium, and no GPU. PNG with a palette, to stay small.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "support"))

from chromium import Chromium  # noqa: E402 - the tests' own

SIZE = (1200, 780)
_CLOSE_NOTE = "document.querySelector('[class*=Notification-closeButton]')?.click()"


@contextmanager
def demo(folder: Path, arguments: list[str]) -> Iterator[tuple[str, psutil.Process]]:
    """Run `im2hands demo --view`; gives the page's address and the replay once it plays."""
    command = [sys.executable, "-m", "im2hands_ros.cli", "demo", "--view", "--out", str(folder)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        url = ""
        for line in process.stdout:
            url = url or next((word for word in line.split() if word.startswith("http://")), "")
            if line.startswith("playing"):
                break
        children = psutil.Process(process.pid).children()
        replay = next(each for each in children if "im2hands_ros.ros.demo.replay" in each.cmdline())
        yield url, replay
        replay.resume()
    finally:
        process.terminate()
        process.wait()


def picture_of(
    url: str, replay: psutil.Process, folder: Path, after: float, settle: float
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the page, some seconds after it was opened, when nothing moves."""
    browser = Chromium(folder, SIZE)
    try:
        page = browser.open(url)
        time.sleep(after)
        page.evaluate(_CLOSE_NOTE)
        replay.suspend()
        time.sleep(settle)
        return page.picture()
    finally:
        browser.close()


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "viewer.png")
    parser.add_argument("--after", type=float, default=20.0, help="seconds (default: %(default)s)")
    parser.add_argument("--settle", type=float, default=0.9, help="seconds (default: %(default)s)")
    options, for_the_demo = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "profile").mkdir()
        with demo(Path(folder) / "demo", for_the_demo) as (url, replay):
            profile = Path(folder) / "profile"
            picture = picture_of(url, replay, profile, options.after, options.settle)
    full = Image.fromarray(picture)
    # The octree finds the few colours of hands and panel that the many greys would crowd out.
    palette = full.quantize(256, Image.Quantize.FASTOCTREE)
    full.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(
        options.out, optimize=True
    )
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
