"""Bad input to the running node: said once, counted, and the next good frame works."""

from __future__ import annotations

import array
import itertools

import pytest
from harness import camera_info, image, keypoints

_stamps = itertools.count(100)


def wrong_encoding(stamp):
    message = image(stamp)
    message.encoding = "bayer_rgbe16"
    return [message, keypoints(stamp)]


def short_data(stamp):
    message = image(stamp)
    message.data = message.data[:100]
    return [message, keypoints(stamp)]


def wrong_step(stamp):
    message = image(stamp)
    message.step = 3
    return [message, keypoints(stamp)]


def no_pixels(stamp):
    message = image(stamp)
    message.width = 0
    return [message, keypoints(stamp)]


def nan_keypoints(stamp):
    message = keypoints(stamp, right=False)
    message.left_xyz[:36] = array.array("f", 36 * [float("nan")])
    return [image(stamp), message]


def wrong_count(stamp):
    message = keypoints(stamp, right=False)
    message.left_xyz = message.left_xyz[:60]
    return [image(stamp), message]


def millimetres(stamp):
    message = keypoints(stamp, right=False)
    message.left_xyz = [1000 * value for value in message.left_xyz]
    return [image(stamp), message]


def collapsed_hand(stamp):
    message = keypoints(stamp, right=False)
    message.left_xyz = [0.1, 0.0, 0.5] * 21
    return [image(stamp), message]


def wrong_frame(stamp):
    message = keypoints(stamp)
    message.header.frame_id = "base_link"
    return [image(stamp), message]


def wrong_calibration_size(stamp):
    message = camera_info(stamp)
    message.width = 1280
    return [message, image(stamp), keypoints(stamp)]


def no_calibration(stamp):
    message = camera_info(stamp)
    message.k = [0.0] * 9
    return [message, image(stamp), keypoints(stamp)]


def failing_pipeline(stamp):
    return [image(stamp, value=255), keypoints(stamp)]


@pytest.mark.parametrize(
    ("bad", "reason", "said"),
    [
        (wrong_encoding, "image_encoding", "/image: encoding 'bayer_rgbe16'"),
        (short_data, "image_data", "/image: data holds 100 bytes"),
        (wrong_step, "image_step", "/image: step 3 is too small"),
        (no_pixels, "image_size", "/image: the image is 0x48"),
        (nan_keypoints, "keypoints_not_finite", "/keypoints: 12 of 21 keypoints of left_xyz"),
        (wrong_count, "keypoints_count", "/keypoints: left_xyz holds 60 numbers"),
        (millimetres, "keypoints_range", "/keypoints: left_xyz reaches 500 m"),
        (collapsed_hand, "keypoints_size", "/keypoints: left_xyz is 0.000 m across"),
        (wrong_frame, "keypoints_frame", "/keypoints: the keypoints are in frame 'base_link'"),
        (
            wrong_calibration_size,
            "camera_info_size",
            "/camera_info: camera_info describes a 1280x48",
        ),
        (no_calibration, "camera_info_values", "/camera_info: camera_info cannot be used"),
        (
            failing_pipeline,
            "pipeline_error",
            "a frame failed: RuntimeError: the image is all white",
        ),
    ],
)
def test_bad_input_is_said_once_and_counted_and_the_next_frame_works(
    node, client, bad, reason, said
):
    client.send_frame(next(_stamps))
    client.send(*bad(next(_stamps)))
    node.wait_for_log(said)
    for _ in range(2):
        client.send(*bad(next(_stamps)))
        client.spin(0.05)
    good = next(_stamps)
    client.send_frame(good)
    client.wait_for_frame(good)
    # A starved worker may pass over a bad frame for a newer one.
    client.wait_until(lambda: client.count(f"dropped.{reason}") > 0, f"dropped.{reason}")
    assert node.log.count(said) == 1, node.log


def test_one_bad_hand_does_not_cost_the_other_one(client):
    stamp = next(_stamps)
    message = keypoints(stamp)
    message.left_xyz[:36] = array.array("f", 36 * [float("inf")])
    client.send(camera_info(stamp), image(stamp), message)
    hands = client.wait_for_frame(stamp).hands
    assert [each.side for each in hands] == [1]


def test_a_missing_camera_info_is_said_once_until_it_comes(start, connect):
    process = start()
    client = connect(process)
    for i in range(15):
        client.send(image(10 + i), keypoints(10 + i))
        client.spin(0.1)
    process.wait_for_log("/camera_info: images come but no camera_info")
    assert process.log.count("no camera_info") == 1
    assert client.diagnostics()["dropped.no_camera_info"] == "15"
    client.send_frame(30.0)
    client.wait_for_frame(30.0)


def test_stamps_that_never_match_are_explained(start, connect):
    process = start()
    client = connect(process)
    client.send(camera_info(1.0))
    for i in range(20):
        client.send(image(100 + i), keypoints(100.2 + i))
        client.spin(0.02)
    process.wait_for_log("the nearest stamp of keypoints is 0.2")
    assert "raise sync_slop to 0.201" in process.log
