"""Two interacting hands as meshes and occupancy fields from one image and coarse 3D keypoints.

`import im2hands_ros.msg` runs this file, so it stays light: no torch, no numpy. The public names
are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

# The message generator installs `im2hands_ros/msg` beside the installed modules; this lets a source
# checkout that comes first on the path find it.
__path__ = extend_path(__path__, __name__)

__version__ = "0.2.0"

if TYPE_CHECKING:
    from im2hands_ros.camera import Camera
    from im2hands_ros.detection.detector import HandDetector
    from im2hands_ros.hand_calibration import HandCalibration
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.scene import HandField, Hands, HandSurface, Scene
    from im2hands_ros.tracking.tracker import HandTracker

_EXPORTS = {
    "Camera": "im2hands_ros.camera",
    "HandCalibration": "im2hands_ros.hand_calibration",
    "HandDetector": "im2hands_ros.detection.detector",
    "HandField": "im2hands_ros.scene",
    "HandSurface": "im2hands_ros.scene",
    "HandTracker": "im2hands_ros.tracking.tracker",
    "Hands": "im2hands_ros.scene",
    "Im2Hands": "im2hands_ros.pipeline",
    "Scene": "im2hands_ros.scene",
}

__all__ = [
    "Camera",
    "HandCalibration",
    "HandDetector",
    "HandField",
    "HandSurface",
    "HandTracker",
    "Hands",
    "Im2Hands",
    "Scene",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
