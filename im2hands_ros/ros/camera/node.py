"""Node `camera_source`: a camera or a video file as image and camera_info.

Publishes `image` (sensor_msgs/Image, bgr8) and `camera_info` with sensor-data QoS and one stamp for
both, taken when the picture was. A device that is lost is an error in the diagnostics and is opened
again; a file ends the program at its end, or loops.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, NoReturn

import cv2
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from im2hands_ros.messages.camera_info import Calibration, write_camera_info
from im2hands_ros.messages.images import write_image
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.camera.calibration_file import guessed_calibration, read_calibration
from im2hands_ros.ros.camera.capture import SourceLost, VideoCapture, is_device
from im2hands_ros.ros.camera.settings import CameraSettings
from im2hands_ros.ros.process import run_process
from im2hands_ros.ros.qos import OVERRIDING

OpenCapture = Callable[[str, int, int, float], VideoCapture]

_RETRY = 1.0  # seconds between two tries to open a lost device
_POLL = 0.05  # seconds between two checks of the subscriptions
_SETTLE = 0.5  # seconds: a subscriber found here may not have found us yet, and would miss a frame
_LINGER = 0.5  # seconds that the last frame is given to leave before its publisher goes
_STOP_TIMEOUT = 1.0  # a device may block for longer; its thread is left behind then


class CameraSource(BaseNode[CameraSettings]):
    """Publishes what a camera sees.

    Args:
        open_capture: opens a source; called with source, width, height and rate.
        options: passed to rclpy's node.

    Raises:
        ValueError: no calibration, or one that cannot be used.
    """

    def __init__(self, open_capture: OpenCapture = VideoCapture, **options: Any) -> None:
        super().__init__("camera_source", CameraSettings, **options)
        self._open_capture = open_capture
        self._calibration = self._read_calibration()
        self._state = "opening"
        self._stopped = threading.Event()
        self._capture: VideoCapture | None = None
        self._outputs = {
            topic: self.create_publisher(
                kind, topic, copy(qos_profile_sensor_data), qos_overriding_options=OVERRIDING
            )
            for topic, kind in (("image", Image), ("camera_info", CameraInfo))
        }
        # A daemon: a device that hangs must not keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name="camera_source", daemon=True)
        self.start_diagnostics()

    def _read_calibration(self) -> Calibration | None:
        """The calibration, or None where it is to be guessed."""
        if self.settings.camera_info_url:
            return read_calibration(self.settings.camera_info_url)
        if self.settings.assumed_field_of_view:
            return None
        raise ValueError(
            "parameter camera_info_url is empty: give the camera's calibration file, or set "
            "assumed_field_of_view (degrees, 60 to 80 for most webcams) and accept wrong distances"
        )

    def start(self) -> bool:
        """Open the source and publish; False for a source that never will be there."""
        try:
            self._open()
        except SourceLost as error:
            if not is_device(self.settings.origin):
                self.get_logger().error(f"cannot start: {error}")
                return False
            self._lose(error)
        except ValueError as error:
            self.get_logger().error(f"cannot start: {error}")
            return False
        self._thread.start()
        return True

    def close(self) -> None:
        """Stop publishing."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_TIMEOUT)

    def describe(self) -> dict[str, str]:
        """Source and its state, for the diagnostics."""
        return {"source": self.settings.origin, "state": self._state}

    def _open(self) -> VideoCapture:
        """Open the source and check that the calibration is its own.

        Raises:
            SourceLost: it is not there.
            ValueError: the calibration is of pictures of another size.
        """
        settings = self.settings
        capture = self._open_capture(
            settings.origin, settings.width, settings.height, settings.rate
        )
        given, known = capture.size, self._calibration
        if known is None:
            known = guessed_calibration(*given, settings.assumed_field_of_view)
            self.warn_throttled(
                "guess",
                f"no camera_info_url: focal length {known.k[0]:.0f} px guessed from "
                f"{settings.assumed_field_of_view:g} degrees: distances are guesses too",
            )
        elif given != (known.width, known.height):
            capture.close()
            raise ValueError(
                f"the calibration is of {known.width}x{known.height} pictures but source "
                f"'{settings.origin}' gives {given[0]}x{given[1]}: calibrate at this size, or set "
                "width and height"
            )
        self._capture, self._info = capture, known
        self._state = "open"
        rate = settings.rate or capture.rate
        self.get_logger().info(f"open: '{settings.origin}', {given[0]}x{given[1]}, {rate:g} Hz")
        return capture

    # On the capture's thread

    def _run(self) -> None:
        """Publish until stopped or the end of the file; open again what was lost."""
        while not self._stopped.is_set():
            try:
                capture = self._capture or self._open()
                if self._play(capture):
                    self._end(capture)
                    return
            except Exception as error:  # noqa: BLE001 - one bad picture must not end the stream
                if not rclpy.ok(context=self.context):
                    return  # publishers go away while the process ends
                self._lose(error)
                self._stopped.wait(_RETRY)

    def _play(self, capture: VideoCapture) -> bool:
        """Publish pictures; True at the end of the file. Raises SourceLost."""
        if capture.is_file:
            self._wait_for_subscribers()
        period = 1 / (self.settings.rate or capture.rate) if capture.is_file else 0.0
        due = time.monotonic()
        while not self._stopped.wait(max(due - time.monotonic(), 0)):
            if not capture.grab():
                if not self.settings.loop:
                    return True
                capture.rewind()
                if not capture.grab():
                    raise SourceLost(f"video '{self.settings.origin}' holds no picture")
            stamp = self.get_clock().now().to_msg()
            self._publish(capture, Header(stamp=stamp, frame_id=self.settings.frame_id))
            due = max(due + period, time.monotonic() - period)
        return False

    def _publish(self, capture: VideoCapture, header: Header) -> None:
        pixels = capture.picture()
        if self.settings.flip:
            pixels = cv2.flip(pixels, 1)
        # The image goes last: when it arrives, everything it needs is there.
        self._outputs["camera_info"].publish(write_camera_info(header, self._info))
        self._outputs["image"].publish(write_image(header, pixels, "bgr8"))
        self.health.publish()

    def _wait_for_subscribers(self) -> None:
        count = self.settings.wait_for_subscribers
        if not count:
            return
        self._state = "waiting for subscribers"
        while not self._stopped.wait(_POLL):
            if all(each.get_subscription_count() >= count for each in self._outputs.values()):
                self._stopped.wait(_SETTLE)
                break
        self._state = "open"

    def _lose(self, error: Exception) -> None:
        self._state = "lost"
        if self._capture is not None:
            self._capture.close()
            self._capture = None
        self.health.drop("camera_lost")
        self.error_throttled("camera_lost", f"{error} (trying again every {_RETRY:g} s)")

    def _end(self, capture: VideoCapture) -> None:
        """The video is over: so is the program."""
        self._state = "ended"
        capture.close()
        self.get_logger().info(f"'{self.settings.origin}' has ended")
        self._stopped.wait(_LINGER)
        rclpy.try_shutdown(context=self.context)


def main(args: Sequence[str] | None = None, open_capture: OpenCapture = VideoCapture) -> NoReturn:
    """Run the node until SIGINT or SIGTERM or the end of the video; see `run_process`."""
    run_process(lambda: CameraSource(open_capture), args)


if __name__ == "__main__":
    main()
