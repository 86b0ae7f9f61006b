"""Which order 21 joints are in, by the lengths of bones and the gaps between knuckles.

These are a person's and the same in every pose. In a wrong order they are those of no hand, and in
the order that the joints are in they are a usual hand's again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import BONES, JOINT_COUNT, ORDER_INTERHAND, to_mano_order

Joints = NDArray[np.floating]
Lengths = NDArray[np.float64]  # (orders, links)

_LINKS = (*BONES, (5, 9), (9, 13), (13, 17))
# Of each link, millimetres: medians of 1024 poses of the synthetic hand.
_USUAL_MM = np.array(
    [
        *(37, 31, 36, 25),
        *(99, 24, 22, 24),
        *(93, 31, 27, 23),
        *(90, 27, 23, 23),
        *(87, 19, 15, 18),
        *(25.6, 20.3, 19.7),
    ],
    np.float64,
)
# Measured on rendered motions of nine hand rigs and hands with stretched bones: a right order
# scores 0.6 with 8 mm of noise at most, and no other order 0.6 times that. The mean of ten frames
# tells neighbouring fingers apart, whose bones are alike: a right order is at most 0.14 with 4 mm
# of noise, 0.27 with 12, two fingers exchanged 0.2 and more, 0.45 of that in their own order.
_UNLIKELY, _FAR_BETTER = 0.38, 0.6
_UNLIKELY_MEAN, _FAR_BETTER_MEAN = 0.15, 0.65

_BASE_TO_TIP, _TIP_TO_BASE = (0, 1, 2, 3), (3, 2, 1, 0)


def _fingers(fingers: Sequence[int] = range(5), levels: Sequence[int] = _BASE_TO_TIP) -> list[int]:
    return [1 + 4 * finger + level for finger in fingers for level in levels]


_BY_LEVEL = [1 + 4 * finger + level for level in range(4) for finger in range(5)]
_INTERHAND = to_mano_order(np.arange(JOINT_COUNT * 3).reshape(-1, 3), ORDER_INTERHAND)[:, 0] // 3
# Order -> the MANO-order joints as they come in it.
_SENT: dict[str, Sequence[int]] = {
    "MANO": range(JOINT_COUNT),
    "InterHand (joint_order ORDER_INTERHAND)": np.argsort(_INTERHAND).tolist(),
    "MANO sent as InterHand (joint_order ORDER_MANO)": _INTERHAND.tolist(),
    "that of MANO's model files (index, middle, pinky, ring, thumb, then the tips)": [
        *(0, *_fingers((1, 2, 4, 3, 0), (0, 1, 2))),
        *_fingers(levels=(3,)),
    ],
    "fingers from pinky to thumb": [0, *_fingers((4, 3, 2, 1, 0))],
    "the thumb last": [0, *_fingers((1, 2, 3, 4, 0))],
    "the wrist last, fingers from base to tip": [*_fingers(), 0],
    "fingers from tip to base": [0, *_fingers(levels=_TIP_TO_BASE)],
    "fingers from pinky to thumb and from tip to base": [
        *(0, *_fingers((4, 3, 2, 1, 0), _TIP_TO_BASE))
    ],
    "fingers from pinky to thumb and from tip to base, the wrist last": [
        *(*_fingers((4, 3, 2, 1, 0), _TIP_TO_BASE), 0)
    ],
    "all knuckles, then the rest of each finger": [
        *(0, *_fingers(levels=(0,))),
        *_fingers(levels=(1, 2, 3)),
    ],
    "all knuckles, then all next joints, and so on": [0, *_BY_LEVEL],
    "the tips last": [0, *_fingers(levels=(0, 1, 2)), *_fingers(levels=(3,))],
    "index and middle finger exchanged": [0, *_fingers((0, 2, 1, 3, 4))],
    "middle and ring finger exchanged": [0, *_fingers((0, 1, 3, 2, 4))],
    "ring finger and pinky exchanged": [0, *_fingers((0, 1, 2, 4, 3))],
}
_NAMES = tuple(_SENT)
_MANO_FROM_SENT = np.array([np.argsort(list(sent)) for sent in _SENT.values()])
_PARENTS, _CHILDREN = np.array(_LINKS).T


def other_order(*frames: Joints) -> str:
    """The joint order that fits far better than MANO's; empty when none does.

    frames: (21, 3) joints of one frame, or of ten in a row, which tell more.
    """
    unlikely, far_better = (
        (_UNLIKELY, _FAR_BETTER) if len(frames) == 1 else (_UNLIKELY_MEAN, _FAR_BETTER_MEAN)
    )
    joints = np.stack(frames)
    given = _disproportion(_mean_lengths(joints, _MANO_FROM_SENT[:1]))[0]
    if given <= unlikely:  # nearly always: no other order needs to be tried
        return ""
    scores = _disproportion(_mean_lengths(joints, _MANO_FROM_SENT))
    best = int(scores.argmin())
    return _NAMES[best] if scores[best] < far_better * given else ""


def _mean_lengths(joints: Joints, orders: NDArray[np.intp]) -> Lengths:
    """(orders, links) of (frames, 21, 3) joints, if they were in each order."""
    ends, starts = joints[:, orders[:, _CHILDREN]], joints[:, orders[:, _PARENTS]]
    lengths: Lengths = np.linalg.norm(ends - starts, axis=-1).mean(axis=0, dtype=np.float64)
    return lengths


def _disproportion(lengths: Lengths) -> NDArray[np.float64]:
    """(orders,) root mean square of the logarithms of lengths over usual ones, size left aside."""
    floor = 0.02 * lengths.max(axis=1, keepdims=True) + 1e-9
    ratios = np.log(np.maximum(lengths, floor) / _USUAL_MM)
    ratios -= np.median(ratios, axis=1, keepdims=True)
    scores: NDArray[np.float64] = np.sqrt((np.clip(ratios, -2, 2) ** 2).mean(axis=1))
    return scores
