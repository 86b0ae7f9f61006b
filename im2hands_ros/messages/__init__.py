"""ROS messages to arrays and back, without rclpy."""
