"""The published networks: the preset `paper`."""
