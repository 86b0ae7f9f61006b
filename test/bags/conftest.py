"""What the tests of bags share."""

from __future__ import annotations

import pytest
from made_bags import BallModel, instead_of_networks


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> BallModel:
    """Takes the place of the networks of every replay."""
    return instead_of_networks(monkeypatch)
