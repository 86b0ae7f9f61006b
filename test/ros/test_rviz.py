"""RViz's settings: what RViz knows, what the node publishes, and QoS that lets it through.

RViz cannot be installed from PyPI. Names are held against its sources: ros2/rviz, branch jazzy,
14.1.5, commit 591594e. docs/images/rviz.png is that RViz, built against the wheels with rclcpp
28.1.6 outside this repository, without the displays that are not used here: a late start on a
running demo under Xvfb with software OpenGL, `import -window root` of ImageMagick.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from harness import Client
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
    qos_profile_sensor_data,
)
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from im2hands_ros.messages.markers import SPHERE_LIST, draw
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.ros.demo.replay import RELIABLE
from im2hands_ros.ros.demo.settings import DemoReplaySettings
from im2hands_ros.skeleton import TIPS
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = yaml.safe_load((ROOT / "config" / "im2hands.rviz").read_text())
RVIZ_VIEW = np.radians(45)  # how much RViz's cameras see, from top to bottom
DISPLAYS = {each["Name"]: each for each in SETTINGS["Visualization Manager"]["Displays"]}
ON_TOPICS = [name for name, each in DISPLAYS.items() if "Topic" in each]

# What RViz reads of each class: its properties, and what every display, tool or view has.
_DISPLAY = {"Class", "Name", "Enabled", "Value"}
_VIEW = {"Class", "Name", "Value", "Near Clip Distance", "Invert Z Axis", "Target Frame"}
_CLOUD = {
    *("Style", "Size (m)", "Size (Pixels)", "Alpha", "Decay Time", "Selectable"),
    *("Position Transformer", "Color Transformer", "Channel Name", "Use rainbow"),
    *("Invert Rainbow", "Min Color", "Max Color", "Autocompute Intensity Bounds"),
    *("Min Intensity", "Max Intensity"),
}
KNOWN = {
    "rviz_common/Displays": {"Class", "Name", "Property Tree Widget", "Tree Height"},
    "rviz_default_plugins/Image": _DISPLAY
    | {"Topic", "Normalize Range", "Min Value", "Max Value", "Median window"},
    "rviz_default_plugins/MarkerArray": _DISPLAY | {"Topic", "Namespaces"},
    "rviz_default_plugins/PointCloud2": _DISPLAY | _CLOUD | {"Topic"},
    "rviz_default_plugins/Pose": _DISPLAY | {"Topic", "Shape", "Axes Length", "Axes Radius"},
    "rviz_default_plugins/Axes": _DISPLAY | {"Reference Frame", "Length", "Radius"},
    "rviz_default_plugins/MoveCamera": {"Class"},
    "rviz_default_plugins/Measure": {"Class", "Line color"},
    "rviz_default_plugins/Orbit": _VIEW
    | {"Distance", "Focal Point", "Focal Shape Fixed Size", "Focal Shape Size", "Pitch", "Yaw"},
}
_TOPIC = {"Value", "Depth", "History Policy", "Reliability Policy", "Durability Policy"}
MESSAGES = {  # of each display
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
    "rviz_default_plugins/PointCloud2": "sensor_msgs/msg/PointCloud2",
    "rviz_default_plugins/Pose": "geometry_msgs/msg/PoseStamped",
}
CHOICES = {
    "Style": {"Points", "Squares", "Flat Squares", "Spheres", "Boxes", "Tiles"},
    "Color Transformer": {"Intensity", "AxisColor", "FlatColor", "RGB8", "RGBF32"},
    "Position Transformer": {"XYZ"},
    "Shape": {"Arrow", "Axes"},
}


def plugins(settings: Any = SETTINGS) -> Iterator[dict[str, Any]]:
    """Everything in the settings that names a class."""
    for value in settings.values() if isinstance(settings, dict) else settings:
        if isinstance(value, dict) and value.get("Class"):
            yield value
        if isinstance(value, (dict, list)):
            yield from plugins(value)


def test_rviz_knows_every_class_and_property() -> None:
    found = [*plugins(), *(each for each in SETTINGS["Panels"])]
    assert {each["Class"] for each in found} == KNOWN.keys()
    for each in found:
        assert each.keys() <= KNOWN[each["Class"]], each["Class"]
        for name in CHOICES.keys() & each.keys():
            assert each[name] in CHOICES[name]
    for name in ON_TOPICS:
        assert DISPLAYS[name]["Topic"].keys() == _TOPIC


def asked(topic: dict[str, Any]) -> QoSProfile:
    """What RViz subscribes with, by a display's settings."""
    return QoSProfile(
        depth=topic["Depth"],
        history=HistoryPolicy[topic["History Policy"].upper().replace(" ", "_")],
        reliability=ReliabilityPolicy[topic["Reliability Policy"].upper().replace(" ", "_")],
        durability=DurabilityPolicy[topic["Durability Policy"].upper().replace(" ", "_")],
    )


@pytest.mark.parametrize("name", ON_TOPICS)
def test_each_display_hears_the_running_node_or_its_camera(client: Client, name: str) -> None:
    display = DISPLAYS[name]
    topic = client.node.get_namespace() + display["Topic"]["Value"]
    (endpoint,) = client.node.get_publishers_info_by_topic(topic)
    assert endpoint.topic_type == MESSAGES[display["Class"]]
    sender = client.node.get_name() if name == "Image" else "im2hands"
    assert endpoint.node_name == sender
    verdict, reason = qos_check_compatible(endpoint.qos_profile, asked(display["Topic"]))
    assert verdict != QoSCompatibility.ERROR, reason


def test_a_reliable_camera_is_heard_as_well() -> None:
    for offered in (qos_profile_sensor_data, QoSProfile(depth=1)):
        verdict, reason = qos_check_compatible(offered, asked(DISPLAYS["Image"]["Topic"]))
        assert verdict != QoSCompatibility.ERROR, reason


def test_an_rviz_that_starts_after_the_demo_gets_no_incompatible_offer() -> None:
    first = QoSProfile(depth=5)  # reliable: what RViz subscribes with until its settings are read
    for requested in (first, asked(DISPLAYS["Image"]["Topic"])):
        verdict, reason = qos_check_compatible(RELIABLE, requested)
        assert verdict != QoSCompatibility.ERROR, reason


def test_rviz_s_colours_come_from_a_channel_of_the_cloud(client: Client) -> None:
    client.send_frame(1.0)
    cloud = client.wait_for_frame(1.0, "occupancy")
    assert DISPLAYS["Occupancy"]["Channel Name"] in {field.name for field in cloud.fields}


def test_rviz_shows_picture_meshes_and_keypoints_at_once() -> None:
    # The cloud would speckle the hands; poses stay when a hand is lost.
    shown = {name for name, each in DISPLAYS.items() if each["Enabled"]}
    assert shown == {"Image", "Markers", "Camera"}
    switched_on = {name for name, on in DISPLAYS["Markers"]["Namespaces"].items() if on}
    assert switched_on == {"left", "right", "left_keypoints", "right_keypoints"}


def test_rviz_has_a_switch_for_every_kind_of_marker() -> None:
    surface = SimpleNamespace(
        vertices=np.eye(3, dtype=np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        voxels=np.zeros((1, 3), np.float32),
        keypoints=np.zeros((21, 3), np.float32),
    )
    drawn = draw({"left": surface, "right": surface}, 0.005)
    assert {each.namespace for each in drawn} == DISPLAYS["Markers"]["Namespaces"].keys()


def test_rviz_s_view_holds_the_demo_s_hands() -> None:
    """The orbit's eye is beside the camera, and turns about the hands."""
    view = SETTINGS["Visualization Manager"]["Views"]["Current"]
    focal = np.array([view["Focal Point"][axis] for axis in "XYZ"])
    pitch, yaw = view["Pitch"], view["Yaw"]
    around = (np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch))
    eye = focal + view["Distance"] * np.array(around)
    assert np.linalg.norm(eye) < 0.25 and eye[2] < 0.1
    frames = load_demo_sequence().frames
    joints = [xyz for frame in frames for xyz in frame.keypoints.values() if xyz is not None]
    assert np.linalg.norm(np.concatenate(joints).mean(0) - focal) < 0.08


def test_the_hands_of_the_demo_fill_rviz_s_view() -> None:
    view = SETTINGS["Visualization Manager"]["Views"]["Current"]
    focal = np.array([view["Focal Point"][axis] for axis in "XYZ"])
    for frame in load_demo_sequence().frames[::6]:
        joints = np.concatenate([xyz for xyz in frame.keypoints.values() if xyz is not None])
        across = 2 * np.linalg.norm(joints - focal, axis=1).max() / view["Distance"]
        assert 0.4 < across / RVIZ_VIEW < 1.2


def test_the_left_column_is_for_displays_and_the_picture_alone() -> None:
    assert [each["Class"] for each in SETTINGS["Panels"]] == ["rviz_common/Displays"]
    window = SETTINGS["Window Geometry"]
    assert window["Hide Right Dock"] and window["Views"]["collapsed"]
    assert not window["Image"]["collapsed"] and window["Width"] >= 1280


def test_the_demo_s_camera_stands_in_a_map() -> None:
    """What the launch file gives static_transform_publisher, read without `launch`."""
    tree = ast.parse((ROOT / "launch" / "demo.launch.py").read_text())
    (function,) = (each for each in tree.body if getattr(each, "name", "") == "camera_in_a_map")
    words = [
        word
        for each in function.body
        if isinstance(each, ast.Assign)
        for word in ast.literal_eval(each.value)
    ]
    said = dict(zip(words[::2], words[1::2], strict=True))
    frame = SETTINGS["Visualization Manager"]["Global Options"]["Fixed Frame"]
    assert (said["--frame-id"], said["--child-frame-id"]) == ("map", frame)
    angles = [float(said.get(f"--{name}", "0")) for name in ("roll", "pitch", "yaw")]
    turn = Rotation.from_euler("xyz", angles)
    np.testing.assert_allclose(turn.apply([0, -1, 0]), [0, 0, 1], atol=1e-4)  # up is up


def test_the_readme_shows_rviz_beside_our_own_view() -> None:
    shown = re.findall(r"!\[[^\]]*\]\((docs/images/[\w.]+)\)", (ROOT / "README.md").read_text())
    assert "docs/images/rviz.png" in shown and len(shown) > 1
    picture = cv2.imread(str(ROOT / "docs/images/rviz.png"))
    assert picture.shape[1] > 800 and picture.std() > 20


def test_the_balls_of_fingertips_and_last_joints_come_out_of_the_flesh() -> None:
    frame = load_demo_sequence().frames[0]
    model = Im2Hands.load(device="cpu")
    hands = model.encode(frame.image, frame.keypoints, load_demo_sequence().camera)
    for side, surface in hands.reconstruct(resolution=64).present.items():
        balls = next(each for each in draw({side: surface}, 0.005) if each.kind == SPHERE_LIST)
        depth = cKDTree(surface.vertices).query(balls.points)[0]
        out = depth < balls.scale[0] / 2
        assert out[list(TIPS)].all() and out.sum() >= 9, side  # knuckles and wrist lie deeper


def test_rviz_s_fixed_frame_is_the_one_that_replay_stamps() -> None:
    frame = SETTINGS["Visualization Manager"]["Global Options"]["Fixed Frame"]
    assert frame == DemoReplaySettings().frame_id
