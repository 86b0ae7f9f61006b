"""Messages that the tests send to the node."""

from __future__ import annotations

import numpy as np
from im2hands_ros.msg import HandKeypoints
from reference_messages import image_message, keypoints_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from im2hands_ros.skeleton import BONES

WIDTH, HEIGHT = 64, 48
FRAME_ID = "camera_optical_frame"


def stamp_of(message: object) -> float:
    """The stamp of an output, seconds."""
    header = message.markers[0].header if isinstance(message, MarkerArray) else message.header
    return header.stamp.sec + header.stamp.nanosec / 1e9


def header(stamp: float) -> Header:
    """A header in the camera's frame; the stamp in seconds, a multiple of a millisecond."""
    message = Header(frame_id=FRAME_ID)
    message.stamp.sec = int(stamp)
    message.stamp.nanosec = round((stamp - int(stamp)) * 1e3) * 1_000_000
    return message


def image(stamp: float, value: int = 90) -> Image:
    """A grey image, darker at the bottom; black and white ones are plain."""
    pixels = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    if 4 < value < 255:
        pixels[HEIGHT // 2 :] -= 4
    return image_message(header(stamp), pixels)


def camera_info(stamp: float) -> CameraInfo:
    """The calibration of the test camera."""
    message = CameraInfo(header=header(stamp), width=WIDTH, height=HEIGHT)
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    return message


def hand(side: str) -> np.ndarray:
    """(21, 3) float32: an open hand half a metre in front of the camera."""
    mirror = -1 if side == "left" else 1
    points = np.zeros((21, 3), np.float32)
    for bone, (parent, child) in enumerate(BONES):
        finger, level = divmod(bone, 4)
        length = 0.09 if level == 0 else 0.03
        angle = 0.35 * (finger - 2) * mirror
        step = length * np.array([np.sin(angle), -np.cos(angle), 0])
        points[child] = points[parent] + step
        points[child, 2] = -0.0005 * level  # no hand is a plane; its palm is
    return (points + [0.1 * mirror, 0.05, 0.5]).astype(np.float32)


def keypoints(stamp: float, left: bool = True, right: bool = True) -> HandKeypoints:
    """The keypoints of open hands."""
    hands = {"left": hand("left") if left else None, "right": hand("right") if right else None}
    return keypoints_message(header(stamp), hands)
