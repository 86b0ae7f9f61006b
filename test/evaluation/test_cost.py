"""The cost by cells and by query points, its plot, and the counted operations."""

import xml.etree.ElementTree as ElementTree

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from two_hands import untrained_networks

from im2hands_ros.evaluation.benchmark import interacting_samples
from im2hands_ros.evaluation.cost import cost, lines
from im2hands_ros.evaluation.cost_plot import svg
from im2hands_ros.evaluation.frame_profile import IN_PLACE, matrix_peak
from im2hands_ros.pipeline import Im2Hands

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def measured():
    model = Im2Hands(untrained_networks(), torch.device("cpu"), torch.float32, {})
    return cost(model, interacting_samples(1)[0], cells=(16, 32), points=(10, 100, 1000))


def test_every_size_has_its_times(measured):
    assert [row["cells"] for row in measured["cells"]] == [16, 32]
    assert [row["points"] for row in measured["points"]] == [10, 100, 1000]
    for row in measured["cells"]:
        assert row["frame_ms"] > row["search_ms"] > 0 and row["extract_ms"] > 0
    for row in measured["points"]:
        assert row["us_per_point"] == pytest.approx(1e3 * row["ms"] / row["points"], abs=0.01)
    assert "1,000 in" in lines(measured)


def test_the_plot_has_a_line_per_time_inside_of_its_panel():
    rows = {
        "cells": [
            {"cells": n, "frame_ms": 10.0 * n, "search_ms": 3.0 * n, "extract_ms": 0.01 * n}
            for n in (32, 64)
        ],
        "points": [{"points": n, "ms": n / 1000, "us_per_point": 1.0} for n in (10, 1000)],
    }
    text = svg(rows, {"cpu": "A & B <C>", "threads": 1, "device": "cpu"})
    image = ElementTree.fromstring(text)
    found = [
        [tuple(map(float, place.split(","))) for place in line.get("points").split()]
        for line in image.iter(f"{SVG}polyline")
    ]
    assert len(found) == 4 and all(len(line) == 2 for line in found)
    for (left, low), (right, high) in found:
        assert 0 < left < right < 900 and 56 <= high < low <= 300
    # Log axes: ten times as many milliseconds are as far everywhere.
    (frame, *_), (search, *_) = found[0], found[1]
    assert frame[1] < search[1]
    assert any("A & B <C>" in text.text for text in image.iter(f"{SVG}text"))


def test_products_into_their_argument_are_counted():
    a, b, c = torch.rand(3, 4), torch.rand(4, 5), torch.rand(3, 5)
    batched = [each.expand(2, *each.shape).clone() for each in (a, b, c)]
    with FlopCounterMode(display=False, custom_mapping=IN_PLACE) as counter, torch.inference_mode():
        c.addmm_(a, b)
        batched[2].baddbmm_(batched[0], batched[1])
        torch.addmm(c, a, b, out=torch.empty(3, 5))
        torch.nn.functional.linear(a, b.T)
    assert counter.get_total_flops() == 2 * 3 * 4 * 5 * (1 + 2 + 1 + 1)


def test_the_peak_is_a_rate():
    assert matrix_peak(torch.device("cpu"), side=64) > 0
