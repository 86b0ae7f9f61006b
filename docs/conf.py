"""Sphinx: the pages of this folder, and the API reference from the docstrings (`make docs`)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import im2hands_ros

# autosummary writes a page per module there; one of a module that is gone would be a warning.
shutil.rmtree(Path(__file__).with_name("api"), ignore_errors=True)

project = "im2hands_ros"
version = release = im2hands_ros.__version__
author = "im2hands_ros maintainers"
copyright = "im2hands_ros maintainers, Apache-2.0"

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "myst_parser"]
exclude_patterns = ["templates"]
templates_path = ["templates"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "260px", "show_powered_by": False}
html_show_copyright = False
html_copy_source = False
myst_heading_anchors = 3

# Docstrings are in Google's style, with `names` in single backticks; shapes and units are text.
default_role = "code"
napoleon_use_ivar = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"

# Every module but the programs, which need ROS or are described by their --help.
_EXPORTED = [getattr(im2hands_ros, name) for name in im2hands_ros.__all__ if name != "__version__"]
_LEFT_OUT = ("cli", "commands", "kernels.gpu.field_triton", "ros", "msg", "srv")  # needs Triton
autosummary_context = {
    "left_out": [f"im2hands_ros.{name}" for name in _LEFT_OUT],
    "exported": [f"{value.__module__}.{value.__qualname__}" for value in _EXPORTED],
}

# Annotations name a class shortly; where two modules have one of that name, neither is linked.
suppress_warnings = ["ref.python"]


def setup(app: Any) -> None:
    """Files beside docs/ are no part of the HTML: a link to one becomes its path as text."""
    link = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")
    app.connect(
        "source-read", lambda app, page, text: text.insert(0, link.sub(r"\1 (`\2`)", text.pop()))
    )
