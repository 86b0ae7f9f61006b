"""The networks, one per file. No file here knows ROS, files on disk or training."""
