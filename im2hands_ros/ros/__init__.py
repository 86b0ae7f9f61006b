"""The ROS 2 side: the only rooms that import rclpy."""
