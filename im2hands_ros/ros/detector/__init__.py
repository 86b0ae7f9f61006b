"""The program `detector`: images to keypoints of both hands."""
