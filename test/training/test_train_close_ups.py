"""The refinement by close-ups trained by itself."""

import pytest
import repository_tools
from stage_tools import assert_only_the_stage_changes


@pytest.mark.train
def test_only_the_close_ups_change_and_the_record_says_how(monkeypatch, tmp_path) -> None:
    tool = repository_tools.tool("train_close_ups")
    assert_only_the_stage_changes(tool, "train_close_ups", "closeups", monkeypatch, tmp_path)
