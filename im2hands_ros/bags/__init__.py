"""Rosbag2 files in and out, without ROS: what `im2hands replay` is made of."""
