"""The camera source: calibration files, video files, devices that go and come back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_watcher import LOSSLESS_CAMERA, CameraWatcher
from harness import ROOT, NodeProcess, new_namespace

from im2hands_ros.messages.camera_info import camera_from_info
from im2hands_ros.messages.images import read_image
from im2hands_ros.ros.camera.calibration_file import guessed_calibration, read_calibration
from im2hands_ros.ros.camera.capture import SourceLost, VideoCapture

CAMERA = ("-m", "im2hands_ros.ros", "camera.node")
FLAKY = str(ROOT / "test/support/flaky_camera.py")
SIZE = (64, 48)
FRAMES = 6
CALIBRATION = """
image_width: 64
image_height: 48
camera_name: made_for_a_test
camera_matrix: {rows: 3, cols: 3, data: [60.0, 0.0, 31.0, 0.0, 61.0, 23.0, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.02, 0.001, 0.002, 0.0]}
rectification_matrix: {rows: 3, cols: 3, data: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]}
projection_matrix:
  rows: 3
  cols: 4
  data: [59.0, 0.0, 31.5, 0.0, 0.0, 60.0, 23.5, 0.0, 0.0, 0.0, 1.0, 0.0]
"""


@pytest.fixture
def calibration(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text(CALIBRATION)
    return path


@pytest.fixture
def video(tmp_path):
    """Six frames, each brighter than the one before; the left half is darker."""
    path = str(tmp_path / "video.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 20.0, SIZE)
    for frame in range(FRAMES):
        picture = np.full((SIZE[1], SIZE[0], 3), 40 + 30 * frame, np.uint8)
        picture[:, : SIZE[0] // 2] -= 30
        writer.write(picture)
    writer.release()
    return path


def test_a_calibration_file_is_published_as_it_is(calibration):
    info = read_calibration(str(calibration))
    assert (info.width, info.height, info.distortion_model) == (*SIZE, "plumb_bob")
    assert list(info.k)[:6] == [60.0, 0.0, 31.0, 0.0, 61.0, 23.0]
    assert list(info.d) == [0.1, -0.02, 0.001, 0.002, 0.0]
    assert list(info.p)[:4] == [59.0, 0.0, 31.5, 0.0]


def test_a_calibration_without_rectification_is_of_a_camera_of_its_own(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(CALIBRATION.partition("rectification_matrix")[0])
    info = read_calibration(str(path))
    assert info.r == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert info.p == (60, 0, 31, 0, 0, 61, 23, 0, 0, 0, 1, 0)


@pytest.mark.parametrize("name", ["radtan", "fisheye", '""', "Plumb Bob"])
def test_a_calibration_file_may_use_other_tools_names(tmp_path, name):
    path = tmp_path / "named.yaml"
    text = CALIBRATION.replace("plumb_bob", name)
    path.write_text(text.replace("0.002, 0.0]}", "0.002, 0.0, 0.0, 0.0, 0.0]}"))
    info = read_calibration(str(path))
    expected = "equidistant" if name == "fisheye" else "plumb_bob"
    assert camera_from_info(info, SIZE).distortion_model == expected


@pytest.mark.parametrize("count", [4, 5, 8, 12, 14])
def test_a_calibration_that_opencv_saved_is_read(tmp_path, count):
    storage = cv2.FileStorage(str(tmp_path / "opencv.yml"), cv2.FileStorage_WRITE)
    coefficients = np.linspace(0.1, -0.05, count)
    storage.write("image_width", SIZE[0])
    storage.write("image_height", SIZE[1])
    storage.write("camera_matrix", np.array([[60.0, 0, 31], [0, 61, 23], [0, 0, 1]]))
    storage.write("distortion_coefficients", coefficients[:, None])
    storage.release()
    info = read_calibration(str(tmp_path / "opencv.yml"))
    assert info.k == (60, 0, 31, 0, 61, 23, 0, 0, 1)
    camera = camera_from_info(info, SIZE)
    assert np.allclose(camera.distortion, coefficients) and camera.distortion_model == "plumb_bob"


def test_a_calibration_file_can_be_a_url(calibration, monkeypatch):
    assert read_calibration(f"file://{calibration}").width == SIZE[0]
    monkeypatch.setattr(
        "ament_index_python.packages.get_package_share_directory",
        lambda package: str(calibration.parent),
    )
    assert read_calibration("package://my_robot/camera.yaml").width == SIZE[0]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nowhere.yaml", "camera_info_url 'nowhere.yaml' cannot be read: .*No such .*: check the"),
        ("http://example/camera.yaml", "of an unknown kind: give a path, file:// or package://"),
        ("package://no_such_package/a.yaml", "no package 'no_such_package' is sourced"),
    ],
)
def test_a_calibration_that_is_not_there_is_named(url, said):
    with pytest.raises(ValueError, match=said):
        read_calibration(url)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("image_width: 64", "", "lacks 'image_width'"),
        ("[60.0, 0.0, 31.0,", "[60.0,", "camera_matrix holds 7 numbers instead of 9"),
        ("plumb_bob", "pinhole", "distortion model 'pinhole' is unknown"),
        ("[60.0,", "[0.0,", "focal length"),
        ("0.002, 0.0]", "]", "4 or 5|coefficients"),
        ("image_width: 64", "image_width: [", "cannot be read"),
        ("image_width: 64", "image_width: wide", "is no calibration .*wide.*: save one with"),
    ],
)
def test_a_calibration_that_is_none_says_what_is_wrong(tmp_path, old, new, said):
    path = tmp_path / "wrong.yaml"
    path.write_text(CALIBRATION.replace(old, new, 1))
    with pytest.raises(ValueError, match=said):
        read_calibration(str(path))


def test_a_guess_sees_what_it_was_told_to_see():
    info = guessed_calibration(640, 480, 90.0)
    assert info.k[0] == pytest.approx(320.0)
    assert (info.k[2], info.k[5]) == (319.5, 239.5)


def test_a_video_file_can_be_played_to_its_end_and_again(video):
    capture = VideoCapture(video)
    assert (capture.is_file, capture.size, capture.rate) == (True, SIZE, 20.0)
    for _ in range(2):
        brightness = []
        while capture.grab():
            brightness.append(capture.picture()[:, -1].mean())
        assert np.allclose(brightness, 40 + 30 * np.arange(FRAMES), atol=4)
        capture.rewind()


@pytest.mark.parametrize("source", ["nowhere.mp4", "/dev/video99", "99"])
def test_a_source_that_is_not_there_is_named_with_what_to_do(source):
    with pytest.raises(SourceLost, match=f"'{source}'.*(give a file|plugged in)"):
        VideoCapture(source)


@pytest.fixture
def run(tmp_path):
    """Starts camera sources; ends them after the test."""
    processes = []

    def start(*parameters, command=CAMERA, namespace="") -> NodeProcess:
        log = tmp_path / f"log{len(processes)}.txt"
        processes.append(
            NodeProcess(command, (*LOSSLESS_CAMERA, *parameters), log, namespace=namespace)
        )
        return processes[-1]

    yield start
    for process in processes:
        process.stop()


def test_a_video_comes_over_dds_as_it_is_with_its_calibration(run, calibration, video):
    namespace = new_namespace()
    watcher = CameraWatcher(namespace)
    process = run(
        f"source:={video}",
        f"camera_info_url:={calibration}",
        "wait_for_subscribers:=1",
        "frame_id:=eye",
        namespace=namespace,
    )
    try:
        watcher.wait_until(lambda: len(watcher.received["image"]) == FRAMES, "the video")
        watcher.wait_until(lambda: len(watcher.received["camera_info"]) == FRAMES, "the infos")
    finally:
        watcher.close()
    images, infos = watcher.received["image"], watcher.received["camera_info"]
    assert [each.header for each in images] == [each.header for each in infos]
    assert {each.header.frame_id for each in images} == {"eye"}
    stamps = [each.header.stamp.sec + each.header.stamp.nanosec / 1e9 for each in images]
    assert stamps == sorted(set(stamps))
    shown = np.array([read_image(each)[:, [0, -1]].mean(axis=(0, 2)) for each in images])
    assert np.allclose(shown[:, 1], 40 + 30 * np.arange(FRAMES), atol=4)
    assert np.allclose(shown[:, 0], shown[:, 1] - 30, atol=4)
    assert list(infos[0].d) == [0.1, -0.02, 0.001, 0.002, 0.0]
    assert process.wait() == 0
    assert "has ended" in process.log


def test_a_mirrored_source_is_mirrored_back_and_a_loop_goes_on(run, video):
    namespace = new_namespace()
    watcher = CameraWatcher(namespace)
    process = run(
        f"source:={video}",
        "assumed_field_of_view:=70.0",
        "loop:=true",
        "flip:=true",
        "rate:=60.0",
        namespace=namespace,
    )
    try:
        watcher.wait_until(lambda: len(watcher.received["image"]) > 2 * FRAMES, "two rounds")
    finally:
        watcher.close()
    left, right = read_image(watcher.received["image"][0])[:, [0, -1]].mean(axis=(0, 2))
    assert left - right == pytest.approx(30, abs=4)
    assert "focal length 46 px guessed from 70 degrees" in process.log
    status = process.interrupt()
    assert status == 0


@pytest.mark.parametrize(
    ("parameters", "status", "said"),
    [
        (["source:=VIDEO"], 2, "parameter camera_info_url is empty: give the camera's calibration"),
        (["source:=VIDEO", "camera_info_url:=nowhere.yaml"], 2, "'nowhere.yaml' cannot be read"),
        (["source:=none.mp4", "assumed_field_of_view:=70.0"], 1, "no video file 'none.mp4'"),
        (["source:=VIDEO", "camera_info_url:=OTHER"], 1, "calibration is of 80x60 pictures but"),
    ],
)
def test_what_can_never_work_ends_the_program_with_one_line(
    run, tmp_path: Path, video, parameters, status, said
):
    other = tmp_path / "other.yaml"
    other.write_text(CALIBRATION.replace("64", "80").replace("48", "60"))
    filled = [each.replace("VIDEO", video).replace("OTHER", str(other)) for each in parameters]
    process = run(*filled)
    assert process.wait() == status
    assert said in process.log
    assert "Traceback" not in process.log


def test_a_device_that_is_lost_is_an_error_until_it_is_back(run):
    namespace = new_namespace()
    watcher = CameraWatcher(namespace)
    process = run(
        "device_number:=7", "assumed_field_of_view:=70.0", command=[FLAKY], namespace=namespace
    )
    try:
        watcher.wait_until(lambda: watcher.level == 2, "the error")
        assert "camera_lost" in watcher.verdict
        watcher.forget()
        watcher.wait_until(lambda: watcher.level == 0, "an end of the error")
        watcher.wait_until(lambda: bool(watcher.received["image"]), "pictures")
    finally:
        watcher.close()
    assert "camera '7' gives no pictures any more (trying again every 1 s)" in process.log
