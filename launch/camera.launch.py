"""A camera: its images, hand detector, node, and a view of the hands.

ros2 launch im2hands_ros camera.launch.py camera_info_url:=my_camera.yaml view:=browser
ros2 launch im2hands_ros camera.launch.py source:=video.mp4 loop:=true assumed_field_of_view:=70.0
ros2 launch im2hands_ros camera.launch.py camera:=false image:=/camera/color/image_raw \
    camera_info:=/camera/color/camera_info depth:=/camera/aligned_depth_to_color/image_raw
ros2 launch im2hands_ros camera.launch.py camera:=false image_transport:=compressed
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration

from im2hands_ros.ros.launching import (
    NODE,
    VIEW,
    described,
    given,
    program,
    remapped,
    the_node,
    topic_arguments,
    view,
    with_room_for_images,
)

OPTIONS = {
    "camera": (
        "true",
        "start camera_source; false: a driver of yours publishes the images",
        ("true", "false"),
    ),
    "image_transport": (
        "raw",
        "raw, or compressed with camera:=false: detector, node and browser view subscribe to "
        "<image>/compressed (in RViz, choose that topic)",
        ("raw", "compressed"),
    ),
}
TOPICS = {
    "image": "images (sensor_msgs/Image)",
    "camera_info": "their intrinsics (sensor_msgs/CameraInfo)",
    "depth": "depth images registered to them, if there are any (sensor_msgs/Image)",
    "keypoints": "what the detector finds (im2hands_ros/HandKeypoints)",
}
# Parameters that an argument overrides when it is given.
CAMERA = {
    "source": (str, "device number, device file or video file; empty: device 0"),
    "camera_info_url": (str, "calibration file (YAML of camera_calibration)"),
    "assumed_field_of_view": (float, "horizontal, degrees, where there is no calibration file"),
    "width": (int, "width that the device is set to, pixels"),
    "height": (int, "height that the device is set to, pixels"),
    "rate": (float, "pictures per second of the device, or to play a file at"),
    "loop": (bool, "true: start a file over at its end"),
    "flip": (bool, "true: the source is mirrored, mirror it back"),
    "frame_id": (str, "optical frame of the images; empty: camera"),
}
DETECTOR = {
    "palm_length": (float, "of the user's hand, wrist to middle knuckle, metres"),
    "mirrored_image": (bool, "true: the images are mirrored like a selfie"),
    "use_depth": (bool, "false: ignore depth images"),
}


def generate_launch_description() -> LaunchDescription:
    """Describe the camera's chain; `--show-args` lists the arguments."""
    parameters = {name: ("", text, kind) for name, (kind, text) in (CAMERA | DETECTOR).items()}
    frame = {"fixed_frame": (LaunchConfiguration("frame_id"), VIEW["fixed_frame"][1])}
    return described(
        __file__,
        OPTIONS | parameters | VIEW | frame | NODE | topic_arguments(TOPICS),
        [
            *with_room_for_images(),
            the_node(["image", "camera_info", "keypoints", "image_transport", *NODE]),
            OpaqueFunction(function=source),
            OpaqueFunction(function=detector),
            OpaqueFunction(function=viewer),
        ],
    )


def source(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The camera source, unless another driver is there."""
    if LaunchConfiguration("camera").perform(context) == "false":
        return []
    if LaunchConfiguration("image_transport").perform(context) == "compressed":
        raise ValueError(
            "image_transport:=compressed: camera_source sends raw images; "
            "give camera:=false and the driver that compresses them"
        )
    return [
        program(
            "camera_source",
            "camera_source",
            parameters=given(context, CAMERA),
            remappings=remapped("image", "camera_info"),
        )
    ]


def detector(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The hand detector."""
    transport = {"image_transport": LaunchConfiguration("image_transport")}
    return [
        program(
            "detector",
            "im2hands_detector",
            parameters=[transport, *given(context, DETECTOR)],
            remappings=remapped(*TOPICS),
        )
    ]


def viewer(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz or the browser view, by the arguments."""
    chosen = LaunchConfiguration("view").perform(context)
    transport = LaunchConfiguration("image_transport").perform(context)
    return view(chosen, "image", "camera_info", image_transport=transport)
