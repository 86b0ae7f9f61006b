"""Make pictures of two clasped hands with real skin out of videos of single hands.

    python tools/overlay_hands.py hand.mp4 other.mp4 --out data/photo --split train --count 768

Hands are found by MediaPipe, their joints are those of its landmark network, cut out by their
colour, turned, scaled, mirrored or not, and laid over each other before other backgrounds: so
joints of hidden fingers are known, too. Of each video the last fifth is kept for ``--split val``.
Writes shards for ``im2hands train landmarks``; their distances are made up (a palm is 93 mm), and
their labelled points are of no use. Mind the videos' licences: the pictures show them.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.detection import HandDetector
from im2hands_ros.networks.compact.landmark_encoder import LandmarkEncoder
from im2hands_ros.skeleton import BONES, MIDDLE_MCP, SIDES, TIPS, WRIST
from im2hands_ros.synthetic.background import random_background
from im2hands_ros.synthetic.sample import Mesh, Sample
from im2hands_ros.synthetic.shards import save_shard, shard_path

SIZE, FOCAL, PALM = 384, 560.0, 0.093
CAMERA = Camera(SIZE, SIZE, FOCAL, FOCAL, (SIZE - 1) / 2, (SIZE - 1) / 2)
SHARD = 128
LEAST_PRESENCE = 0.9
# MediaPipe's wrist lies nearer the fingers than the joint, in palm lengths.
WRIST_SHIFT = 0.05
CUT_PALM = 110.0  # pixels of a palm in what is cut out
# Of pairs: in these the lower hand's fingers come through between those of the upper one. In palms.
INTERLEAVED, FINGER_WIDTH = 0.5, 0.34
NO_SURFACE = np.array([[0, 1, 2]], np.int32)
SPLIT_SEEDS = {"train": 1, "val": 2}


class Cutting(NamedTuple):
    """A right hand: picture (H, W, 3) uint8, share (H, W) float32 of the hand in each pixel, joints
    (21, 3) x, y and depth behind the wrist, pixels."""

    picture: np.ndarray
    share: np.ndarray
    joints: np.ndarray


def frames_of(video: Path, split: str, most: int) -> list[np.ndarray]:
    """Frames of a split, evenly spaced, RGB."""
    reader = cv2.VideoCapture(str(video))
    count = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    border = count * 4 // 5
    first, last = (0, border - 5) if split == "train" else (border, count - 1)
    wanted = set(np.linspace(first, last, most).astype(int).tolist())
    found = []
    for number in range(last + 1):
        if not reader.grab():
            break
        if number in wanted:
            found.append(cv2.cvtColor(reader.retrieve()[1], cv2.COLOR_BGR2RGB))
    return found


def cut(frame: np.ndarray, detector: HandDetector, encoder: LandmarkEncoder) -> Cutting | None:
    """The frame's only hand as a right one; None where it is not clear."""
    height, width = frame.shape[:2]
    camera = Camera(width, height, width, width, (width - 1) / 2, (height - 1) / 2)
    found = detector.detect(frame, camera)
    hands = {side: hand.keypoints_px for side, hand in found.items() if hand is not None}
    if len(hands) != 1:
        return None
    (side,) = hands
    seen = encoder.see(frame, hands)[side]
    if seen.presence < LEAST_PRESENCE or (seen.right > 0.5) != (side == "right"):
        return None
    joints = np.column_stack([seen.pixels, seen.relief - seen.relief[WRIST]])
    palm = float(np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST]))
    joints[WRIST] += WRIST_SHIFT * (joints[WRIST] - joints[MIDDLE_MCP])
    joints[:, 2] -= joints[WRIST, 2]
    scale = CUT_PALM / palm
    picture = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    joints = (joints + (0.5, 0.5, 0)) * scale - (0.5, 0.5, 0)
    if side == "left":
        picture = np.ascontiguousarray(picture[:, ::-1])
        joints[:, 0] = picture.shape[1] - 1 - joints[:, 0]
    return Cutting(picture, hand_share(picture, joints[:, :2]), joints)


def hand_share(picture: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(H, W) float32 where the hand and its forearm are."""
    mask = np.full(picture.shape[:2], cv2.GC_BGD, np.uint8)
    elbow = joints[WRIST] + 2.5 * (joints[WRIST] - joints[MIDDLE_MCP])
    lines = [(joints[a], joints[b]) for a, b in BONES] + [(joints[WRIST], elbow)]
    for label, width in ((cv2.GC_PR_BGD, 70), (cv2.GC_PR_FGD, 26), (cv2.GC_FGD, 5)):
        for start, end in lines:
            ends = (tuple(int(v) for v in np.rint(p)) for p in (start, end))
            cv2.line(mask, *ends, label, width)
    palm = np.rint(joints[[0, 1, 5, 9, 13, 17]]).astype(np.int32)
    cv2.fillPoly(mask, [palm], cv2.GC_FGD)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(picture, mask, None, models[0], models[1], 4, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, labels = cv2.connectedComponents(inside)
    wrist = tuple(np.rint(joints[MIDDLE_MCP][::-1]).astype(int))
    kept = (labels == labels[wrist]).astype(np.float32) if count > 1 else inside.astype(np.float32)
    return cv2.GaussianBlur(cv2.erode(kept, np.ones((3, 3))), (0, 0), 0.8)


class Laid(NamedTuple):
    """A hand in the picture: as `Cutting`, in its size, with its side."""

    picture: np.ndarray
    share: np.ndarray
    joints: np.ndarray
    side: str


def lay(cutting: Cutting, side: str, centre: np.ndarray, palm: float, turn: float) -> Laid:
    """Turn, scale and mirror a hand so that its palm's middle is at ``centre``."""
    scale = palm / CUT_PALM
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if side == "left":
        linear = linear @ np.diag([-1.0, 1.0])
    middle = cutting.joints[[WRIST, MIDDLE_MCP], :2].mean(0)
    affine = np.column_stack([linear, centre - linear @ middle])
    picture, share = (
        cv2.warpAffine(part, affine, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
        for part in (cutting.picture, cutting.share)
    )
    places = cutting.joints[:, :2] @ linear.T + affine[:, 2]
    return Laid(picture, share, np.column_stack([places, cutting.joints[:, 2] * scale]), side)


def overlay(
    cuttings: list[Cutting], pair: bool, rng: np.random.Generator
) -> tuple[np.ndarray, list[Laid]]:
    """A picture and its hands, the lower one first."""
    sides = list(rng.permutation(SIDES))[: 1 + pair]
    palm, turn = rng.uniform(60, 105), rng.normal(0, 0.6)
    apart = rng.normal(0, 0.45 if rng.random() < 0.8 else 1.0, 2) * palm
    middle = np.full(2, (SIZE - 1) / 2) + rng.normal(0, 15, 2)
    picture = random_background(rng, SIZE, SIZE).astype(np.float32)
    if rng.random() < 0.3:
        picture[:] = picture.mean((0, 1)) * rng.uniform(0.3, 1)
    tint = rng.normal(1, 0.05, 3)
    laid = []
    for number, side in enumerate(sides):
        # Clasped hands point towards each other or the same way; forearms come from below.
        own = turn + (0.5 if side == "left" else -0.5) * rng.uniform(-0.3, 2.5)
        place = middle + (number - 0.5) * apart * pair
        cutting = cuttings[int(rng.integers(len(cuttings)))]
        hand = lay(cutting, side, place, palm * np.exp(rng.normal(0, 0.07)), own)
        skin = np.clip(hand.picture * tint * rng.normal(1, 0.04), 0, 255)
        laid.append(hand._replace(picture=skin))
        picture = with_shown(picture, laid[-1].picture, hand.share, rng)
    if pair and rng.random() < INTERLEAVED:
        lower = laid[0]
        picture = with_shown(picture, lower.picture, fingers_share(lower, rng), rng)
    return np.clip(picture, 0, 255).astype(np.uint8), laid


def with_shown(
    picture: np.ndarray, skin: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The picture with skin, so much of each pixel as share says, and its shadow."""
    shadow = cv2.GaussianBlur(share, (0, 0), rng.uniform(2, 8))[..., None]
    share = share[..., None]
    return picture * (1 - rng.uniform(0, 0.5) * shadow) * (1 - share) + share * skin


def fingers_share(hand: Laid, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 as ``hand.share``, of some fingers alone, from some joint on."""
    mask, palm = np.zeros(hand.share.shape, np.uint8), hand.joints[MIDDLE_MCP] - hand.joints[WRIST]
    width = max(int(FINGER_WIDTH * np.linalg.norm(palm)), 1)
    for tip in rng.permutation(TIPS)[: rng.integers(1, len(TIPS))]:
        finger = np.rint(hand.joints[tip - rng.integers(1, 4) : tip + 1, :2]).astype(np.int32)
        cv2.polylines(mask, [finger], False, 1, width)
    return hand.share * cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)


def sample_of(picture: np.ndarray, laid: list[Laid], seed: int) -> Sample:
    """The picture as training reads it."""
    keypoints, mask = dict.fromkeys(SIDES), np.zeros((SIZE, SIZE), np.uint8)
    for hand in laid:
        palm = np.linalg.norm(hand.joints[MIDDLE_MCP] - hand.joints[WRIST])
        depth = FOCAL * PALM / palm + hand.joints[:, 2] * PALM / palm
        keypoints[hand.side] = CAMERA.back_project(hand.joints[:, :2], depth).astype(np.float32)
        mask[hand.share > 0.5] = 1 + SIDES.index(hand.side)
    jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    return Sample(
        jpeg=jpeg,
        camera=CAMERA,
        mask=mask,
        keypoints=keypoints,
        points={side: None if x is None else x[:1] for side, x in keypoints.items()},
        depth={s: None if x is None else np.zeros(1, np.float32) for s, x in keypoints.items()},
        subset="photo_pair" if len(laid) == 2 else "photo_single",
        kind="overlaid",
        seed=seed,
        parameters=dict.fromkeys(SIDES),
        surfaces={s: None if x is None else Mesh(x[:3], NO_SURFACE) for s, x in keypoints.items()},
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--split", choices=SPLIT_SEEDS, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--frames", type=int, default=120, help="cut out, of each video")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)
    detector, encoder = HandDetector.load(), LandmarkEncoder.load()
    cuttings = [
        cutting
        for video in given.videos
        for frame in frames_of(video, given.split, given.frames)
        if (cutting := cut(frame, detector, encoder)) is not None
    ]
    print(f"{len(cuttings)} hands cut out")
    for first in range(0, given.count, SHARD):
        samples = []
        for index in range(first, min(first + SHARD, given.count)):
            rng = np.random.default_rng((SPLIT_SEEDS[given.split], index))
            samples.append(sample_of(*overlay(cuttings, index % 4 > 0, rng), index))
        save_shard(shard_path(given.out, given.split, first, len(samples)), samples)


if __name__ == "__main__":
    main()
