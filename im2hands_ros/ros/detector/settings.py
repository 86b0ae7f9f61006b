"""The detector's parameters.

`python -m im2hands_ros.ros.detector.settings` prints the table of `docs/camera.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from im2hands_ros.detection.lift import PALM_LENGTH
from im2hands_ros.parameter_schema import (
    ParameterSchema,
    image_transport,
    parameter,
    print_parameters,
)


@dataclass(frozen=True)
class DetectorSettings(ParameterSchema):
    """Values of all parameters, checked; raises ValueError for one that cannot be used."""

    palm_length: float = parameter(
        PALM_LENGTH,
        "of the user's hand, wrist to middle knuckle: sets the distance of the hands where no "
        "depth image does",
        unit="m",
        range=(0.05, 0.15),
        live=True,
    )
    mirrored_image: bool = parameter(
        False,
        "the images are mirrored like a selfie: keypoints are those of the real hands, so they do "
        "not lie over the mirrored image",
        live=True,
    )
    use_depth: bool = parameter(
        True,
        "subscribe to depth images on depth (16UC1 or 32FC1, registered to image) and use them "
        "when they come",
    )
    depth_slop: float = parameter(
        0.02,
        "largest stamp difference of an image and its depth image",
        unit="s",
        range=(0.0, 1.0),
        live=True,
    )
    image_transport: str = image_transport()
    look_again: bool = parameter(
        True,
        "search for a hand that is lost by turned, mirrored and nearer views, two an image; false: "
        "by the upright image alone",
    )


if __name__ == "__main__":
    print_parameters(DetectorSettings)
