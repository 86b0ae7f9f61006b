"""What the picture itself says of a tracker's keypoints: is there a hand, where, and of which side.

Limits by rendered streams of other seeds than any training's, of nine hand rigs, four looks each:
hands with all of a tracker's errors have a presence of 0.28 and more, and nearly always a misfit
under 1; of hands projected with half the focal length 95 of 100 have a presence under 0.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.networks.compact.landmark_encoder import SeenHand
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.interfaces import Joints
from im2hands_ros.tracking.late_keypoints import LateKeypoints
from im2hands_ros.tracking.picture_looks import (
    BOTH,
    KEPT,
    Finding,
    LookAt,
    PictureLooks,
    Pixels,
    each_once,
)

# Nobody would see a hand; below `_PRESENCE` only where its landmarks do not fit either.
_NO_PRESENCE, _UNFIT_MISFIT, _UNFIT_SHAPE = 0.1, 0.5, 0.15
_OFFSET = 0.27  # share of the hand's size
_SHAPE = 0.3  # root mean square
# In the picture's plane, of shapes that agree so well: with all of a tracker's errors 11 degrees.
_TURN, _AGREE = np.deg2rad(16.0), 0.8
_PRESENCE = 0.25
# A tracker's errors of size are seldom those of both hands.
_GROWTH = {**dict.fromkeys(SIDES, 0.38), BOTH: 0.21}  # logarithm of a ratio of sizes
# Of a single look, which may be at a hard pose.
_ONCE_PRESENCE, _ONCE_MISFIT = 0.15, 1.5
# Of the other hand, where one is contradicted: a wrong K, frame, unit or stamp is so for both.
_SURE_PRESENCE, _SURE_MISFIT, _SURE_SHAPE = 0.5, 0.6, 0.2
# A look takes a hand for the other one in some poses, all of them in a stream: both hands count.
_OTHER_SIDE, _OTHER_SIDE_ALONE, _OWN_SIDE = 0.15, 0.04, 0.75


class PictureEvidence:
    """What looks at the frames of one stream say.

    Args:
        look_at: as `LandmarkEncoder.see`.
    """

    def __init__(self, look_at: LookAt) -> None:
        self._look_at = look_at
        self._looks = PictureLooks(self._look, is_odd)
        self._late = LateKeypoints()
        self._are_swapped = False
        self._found: dict[str, list[Finding]] = {}

    def check(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        joints: Mapping[str, Joints],
        swapped: bool,
    ) -> Iterator[tuple[str, str]]:
        """Kind and text of what the picture contradicts; arguments as `Plausibility.check`'s.

        swapped: the networks hold the sides for swapped: look at once, `agrees` is needed.
        """
        if swapped != self._are_swapped:
            self._looks.begin()
        self._are_swapped = swapped
        self._found = self._looks.update(image, camera, joints, at_once=swapped)
        yield from self._late.check(camera, joints)
        self._looks.at_most = self._late.pause
        judged = {name: found for name, found in self._found.items() if len(found) == KEPT}
        odd = {name: found for name, found in judged.items() if is_odd(name, found)}
        for name, found in odd.items():
            yield _contradiction(name, found)
        if len(odd) == 1 and BOTH not in odd:
            yield from self._other_hand(next(iter(odd)), joints)
        sides = {name: found for name, found in judged.items() if name != BOTH}
        if sides and not odd and not swapped:
            yield from _other_side(sides)

    def _other_hand(self, odd: str, joints: Mapping[str, Joints]) -> Iterator[tuple[str, str]]:
        """The hand beside one that is contradicted, unless it is surely where its joints are."""
        for side in joints.keys() - {odd}:
            found = self._found.get(side, [])
            if not found or not _is_sure(side, found):
                kind, _ = _contradiction(odd, self._found[odd])
                yield kind, f"nor does it confirm the {side} hand: look for a cause common to both"

    def _look(
        self, image: NDArray[np.uint8], pixels: Mapping[str, Pixels]
    ) -> Mapping[str, SeenHand]:
        seen = self._look_at(image, pixels)
        self._late.add(seen, pixels)
        return seen

    def agrees(self) -> bool | None:
        """Whether hands are seen where the keypoints have them; None: nothing was seen."""
        return not any(is_odd(*each) for each in self._found.items()) if self._found else None

    def own_sides(self) -> bool:
        """Whether the hands that are seen are of the sides that the keypoints are called."""
        seen = [each.own_side for found in self._found.values() for each in found]
        return len(seen) >= KEPT and float(np.mean(seen)) > _OWN_SIDE


def is_odd(name: str, found: list[Finding]) -> bool:
    """Whether looks at a hand, or at both, contradict that they are where their keypoints are."""
    presence, misfit, shape = _judged(name, found)
    return _is_empty(presence, misfit, shape) or misfit > 1 or shape > _SHAPE or _turned(found) != 0


def _turned(found: list[Finding]) -> float:
    """Degrees by which a hand is seen turned in the picture, clockwise; 0: none, or not sure."""
    turn = complex(np.mean([each.turn for each in found]))
    angle = float(np.angle(turn))
    return float(np.rad2deg(angle)) if abs(turn) > _AGREE and abs(angle) > _TURN else 0.0


def _is_sure(name: str, found: list[Finding]) -> bool:
    presence, misfit, shape = _judged(name, found)
    return presence > _SURE_PRESENCE and misfit < _SURE_MISFIT and shape < _SURE_SHAPE


def _is_empty(presence: float, misfit: float, shape: float) -> bool:
    is_unfit = misfit > _UNFIT_MISFIT or shape > _UNFIT_SHAPE
    return presence < _NO_PRESENCE or (presence < _PRESENCE and is_unfit)


def contradicted_once(
    look_at: LookAt, image: NDArray[np.uint8], camera: Camera, joints: Mapping[str, Joints]
) -> Iterator[tuple[str, str]]:
    """Kind and text of what a single picture contradicts plainly; arguments as `check`'s."""
    for name, finding in each_once(look_at, image, camera, joints).items():
        presence, misfit, _ = _judged(name, [finding])
        if presence < _ONCE_PRESENCE or misfit > _ONCE_MISFIT:
            yield _contradiction(name, [finding])


def _judged(name: str, found: list[Finding]) -> tuple[float, float, float]:
    """Mean presence, how far beyond the limits place and size are, and the shape's difference."""
    # Of each look by itself: keypoints that are late lie now on this side, now on that.
    misfits = [
        float(np.hypot(np.linalg.norm(each.offset) / _OFFSET, each.growth / _GROWTH[name]))
        for each in found
    ]
    shape = np.square(np.mean([each.shape for each in found], axis=0)).sum(1).mean()
    presence = float(np.mean([each.presence for each in found]))
    return presence, float(np.sqrt(np.mean(np.square(misfits)))), float(np.sqrt(shape))


def _offset(found: list[Finding]) -> float:
    return float(np.mean([np.linalg.norm(each.offset) for each in found]))


def _contradiction(name: str, found: list[Finding]) -> tuple[str, str]:
    presence, misfit, shape = _judged(name, found)
    hand = "hands, clasped," if name == BOTH else f"{name} hand"
    if presence < _ONCE_PRESENCE or _is_empty(presence, misfit, shape):
        return (
            "picture_empty",
            f"the picture shows no hand at the keypoints of the {hand} with a presence of "
            f"{presence:.2f}: check K and its focal length, and unit, frame and stamps of the "
            "keypoints",
        )
    if misfit > 1:
        pixels = _offset(found) * float(np.mean([each.size_px for each in found]))
        larger = float(np.exp(np.mean([each.growth for each in found])))
        return (
            "picture_offset",
            f"the picture shows the {hand} {pixels:.0f} px beside the keypoints and {larger:.2f} "
            "times as large: check K and its focal length, the stamps, and frame and distance of "
            "the keypoints",
        )
    if turned := _turned(found):
        return (
            "picture_turned",
            f"the picture shows the {hand} turned by {abs(turned):.0f} degrees "
            f"{'clockwise' if turned > 0 else 'counter-clockwise'} from the keypoints: check the "
            "frame of the keypoints, or of this hand's rotation, and whether the picture is level",
        )
    return (
        "picture_shape",
        f"the picture shows the {hand} in another pose, the joints {shape:.2f} of the size beside "
        "the keypoints: check the joint order, the stamps, and for a mirrored axis",
    )


def _other_side(judged: Mapping[str, list[Finding]]) -> Iterator[tuple[str, str]]:
    """Of keypoints that bend as their side's do: the picture alone contradicts, so it must be
    very sure."""
    sides = {side: float(np.mean([each.own_side for each in f])) for side, f in judged.items()}
    mean = float(np.mean(list(sides.values())))
    if mean < (_OTHER_SIDE if len(sides) == len(SIDES) else _OTHER_SIDE_ALONE):
        named = " and ".join(sides)
        yield (
            "picture_side",
            f"the picture shows the other hand where the keypoints of the {named} hand lie, with a "
            f"probability of {1 - mean:.2f}: swap the sides, or give pictures and keypoints of "
            "which neither is mirrored",
        )
