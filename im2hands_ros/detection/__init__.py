"""Hands found in an image, made into metric keypoints. No ROS here."""

from __future__ import annotations

from typing import Any

__all__ = ["DetectedHand", "HandDetector"]


def __getattr__(name: str) -> Any:
    """On first use: `detection.bundle` runs where neither NumPy nor OpenCV is installed yet."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from im2hands_ros.detection import detector

    return getattr(detector, name)
