"""The contents of a demo's bag: the results of each image, and the node's own counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from im2hands_ros.bags.reader import BagReader
from im2hands_ros.messages.images import read_image
from im2hands_ros.messages.keypoints import read_keypoints
from im2hands_ros.messages.meshes import read_meshes
from im2hands_ros.ros.demo.contact_sheet import Meshes

COUNTED = (
    *("image", "camera_info", "keypoints", "refined_keypoints"),
    *("left/wrist_pose", "right/wrist_pose", "meshes", "markers", "occupancy"),
)


@dataclass(frozen=True)
class AnsweredFrame:
    """What the node published for one image.

    Attributes:
        stamp_ns: the image's stamp.
        frame: which frame of the sequence it was; None when that is not known.
        latency_ms: from the stamp to the recorder's reception of ``meshes``.
        meshes: side -> (vertices, triangles); empty when the image showed no hand.
    """

    stamp_ns: int
    frame: int | None
    latency_ms: float
    meshes: Meshes


@dataclass
class Recording:
    """A bag's answered frames in order, message counts by topic, and the last diagnostics."""

    answers: list[AnsweredFrame] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    diagnostics: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, frame_of_stamp: dict[int, int]) -> Recording:
        """Read a bag; ``frame_of_stamp`` says which frame was sent with which stamp."""
        recording = cls()
        with BagReader(path) as bag:
            recording.counts = {topic: bag.count(f"/{topic}") for topic in COUNTED}
            for received in bag.messages("/meshes", "/diagnostics"):
                if received.topic == "/diagnostics":
                    recording.diagnostics |= _node_values(received.message)
                    continue
                latency_ms = (received.received_ns - received.stamp_ns) / 1e6
                frame = frame_of_stamp.get(received.stamp_ns)
                meshes = read_meshes(received.message)
                answer = AnsweredFrame(received.stamp_ns, frame, latency_ms, meshes)
                recording.answers.append(answer)
        return recording


def _node_values(message: Any) -> dict[str, str]:
    """The key-value pairs of our node's statuses."""
    statuses = [status for status in message.status if "im2hands" in status.name]
    return {pair.key: pair.value for status in statuses for pair in status.values}


@dataclass(frozen=True)
class Input:
    """An image as it was sent, with its keypoints."""

    image: np.ndarray
    keypoints: dict[str, np.ndarray | None]


def read_inputs(path: Path, stamps: Iterable[int]) -> dict[int, Input]:
    """The recorded images and keypoints with these stamps."""
    chosen = set(stamps)
    images: dict[int, np.ndarray] = {}
    keypoints: dict[int, dict[str, np.ndarray | None]] = {}
    with BagReader(path) as bag:
        for received in bag.messages("/image", "/keypoints"):
            if received.stamp_ns not in chosen:
                continue
            if received.topic == "/image":
                images[received.stamp_ns] = read_image(received.message)
            else:
                keypoints[received.stamp_ns] = read_keypoints(received.message).hands
    both = images.keys() & keypoints.keys()
    return {stamp: Input(images[stamp], keypoints[stamp]) for stamp in sorted(both)}
