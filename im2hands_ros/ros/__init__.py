"""The ROS 2 side: the only rooms that import rclpy.

`matching`, `imaging`, `parameters` and `worker` need no ROS and can be used and tested without it.
"""
