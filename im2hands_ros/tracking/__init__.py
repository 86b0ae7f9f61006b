"""A stream of frames of one person's two hands."""
