"""The demo's report, from a bag that was made here: no ROS, no node, balls for hands."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh

from im2hands_ros.bags.definitions import standard_types
from im2hands_ros.bags.writer import BagWriter
from im2hands_ros.camera import Camera
from im2hands_ros.ros.demo.contact_sheet import Shot, contact_sheet, draw_keypoints
from im2hands_ros.ros.demo.report import compare, evenly, write_report
from im2hands_ros.synthetic.sample import Mesh

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
BALL = trimesh.creation.icosphere(subdivisions=3, radius=0.05)
START, PERIOD, LATENCY = 1_700_000_000_000_000_000, 100_000_000, 30_000_000
JOINTS = 0.02 * np.random.default_rng(1).normal(size=(21, 3)).astype(np.float32)


def centre(side: str, frame: int) -> np.ndarray:
    return np.float32([(-0.1 if side == "left" else 0.1) + 0.01 * frame, 0, 0.5])


def ball(side: str, frame: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    vertices = scale * BALL.vertices + centre(side, frame)
    return vertices.astype(np.float32), BALL.faces.astype(np.int32)


def played(frames: int) -> SimpleNamespace:
    """The sequence of a demo: the right hand is alone in frame 0."""
    meshes = [
        {"left": ball("left", i)[0] if i else None, "right": ball("right", i)[0]}
        for i in range(frames)
    ]
    return SimpleNamespace(
        frames=[SimpleNamespace(meshes=each) for each in meshes],
        camera=CAMERA,
        triangles=lambda side: BALL.faces,
    )


class Tape:
    """Writes what a demo's recorder would, by `rosbags` alone."""

    def __init__(self, path: Path) -> None:
        self._store = standard_types()
        self._bag = BagWriter(path)
        for topic, kind in (
            ("/image", "sensor_msgs/msg/Image"),
            ("/keypoints", "im2hands_ros/msg/HandKeypoints"),
            ("/meshes", "im2hands_ros/msg/HandMeshArray"),
            ("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
        ):
            self._bag.add_topic(topic, kind, reliable=topic != "/image")

    def close(self) -> None:
        self._bag.close()

    def _make(self, kind: str, /, **fields: Any) -> Any:
        return self._store.types[kind](**fields)

    def _write(self, topic: str, received_ns: int, message: Any) -> None:
        self._bag.write(topic, received_ns, self._store.serialize_cdr(message, message.__msgtype__))

    def _header(self, stamp: int) -> Any:
        time = self._make("builtin_interfaces/msg/Time", sec=stamp // 10**9, nanosec=stamp % 10**9)
        return self._make("std_msgs/msg/Header", stamp=time, frame_id="camera")

    def image(self, stamp: int) -> None:
        pixels = np.full((120, 160, 3), (10, 120, 200), np.uint8)
        self._write(
            "/image",
            stamp + 1,
            self._make(
                "sensor_msgs/msg/Image", header=self._header(stamp), height=120, width=160,
                encoding="rgb8", is_bigendian=0, step=480, data=pixels.reshape(-1),
            ),
        )  # fmt: skip

    def keypoints(self, stamp: int, frame: int) -> None:
        sides = {
            f"{side}_xyz": (JOINTS + centre(side, frame)).reshape(-1) for side in ("left", "right")
        }
        nothing = np.zeros(0, np.float32)
        self._write(
            "/keypoints",
            stamp + 1,
            self._make(
                "im2hands_ros/msg/HandKeypoints", header=self._header(stamp), joint_order=0,
                left_valid=frame > 0, right_valid=True,
                left_confidence=nothing, right_confidence=nothing, **sides,
            ),
        )  # fmt: skip

    def meshes(self, stamp: int, hands: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        messages = [
            self._make(
                "im2hands_ros/msg/HandMesh", side=("left", "right").index(side),
                vertices=vertices.reshape(-1),
                triangles=triangles.astype(np.uint32).reshape(-1), confidence=1.0,
            )
            for side, (vertices, triangles) in hands.items()
        ]  # fmt: skip
        message = self._make(
            "im2hands_ros/msg/HandMeshArray", header=self._header(stamp), hands=messages
        )
        self._write("/meshes", stamp + LATENCY, message)

    def diagnostics(self, stamp: int, values: dict[str, str]) -> None:
        pairs = [
            self._make("diagnostic_msgs/msg/KeyValue", key=k, value=v) for k, v in values.items()
        ]
        status = self._make(
            "diagnostic_msgs/msg/DiagnosticStatus",
            level=0, name="im2hands", message="fine", hardware_id="", values=pairs,
        )  # fmt: skip
        array = self._make(
            "diagnostic_msgs/msg/DiagnosticArray", header=self._header(stamp), status=[status]
        )
        self._write("/diagnostics", stamp, array)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's folder."""
    return tmp_path_factory.mktemp("demo_out")


@pytest.fixture(scope="module")
def run(out: Path) -> dict[str, Any]:
    """A run of four frames: frame 2 is never answered, frame 3's left mesh has a hole."""
    tape, sent = Tape(out / "bag"), {}
    for frame in range(4):
        stamp = START + frame * PERIOD
        sent[stamp] = frame
        tape.image(stamp)
        tape.keypoints(stamp, frame)
        hands = {"right": ball("right", frame, 0.9)}
        if frame:
            vertices, triangles = ball("left", frame)
            hands["left"] = vertices, triangles[1:] if frame == 3 else triangles
        if frame != 2:
            tape.meshes(stamp, hands)
    times = {"stage.encode.median_ms": "12.5", "stage.encode.p95_ms": "20.25"}
    tape.diagnostics(START + 4 * PERIOD, times | {"dropped.overwritten": "1"})
    tape.close()
    return write_report(out, sent, played(4), 12, {"rate": 10.0})


def test_frames_are_counted_from_sending_to_answer(run: dict[str, Any]) -> None:
    frames = run["frames"]
    assert (frames["sent"], frames["recorded"]["image"]) == (4, 4)
    assert (frames["answered"], frames["with_hands"], frames["unanswered"]) == (3, 3, 1)
    assert frames["dropped_by_node"] == {"overwritten": 1}


def test_times_come_from_the_recording_and_the_diagnostics(run: dict[str, Any]) -> None:
    assert run["latency_ms"] == {"median": 30.0, "p95": 30.0}
    assert run["stages_ms"] == {"encode": {"median": 12.5, "p95": 20.25}}


def test_a_mesh_with_a_hole_does_not_count_as_watertight(run: dict[str, Any]) -> None:
    assert run["surfaces"] == {"meshes": 5, "watertight": 4, "positive_volume": 5}


def test_accuracy_is_that_of_each_side(run: dict[str, Any]) -> None:
    accuracy = run["accuracy"]
    assert accuracy["frames"] == [0, 1, 3]
    assert (accuracy["left"]["hands"], accuracy["right"]["hands"]) == (2, 3)
    assert accuracy["right"]["iou"] == pytest.approx(0.9**3, abs=0.02)
    assert accuracy["right"]["chamfer_mm"] == pytest.approx(5.0, abs=0.1)


def test_everything_is_written_for_people_and_programs(run: dict[str, Any], out: Path) -> None:
    assert json.loads((out / "summary.json").read_text()) == run
    text = (out / "summary.md").read_text()
    assert "4 sent, 4 recorded, 3 answered (3 with hands), 1 not answered" in text
    assert "overwritten 1" in text
    assert "\nrate 10.0\n" in text
    assert "| node: encode | 12.5 | 20.2 |" in text
    sheet = cv2.imread(str(out / "contact_sheet.png"))
    assert sheet.shape[0] > 900 and sheet.shape[1] > 900
    assert sheet.std() > 20
    assert (out / "last_frame.glb").stat().st_size > 10_000


def test_a_run_without_answers_still_has_a_summary(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "bag")
    tape.image(START)
    tape.close()
    summary = write_report(tmp_path, {START: 0}, played(1), metric_frames=3)
    assert summary["surfaces"] == {"meshes": 0, "watertight": 0, "positive_volume": 0}
    assert (summary["frames"]["answered"], summary["latency_ms"]) == (0, {})
    assert not (tmp_path / "contact_sheet.png").exists()


def test_identical_meshes_compare_as_equal() -> None:
    mesh = Mesh(*ball("left", 0))
    assert compare(mesh, mesh) == (1.0, pytest.approx(0, abs=1e-4))


def test_keypoints_are_drawn_where_they_project() -> None:
    black = np.zeros((120, 160, 3), np.uint8)
    drawn = draw_keypoints(black, {"left": None, "right": JOINTS + centre("right", 0)}, CAMERA)
    columns = np.flatnonzero(drawn.any(axis=(0, 2)))
    assert abs(columns.mean() - CAMERA.project(centre("right", 0)[None])[0, 0]) < 12
    assert not black.any()


def test_a_sheet_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        contact_sheet([])


def test_meshes_lie_over_their_hand_in_the_close_up() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    joints = JOINTS - JOINTS.mean(0) + centre("right", 0)
    shot = Shot("one", image, CAMERA, {"right": joints}, {"right": ball("right", 0, 0.3)})
    panels = contact_sheet([shot])[42:, 42:362]
    bones, mesh = panels[:320], panels[326:646]
    rows, columns = np.nonzero(mesh.any(axis=2))
    among = np.argwhere(bones.any(axis=2)).mean(0)
    assert np.hypot(rows.mean() - among[0], columns.mean() - among[1]) < 25
    assert len(rows) > 2000


def test_a_sheet_has_a_column_per_shot() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    shot = Shot("one", image, CAMERA, {"left": JOINTS + centre("left", 0)}, {})
    widths = [contact_sheet([shot] * count).shape[1] for count in (1, 2, 3)]
    assert np.diff(widths).tolist() == [326, 326]


@pytest.mark.parametrize(("count", "chosen"), [(3, [0, 4, 9]), (1, [0]), (20, list(range(10)))])
def test_items_are_chosen_evenly(count: int, chosen: list[int]) -> None:
    assert evenly(list(range(10)), count) == chosen
