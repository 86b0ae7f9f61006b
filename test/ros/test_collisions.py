"""Collision objects: what MoveIt is sent, and how often. moveit_msgs itself is not on PyPI."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from ball_surfaces import Hands
from geometry_msgs.msg import Pose
from harness import header
from std_msgs.msg import Header

from im2hands_ros.ros import collisions
from im2hands_ros.ros.collisions import MOST_FACES, Collisions

BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
SURFACE = SimpleNamespace(
    vertices=BALL.vertices.astype(np.float32), triangles=BALL.faces.astype(np.int32)
)
BOTH = Hands(SURFACE, SURFACE)


@dataclass
class CollisionObject:
    """The fields of moveit_msgs/CollisionObject that are used."""

    header: Header
    id: str
    operation: bytes
    meshes: list
    mesh_poses: list = field(default_factory=list)
    pose: Pose = field(default_factory=Pose)

    ADD, REMOVE = b"\x00", b"\x01"


class Publisher(list):
    """Keeps what is published to its one subscriber."""

    publish = list.append
    subscriber_count = 1


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(time=100.0)
    monkeypatch.setattr(collisions.time, "monotonic", lambda: now.time)
    return now


def test_hands_are_added_with_few_faces_and_removed_when_lost(clock):
    sent = Publisher()
    objects = Collisions(CollisionObject, sent)
    objects.publish(header(1.0), BOTH)
    assert [(each.id, each.operation) for each in sent] == [
        ("left_hand", CollisionObject.ADD),
        ("right_hand", CollisionObject.ADD),
    ]
    mesh = sent[0].meshes[0]
    assert sent[0].header == header(1.0)
    assert 100 < len(mesh.triangles) <= MOST_FACES
    assert max(max(each.vertex_indices) for each in mesh.triangles) < len(mesh.vertices)
    assert [pose.orientation.w for pose in sent[0].mesh_poses] == [1.0]
    assert sent[0].pose.orientation.w == 1.0
    objects.publish(header(1.1), Hands(None, SURFACE))
    assert [(each.id, each.operation) for each in sent[2:]] == [
        ("left_hand", CollisionObject.REMOVE)
    ]
    objects.withdraw(header(1.2))
    objects.withdraw(header(1.3))
    assert [(each.id, each.operation) for each in sent[3:]] == [
        ("right_hand", CollisionObject.REMOVE)
    ]


def test_a_second_of_frames_at_30_hz_gives_at_most_5_updates(clock):
    sent = Publisher()
    objects = Collisions(CollisionObject, sent)
    for i in range(30):
        clock.time = 100 + i / 30
        objects.publish(header(1.0 + i / 100), BOTH)
    assert 8 <= len(sent) <= 10
