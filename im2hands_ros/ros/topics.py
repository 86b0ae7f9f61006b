"""The node's topics with rclpy's classes of their messages, relative to its namespace."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from im2hands_ros.msg import HandKeypoints, HandMeshArray

INPUTS = {"image": Image, "camera_info": CameraInfo, "keypoints": HandKeypoints}
# The topics of `messages.results.RESULT_TYPES`.
POSES = {
    "refined_keypoints": HandKeypoints,
    "left/wrist_pose": PoseStamped,
    "right/wrist_pose": PoseStamped,
}
SURFACES = {"meshes": HandMeshArray, "occupancy": PointCloud2, "markers": MarkerArray}
OUTPUTS = POSES | SURFACES
