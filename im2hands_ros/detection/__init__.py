"""Hands found in a picture, made into metric keypoints. No ROS here."""
