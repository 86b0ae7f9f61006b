"""`im2hands track`: a video or a folder in, a bag and a film out, without ROS."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from compressed_pictures import encoded, with_orientation
from made_bags import BallModel, read
from two_hands import joints

from im2hands_ros import cli
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.image_stream import open_stream

SIZE = (64, 48)
CAMERA = ("--camera", "60,60,31,23")


def images(count: int) -> list[np.ndarray]:
    return [np.full((SIZE[1], SIZE[0], 3), 40 + 10 * number, np.uint8) for number in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eleven images whose names sort wrongly as text."""
    path = tmp_path / "images"
    path.mkdir()
    for number, image in enumerate(images(11)):
        cv2.imwrite(str(path / f"frame_{number}.png"), image)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, SIZE)
    for image in images(6):
        writer.write(image)
    writer.release()
    return path


class Detector:
    """Finds both hands, the left one only from the third image on; fails on `broken` images."""

    def __init__(self, nobody: bool = False, broken: int | None = None) -> None:
        self._nobody, self._broken = nobody, broken
        self.stamps: list[float] = []

    def detect(self, image, camera, depth=None, *, stamp=None, previous=None):
        self.stamps.append(stamp)
        if len(self.stamps) - 1 == self._broken:
            raise RuntimeError("no more memory")
        found = {side: SimpleNamespace(keypoints=joints(side), confidence=1.0) for side in SIDES}
        if self._nobody or len(self.stamps) < 3:
            found["left"] = None
        return dict.fromkeys(SIDES) if self._nobody else found


@pytest.fixture
def track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Runs the command with stand-ins; the exit status, standard output and the errors."""

    def run(source: Path, *options: str, detector: Detector | None = None) -> SimpleNamespace:
        used = detector or Detector()
        monkeypatch.setattr("im2hands_ros.detection.detector.HandDetector.load", lambda: used)
        monkeypatch.setattr("im2hands_ros.tracking.settings.load_model", lambda s: BallModel())
        status = cli.main(["track", str(source), "-o", str(tmp_path / "out.mcap"), *options])
        captured = capsys.readouterr()
        return SimpleNamespace(status=status, out=captured.out, err=captured.err, used=used)

    return run


def test_a_video_becomes_a_bag_of_results_and_inputs(track, video: Path, tmp_path: Path) -> None:
    done = track(video, *CAMERA)
    assert done.status == 0 and "hands: 4 left, 6 right" in done.out
    bag = read(tmp_path / "out.mcap")
    assert len(bag["/meshes"]) == len(bag["/image/compressed"]) == len(bag["/keypoints"]) == 6
    assert len(bag["/left/wrist_pose"]) == 4
    assert np.allclose(done.used.stamps, 1 + np.arange(6) / 20)
    assert cli.main(["replay", str(tmp_path / "out.mcap"), "-o", str(tmp_path / "again")]) == 0


def test_results_alone_leave_the_inputs_out(track, video: Path, tmp_path: Path) -> None:
    assert track(video, *CAMERA, "--results-only").status == 0
    assert set(read(tmp_path / "out.mcap")).isdisjoint({"/image/compressed", "/keypoints"})


def test_a_folder_is_read_in_the_order_of_its_numbers(folder: Path) -> None:
    stream = open_stream(folder, rate=10.0)
    assert stream.size == SIZE and stream.count == 11 and stream.rate == 10.0
    assert [int(image[0, 0, 0]) for image in stream] == [40 + 10 * n for n in range(11)]


def test_a_rotation_that_is_not_applied_is_said(track, folder: Path) -> None:
    picture = encoded(".jpg", images(1)[0])
    for file in folder.iterdir():
        file.unlink()
    (folder / "frame_1.jpg").write_bytes(with_orientation(picture, 8))
    (folder / "frame_2.jpg").write_bytes(picture)
    found = track(folder, *CAMERA)
    assert found.status == 0 and f"pixels as stored, {SIZE[0]}x{SIZE[1]}" in found.err


def test_the_film_shows_the_meshes_over_the_frames(track, folder: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    assert track(folder, *CAMERA, "--video", str(film)).status == 0
    capture = cv2.VideoCapture(str(film))
    there, frame = capture.read()
    capture.release()
    assert there and frame.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(frame.astype(int) - 40).max() > 30  # the right hand's ball


def test_a_frame_that_fails_is_counted_and_the_next_one_tracked(track, video: Path) -> None:
    done = track(video, *CAMERA, detector=Detector(broken=2))
    assert done.status == 0 and "skipped pipeline_error (1)" in done.out
    assert "no more memory" in done.err and "5 right" in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--camera FX,FY,CX,CY or --fov"),
        ((*CAMERA, "--rate", "0"), "rate 0"),
        (("--fov", "190"), "--fov 190"),
        ((*CAMERA, "--resolution", "4"), "resolution is 4"),
        ((*CAMERA, "--video", "film.avi"), ".mp4"),
    ],
)
def test_unfit_options_are_one_line(track, video: Path, options, said: str, tmp_path: Path) -> None:
    done = track(video, *options)
    assert done.status == 2 and said in done.err and done.err.count("\n") == 1
    assert not (tmp_path / "out.mcap").exists()


def test_nobody_in_view_is_said(track, video: Path, tmp_path: Path) -> None:
    done = track(video, *CAMERA, detector=Detector(nobody=True))
    assert done.status == 2 and "no hand was found in the 6 frames" in done.err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "no images"),
        (lambda path: path.write_text("not a video"), "no video"),
    ],
)
def test_sources_that_are_none_are_named(track, tmp_path: Path, make, said: str) -> None:
    make(tmp_path / "source")
    done = track(tmp_path / "source", *CAMERA)
    assert done.status == 2 and said in done.err and "source" in done.err


def test_images_of_two_sizes_are_refused(track, folder: Path) -> None:
    cv2.imwrite(str(folder / "frame_4.png"), np.zeros((20, 30, 3), np.uint8))
    done = track(folder, *CAMERA)
    assert done.status == 2 and "30x20" in done.err
