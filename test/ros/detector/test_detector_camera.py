"""A rendered video through camera source and detector, each in its process, against the truth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from camera_watcher import LOSSLESS_CAMERA, CameraWatcher
from harness import LOSSLESS_INPUTS, NodeProcess, new_namespace
from im2hands_ros.msg import HandKeypoints

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

CAMERA = ("-m", "im2hands_ros.ros", "camera.node")
DETECTOR = ("-m", "im2hands_ros.ros", "detector.node")
FRAMES = range(20, 32)  # both hands in full view, nearing each other
RATE = 2.0  # slow enough for a busy machine to answer most frames

# The mean error over the joints of a hand, as measured on this video: 10 px (of 640) and 9 % of the
# distance, which one picture can only guess from the size of a hand.
PIXELS, DISTANCE = 20.0, 0.25


def write_video(path: str, pictures: list[np.ndarray]) -> None:
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), RATE, (width, height))
    for picture in pictures:
        writer.write(picture[..., ::-1])
    writer.release()


def write_calibration(path, camera) -> None:
    K, P = camera.K, np.hstack([camera.K, np.zeros((3, 1))])
    path.write_text(
        f"image_width: {camera.width}\nimage_height: {camera.height}\n"
        "distortion_model: plumb_bob\ndistortion_coefficients: {data: [0, 0, 0, 0, 0]}\n"
        f"camera_matrix: {{data: {K.ravel().tolist()}}}\n"
        f"rectification_matrix: {{data: {np.eye(3).ravel().tolist()}}}\n"
        f"projection_matrix: {{data: {P.ravel().tolist()}}}\n"
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(true frame, answer) for every frame that the detector answered."""
    folder = tmp_path_factory.mktemp("video")
    sequence = load_demo_sequence()
    write_video(str(folder / "video.avi"), [sequence.frames[i].image for i in FRAMES])
    write_calibration(folder / "camera.yaml", sequence.camera)
    namespace = new_namespace()
    watcher = CameraWatcher(namespace, {"keypoints": HandKeypoints})
    parameters = [
        f"source:={folder}/video.avi",
        f"camera_info_url:={folder}/camera.yaml",
        "wait_for_subscribers:=2",  # detector and watcher: neither may miss the start
        *LOSSLESS_CAMERA,
    ]
    log = folder / "detector.txt"
    processes = [NodeProcess(DETECTOR, LOSSLESS_INPUTS, log, namespace=namespace)]
    try:
        # The detector subscribes when it can work, and the camera waits for it.
        processes[0].wait_for_log("active: ")
        processes.append(NodeProcess(CAMERA, parameters, folder / "camera.txt", None, namespace))
        watcher.wait_until(lambda: len(watcher.stamps("camera_info")) == len(FRAMES), "the video")
        last = watcher.stamps("camera_info")[-1]
        watcher.wait_until(lambda: last in watcher.stamps("keypoints"), "the last answer")
        assert processes[1].wait() == 0
    finally:
        watcher.close()
        for process in processes:
            process.stop()
    shown = dict(zip(watcher.stamps("camera_info"), FRAMES, strict=True))
    pairs = zip(watcher.stamps("keypoints"), watcher.received["keypoints"], strict=True)
    return sequence.camera, [(sequence.frames[shown[stamp]], answer) for stamp, answer in pairs]


def hands(answer: HandKeypoints) -> dict[str, np.ndarray]:
    return {
        side: np.reshape(getattr(answer, f"{side}_xyz"), (-1, 3))
        for side in SIDES
        if getattr(answer, f"{side}_valid")
    }


def test_both_hands_are_found_and_each_is_on_its_side(answers):
    camera, pairs = answers
    assert len(pairs) >= len(FRAMES) // 2
    for frame, answer in pairs:
        found = hands(answer)
        assert found.keys() == set(SIDES)
        for side, xyz in found.items():
            gaps = {other: pixel_error(camera, xyz, frame, other) for other in SIDES}
            assert min(gaps, key=gaps.get) == side


def pixel_error(camera, xyz, frame, side) -> float:
    gap = camera.project(xyz) - camera.project(frame.true_keypoints[side])
    return float(np.linalg.norm(gap, axis=1).mean())


def test_keypoints_project_onto_the_joints(answers):
    camera, pairs = answers
    errors = [
        pixel_error(camera, xyz, frame, side)
        for frame, answer in pairs
        for side, xyz in hands(answer).items()
    ]
    assert np.mean(errors) < PIXELS


def test_hands_are_about_as_far_away_as_they_are(answers):
    ratios = [
        xyz[:, 2].mean() / frame.true_keypoints[side][:, 2].mean()
        for frame, answer in answers[1]
        for side, xyz in hands(answer).items()
    ]
    assert np.abs(np.array(ratios) - 1).max() < DISTANCE


def test_every_joint_carries_the_confidence_of_its_hand(answers):
    for _, answer in answers[1]:
        for side in SIDES:
            confidence = set(getattr(answer, f"{side}_confidence"))
            assert len(confidence) == 1
            assert 0 < confidence.pop() <= 1
