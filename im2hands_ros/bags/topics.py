"""Which of a bag's topics are the image, its camera_info and the keypoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from im2hands_ros.bags.definitions import PACKAGE, Topic
from im2hands_ros.messages.named_poses import NAMED_POSE_ARRAY

IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
HAND_KEYPOINTS, POSE_ARRAY = f"{PACKAGE}/msg/HandKeypoints", "geometry_msgs/msg/PoseArray"

# What each input may be, and the last part of its name that decides between several.
_TYPES = {
    "image": (IMAGE, COMPRESSED_IMAGE),
    "camera_info": (CAMERA_INFO,),
    "keypoints": (HAND_KEYPOINTS, POSE_ARRAY, NAMED_POSE_ARRAY),
    "depth": (IMAGE,),
}
_USUAL = {
    "image": ("image", "image_raw", "image_color", "image_rect_color", "image_rect"),
    "camera_info": ("camera_info",),
    "keypoints": ("keypoints", "keypoint_poses", "keypoint_named_poses", "hand"),
}
_RESULT = "refined_keypoints"  # what the node publishes is not what it is given


@dataclass(frozen=True)
class Chosen:
    """The topics to replay; without `camera_info`, the camera is given otherwise; `depth` only
    where it is wanted."""

    image: Topic
    keypoints: Topic
    camera_info: Topic | None
    depth: Topic | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those that are there."""
        each = (self.image, self.camera_info, self.keypoints, self.depth)
        return tuple(topic.name for topic in each if topic is not None)


def choose(
    topics: Mapping[str, Topic], wanted: Mapping[str, str | None], needs_camera_info: bool = True
) -> Chosen:
    """Choose by name where one is given, else by type and by the usual names.

    Args:
        topics: all of the bag's.
        wanted: `image`, `camera_info`, `keypoints` -> topic name, or None to find it; `depth` ->
            topic name, or None for none.
        needs_camera_info: False where the camera is given otherwise.

    Raises:
        ValueError: none or more than one would do; the candidates are listed.
    """
    image = _choose("image", topics, wanted.get("image"))
    keypoints = _choose("keypoints", topics, wanted.get("keypoints"))
    camera_info = None
    if needs_camera_info:
        camera_info = _choose("camera_info", topics, wanted.get("camera_info"), near=image.name)
    wanted_depth = wanted.get("depth")
    depth = None if wanted_depth is None else _choose("depth", topics, wanted_depth)
    return Chosen(image, keypoints, camera_info, depth)


def _choose(role: str, topics: Mapping[str, Topic], name: str | None, near: str = "") -> Topic:
    option, types = f"--{role.replace('_', '-')}", _TYPES[role]
    if name is not None:
        return _named(option, types, topics, name)
    fitting = [each for each in topics.values() if each.type in types and each.count]
    found = _narrowed(role, fitting, near)
    if len(found) == 1:
        return found[0]
    short = " or ".join(kind.rpartition("/")[2] for kind in types)
    if not fitting:
        remedy = ", or give --camera FX,FY,CX,CY" if role == "camera_info" else ""
        raise ValueError(
            f"the bag has no {role.replace('_', ' ')} topic ({short}): it holds "
            f"{_listed(topics.values())}; record one{remedy}"
        )
    raise ValueError(
        f"the bag has {len(fitting)} topics that may be the {role.replace('_', ' ')}: "
        f"{_listed(fitting)}; choose with {option} TOPIC"
    )


def _named(option: str, types: Sequence[str], topics: Mapping[str, Topic], name: str) -> Topic:
    topic = topics.get(name) or topics.get(f"/{name}")
    if topic is None or not topic.count:
        fitting = [each for each in topics.values() if each.type in types and each.count]
        raise ValueError(
            f"{option} {name}: no messages of that topic in the bag; "
            f"choose from {_listed(fitting or topics.values())}"
        )
    if topic.type not in types:
        raise ValueError(f"{option} {name}: it is {topic.type}; give one of {', '.join(types)}")
    return topic


def _narrowed(role: str, fitting: list[Topic], near: str) -> list[Topic]:
    """Candidates, fewer by each rule that leaves at least one."""
    names = {each.name for each in fitting}  # image_raw/compressed: image_raw is there as well
    rules = {
        "image": (
            lambda each: "depth" not in each.name.lower(),
            lambda each: each.type == IMAGE or each.name.rpartition("/")[0] not in names,
            lambda each: _last(each) in _USUAL[role],
        ),
        "camera_info": (
            lambda each: each.name.rpartition("/")[0] == _camera_namespace(near),
            lambda each: _last(each) in _USUAL[role],
        ),
        "keypoints": (
            lambda each: _last(each) != _RESULT,
            lambda each: each.type == HAND_KEYPOINTS,
            lambda each: _last(each) in _USUAL[role],
        ),
    }
    for rule in rules[role]:
        fitting = [each for each in fitting if rule(each)] or fitting
    return fitting


def _last(topic: Topic) -> str:
    """The last part of a name, the image transport's apart."""
    return topic.name.removesuffix("/compressed").rpartition("/")[2]


def _camera_namespace(image: str) -> str:
    """The namespace that an image shares with its camera_info."""
    return image.removesuffix("/compressed").rpartition("/")[0]


def _listed(topics: Iterable[Topic]) -> str:
    each = [f"{topic.name} ({topic.type}, {topic.count})" for topic in topics]
    return ", ".join(each) or "nothing"
