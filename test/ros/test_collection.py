"""Garbage collection beside a stream of frames: nodes leave out of it what they have loaded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
from stand_in_model import StandInModel

from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.collection import collect_everything, leave_out_of_collection
from im2hands_ros.ros.detector.node import DetectorNode
from im2hands_ros.ros.node import Im2HandsNode


class Cycle:
    """What only a collection can free."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_left_out_is_collected_when_everything_is() -> None:
    cycle = Cycle()
    watched = weakref.ref(cycle)
    leave_out_of_collection()
    del cycle
    gc.collect()
    assert watched() is not None
    collect_everything()
    assert watched() is None
    assert gc.get_freeze_count() == 0


@pytest.mark.dds
@pytest.mark.parametrize(
    "make",
    [
        lambda: Im2HandsNode(lambda settings: StandInModel([]), namespace="collection"),
        lambda: DetectorNode(lambda settings: HandDetector.load(), namespace="collection"),
    ],
    ids=["im2hands", "detector"],
)
def test_a_collection_beside_frames_passes_over_what_was_there_when_a_node_started(
    make: Callable[[], BaseNode],
) -> None:
    node = make()
    before = len(gc.get_objects())
    try:
        assert node.start()
        assert len(gc.get_objects()) < before / 10
    finally:
        node.close()
        node.destroy_node()
        collect_everything()
