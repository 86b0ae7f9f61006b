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
from im2hands_ros.joint_orders import other_order
from im2hands_ros.scene import HandSurface
from im2hands_ros.skeleton import JOINT_NAMES, SIDES
from im2hands_ros.tracking.hand_sizes import HandSizes
from im2hands_ros.tracking.interfaces import EncodedScene, Joints
from im2hands_ros.tracking.picture_evidence import PictureEvidence
from im2hands_ros.tracking.picture_looks import LookAt
from im2hands_ros.tracking.repeats import Repeats
from im2hands_ros.tracking.steadiness import Steadiness
from im2hands_ros.tracking.unlikely_hands import (
    other_hand,
    unlikely_depth,
    unlikely_hands,
    wrong_order,
)
from im2hands_ros.tracking.unlikely_inputs import unlikely_camera, unlikely_picture

Warnings = tuple[tuple[str, str], ...]  # kind and text

# Frames -> mean confidence below which keypoints and image do not fit: with a tracker's errors the
# mean of ten frames is 0.23 and more, with half or twice the focal length 0.21 at most.
_LOW_CONFIDENCE = {10: 0.19, 30: 0.4}
_LOW_TOO = 1.4  # times as much, of the hand beside one below the limit
# Where the picture was not looked at. On the demo, hands whose sides are swapped have 0.43 to 0.63
# in a first frame and 0.85 later; those with y mirrored 0.18 to 0.41, and 0.3 in the mean.
_MIRRORED_BELOW = 0.42
# A frame or two of these are noise.
_FRAMES_NEEDED = {"depth_far": 10, "depth_unknown": 10}
# Logarithm of the odds that a hand is the other one, in the mean of so many frames: right hands of
# other rigs with 15 mm of noise have 1.8 for themselves at least.
_OTHER_HAND, _OTHER_HAND_FRAMES = 2.0, 10
_ORDER_FRAMES = 10  # that are judged together, and then the next ones
# Where the joints are not this hand's, what they bend as and how long bones are says nothing.
_OF_OTHER_JOINTS = {"joint_order": {"palm_length", "bone_length"}, "same_place": set()}
# What explains that keypoints and picture do not fit: the lines on that name it, and no others.
_CAUSES = (
    *("dark_image", "blank_image", "frozen_image", "frozen_keypoints"),
    *("camera_centre", "camera_focal", "camera_aspect", "joint_order", "same_place"),
    *("palm_length", "flat_hand", "outside_image", "tiny_hand", "mirrored_axis", "mirrored_depth"),
)
_CONSEQUENCES = ("low_confidence", "picture_empty", "picture_offset", "picture_shape")

_SWAPPED = (
    "the keypoints call the left hand right and the right one left, which is put right: tell the "
    "tracker whether its images are mirrored"
)
_MIRRORED = (
    "the keypoints bend as the other hands' do and lie beside the hands in the image: one axis is "
    "mirrored: with y up (Unity) negate y, with depths towards the camera negate these, or give "
    "the tracker images that are not mirrored"
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
        self._repeats, self._steadiness, self._sizes = Repeats(), Steadiness(), HandSizes()
        self._confidence = {side: deque[float](maxlen=max(_LOW_CONFIDENCE)) for side in SIDES}
        self._odds = {side: deque[float](maxlen=_OTHER_HAND_FRAMES) for side in SIDES}
        self._frames: dict[str, list[Joints]] = {side: [] for side in SIDES}
        self._orders = dict.fromkeys(SIDES, "")
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
        found |= _by_kind(self._wrong_orders(joints))
        found.pop("chirality", None)  # of one frame
        others = [kind for kind in _OF_OTHER_JOINTS if kind in found]
        for kind in others:
            found = {
                each: text for each, text in found.items() if each not in _OF_OTHER_JOINTS[kind]
            }
        if not others:
            found |= _by_kind(self._other_hands(joints))
        found |= dict(self._repeats.check(image, joints, camera))
        found |= _by_kind(self._steadiness.check(joints)) | dict(self._sizes.check(joints))
        if depth is not None:
            found |= _by_kind(unlikely_depth(camera, joints, depth))
        if scene is not None:
            found |= self._against_picture(image, camera, joints, scene, bool(others))
            if scene.swapped and not others:
                found.pop("chirality", None)  # the network has seen the image too
        found = _explained(found)
        self._runs = Counter({kind: self._runs[kind] + 1 for kind in found})
        return tuple(
            (kind, text)
            for kind, text in found.items()
            if self._runs[kind] >= _FRAMES_NEEDED.get(kind, 1)
        )

    def _against_picture(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        joints: Mapping[str, Joints],
        scene: EncodedScene,
        are_others: bool,
    ) -> dict[str, str]:
        """Kind -> text of what the picture contradicts; `are_others`: joints of no or one hand."""
        found: dict[str, str] = {}
        if self._picture:
            found |= _by_kind(self._picture.check(image, camera, joints, scene.swapped))
        if not scene.swapped:
            self._swapped_hands, self._their_confidence = 0, 0.0
        elif not are_others:
            found |= [self._swapped(scene)]
        return found | _by_kind(self._low_confidence(scene))

    def _wrong_orders(self, joints: Mapping[str, Joints]) -> Iterator[tuple[str, str]]:
        for side, xyz in joints.items():
            if len(frames := self._frames[side]) == _ORDER_FRAMES:
                frames.clear()
            frames.append(xyz)
            if len(frames) == _ORDER_FRAMES:
                self._orders[side] = other_order(*frames)
            if order := self._orders[side]:
                yield wrong_order(side, order)

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
        present = {side: each for side, each in scene.confidence.items() if each is not None}
        for side, value in present.items():
            self._confidence[side].append(value)
        windows = {side: list(self._confidence[side]) for side in present}
        if any(_low_mean(window, 1.0) for window in windows.values()):
            # What makes one hand unlikely is mostly wrong for the other one too.
            for side, window in windows.items():
                if low := _low_mean(window, _LOW_TOO):
                    yield _low(side, *low)


def _low_mean(window: list[float], times: float) -> tuple[float, int] | None:
    """Mean confidence and frames of the shortest run below so many times its limit."""
    for frames, limit in _LOW_CONFIDENCE.items():
        mean = sum(window[-frames:]) / frames
        if len(window) >= frames and mean < times * limit:
            return mean, frames
    return None


def _low(side: str, mean: float, frames: int) -> tuple[str, str]:
    return (
        "low_confidence",
        f"the {side} hand has had a mean confidence of {mean:.2f} over {frames} frames: keypoints "
        "and image do not fit together: check stamps, K, and distance and frame of the keypoints",
    )


def _explained(found: dict[str, str]) -> dict[str, str]:
    """The same, where one cause is known without the other causes that there might be."""
    cause = next((kind for kind in _CAUSES if kind in found), None)
    if cause is None:
        return found
    return {
        kind: _because(text, cause) if kind in _CONSEQUENCES else text
        for kind, text in found.items()
        if kind != "picture_side"
    }


def _because(text: str, cause: str) -> str:
    seen = "; ".join(each.partition(": check ")[0] for each in text.split("; "))
    return f"{seen}: repair what the line of '{cause}' names first"


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
    yield from unlikely_picture(image)
    yield from unlikely_camera(camera)
    yield from unlikely_hands(camera, joints)
