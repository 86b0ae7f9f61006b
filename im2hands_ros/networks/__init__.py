"""The networks, one per file; presets in a folder each. No ROS and no training here."""
