"""Calibration files as ROS's camera_calibration saves them, and a guess for want of one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from im2hands_ros.camera import Camera
from im2hands_ros.messages.camera_info import Calibration, camera_from_info


def read_calibration(url: str) -> Calibration:
    """Read a calibration.

    Args:
        url: path of the YAML file, file:///path or package://name/path.

    Raises:
        ValueError: no such file, or one that is no calibration; names it and the remedy.
    """
    path = _path(url)
    try:
        content = yaml.load(_as_yaml(path.read_text(encoding="utf-8")), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"camera_info_url '{url}' cannot be read: {reason}: check the path, or save one with "
            "`ros2 run camera_calibration cameracalibrator`"
        ) from error
    try:
        calibration = _calibration(content)
        camera_from_info(calibration, (calibration.width, calibration.height))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"camera_info_url '{url}' is no calibration ({reason}): save one with "
            "`ros2 run camera_calibration cameracalibrator`"
        ) from error
    return calibration


class _Loader(yaml.SafeLoader):
    """Reads the matrices of OpenCV's FileStorage, which have the names of ROS's and a tag."""


_Loader.add_constructor(
    "tag:yaml.org,2002:opencv-matrix", lambda loader, node: loader.construct_mapping(node, True)
)


def _as_yaml(text: str) -> str:
    """Without the first line of OpenCV's files, "%YAML:1.0", which is none of YAML's."""
    return text.partition("\n")[2] if text.startswith("%YAML:") else text


def _path(url: str) -> Path:
    kind, marked, rest = url.partition("://")
    if not marked:
        return Path(url).expanduser()
    if kind == "file":
        return Path(rest)
    if kind != "package":
        raise ValueError(
            f"camera_info_url '{url}' is of an unknown kind: give a path, file:// or package://"
        )
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    package, _, inside = rest.partition("/")
    try:
        return Path(get_package_share_directory(package)) / inside
    except PackageNotFoundError as error:
        raise ValueError(
            f"camera_info_url '{url}': no package '{package}' is sourced: source its setup.bash "
            "or give a path"
        ) from error


def _calibration(content: Any) -> Calibration:
    k = _matrix(content, "camera_matrix", 9)
    # Not every tool writes the last two: a camera of its own is not rectified.
    projection = (*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0)
    return Calibration(
        width=int(content["image_width"]),
        height=int(content["image_height"]),
        distortion_model=str(content.get("distortion_model") or ""),
        d=tuple(float(value) for value in content["distortion_coefficients"]["data"]),
        k=k,
        r=_matrix(content, "rectification_matrix", 9, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)),
        p=_matrix(content, "projection_matrix", 12, projection),
    )


def _matrix(
    content: Any, key: str, count: int, default: tuple[float, ...] | None = None
) -> tuple[float, ...]:
    if default is not None and not content.get(key):
        return default
    values = tuple(float(value) for value in content[key]["data"])
    if len(values) != count:
        raise ValueError(f"{key} holds {len(values)} numbers instead of {count}")
    return values


def guessed_calibration(width: int, height: int, field_of_view: float) -> Calibration:
    """Square pixels, no distortion, the middle in the middle.

    Args:
        width, height: of the picture, pixels.
        field_of_view: horizontal, degrees.
    """
    focal = width / 2 / math.tan(math.radians(field_of_view) / 2)
    middle = (width - 1) / 2, (height - 1) / 2
    return Calibration.of(Camera(width, height, focal, focal, *middle))
