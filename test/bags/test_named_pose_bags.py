"""Recordings of IsaacTeleop's NamedPoseArray are replayed without its package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_bags import (
    STORAGES,
    BallModel,
    camera_info,
    header,
    image,
    instead_of_networks,
    meshes,
    numbers,
    replay,
    stamp_of,
    stamps,
)
from new_messages import Messages
from openxr_hands import BOTH
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from two_hands import joints

from im2hands_ros.messages.named_poses import NAMED_POSE_ARRAY

# As its package publishes it.
FIELDS = "std_msgs/Header header\nstring[] name\ngeometry_msgs/Pose[] pose\nbool[] is_valid\n"
TOPIC = "/xr_teleop/hand"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> BallModel:
    return instead_of_networks(monkeypatch)


def named_poses(messages: Messages, number: int, invalid: tuple[str, ...]) -> object:
    def pose(name: str) -> object:
        place = (0.0, 0.0, 0.0) if name in invalid else BOTH[name].tolist()
        point = messages.new("geometry_msgs/msg/Point", **dict(zip("xyz", place, strict=True)))
        return messages.new("geometry_msgs/msg/Pose", position=point)

    return messages.new(
        NAMED_POSE_ARRAY,
        header=header(stamp_of(number)),
        name=list(BOTH),
        pose=[pose(name) for name in BOTH],
        is_valid=np.array([name not in invalid for name in BOTH]),
    )


@pytest.mark.parametrize("storage", STORAGES)
def test_named_poses_of_a_bag_become_hands(tmp_path: Path, model: BallModel, storage: str) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(FIELDS, NAMED_POSE_ARRAY))
    messages = Messages(store)
    left = tuple(name for name in BOTH if name.startswith("left"))
    with Writer(tmp_path / "bag", version=9, storage_plugin=STORAGES[storage]) as writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=store)
            for topic, kind in (
                ("/camera/image_raw", "sensor_msgs/msg/Image"),
                ("/camera/camera_info", "sensor_msgs/msg/CameraInfo"),
                (TOPIC, NAMED_POSE_ARRAY),
            )
        }
        for number, invalid in enumerate(((), left, ("right_MIDDLE_TIP",))):
            for entry in (camera_info(number), image(number)):
                data = messages.serialise(entry.kind, entry.message)
                writer.write(connections[entry.topic], entry.received_ns, data)
            data = messages.serialise(NAMED_POSE_ARRAY, named_poses(messages, number, invalid))
            writer.write(connections[TOPIC], stamp_of(number) + 40, data)
    status, out = replay(tmp_path / "bag")
    assert status == 0 and stamps(meshes(out)) == numbers(0, 1, 2)
    assert [len(each.hands) for each in meshes(out)] == [2, 1, 2]
    for number, side in ((0, "left"), (0, "right"), (1, "right"), (2, "left")):
        np.testing.assert_allclose(model.given[number].keypoints[side], joints(side), atol=1e-6)
    lacking = model.given[2].keypoints["right"]
    assert np.isfinite(lacking).all()  # estimated from its other joints
    np.testing.assert_allclose(
        np.delete(lacking, 12, 0), np.delete(joints("right"), 12, 0), atol=1e-6
    )
