"""A page that shows the hands in a browser; no ROS here."""
