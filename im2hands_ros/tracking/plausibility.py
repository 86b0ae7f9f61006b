"""Cheap tests of whether image, camera and keypoints of a frame belong together.

A frame that fails one is reconstructed all the same: each is a warning with its likely cause.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.anatomy import chirality, other_order, palm_length
from im2hands_ros.camera import Camera
from im2hands_ros.scene import HandSurface
from im2hands_ros.skeleton import JOINT_NAMES, SIDES
from im2hands_ros.tracking.interfaces import EncodedScene, Joints

Warnings = tuple[tuple[str, str], ...]  # kind and text

_LEAST_INSIDE = 0.5  # share of a hand's joints in the picture
_SMALLEST_PX = 20.0
_SAME_PLACE = 0.01  # metres; joints of folded hands are two finger widths apart
_PALM = (0.05, 0.14)  # metres, of children and of the tallest
_DARKEST = 5.0  # mean brightness, of 255
_OFF_CENTRE = 0.15  # of the picture's size; lenses are centred to a few hundredths
_FOCAL = (0.2, 20.0)  # of the picture's width: lenses of 136 to 3 degrees
_LOW_CONFIDENCE = 0.4
# On the demo, hands whose sides are swapped have 0.48 to 0.6, of a mirrored axis 0.14 to 0.45.
_MIRRORED_BELOW = 0.45
_CONFIDENCE_FRAMES = 30
# A frame or two of these are noise.
_FRAMES_NEEDED = {"chirality": 10}

_SWAPPED = (
    "the keypoints call the left hand right and the right one left, which is put right: tell the "
    "tracker whether its images are mirrored"
)
_MIRRORED = (
    "the keypoints bend as the other hands' do and lie beside the hands in the image: one axis is "
    "mirrored: with y up (Unity) negate y, or give the tracker images that are not mirrored"
)


class Plausibility:
    """Tests the frames of one stream, one after the other."""

    def __init__(self) -> None:
        self._runs: Counter[str] = Counter()
        self._confidence = {side: deque[float](maxlen=_CONFIDENCE_FRAMES) for side in SIDES}

    def check(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        joints: Mapping[str, Joints],
        scene: EncodedScene | None,
    ) -> Warnings:
        """What is unlikely in this frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            camera: its intrinsics.
            joints: (21, 3) metres, camera frame, MANO order, of the sides that are there.
            scene: what the networks found; None where they did not run.
        """
        found = dict(unlikely_inputs(image, camera, joints))
        if scene is not None:
            if scene.swapped and "joint_order" not in found:
                found.pop("chirality", None)  # the network has seen the image too
                found |= [_swapped(scene)]
            found |= dict(self._low_confidence(scene))
        self._runs = Counter({kind: self._runs[kind] + 1 for kind in found})
        return tuple(
            (kind, text)
            for kind, text in found.items()
            if self._runs[kind] >= _FRAMES_NEEDED.get(kind, 1)
        )

    def _low_confidence(self, scene: EncodedScene) -> Iterator[tuple[str, str]]:
        for side, window in self._confidence.items():
            value = scene.confidence.get(side)
            if value is None:
                continue
            window.append(value)
            mean = sum(window) / len(window)
            if len(window) == _CONFIDENCE_FRAMES and mean < _LOW_CONFIDENCE:
                yield (
                    "low_confidence",
                    f"the {side} hand has had a mean confidence of {mean:.2f} over "
                    f"{_CONFIDENCE_FRAMES} frames: keypoints and image do not fit together: check "
                    "stamps, K, and distance and frame of the keypoints",
                )


def severed_pieces(surfaces: Mapping[str, HandSurface]) -> Warnings:
    """Kind and text of hands whose surface was left without a piece that joints lie in."""
    return tuple(
        (
            "severed",
            f"a piece of the {side} hand with {len(surface.severed)} of its joints "
            f"({', '.join(JOINT_NAMES[joint] for joint in surface.severed)}) is cut off from the "
            "rest and left out: raise 'resolution', lower 'occupancy_threshold', or give keypoints "
            "of hands that do not lie in each other",
        )
        for side, surface in surfaces.items()
        if surface.severed
    )


def unlikely_inputs(
    image: NDArray[np.uint8], camera: Camera, joints: Mapping[str, Joints]
) -> Iterator[tuple[str, str]]:
    """Kind and text of what is unlikely before any network ran; arguments as `check`'s."""
    brightness = float(image[::8, ::8].mean())
    if brightness < _DARKEST:
        yield (
            "dark_image",
            f"the image is nearly black, mean brightness {brightness:.1f} of 255: raise the "
            "exposure, or scale a picture of 10 or 12 bits in 16 to the full range",
        )
    yield from _unlikely_camera(camera)
    for side, xyz in joints.items():
        yield from _unlikely_hand(camera, side, xyz)
    yield from _unlikely_pair(joints)


def _unlikely_camera(camera: Camera) -> Iterator[tuple[str, str]]:
    size = np.array([camera.width, camera.height])
    centre = np.array([camera.cx, camera.cy])
    picture = f"{camera.width}x{camera.height}"
    if (np.abs(centre - (size - 1) / 2) > _OFF_CENTRE * size).any():
        likely = "calibrate" if not centre.any() else "give the K of this picture's size"
        yield (
            "camera_centre",
            f"K has the principal point ({camera.cx:.0f}, {camera.cy:.0f}) px, far from the middle "
            f"of the {picture} picture, as of a {2 * camera.cx:.0f}x{2 * camera.cy:.0f} one: "
            f"{likely}",
        )
    if not _FOCAL[0] * camera.width < camera.fx < _FOCAL[1] * camera.width:
        yield (
            "camera_focal",
            f"K has the focal length {camera.fx:.4g} px for a picture of {picture}: give pixels "
            "of this picture, not millimetres or another size's",
        )


def _unlikely_hand(camera: Camera, side: str, xyz: Joints) -> Iterator[tuple[str, str]]:
    pixels = camera.project(xyz)
    last = np.array([camera.width, camera.height]) - 0.5
    inside = int(((pixels > -0.5) & (pixels < last)).all(axis=1).sum())
    if inside < _LEAST_INSIDE * len(xyz):
        u, v = np.median(pixels, axis=0)
        yield (
            "outside_image",
            f"{len(xyz) - inside} of {len(xyz)} keypoints of the {side} hand lie outside the "
            f"{camera.width}x{camera.height} picture, around pixel ({u:.0f}, {v:.0f}): give "
            "keypoints of this camera, and its own K",
        )
    extent = float(np.linalg.norm(np.ptp(pixels, axis=0)))
    if extent < _SMALLEST_PX:
        yield (
            "tiny_hand",
            f"the {side} hand is {extent:.0f} px across, at {xyz[0, 2]:.1f} m: check the distance "
            "of the keypoints and the focal length, or use a larger picture",
        )
    palm = palm_length(xyz)
    order = other_order(xyz)
    if order:
        yield (
            "joint_order",
            f"the bones of the {side} hand have no hand's proportions, but would in another joint "
            f"order: {order}: set joint_order, or reorder",
        )
        return
    if not _PALM[0] < palm < _PALM[1]:
        yield (
            "palm_length",
            f"the {side} palm is {1e3 * palm:.0f} mm from wrist to middle knuckle, a hand's "
            f"{1e3 * _PALM[0]:.0f} to {1e3 * _PALM[1]:.0f}: check the keypoints' unit and scale",
        )
    seen = chirality(xyz)
    if seen and seen != side:
        yield (
            "chirality",
            f"the fingers of the {side} hand bend as a {seen} one's: swap the sides, or undo a "
            "mirrored axis (with y up, as in Unity, negate y) or mirrored image",
        )


def _unlikely_pair(joints: Mapping[str, Joints]) -> Iterator[tuple[str, str]]:
    if len(joints) < len(SIDES):
        return
    left, right = (joints[side] for side in SIDES)
    apart = float(np.linalg.norm(left - right, axis=1).mean())
    if apart < _SAME_PLACE:
        yield (
            "same_place",
            f"left and right hand lie in one place, their joints {1e3 * apart:.0f} mm apart: one "
            "hand was sent twice: leave one out",
        )


def _swapped(scene: EncodedScene) -> tuple[str, str]:
    values = [value for side in SIDES if (value := scene.confidence.get(side)) is not None]
    is_mirrored = values and np.mean(values) < _MIRRORED_BELOW
    return ("mirrored_axis", _MIRRORED) if is_mirrored else ("swapped", _SWAPPED)
