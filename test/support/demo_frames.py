"""Frames of the demo by two models, and whether their surfaces are the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.scene import Hands, Scene
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

CLOSE = 1e-5  # metres


def encoded(model: Im2Hands, number: int, sides: tuple[str, ...] = SIDES) -> Scene:
    """A frame of the demo."""
    demo = load_demo_sequence()
    frame = demo.frames[number]
    return model.encode(frame.image, {side: frame.keypoints[side] for side in sides}, demo.camera)


def assert_same(found: Hands, expected: Hands, joints: float = CLOSE, far: float = 5e-5) -> None:
    """Joints within `joints`, all but a thousandth of the vertices too, and those within `far`."""
    assert found.present.keys() == expected.present.keys()
    for side, surface in found.present.items():
        theirs = expected.present[side]
        assert np.abs(surface.keypoints - theirs.keypoints).max() < joints
        assert surface.confidence == pytest.approx(theirs.confidence, abs=1e-2)
        there, _ = cKDTree(theirs.vertices).query(surface.vertices)
        # All but vertices that the clearance of rough values has moved by a hundredth of a cell.
        assert np.quantile(there, 0.999) < joints and there.max() < far
        assert len(surface.triangles) == pytest.approx(len(theirs.triangles), rel=1e-2)
        assert len(surface.voxels) == pytest.approx(len(theirs.voxels), rel=1e-2)
