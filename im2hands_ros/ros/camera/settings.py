"""The camera source's parameters.

`python -m im2hands_ros.ros.camera.settings` prints the table of `docs/camera.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from im2hands_ros.parameter_schema import ParameterSchema, parameter, print_parameters


@dataclass(frozen=True)
class CameraSettings(ParameterSchema):
    """Values of all parameters, checked; raises ValueError for one that cannot be used."""

    source: str = parameter(
        "", "video file, or device file such as /dev/video0; empty: the device of device_number"
    )
    device_number: int = parameter(0, "OpenCV's number of the device", range=(0, 99))
    camera_info_url: str = parameter(
        "",
        "calibration as camera_calibration saves it (YAML): a path, file:///path or "
        "package://name/path",
    )
    assumed_field_of_view: float = parameter(
        0.0,
        "horizontal, used when camera_info_url is empty: every distance is then wrong by as much "
        "as this guess; 0: refuse to guess",
        unit="degrees",
        range=(0.0, 170.0),
    )
    width: int = parameter(
        0, "requested from a device; 0: its own", unit="pixels", range=(0, 16384)
    )
    height: int = parameter(
        0, "requested from a device; 0: its own", unit="pixels", range=(0, 16384)
    )
    rate: float = parameter(
        0.0,
        "requested from a device, kept for a file; 0: the device's or the file's own",
        unit="Hz",
        range=(0.0, 1000.0),
    )
    loop: bool = parameter(False, "start a file over at its end; else the program ends there")
    flip: bool = parameter(
        False,
        "mirror every picture left to right, for a source that is mirrored; the calibration is of "
        "the pictures as published",
    )
    frame_id: str = parameter("camera", "frame of the images (optical: x right, y down, z forward)")
    wait_for_subscribers: int = parameter(
        0, "subscribers that image and camera_info need before a file is played", range=(0, 99)
    )

    @property
    def origin(self) -> str:
        """What to open: device number, device file or video file."""
        return self.source or str(self.device_number)


if __name__ == "__main__":
    print_parameters(CameraSettings)
