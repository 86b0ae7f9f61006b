"""A recorded bag as frames to calibrate with: images, joints and, where there are some, depths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.bags.definitions import Topic
from im2hands_ros.bags.frames import Decoder, Frame, Frames
from im2hands_ros.bags.reader import BagReader
from im2hands_ros.bags.topics import IMAGE, Chosen
from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_depth
from im2hands_ros.messages.images import read_depth
from im2hands_ros.pair import HandPair

# Of several depth topics, those that are surely of the colour image's pixels.
_REGISTERED = ("aligned", "registered")


class RecordedFrame(NamedTuple):
    """One frame. depth: (H, W) metres, None where there is none."""

    image: NDArray[np.uint8]
    camera: Camera
    joints: HandPair[NDArray[np.float32]]
    depth: NDArray[np.float32] | None = None


@dataclass
class Recording:
    """What a bag holds.

    Attributes:
        frames: chosen evenly over the bag.
        conventions: of the joints, by their order -> frames.
        skipped: reason -> how many frames or images came to nothing; details: the first of each.
    """

    frames: list[RecordedFrame] = field(default_factory=list)
    conventions: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)

    def skip(self, problem: BadInput) -> None:
        """Count what cannot be used."""
        self.skipped[problem.reason] += 1
        self.details.setdefault(problem.reason, str(problem))

    @property
    def with_depth(self) -> int:
        """Frames with a depth image."""
        return sum(frame.depth is not None for frame in self.frames)

    @property
    def convention(self) -> str:
        """Of all joints.

        Raises:
            ValueError: there are several, or no frame.
        """
        if len(self.conventions) != 1:
            found = ", ".join(f"{name} ({n})" for name, n in self.conventions.items()) or "none"
            raise ValueError(
                f"the bag's joints are of these conventions: {found}; a calibration is for one: "
                "choose the topic with --keypoints"
            )
        return next(iter(self.conventions))


def read_recording(
    source: BagReader,
    chosen: Chosen,
    decoder: Decoder,
    most: int,
    slop: float,
    window_ns: tuple[int, int],
    on_frame: Callable[[], None],
) -> Recording:
    """Frames with joints, evenly spaced.

    Args:
        source, chosen, slop, window_ns: as `bags.frames.Frames` takes them.
        decoder: makes pixels and a camera of a frame.
        most: about so many frames at most.
        on_frame: called for each.
    """
    every = max(1, round(source.count(chosen.image.name) / most))
    frames = Frames(source, chosen, slop, every, window_ns)
    recording = Recording()
    for frame, _ in frames.steps():
        if frame is None:
            continue
        try:
            image, camera = decoder(frame)
        except BadInput as problem:
            recording.skip(problem)
            continue
        joints = HandPair(**frame.keypoints.hands)
        depth = _depth_of(recording, frame, camera)
        recording.frames.append(RecordedFrame(image, camera, joints, depth))
        recording.conventions[frame.keypoints.convention] += 1
        on_frame()
    recording.skipped += frames.skipped
    recording.details |= frames.details
    return recording


def _depth_of(recording: Recording, frame: Frame, camera: Camera) -> NDArray[np.float32] | None:
    """The frame's depth image, metres; one that cannot be used is counted and left out."""
    if frame.depth is None:
        return None
    try:
        depth = read_depth(frame.depth.fields)
        check_depth(depth, camera)
    except BadInput as problem:
        recording.skip(problem)
        return None
    return depth


def depth_topic(topics: dict[str, Topic], image: Topic, name: str | None) -> Topic | None:
    """The topic of depth images; None where there is none.

    Args:
        topics: all of the bag's.
        image: the colour image's.
        name: given by the user, or None.

    Raises:
        ValueError: no such topic, or several that may be it.
    """
    images = {n: t for n, t in topics.items() if t.type == IMAGE and t.count and n != image.name}
    if name is not None:
        topic = images.get(name) or images.get(f"/{name}")
        if topic is None:
            listed = ", ".join(images) or "none"
            raise ValueError(f"--depth {name}: no such Image topic in the bag; there are: {listed}")
        return topic
    found = [topic for n, topic in images.items() if "depth" in n.lower()]
    sure = [topic for topic in found if any(word in topic.name for word in _REGISTERED)]
    found = sure or found
    if len(found) > 1:
        listed = ", ".join(topic.name for topic in found)
        raise ValueError(f"the bag has several depth topics: {listed}; choose with --depth TOPIC")
    return found[0] if found else None
