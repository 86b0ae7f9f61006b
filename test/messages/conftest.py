"""Every reader reads both kinds of messages: those of a bag's reader and, with ROS, rclpy's."""

from __future__ import annotations

from functools import partial

import pytest
from new_messages import HAS_RCLPY, new_of_bag, new_of_rclpy, read_back

KINDS = {"bag": (new_of_bag, partial(read_back, of_rclpy=False))}
if HAS_RCLPY:
    KINDS["rclpy"] = (new_of_rclpy, partial(read_back, of_rclpy=True))


@pytest.fixture(params=KINDS)
def kind(request):
    """Makes messages of one kind, and reads serialised ones."""
    return KINDS[request.param]


@pytest.fixture
def new(kind):
    """`new("std_msgs/msg/Header", frame_id="camera")`: a message with these fields."""
    return kind[0]


@pytest.fixture
def parse(kind):
    """`parse("std_msgs/msg/Header", data)`: a serialised message's fields."""
    return kind[1]
