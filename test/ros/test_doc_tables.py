"""The parameter tables of docs/ are those of the nodes."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from node_process import ROOT

TABLES = [
    (page.name, module)
    for page in sorted((ROOT / "docs").glob("*.md"))
    for module in re.findall(r"<!-- (im2hands_ros\.[\w.]+):start -->", page.read_text())
]


def test_every_node_has_its_table():
    assert ("node.md", "im2hands_ros.ros.parameters") in TABLES
    assert ("camera.md", "im2hands_ros.ros.detector.settings") in TABLES
    assert ("camera.md", "im2hands_ros.ros.camera.settings") in TABLES
    assert ("browser-view.md", "im2hands_ros.ros.viewer.settings") in TABLES


@pytest.mark.parametrize(("page", "module"), TABLES)
def test_a_page_shows_the_table(page, module):
    text = (ROOT / "docs" / page).read_text()
    marked = re.search(
        rf"<!-- {re.escape(module)}:start -->\n(.*)<!-- {module}:end -->", text, re.S
    )
    printed = subprocess.run(
        [sys.executable, "-m", module], capture_output=True, text=True, timeout=120, check=True
    )
    assert marked and marked[1].strip() == printed.stdout.strip(), (
        f"run `python -m {module}` and put its output between the marks of docs/{page}"
    )
