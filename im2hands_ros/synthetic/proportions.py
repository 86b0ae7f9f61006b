"""Other proportions of a baked hand: fingers of other lengths and girths, joints elsewhere.

A network that learns from one rig learns where that rig bends. The packaged hand's knuckles bend at
the web of the fingers; anatomical ones, and those of other rigs, lie up to 18 mm nearer the wrist.
All lengths are metres.
"""

from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree

# First rows of the fingers in joints (palm joint, MCP, PIP, DIP) and of their keypoints.
FINGER_JOINTS = {"index": 4, "middle": 8, "ring": 12, "pinky": 16}
FINGER_KEYPOINTS = {"index": 5, "middle": 9, "ring": 13, "pinky": 17}
THUMB_JOINT, THUMB_KEYPOINT = 1, 1
# How far knuckles move along their metacarpal; what of it fingers have in common.
KNUCKLE_SLIDE, COMMON = (-0.017, 0.003), 0.8
THUMB_SHIFT = 0.005
LENGTH_DEVIATION, GIRTH_DEVIATION = 0.07, 0.09
# Of the whole hand, along its width, length and thickness.
SIZE_DEVIATION = (0.05, 0.04, 0.06)
_LENGTHS = ("vertices", "joints", "keypoints", "vertex_basis", "joint_basis", "keypoint_basis")
# Weights change over about this far.
SMOOTHINGS = 3


def vary(
    asset: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    slides: tuple[float, float] = KNUCKLE_SLIDE,
) -> dict[str, np.ndarray]:
    """The arrays of another hand; slides: how far knuckles move, from and to."""
    hand = {name: value.copy() for name, value in asset.items()}
    common = rng.uniform(*slides)
    for finger in FINGER_JOINTS:
        own = rng.uniform(*slides)
        slide_knuckle(hand, finger, COMMON * common + (1 - COMMON) * own)
    shift = rng.uniform(-THUMB_SHIFT, THUMB_SHIFT, 3)
    hand["joints"][THUMB_JOINT] += shift
    hand["keypoints"][THUMB_KEYPOINT] += shift
    for finger in ("thumb", *FINGER_JOINTS):
        length, girth = rng.normal(0, (LENGTH_DEVIATION, GIRTH_DEVIATION)).clip(-0.2, 0.2)
        resize_finger(hand, finger, 1 + length, 1 + girth)
    size = 1 + rng.normal(0, SIZE_DEVIATION).clip(-0.15, 0.15)
    return scaled(hand, size)


def scaled(hand: Mapping[str, np.ndarray], size: np.ndarray | float) -> dict[str, np.ndarray]:
    """The arrays of a hand of another size, along x, y and z."""
    larger = {name: hand[name] * size for name in _LENGTHS}
    return dict(hand) | {name: v.astype(hand[name].dtype) for name, v in larger.items()}


def slide_knuckle(hand: dict[str, np.ndarray], finger: str, slide: float) -> None:
    """Let a finger begin elsewhere: its MCP joint, that keypoint and the skin that follows it."""
    knuckle = FINGER_JOINTS[finger] + 1
    start, end = hand["joints"][knuckle - 1], hand["joints"][knuckle]
    axis = (end - start) / np.linalg.norm(end - start)
    share = smoothed(moved_share(hand, knuckle, -slide * axis), hand["faces"])
    columns = finger_columns(finger)
    weights = hand["weights"]
    before = weights[:, columns].sum(1)
    share = np.where(weights[:, 0] > 0.5, before, share)  # the forearm follows no finger
    rest = np.setdiff1d(np.arange(weights.shape[1]), columns)
    gain = share - before
    scale = np.where(gain > 0, 1, share / np.maximum(before, 1e-6))
    weights[:, columns] *= scale[:, None]
    weights[:, knuckle + 1] += gain.clip(0)
    others = weights[:, rest].sum(1)
    lacking = others < 1e-6
    weights[lacking, FINGER_JOINTS[finger] + 1] += (1 - share)[lacking]
    weights[:, rest] *= np.where(lacking, 1, (1 - share) / np.maximum(others, 1e-6))[:, None]
    np.clip(weights, 0, None, out=weights)
    weights /= weights.sum(1, keepdims=True)
    hand["joints"][knuckle] += slide * axis
    hand["keypoints"][FINGER_KEYPOINTS[finger]] += slide * axis


def finger_columns(finger: str) -> np.ndarray:
    """Columns of the skin's weights that a finger's own bones have."""
    if finger == "thumb":
        return np.arange(THUMB_JOINT, THUMB_JOINT + 3) + 1
    return np.arange(FINGER_JOINTS[finger] + 1, FINGER_JOINTS[finger] + 4) + 1


def moved_share(hand: dict[str, np.ndarray], knuckle: int, offset: np.ndarray) -> np.ndarray:
    """(V,) how much the skin follows the finger, as if that skin lay ``offset`` further on."""
    columns = np.arange(knuckle, knuckle + 3) + 1
    share = hand["weights"][:, columns].sum(1)
    _, source = cKDTree(hand["vertices"]).query(hand["vertices"] + offset)
    return share[source]


def smoothed(values: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) values, each blended with the mean of its neighbours'."""
    start, end = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    start, end = np.concatenate([start, end]), np.concatenate([end, start])
    count = np.bincount(start, minlength=len(values)).clip(1)
    for _ in range(SMOOTHINGS):
        around = np.bincount(start, values[end], minlength=len(values)) / count
        values = (values + around) / 2
    return values


def resize_finger(hand: dict[str, np.ndarray], finger: str, length: float, girth: float) -> None:
    """Stretch a finger along the line of its joints and around it, from the first one on."""
    first = THUMB_JOINT if finger == "thumb" else FINGER_JOINTS[finger] + 1
    keypoint = THUMB_KEYPOINT if finger == "thumb" else FINGER_KEYPOINTS[finger]
    tip = hand["keypoints"][keypoint + 3]
    line = np.concatenate([hand["joints"][first : first + 3], tip[None]])
    moved_line = line[0] + length * (line - line[0])
    share = hand["weights"][:, finger_columns(finger)].sum(1)
    nearest, drawn = on_line(hand["vertices"], line, moved_line)
    around = drawn + girth * (hand["vertices"] - nearest)
    hand["vertices"] += share[:, None] * (around - hand["vertices"])
    hand["joints"][first : first + 3] = moved_line[:3]
    rows = slice(keypoint, keypoint + 4)
    nearest, drawn = on_line(hand["keypoints"][rows], line, moved_line)
    hand["keypoints"][rows] = drawn + girth * (hand["keypoints"][rows] - nearest)


def on_line(
    points: np.ndarray, line: np.ndarray, moved: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) nearest places on a polyline (the first and last piece go on), and where these are
    on the moved one."""
    best = np.full(len(points), np.inf)
    nearest, drawn = np.zeros_like(points), np.zeros_like(points)
    for piece in range(len(line) - 1):
        start, step = line[piece], line[piece + 1] - line[piece]
        share = (points - start) @ step / (step @ step)
        low = -np.inf if piece == 0 else 0.0
        high = np.inf if piece == len(line) - 2 else 1.0
        share = share.clip(low, high)[:, None]
        place = start + share * step
        distance = np.linalg.norm(points - place, axis=1)
        closer = distance < best
        best[closer] = distance[closer]
        nearest[closer] = place[closer]
        drawn[closer] = (moved[piece] + share * (moved[piece + 1] - moved[piece]))[closer]
    return nearest, drawn
