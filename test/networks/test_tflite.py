"""The reader of TensorFlow Lite's files refuses what it cannot read."""

from __future__ import annotations

import zipfile

import pytest

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.networks import tflite
from im2hands_ros.networks.tflite import read_graph


@pytest.fixture(scope="module")
def stored() -> bytes:
    with zipfile.ZipFile(find_bundle()) as archive:
        return archive.read("hand_landmarks_detector.tflite")


def test_the_graph_ends_in_four_outputs_and_reads_only_what_is_made_before(stored) -> None:
    graph = read_graph(stored)
    made = set(graph.constants) | {graph.operators[0].inputs[0]}
    for operator in graph.operators:
        assert made.issuperset(number for number in operator.inputs if number >= 0)
        made.update(operator.outputs)
    assert len(graph.outputs) == 4 and made.issuperset(graph.outputs)


def test_other_files_are_refused() -> None:
    with pytest.raises(ValueError, match="TFL3"):
        read_graph(b"PK\x03\x04" + bytes(100))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_file_that_was_cut_off_is_refused(stored, share) -> None:
    with pytest.raises(ValueError, match="damaged"):
        read_graph(stored[: 8 + int(share * len(stored))])


def test_an_operator_that_is_not_read_here_is_named(stored, monkeypatch) -> None:
    monkeypatch.delitem(tflite._OPERATORS, 14)
    with pytest.raises(ValueError, match=r"operator 14 of TensorFlow Lite"):
        read_graph(stored)
