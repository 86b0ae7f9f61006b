"""The detector node in a process of its own: what comes out for what goes in."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from harness import FRAME_ID, HEIGHT, ROOT, WIDTH, Client, NodeProcess, camera_info, header, image
from im2hands_ros.msg import HandKeypoints
from posed_detector import RIGHT
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from im2hands_ros.ros.detector.settings import DetectorSettings
from im2hands_ros.skeleton import JOINT_COUNT

POSED = str(ROOT / "test/support/posed_detector.py")
SKIN = 0.012
_stamps = itertools.count(100)


class Watcher(Client):
    """Sends images, their calibration and depth, and collects keypoints."""

    def __init__(self, namespace: str, picture: str = "image", kind: type = Image) -> None:
        super().__init__(namespace, False, {picture: kind, "camera_info": CameraInfo})
        self._depth = self.node.create_publisher(Image, "depth", qos_profile_sensor_data)
        self.received = {"keypoints": []}
        self._listen("keypoints", HandKeypoints)
        self.wait_for_node()

    def ask(self, stamp: float, value: int = 90) -> HandKeypoints:
        """The answer to an image of this brightness."""
        self.send(camera_info(stamp), image(stamp, value))
        return self.wait_for_frame(stamp, "keypoints")

    def send_depth(self, message: Image) -> None:
        """Publish a depth image."""
        self._depth.publish(message)


def distance(message: HandKeypoints) -> float:
    return float(np.reshape(message.right_xyz, (-1, 3))[1:, 2].mean())


def depth_image(stamp: float, metres: float, height: int = HEIGHT) -> Image:
    """A wall at this distance."""
    data = np.full((height, WIDTH), round(1000 * metres), np.uint16).tobytes()
    return Image(
        header=header(stamp),
        height=height,
        width=WIDTH,
        encoding="16UC1",
        step=2 * WIDTH,
        data=data,
    )


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    process = NodeProcess([POSED], (), tmp_path_factory.mktemp("detector") / "log.txt")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def watcher(node):
    client = Watcher(node.namespace)
    yield client
    client.close()


@pytest.fixture
def stamp():
    return float(next(_stamps))


def test_images_without_a_calibration_are_said_to_lack_it(node, watcher):
    for number in range(30):
        watcher.send(image(1 + number / 100))
        watcher.spin(0.06)
    node.wait_for_log("camera_info: images come but no camera_info")
    assert not watcher.received["keypoints"]
    watcher.wait_until(lambda: watcher.count("dropped.no_camera_info") > 0, "the count")


def test_a_hand_is_published_in_the_image_s_frame_and_time(watcher, stamp):
    message = watcher.ask(stamp)
    assert (message.right_valid, message.left_valid) == (True, False)
    assert message.header == header(stamp)
    assert message.header.frame_id == FRAME_ID
    assert message.joint_order == HandKeypoints.ORDER_MANO
    assert len(message.right_xyz) == 3 * JOINT_COUNT
    assert len(message.left_xyz) == 0
    assert np.allclose(message.right_confidence, [RIGHT] * JOINT_COUNT)


def test_an_image_without_a_hand_gives_a_message_without_one(watcher, stamp):
    message = watcher.ask(stamp, value=10)
    assert not message.right_valid and not message.left_valid


def test_an_encoding_that_cannot_be_read_is_named_and_the_next_image_works(node, watcher, stamp):
    wrong = image(stamp)
    wrong.encoding = "bayer_rgbe16"
    watcher.send(camera_info(stamp), wrong)
    node.wait_for_log(f"{node.namespace}/image: encoding 'bayer_rgbe16' is not supported")
    assert watcher.ask(stamp + 0.1).right_valid


def test_a_calibration_of_another_size_is_named(node, watcher, stamp):
    wrong = camera_info(stamp)
    wrong.width = 2 * WIDTH
    watcher.send(wrong, image(stamp))
    node.wait_for_log(f"{node.namespace}/camera_info: camera_info describes a 128x48 image")
    assert watcher.ask(stamp + 0.1).right_valid


def test_a_detector_that_fails_on_an_image_lives_on(node, watcher, stamp):
    watcher.send(image(stamp, 255))
    node.wait_for_log("a frame failed: RuntimeError: the image is all white")
    assert watcher.ask(stamp + 0.1).right_valid
    watcher.wait_until(lambda: watcher.count("dropped.pipeline_error") == 1, "the count")


def test_keypoints_go_on_after_the_clock_jumps_forth_and_back(watcher, stamp):
    for seconds in (stamp, stamp + 1e6, stamp + 0.5, stamp + 0.6):
        assert watcher.ask(seconds).right_valid
    for seconds in (stamp + 2e6, stamp + 0.7):  # those with depth as well
        watcher.send_depth(depth_image(seconds, 0.6))
        assert watcher.ask(seconds).right_valid
    watcher.spin(1.1)  # from now on images do not wait for depth


def set_parameter(watcher, name, value):
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    service = "im2hands_detector/set_parameters"
    return watcher.call(SetParameters, service, request).results[0]


def test_the_size_of_the_hand_can_be_set_while_running(watcher, stamp):
    before = distance(watcher.ask(stamp))
    assert set_parameter(watcher, "palm_length", 0.1116).successful
    after = distance(watcher.ask(stamp + 0.1))
    assert set_parameter(watcher, "palm_length", 0.093).successful
    assert after / before == pytest.approx(1.2, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "value"), [("palm_length", 0.5), ("image_transport", "compressed")]
)
def test_parameters_out_of_range_or_read_only_are_refused(watcher, name, value):
    assert not set_parameter(watcher, name, value).successful


def test_every_parameter_is_described(watcher):
    names = list(DetectorSettings.__dataclass_fields__)
    request = DescribeParameters.Request(names=names)
    service = "im2hands_detector/describe_parameters"
    described = watcher.call(DescribeParameters, service, request).descriptors
    assert all(len(each.description) > 15 for each in described)
    live = {each.name for each in described if not each.read_only}
    assert live == {"palm_length", "mirrored_image", "depth_slop"}


def test_mirrored_images_give_the_real_hand(watcher, stamp):
    plain = np.reshape(watcher.ask(stamp).right_xyz, (-1, 3))
    assert set_parameter(watcher, "mirrored_image", True).successful
    mirrored = np.reshape(watcher.ask(stamp + 0.1).right_xyz, (-1, 3))
    assert set_parameter(watcher, "mirrored_image", False).successful
    # The test image is uniform: the same hand is found in its mirror image. The camera's axis is
    # in the middle, so that the hand stays where it was.
    assert np.allclose(mirrored, plain, atol=1e-4)


def test_diagnostics_tell_rates_and_times_of_the_stages(watcher, stamp):
    watcher.ask(stamp)
    values = watcher.diagnostics()
    assert {"stage.decode.median_ms", "stage.detect.median_ms", "published"} <= values.keys()


# From here on depth images have come: images wait for theirs.


def test_a_depth_image_says_how_far_the_hand_is(watcher, stamp):
    watcher.send_depth(depth_image(stamp, 0.6))
    watcher.spin(0.1)
    assert distance(watcher.ask(stamp)) == pytest.approx(0.6 + SKIN, abs=1e-3)


def test_an_image_waits_for_its_depth_image(watcher, stamp):
    watcher.send_depth(depth_image(stamp - 0.5, 0.8))
    watcher.send(camera_info(stamp), image(stamp))
    watcher.spin(0.3)
    assert stamp not in watcher.stamps("keypoints")
    watcher.send_depth(depth_image(stamp + 0.01, 0.5))
    answer = watcher.wait_for_frame(stamp, "keypoints")
    assert distance(answer) == pytest.approx(0.5 + SKIN, abs=1e-3)


def test_images_do_not_wait_for_ever(node, watcher, stamp):
    watcher.send_depth(depth_image(stamp - 0.5, 0.8))
    for number in range(5):
        watcher.send(camera_info(stamp), image(stamp + number / 10))
        watcher.spin(0.1)
    assert distance(watcher.wait_for_frame(stamp, "keypoints")) < 0.7
    node.wait_for_log(f"{node.namespace}/depth: no depth image within 0.02 s of an image")


def test_the_last_image_goes_without_its_depth_image_when_both_streams_stop(watcher, stamp):
    watcher.send_depth(depth_image(stamp - 0.5, 0.8))
    watcher.spin(0.1)
    watcher.send(camera_info(stamp), image(stamp))
    assert distance(watcher.wait_for_frame(stamp, "keypoints")) < 0.7


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda message: setattr(message, "encoding", "rgb8"), "encoding 'rgb8' is no depth image"),
        (lambda message: setattr(message, "height", HEIGHT // 2), "data holds"),
        (None, "the depth image is 64x24 but the image is 64x48"),
    ],
)
def test_a_depth_image_that_cannot_be_used_is_named_and_left_out(node, watcher, stamp, spoil, said):
    message = depth_image(stamp, 0.8, HEIGHT if spoil else HEIGHT // 2)
    if spoil:
        spoil(message)
    watcher.send_depth(message)
    watcher.spin(0.1)
    assert distance(watcher.ask(stamp)) < 0.7
    node.wait_for_log(f"{node.namespace}/depth: {said}")


def test_a_slow_detector_takes_the_newest_image_and_counts_the_others(tmp_path):
    process = NodeProcess([POSED, "--delay", "0.3"], (), tmp_path / "log.txt")
    watcher = Watcher(process.namespace)
    try:
        watcher.ask(1.0)
        for number in range(20):
            watcher.send(image(2 + number / 100))
            watcher.spin(0.02)
        watcher.wait_for_frame(2.19, "keypoints")
        answered = watcher.stamps("keypoints")
        assert answered == sorted(answered)
        assert len(answered) < 16
        watcher.wait_until(lambda: watcher.count("dropped.overwritten") > 0, "the count")
    finally:
        watcher.close()
        status = process.interrupt()
    assert status == 0


def test_compressed_images_are_read(tmp_path):
    parameters = ["image_transport:=compressed", "use_depth:=false"]
    process = NodeProcess([POSED], parameters, tmp_path / "log.txt")
    watcher = Watcher(process.namespace, "image/compressed", CompressedImage)
    try:
        pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        data = cv2.imencode(".jpg", pixels)[1].tobytes()
        watcher.send(
            camera_info(1.0), CompressedImage(header=header(1.0), format="jpeg", data=data)
        )
        assert watcher.wait_for_frame(1.0, "keypoints").right_valid
    finally:
        watcher.close()
        process.stop()


def test_a_detector_that_cannot_be_loaded_ends_the_node_with_the_reason(tmp_path):
    process = NodeProcess([POSED, "--lost"], (), tmp_path / "log.txt")
    assert process.wait() == 1
    assert "cannot start: weights file palms.safetensors does not exist" in process.log
