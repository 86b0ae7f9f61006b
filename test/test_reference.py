"""The pages and the docstrings become HTML without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import im2hands_ros

ROOT = Path(__file__).resolve().parents[1]


def build(pages: Path, to: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` does."""
    options = ["--quiet", "--fail-on-warning", "--keep-going", "-d", str(to / "doctrees")]
    run = [sys.executable, "-m", "sphinx", *options, str(pages), str(to / "html")]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_documentation_holds_every_page_and_every_public_name(tmp_path):
    pytest.importorskip("sphinx", reason="Sphinx is not installed here; make setup installs it")
    result = build(ROOT / "docs", tmp_path)
    assert result.returncode == 0, result.stderr
    made = {path.stem for path in (tmp_path / "html").glob("*.html")}
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} <= made
    for name in set(im2hands_ros.__all__) - {"__version__"}:
        module = getattr(im2hands_ros, name).__module__
        page = (tmp_path / "html/api" / f"{module}.html").read_text()
        assert f'id="{module}.{name}"' in page


@pytest.mark.slow
def test_a_link_that_leads_nowhere_is_an_error(tmp_path):
    pytest.importorskip("sphinx", reason="Sphinx is not installed here; make setup installs it")
    (tmp_path / "conf.py").write_text((ROOT / "docs/conf.py").read_text())
    (tmp_path / "index.md").write_text("# Index\n\n[the other page](missing.md)\n")
    result = build(tmp_path, tmp_path)
    assert result.returncode != 0
    assert "missing.md" in result.stderr
