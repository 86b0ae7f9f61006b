"""Cheap tests of whether image, camera and keypoints of a frame belong together.

A frame that fails one is reconstructed all the same: each is a warning with its likely cause.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.anatomy import handedness
from im2hands_ros.camera import Camera
from im2hands_ros.scene import HandSurface
from im2hands_ros.skeleton import JOINT_NAMES, SIDES
from im2hands_ros.tracking.interfaces import EncodedScene, Joints
from im2hands_ros.tracking.picture_evidence import PictureEvidence
from im2hands_ros.tracking.picture_looks import LookAt
from im2hands_ros.tracking.repeats import Repeats
from im2hands_ros.tracking.unlikely_hands import other_hand, unlikely_depth, unlikely_hands

Warnings = tuple[tuple[str, str], ...]  # kind and text

_DARKEST = 5.0  # mean brightness, of 255
_FLATTEST = 3  # from the darkest pixel to the brightest
_OFF_CENTRE = 0.15  # of the picture's size; lenses are centred to a few hundredths
_FOCAL = (0.2, 20.0)  # of the picture's width: lenses of 136 to 3 degrees
_MOST_ASPECT = 1.4  # of fx and fy; pixels binned in one direction alone have 2
# Frames -> mean confidence below which keypoints and image do not fit: with a tracker's errors the
# mean of ten frames is 0.23 and more, with half or twice the focal length 0.21 at most.
_LOW_CONFIDENCE = {10: 0.19, 30: 0.4}
# Where the picture was not looked at. On the demo, hands whose sides are swapped have 0.43 to 0.63
# in a first frame and 0.85 later; those with y mirrored 0.18 to 0.41, and 0.3 in the mean.
_MIRRORED_BELOW = 0.42
# A frame or two of these are noise.
_FRAMES_NEEDED = {"depth_far": 10, "depth_unknown": 10}
# Logarithm of the odds that a hand is the other one, in the mean of so many frames: right hands of
# other rigs with 15 mm of noise have 1.8 for themselves at least.
_OTHER_HAND, _OTHER_HAND_FRAMES = 2.0, 10

_SWAPPED = (
    "the keypoints call the left hand right and the right one left, which is put right: tell the "
    "tracker whether its images are mirrored"
)
_MIRRORED = (
    "the keypoints bend as the other hands' do and lie beside the hands in the image: one axis is "
    "mirrored: with y up (Unity) negate y, or give the tracker images that are not mirrored"
)
_MIRRORED_DEPTH = (
    "the keypoints bend as the other hands' do, but lie on the hands in the image, on the sides "
    "that they are called: their depths are mirrored: negate each joint's depth from its wrist"
)


class Plausibility:
    """Tests the frames of one stream, one after the other.

    Args:
        look_at: sees hands in a picture, as `LandmarkEncoder.see`; None: nothing does.
    """

    def __init__(self, look_at: LookAt | None = None) -> None:
        self._picture = PictureEvidence(look_at) if look_at else None
        self._runs: Counter[str] = Counter()
        self._repeats = Repeats()
        self._confidence = {side: deque[float](maxlen=max(_LOW_CONFIDENCE)) for side in SIDES}
        self._odds = {side: deque[float](maxlen=_OTHER_HAND_FRAMES) for side in SIDES}
        self._swapped_hands, self._their_confidence = 0, 0.0

    def check(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        joints: Mapping[str, Joints],
        scene: EncodedScene | None,
        depth: NDArray[np.floating] | None = None,
    ) -> Warnings:
        """What is unlikely in this frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            camera: its intrinsics.
            joints: (21, 3) metres, camera frame, MANO order, of the sides that are there.
            scene: what the networks found; None where they did not run.
            depth: (H, W) metres of the depth image that is used, if one is.
        """
        found = _by_kind(unlikely_inputs(image, camera, joints))
        found.pop("chirality", None)  # of one frame
        if "joint_order" not in found:
            found |= _by_kind(self._other_hands(joints))
        found |= dict(self._repeats.check(image, joints))
        if depth is not None:
            found |= _by_kind(unlikely_depth(camera, joints, depth))
        if scene is not None:
            if self._picture:
                found |= _by_kind(self._picture.check(image, camera, joints, scene.swapped))
            if not scene.swapped:
                self._swapped_hands, self._their_confidence = 0, 0.0
            elif "joint_order" not in found:
                found.pop("chirality", None)  # the network has seen the image too
                found |= [self._swapped(scene)]
            found |= _by_kind(self._low_confidence(scene))
        self._runs = Counter({kind: self._runs[kind] + 1 for kind in found})
        return tuple(
            (kind, text)
            for kind, text in found.items()
            if self._runs[kind] >= _FRAMES_NEEDED.get(kind, 1)
        )

    def _other_hands(self, joints: Mapping[str, Joints]) -> Iterator[tuple[str, str]]:
        for side, xyz in joints.items():
            odds = self._odds[side]
            odds.append(handedness(xyz))
            if len(odds) == _OTHER_HAND_FRAMES:
                yield from other_hand(side, sum(odds) / len(odds), _OTHER_HAND)

    def _swapped(self, scene: EncodedScene) -> tuple[str, str]:
        """Sides or an axis, by the picture; where that was not looked at, by the confidence of all
        frames since the sides were seen swapped."""
        agrees = self._picture.agrees() if self._picture else None
        if self._picture and agrees is not None:
            if not agrees:
                return "mirrored_axis", _MIRRORED
            is_depth = self._picture.own_sides()
            return ("mirrored_depth", _MIRRORED_DEPTH) if is_depth else ("swapped", _SWAPPED)
        known = [value for side in SIDES if (value := scene.confidence.get(side)) is not None]
        self._swapped_hands += len(known)
        self._their_confidence += sum(known)
        # One frame says little: mirrored hands can lie on the hands of the image by chance.
        is_mirrored = self._their_confidence < _MIRRORED_BELOW * self._swapped_hands
        return ("mirrored_axis", _MIRRORED) if is_mirrored else ("swapped", _SWAPPED)

    def _low_confidence(self, scene: EncodedScene) -> Iterator[tuple[str, str]]:
        for side, window in self._confidence.items():
            value = scene.confidence.get(side)
            if value is None:
                continue
            window.append(value)
            for frames, limit in _LOW_CONFIDENCE.items():
                last = list(window)[-frames:]
                mean = sum(last) / len(last)
                if len(last) == frames and mean < limit:
                    yield (
                        "low_confidence",
                        f"the {side} hand has had a mean confidence of {mean:.2f} over {frames} "
                        "frames: keypoints and image do not fit together: check stamps, K, and "
                        "distance and frame of the keypoints",
                    )
                    break


def _by_kind(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Kind -> text; what holds for both hands names both."""
    texts: dict[str, list[str]] = {}
    for kind, text in found:
        texts.setdefault(kind, []).append(text)
    return {kind: "; ".join(dict.fromkeys(each)) for kind, each in texts.items()}


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
    yield from _unlikely_picture(image)
    yield from _unlikely_camera(camera)
    yield from unlikely_hands(camera, joints)


def _unlikely_picture(image: NDArray[np.uint8]) -> Iterator[tuple[str, str]]:
    sample = image[::8, ::8]
    brightness = float(sample.mean())
    if brightness < _DARKEST:
        yield (
            "dark_image",
            f"the image is nearly black, mean brightness {brightness:.1f} of 255: raise the "
            "exposure, or scale a picture of 10 or 12 bits in 16 to the full range",
        )
    elif int(sample.max()) - int(sample.min()) < _FLATTEST:
        yield (
            "blank_image",
            f"the image holds one brightness, {brightness:.0f} of 255, and nothing else: take the "
            "cap off, lower the exposure, or check what the camera driver sends",
        )


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
    if not 1 / _MOST_ASPECT < camera.fx / camera.fy < _MOST_ASPECT:
        yield (
            "camera_aspect",
            f"K has the focal lengths {camera.fx:.4g} and {camera.fy:.4g} px: pixels are as wide "
            "as high: give fx and fy of this picture's size",
        )
    if not _FOCAL[0] * camera.width < camera.fx < _FOCAL[1] * camera.width:
        yield (
            "camera_focal",
            f"K has the focal length {camera.fx:.4g} px for a picture of {picture}: give pixels "
            "of this picture, not millimetres or another size's",
        )
    if camera.is_distorted and not any(camera.distortion):
        yield (
            "camera_lens",
            f"the lens model {camera.distortion_model} with coefficients of zero alone is an ideal "
            "fisheye: give plumb_bob with zeros for a picture without distortion",
        )
