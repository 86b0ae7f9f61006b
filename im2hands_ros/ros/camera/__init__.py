"""The program `camera_source`: a camera or a video as image and camera_info."""
