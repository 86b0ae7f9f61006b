"""Joints of other trackers in the package's own convention."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import yaml
from convention_table import OFFSETS_MM, use_table
from two_hands import joints

from im2hands_ros.keypoint_convention import (
    AUTO,
    CONVENTIONS,
    OWN,
    TABLE,
    chosen_convention,
    convention_offsets,
    in_own_convention,
)
from im2hands_ros.skeleton import ORDER_NAMES, SIDES


@pytest.fixture
def table(monkeypatch, tmp_path):
    return partial(use_table, monkeypatch, tmp_path / "table.yaml")


@pytest.fixture
def one_entry(table) -> str:
    table({"openxr": OFFSETS_MM})
    return "openxr"


def both() -> dict[str, np.ndarray]:
    return {side: joints(side) for side in SIDES}


def test_auto_takes_what_the_order_says_and_a_name_overrules_it():
    assert chosen_convention(AUTO, "openxr") == "openxr"
    assert chosen_convention("leap", "openxr") == "leap"
    with pytest.raises(
        ValueError, match=r"keypoint_convention 'vicon' is unknown: use one of auto"
    ):
        chosen_convention("vicon", OWN)


def test_every_joint_order_has_its_convention():
    assert set(ORDER_NAMES) <= set(CONVENTIONS)


def test_own_joints_stay_as_they_are():
    assert convention_offsets(OWN) is None
    for side, xyz in in_own_convention(both(), OWN).items():
        np.testing.assert_array_equal(xyz, joints(side))


def test_joints_of_a_convention_in_the_table_are_moved_by_millimetres(one_entry):
    moved = in_own_convention(both(), one_entry)
    for side, xyz in moved.items():
        steps = 1e3 * np.linalg.norm(xyz - joints(side), axis=1)
        assert xyz.dtype == np.float32 and 1 < steps.mean() < 10 and steps.max() < 25
    left = in_own_convention({"left": joints("right") * [-1, 1, 1]}, one_entry)["left"]
    np.testing.assert_allclose(left * [-1, 1, 1], moved["right"], atol=1e-6)


def test_joints_of_rigs_that_were_trained_on_stay_as_they_are():
    for name in ("openxr", "leap"):
        for side, xyz in in_own_convention(both(), name).items():
            np.testing.assert_array_equal(xyz, joints(side))


@pytest.mark.parametrize("entry", [{"vicon": OFFSETS_MM}, {"leap": OFFSETS_MM[:20]}])
def test_a_table_that_does_not_fit_is_refused(entry, table):
    table(entry)
    with pytest.raises(ValueError, match="is no table of"):
        convention_offsets("leap")


def test_the_table_says_where_each_row_came_from():
    for name, entry in yaml.safe_load(TABLE.read_text()).items():
        assert name in CONVENTIONS and len(entry["offsets_mm"]) == 21
        assert "(MIT)" in entry["source"] or "(Apache-2.0)" in entry["source"]
