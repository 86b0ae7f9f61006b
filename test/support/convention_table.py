"""A table of offsets of tracker conventions in the packaged one's place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml

from im2hands_ros import keypoint_convention

OFFSETS_MM = np.random.default_rng(1).normal(0, 3, (21, 3)).round(1)


def use_table(patch: pytest.MonkeyPatch, path: Path, offsets_mm: Mapping[str, np.ndarray]) -> None:
    """From now on, until the patch is undone, these are the offsets of conventions by name."""
    entries = {name: {"offsets_mm": rows.tolist()} for name, rows in offsets_mm.items()}
    path.write_text(yaml.safe_dump(entries))
    patch.setattr(keypoint_convention, "TABLE", path)
    patch.setattr(keypoint_convention, "_table", keypoint_convention._table.__wrapped__)
