"""The service `query_occupancy`: questions in, answers out, the stream never stopped."""

from __future__ import annotations

import array
from collections.abc import Callable

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from im2hands_ros.ros.queries import Answer, Queries
from im2hands_ros.skeleton import SIDES
from im2hands_ros.srv import QueryOccupancy

_MOST_POINTS = 2_000_000


class QueryService:
    """Hears questions on the executor's thread and lets the worker answer them.

    Args:
        node: owns the service, which lives as long as the node: an answer may be under way when
            the node is deactivated.
        queries: answers.
        begin: called when a question came; returns why there is nobody to answer it, or "".
    """

    def __init__(self, node: Node, queries: Queries, begin: Callable[[], str]) -> None:
        self._node, self._queries, self._begin = node, queries, begin
        # A group of its own: one that waits for its answer would keep the inputs from being heard.
        self._service = node.create_service(
            QueryOccupancy,
            "query_occupancy",
            self._on_query,
            callback_group=ReentrantCallbackGroup(),
        )

    async def _on_query(
        self, request: QueryOccupancy.Request, response: QueryOccupancy.Response
    ) -> QueryOccupancy.Response:
        try:
            points = points_of(request)
        except ValueError as problem:
            response.message = str(problem)
            return response
        future: Future = Future()
        self._queries.ask(points, lambda answer: self._reply(future, answer))
        if problem := self._begin():
            self._queries.forget(problem)
        return fill_response(response, await future)

    def _reply(self, future: Future, answer: Answer) -> None:
        future.set_result(answer)
        # A future does not wake the executor that waits for it.
        if self._node.executor is not None:
            self._node.executor.wake()


def points_of(request: QueryOccupancy.Request) -> np.ndarray:
    """(N, 3) float32 points of a request; raises ValueError with the reason for the response."""
    flat = np.asarray(request.points, np.float32)
    if flat.size % 3:
        raise ValueError(f"points holds {flat.size} numbers: give x, y, z of each point")
    if flat.size > 3 * _MOST_POINTS:
        raise ValueError(f"points holds {flat.size // 3} points: ask for {_MOST_POINTS} at most")
    bad = int((~np.isfinite(flat)).sum())
    if bad:
        raise ValueError(f"{bad} numbers of points are NaN or infinite: leave those points out")
    return flat.reshape(-1, 3)


def fill_response(response: QueryOccupancy.Response, answer: Answer) -> QueryOccupancy.Response:
    """Put an answer into the service's response and return it."""
    response.success, response.message = not answer.message, answer.message
    if response.success:
        response.header = answer.header
        for side in SIDES:
            flat = array.array("f")
            flat.frombytes(answer.probabilities[side].tobytes())
            setattr(response, side, flat)
    return response
