"""The depth images that a simulated depth camera takes of drawn scenes and of hands in motion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.synthetic.depth_camera import KINECT, REALSENSE, perfect_depth, photographed
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.motion import Motion
from im2hands_ros.synthetic.raytracing import RenderPart, plain_part
from im2hands_ros.synthetic.sample import Sample, pose_hand, present
from im2hands_ros.synthetic.skin import random_skin

DEPTH_CAMERAS = {"realsense": REALSENSE, "kinect": KINECT}
# Beside the sample's seed, so that these draws are none of the keypoints' errors.
_SEED = 2 * 10**9
_GREY = np.full(3, 0.5)
_WALL = (0.03, 0.5)  # metres behind the hands
_FOREARM = 0.1  # and behind their joints, for the flesh around these


def depth_image_of(sample: Sample, camera: str) -> NDArray[np.float32]:
    """(H, W) float32 metres along z, 0 where unknown: the hands, with forearms where the packaged
    hand is drawn, before a wall. Depends on the sample's seed and the camera alone.

    camera: of ``DEPTH_CAMERAS``.
    """
    random = np.random.default_rng((sample.seed, _SEED))
    posed = {side: pose_hand(side, given) for side, given in present(sample.parameters).items()}
    skin = random_skin(random)  # of no consequence
    parts = [hand_part(side, hand.skin, skin) for side, hand in posed.items()]
    parts += [_plain(sample, side) for side in present(sample.keypoints) if side not in posed]
    farthest = max(float(part.vertices[:, 2].max()) for part in parts)
    perfect = perfect_depth(parts, sample.camera, farthest + random.uniform(*_WALL))
    return photographed(perfect, DEPTH_CAMERAS[camera], random)


def motion_depth_images(motion: Motion, seed: int, camera: str) -> Iterator[NDArray[np.float32]]:
    """(H, W) float32 metres along z of every frame, 0 where unknown: both hands with their forearms
    before one wall, the camera's noise and holes new in each. Depends on the seed alone.

    camera: of ``DEPTH_CAMERAS``.
    """
    random = np.random.default_rng((seed, _SEED))
    skin = random_skin(random)  # of no consequence
    farthest = max(float(track[..., 2].max()) for track in motion.keypoints.values())
    wall = farthest + _FOREARM + random.uniform(*_WALL)
    for frame in range(len(motion)):
        parts = [
            hand_part(side, pose_hand(side, each[frame]).skin, skin)
            for side, each in motion.parameters.items()
        ]
        perfect = perfect_depth(parts, motion.camera, wall)
        noise = np.random.default_rng((seed, _SEED, frame))
        yield photographed(perfect, DEPTH_CAMERAS[camera], noise)


def _plain(sample: Sample, side: str) -> RenderPart:
    return plain_part(*sample.mesh_of(side), _GREY)
