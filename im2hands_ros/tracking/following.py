"""The two hands of a stream, followed from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.association import REACH, are_exchanged, exchange
from im2hands_ros.tracking.fitted_hand import FittedHand
from im2hands_ros.tracking.hand_filter import HandFilter, HandMemory
from im2hands_ros.tracking.interfaces import Joints

# Frames in a row that must contradict the sides before they change, 0.17 s at 30 Hz.
SIDE_PATIENCE = 5
# Frames in a row that a hand may be far from where it is expected before it is followed there.
_PLACE_PATIENCE = 2
_REACH_PER_SECOND = 1.5  # m/s; the longer a hand was not seen, the further it may be
# A hand is expected somewhere for so long after it was seen, even if max_gap is less, seconds.
_EXPECTED_FOR = 0.25
# Joints are trusted by their spread: so many times the usual noise, at least and at most.
_SPREAD_RANGE = (0.7, 3.0)


@dataclass
class _Hand:
    """One followed hand. fitted: the same under its observed skin; seen: stamp, seconds;
    confidence: when it was seen; far: see `_PLACE_PATIENCE`; frames: how many it was seen in."""

    filter: HandFilter
    fitted: FittedHand
    seen: float
    confidence: float = 1.0
    far: int = 0
    frames: int = 1


class HandFollower:
    """Predicts both hands, tells them apart, and filters what is measured of them.

    For each frame `expect`, then `settle` with what came of the joints, then `fit` with what a
    depth image made of those, or `carry` where there is none. For one thread.

    Args:
        lengths: (24,) metres of the person's bones, in the order of `skeleton.LINKS`; None: they
            are measured.

    Attributes:
        exchanged: the tracker calls the left hand right and the other way round, by the image.
        ages: of the sides of the last frame, seconds since each hand was seen.
    """

    def __init__(self, lengths: NDArray[np.float64] | None = None) -> None:
        self._hands: dict[str, _Hand] = {}
        self._memory = {side: HandMemory(lengths) for side in SIDES}
        self._fits = {side: HandMemory(lengths) for side in SIDES}
        self._stamp, self._max_gap = -np.inf, 0.0
        self._by_name = self._by_image = 0  # frames in a row that contradict the sides
        self._given: dict[str, Joints] = {}
        self._settled: dict[str, Joints] = {}
        self.exchanged = False
        self.ages: dict[str, float] = {}

    def expect(
        self, given: Mapping[str, Joints], stamp: float, max_gap: float
    ) -> dict[str, Joints]:
        """Move on to a frame.

        Args:
            given: the tracker's (21, 3) joints by side.
            stamp: of the frame, seconds; not after the last one's: everything starts afresh.
            max_gap: how long a hand that is not given is carried on, seconds.

        Returns:
            The joints given, by the sides that the hands are known by, and those expected of
            hands that were not given.
        """
        self._move_to(stamp, max_gap)
        self._given = self._by_place(exchange(given) if self.exchanged else dict(given))
        carried = {
            side: hand.filter.joints
            for side, hand in self._hands.items()
            if side not in self._given and stamp - hand.seen <= max_gap
        }
        both = self._given | carried
        return {side: both[side] for side in SIDES if side in both}

    def settle(self, estimate: EstimatedJoints) -> EstimatedJoints:
        """Filter what the image or the tracker say of the joints that `expect` returned.

        Hands that were not given are where they were expected, with less confidence.
        """
        estimate = self._by_patience(estimate)
        joints, confidence = {}, {}
        self.ages = {}
        for side, measured in estimate.joints.present.items():
            share = estimate.confidence.present.get(side, 1.0)
            if side in self._given:
                self._correct(side, measured, share, estimate.spread.present.get(side))
            hand = self._hands[side]
            age = self._stamp - hand.seen
            joints[side], self.ages[side] = hand.filter.joints, age
            left = 1 - age / self._max_gap if age and self._max_gap else 1.0
            confidence[side] = (hand.confidence if age else share) * max(left, 0.0)
        self._settled = joints
        return replace(
            estimate,
            joints=HandPair(**joints),
            confidence=HandPair(**confidence),
            swapped=self.exchanged,
        )

    def fit(self, estimate: EstimatedJoints) -> EstimatedJoints:
        """Filter what a depth image made of the joints that `settle` returned.

        Hands that were not given are where they were expected.
        """
        fitted = {
            side: self._hands[side].fitted.carry(xyz, self._stamp, seen=False)
            if self.ages[side]
            else self._hands[side].fitted.fit(xyz, self._settled[side], self._stamp)
            for side, xyz in estimate.joints.present.items()
        }
        return replace(estimate, joints=HandPair(**fitted))

    def carry(self, estimate: EstimatedJoints) -> EstimatedJoints:
        """Correct what `settle` returned, in a frame without a depth image, by the last ones."""
        carried = {
            side: self._hands[side].fitted.carry(xyz, self._stamp, not self.ages[side])
            for side, xyz in estimate.joints.present.items()
        }
        return replace(estimate, joints=HandPair(**carried))

    def _move_to(self, stamp: float, max_gap: float) -> None:
        if not stamp > self._stamp:
            self._hands.clear()
            self._by_name = self._by_image = 0
        kept = max(max_gap, _EXPECTED_FOR)
        self._hands = {s: hand for s, hand in self._hands.items() if stamp - hand.seen <= kept}
        for hand in self._hands.values():
            hand.filter.predict(stamp, seen=hand.seen == self._stamp)
        self._stamp, self._max_gap = stamp, max_gap

    def _by_place(self, given: dict[str, Joints]) -> dict[str, Joints]:
        """The given hands by the sides of the followed ones that they lie at."""
        expected = {side: hand.filter.joints for side, hand in self._hands.items()}
        if not are_exchanged(expected, given):
            self._by_name = 0
            return given
        self._by_name += 1
        if self._by_name < SIDE_PATIENCE:
            return exchange(given)
        self._by_name = 0
        if self.exchanged:  # the tracker has found its sides again
            self.exchanged = False
            return exchange(given)
        self._exchange_hands()
        return given

    def _by_patience(self, estimate: EstimatedJoints) -> EstimatedJoints:
        """The sides that the image has shown for long enough."""
        if not estimate.swapped:
            self._by_image = 0
            return estimate
        self._by_image += 1
        held = max((hand.frames for hand in self._hands.values()), default=0)
        if self._by_image < min(SIDE_PATIENCE, held + 1):
            return replace(
                estimate,
                joints=HandPair(**exchange(estimate.joints.present)),
                confidence=HandPair(**exchange(estimate.confidence.present)),
                spread=HandPair(**exchange(estimate.spread.present)),
            )
        self._by_image = 0
        self.exchanged = not self.exchanged
        self._exchange_hands()
        self._given = exchange(self._given)
        return estimate

    def _exchange_hands(self) -> None:
        self._hands, self._memory = exchange(self._hands), exchange(self._memory)
        self._fits = exchange(self._fits)

    def _correct(
        self, side: str, joints: Joints, confidence: float, spread: NDArray[np.float32] | None
    ) -> None:
        hand = self._hands.get(side)
        if hand is not None and self._is_far(hand, joints):
            hand.far += 1
            if hand.far <= _PLACE_PATIENCE:
                return
            hand = None
        if hand is None:
            self._memory[side].pause()
            new = HandFilter(joints, self._stamp, self._memory[side])
            fitted = FittedHand(self._fits[side])
            hand = self._hands[side] = _Hand(new, fitted, self._stamp, frames=0)
        hand.filter.correct(joints, _trust(spread))
        hand.seen, hand.confidence, hand.far = self._stamp, confidence, 0
        hand.frames += 1

    def _is_far(self, hand: _Hand, joints: Joints) -> bool:
        away = float(np.linalg.norm(joints.mean(axis=0) - hand.filter.centre))
        return away > REACH + _REACH_PER_SECOND * (self._stamp - hand.seen)


def _trust(spread: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
    """(21,) how many times the usual noise each joint has, from the spreads of its estimate."""
    if spread is None:
        return None
    usual = max(float(np.median(spread)), 1e-6)
    return np.clip(spread.astype(np.float64) / usual, *_SPREAD_RANGE)
