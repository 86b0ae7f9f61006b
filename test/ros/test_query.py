"""`query_occupancy`: the latest field at any points, while the stream goes on."""

from __future__ import annotations

import array
import itertools
import time

import numpy as np
import pytest
from analytic_node import occupancy
from ball_surfaces import RADIUS
from harness import FRAME_ID, Client, camera_info, hand, header, image
from im2hands_ros.srv import QueryOccupancy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from reference_messages import keypoints_message

MANY = 100_000
_stamps = itertools.count(40)


def request(points: np.ndarray) -> QueryOccupancy.Request:
    flat = array.array("f")
    flat.frombytes(np.asarray(points, np.float32).tobytes())
    return QueryOccupancy.Request(points=flat)


def query(client: Client, points: np.ndarray) -> QueryOccupancy.Response:
    return client.call(QueryOccupancy, "query_occupancy", request(points))


def points_around_the_hands(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform((-0.3, -0.2, 0.4), (0.3, 0.2, 0.6), (count, 3))


@pytest.fixture(autouse=True)
def found_service(client: Client) -> None:
    """Before any frame is sent, so that none is old when it is found."""
    client.find_service(QueryOccupancy, "query_occupancy")


def test_points_get_the_probabilities_of_the_latest_frame(client):
    client.send_frame(10.0)
    client.wait_for_frame(10.0)
    points = np.concatenate([hand("left"), hand("right") + np.float32([0, 0, RADIUS])])
    answer = query(client, points)
    assert answer.success
    assert answer.message == ""
    assert answer.header.frame_id == FRAME_ID
    assert answer.header.stamp.sec == 10
    np.testing.assert_allclose(answer.left, occupancy(hand("left"), points), atol=1e-5)
    np.testing.assert_allclose(answer.right, occupancy(hand("right"), points), atol=1e-5)
    assert min(answer.left[:21]) > 0.9
    assert answer.right[21] == pytest.approx(0.5, abs=0.01)


def test_an_absent_hand_has_minus_one(client):
    client.send_frame(20.0, left=False)
    client.wait_for_frame(20.0)
    answer = query(client, points_around_the_hands(50))
    assert answer.success
    assert set(answer.left) == {-1.0}
    assert min(answer.right) >= 0
    client.send_frame(20.1, left=False, right=False)
    client.wait_for_frame(20.1)
    answer = query(client, points_around_the_hands(50))
    assert answer.success
    assert set(answer.left) == set(answer.right) == {-1.0}


def test_no_points_have_no_probabilities(client):
    client.send_frame(30.0)
    client.wait_for_frame(30.0)
    answer = query(client, np.empty((0, 3)))
    assert answer.success
    assert len(answer.left) == len(answer.right) == 0


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([0.0, 0.0, float("nan")], "1 numbers of points are NaN"),
        ([0.0, 0.0, 0.5, 0.1], "points holds 4 numbers: give x, y, z"),
        ([0.0, 0.0, 200.0], "the query failed: MemoryError"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason_and_the_stream_goes_on(
    client, points, said
):
    stamp = next(_stamps)
    client.send_frame(stamp)
    client.wait_for_frame(stamp)
    answer = query(client, np.array(points))
    assert not answer.success
    assert said in answer.message
    assert not len(answer.left)
    client.send_frame(stamp + 0.5)
    client.wait_for_frame(stamp + 0.5)


def test_without_a_frame_the_answer_says_so_and_an_old_one_is_not_used(start, connect):
    client = connect(start())
    assert "no frame yet" in query(client, points_around_the_hands(3)).message
    client.send_frame(1.0)
    client.wait_for_frame(1.0)
    client.spin(2.2)
    answer = query(client, points_around_the_hands(3))
    assert not answer.success
    assert "s old" in answer.message


def test_an_inactive_node_says_so(start, connect):
    process = start("auto_activate:=false")
    client = Client(process.namespace)
    assert "not active" in query(client, points_around_the_hands(3)).message
    client.close()


def test_a_question_that_waits_when_the_node_is_deactivated_is_refused(start, connect):
    process = start()
    client = connect(process)
    future = client.begin_call(QueryOccupancy, "query_occupancy", request(hand("left")))
    transition = Transition(id=Transition.TRANSITION_DEACTIVATE)
    change = ChangeState.Request(transition=transition)
    assert client.call(ChangeState, "im2hands/change_state", change).success
    client.wait_until(future.done, "the refusal")
    assert not future.result().success
    assert "not active" in future.result().message


def test_questions_alone_are_reason_enough_to_work(start, connect):
    client = connect(start(), listen=False)
    future = client.begin_call(QueryOccupancy, "query_occupancy", request(hand("left")))
    for i in range(20):
        client.send_frame(50.0 + i / 10)
        client.spin(0.05)
        if future.done():
            break
    assert future.done()
    assert future.result().success
    assert "published" not in client.diagnostics() or client.count("published") == 0


def moved(side: str, stamp: int) -> np.ndarray:
    """(21, 3): a hand that is elsewhere in every frame."""
    return hand(side) + np.float32([0, 0, 0.004 * (stamp % 20)])


def send_moved_hands(client: Client, stamp: int) -> None:
    hands = {side: moved(side, stamp) for side in ("left", "right")}
    client.send(camera_info(stamp), image(stamp), keypoints_message(header(stamp), hands))


def test_a_hundred_thousand_points_do_not_stop_the_stream(client):
    points = points_around_the_hands(MANY)
    send_moved_hands(client, 100)
    client.wait_for_frame(100)
    started = time.monotonic()
    future = client.begin_call(QueryOccupancy, "query_occupancy", request(points))
    stamps = []
    while not future.done():
        assert time.monotonic() - started < 30
        stamps.append(101 + len(stamps))
        send_moved_hands(client, stamps[-1])
        client.wait_for_frame(stamps[-1])
    answer = future.result()
    assert answer.success
    assert len(stamps) > 1
    # One field for all points, that of the stamp, though frames went by.
    answered = answer.header.stamp.sec
    np.testing.assert_allclose(answer.left, occupancy(moved("left", answered), points), atol=1e-5)
    np.testing.assert_allclose(answer.right, occupancy(moved("right", answered), points), atol=1e-5)
