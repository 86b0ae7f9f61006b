"""What ROS costs a frame."""
