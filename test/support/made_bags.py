"""Small bags of a camera and a hand tracker, a quick model, and replays read back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import trimesh
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from new_messages import MESSAGES
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from two_hands import joints

from im2hands_ros import cli
from im2hands_ros.bags.definitions import standard_types
from im2hands_ros.scene import Hands, HandSurface

WIDTH, HEIGHT = 64, 48
FRAME_ID = "camera_optical_frame"
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
STORAGES = {"mcap": StoragePlugin.MCAP, "db3": StoragePlugin.SQLITE3}
BALL = trimesh.creation.icosphere(subdivisions=1, radius=0.05)


class Entry(NamedTuple):
    """A message to write."""

    topic: str
    kind: str
    received_ns: int
    message: Any


def stamp_of(number: int) -> int:
    """Stamp of a frame, ns."""
    return START_NS + number * PERIOD_NS


def header(stamp_ns: int, frame_id: str = FRAME_ID) -> Any:
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    time = MESSAGES.new("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return MESSAGES.new("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def image(number: int, encoding: str = "rgb8") -> Entry:
    pixels = np.full((HEIGHT, WIDTH, 3), (40 + number) % 256, np.uint8)
    message = MESSAGES.new(
        "sensor_msgs/msg/Image",
        header=header(stamp_of(number)),
        height=HEIGHT,
        width=WIDTH,
        encoding=encoding,
        step=3 * WIDTH,
        data=pixels.ravel(),
    )
    return Entry("/camera/image_raw", "sensor_msgs/msg/Image", stamp_of(number) + 20, message)


def compressed_image(number: int) -> Entry:
    _, png = cv2.imencode(".png", np.full((HEIGHT, WIDTH, 3), (40 + number) % 256, np.uint8))
    kind = "sensor_msgs/msg/CompressedImage"
    message = MESSAGES.new(kind, header=header(stamp_of(number)), format="png", data=png.ravel())
    return Entry("/camera/image_raw/compressed", kind, stamp_of(number) + 20, message)


def camera_info(number: int) -> Entry:
    message = MESSAGES.new(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp_of(number)),
        width=WIDTH,
        height=HEIGHT,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([60.0, 0, 31.5, 0, 60.0, 23.5, 0, 0, 1]),
    )
    kind = "sensor_msgs/msg/CameraInfo"
    return Entry("/camera/camera_info", kind, stamp_of(number) + 30, message)


def keypoints(number: int, sides: tuple[str, ...] = ("left", "right"), late_ns: int = 0) -> Entry:
    fields: dict[str, Any] = {}
    for side in sides:
        fields |= {f"{side}_valid": True, f"{side}_xyz": joints(side).ravel()}
    kind = "im2hands_ros/msg/HandKeypoints"
    message = MESSAGES.new(kind, header=header(stamp_of(number) + late_ns), **fields)
    return Entry("/tracker/keypoints", kind, stamp_of(number) + 40 + late_ns, message)


def pose_array(number: int) -> Entry:
    both = np.concatenate([joints("left"), joints("right")]).tolist()
    points = [
        MESSAGES.new("geometry_msgs/msg/Point", **dict(zip("xyz", p, strict=True))) for p in both
    ]
    poses = [MESSAGES.new("geometry_msgs/msg/Pose", position=point) for point in points]
    kind = "geometry_msgs/msg/PoseArray"
    message = MESSAGES.new(kind, header=header(stamp_of(number)), poses=poses)
    return Entry("/tracker/hands", kind, stamp_of(number) + 40, message)


def recording(count: int) -> list[Entry]:
    """All inputs of so many frames."""
    return [make(number) for number in range(count) for make in (camera_info, image, keypoints)]


def write_bag(
    path: Path,
    entries: Iterable[Entry],
    storage: str = "mcap",
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Write a bag folder and return it."""
    writer = Writer(path, version=9, storage_plugin=STORAGES[storage])
    writer.set_compression(compression, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for entry in entries:
            if entry.topic not in connections:
                connections[entry.topic] = writer.add_connection(
                    entry.topic, entry.kind, typestore=standard_types()
                )
            data = MESSAGES.serialise(entry.kind, entry.message)
            writer.write(connections[entry.topic], entry.received_ns, data)
    return path


def write_split_bag(path: Path, count: int, storage: str = "mcap", parts: int = 3) -> Path:
    """A bag folder of `part_0`, `part_1` and so on, each of `count` frames, and one metadata."""
    entries = recording(parts * count)
    each = len(entries) // parts
    path.mkdir()
    for i in range(parts):
        part = write_bag(path / f"folder_{i}", entries[each * i : each * (i + 1)], storage)
        (part / f"folder_{i}.{storage}").rename(path / f"part_{i}.{storage}")
        text = (part / "metadata.yaml").read_text()
        shutil.rmtree(part)
    names = "".join(f"    - part_{i}.{storage}\n" for i in range(parts))
    text = re.sub(r"(relative_file_paths:\n)( +- .*\n)+", rf"\1{names}", text)
    (path / "metadata.yaml").write_text(text)
    return path


class BallModel:
    """Finds a ball where each hand is; remembers what it was given."""

    stages = ("initial", "refinement", "keypoints")
    can_use_depth = True

    def __init__(self) -> None:
        self.given: list[SimpleNamespace] = []

    def encode(
        self, image: np.ndarray, keypoints: dict, camera: Any, depth: Any = None, **_: Any
    ) -> SimpleNamespace:
        frame = SimpleNamespace(image=image, keypoints=keypoints, camera=camera, depth=depth)
        self.given.append(frame)
        return SimpleNamespace(
            swapped=False,
            keypoints=dict(keypoints),
            confidence={},
            reconstruct=lambda resolution, threshold, voxel_size: Hands(
                *(ball(keypoints.get(side)) for side in ("left", "right")),
                timings_ms={"search": 1.0},
            ),
        )


def instead_of_networks(monkeypatch: pytest.MonkeyPatch) -> BallModel:
    """A model that replay loads in place of the networks."""
    fake = BallModel()
    monkeypatch.setattr("im2hands_ros.bags.replay.load_model", lambda settings: fake)
    return fake


def ball(xyz: np.ndarray | None) -> HandSurface | None:
    """A ball around a hand's joints."""
    if xyz is None:
        return None
    vertices = (BALL.vertices + xyz.mean(0)).astype(np.float32)
    voxels = vertices[:5]
    return HandSurface(
        vertices, BALL.faces.astype(np.int32), voxels, np.ones(5, np.float32), xyz, 0.75
    )


def replay(bag: Path, *options: str) -> tuple[int, Path]:
    """Exit status and the bag that was written."""
    out = bag.with_name("out")
    return cli.main(["replay", str(bag), "-o", str(out), *options]), out


def read(out: Path, *topics: str) -> dict[str, list[Any]]:
    """Topic -> messages (of `topics`, or all), decoded by `mcap` from the file alone."""
    file = out if out.is_file() else next(out.glob("*.mcap"))
    found: dict[str, list[Any]] = {}
    with file.open("rb") as opened:
        reader = make_reader(opened, decoder_factories=[DecoderFactory()])
        for schema, channel, message, decoded in reader.iter_decoded_messages(topics or None):
            assert schema.encoding == "ros2msg" and channel.message_encoding == "cdr"
            decoded.received_ns = message.log_time
            found.setdefault(channel.topic, []).append(decoded)
    return found


def meshes(out: Path) -> list[Any]:
    """The HandMeshArrays of a bag."""
    return read(out, "/meshes")["/meshes"]


def stamps(messages: list[Any]) -> list[int]:
    return [each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in messages]


def numbers(*frames: int) -> list[int]:
    return [stamp_of(frame) for frame in frames]
