"""Queries of the latest field: one field each, in slices, never lost, never answered twice."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

from im2hands_ros.ros.queries import Queries, QueryResult

POINTS = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)


class Field:
    """Answers with a constant, slowly if told to."""

    def __init__(self, value: float, seconds: float = 0.0) -> None:
        self.value, self.seconds = value, seconds

    def occupancy(self, points: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        return np.full(len(points), self.value, np.float32)


def scene(value: float, seconds: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(left=Field(value, seconds), right=None)


def submitted(queries: Queries, points: np.ndarray = POINTS) -> list[QueryResult]:
    answers: list[QueryResult] = []
    queries.submit(points, answers.append)
    return answers


def test_all_points_get_the_field_that_was_latest_when_the_answer_began():
    queries = Queries(lambda _: None)
    queries.set_field("first", scene(0.25, seconds=0.06))
    answers = submitted(queries)
    assert queries.work()
    assert not answers
    queries.set_field("second", scene(0.75))
    while queries.work():
        pass
    assert len(answers) == 1
    assert answers[0].header == "first"
    assert set(answers[0].probabilities["left"]) == {0.25}
    assert set(answers[0].probabilities["right"]) == {-1.0}


def test_a_slice_is_short_while_there_is_more_to_do():
    queries = Queries(lambda _: None)
    queries.set_field("frame", scene(0.5, seconds=0.03))
    submitted(queries)
    assert queries.work()


def test_queries_are_answered_in_turn_and_too_many_are_refused_at_once():
    queries = Queries(lambda _: None)
    queries.set_field("frame", scene(0.5))
    several = [submitted(queries, POINTS[:10]) for _ in range(9)]
    assert [len(answers) for answers in several] == [0] * 8 + [1]
    assert "8 queries wait already" in several[-1][0].message
    assert not queries.work()
    assert all(answers[0].message == "" for answers in several[:-1])


def test_forgetting_refuses_what_waits_and_lets_go_of_the_field():
    queries = Queries(lambda _: None)
    queries.set_field("frame", scene(0.5, seconds=0.06))
    answers = submitted(queries)
    assert queries.work()
    queries.clear("the end")
    assert not queries.work()
    assert [each.message for each in answers] == ["the end"]
    later = submitted(queries)
    assert not queries.work()
    assert not later


def test_queries_are_active_before_and_a_while_after_the_answer():
    queries = Queries(lambda _: None)
    assert not queries.are_active
    answers = submitted(queries)
    assert queries.are_active
    queries.set_field("frame", None)
    assert not queries.work()
    assert set(answers[0].probabilities["left"]) == {-1.0}
    assert queries.are_active
