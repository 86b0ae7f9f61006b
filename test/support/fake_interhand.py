"""An InterHand2.6M folder in exactly the published formats, with made-up content."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

CAMROT = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
FOCAL, PRINCPT = (1300.0, 1290.0), (120.0, 250.0)
WIDTH, HEIGHT = 334, 512
CAMPOS = {"400262": (-900.0, 20.0, 1010.0), "400263": (-950.0, -30.0, 980.0)}
# World place of the wrists, metres, and pose vector of the whole hand.
PLACES = {"right": ((0.0, -0.02, 1.0), (1.2, 0.3, -0.4)), "left": ((0.03, 0.03, 1.02), (1.0, 2, 1))}
# Joints of a hand as published: per finger tip to base, wrist last.
PUBLISHED_ORDER = [4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17, 0]


def mano_fit(side, moment):
    """One hand's published fit at one moment."""
    rng = np.random.default_rng((moment, side == "left"))
    place, turn = PLACES[side]
    fingers = 0.15 * rng.standard_normal(45)
    return {
        "pose": [*turn, *fingers.tolist()],
        "shape": (0.5 * rng.standard_normal(10)).tolist(),
        "trans": list(place),
    }


def world_to_pixel(points, camera):
    """(N, 3) world metres to (N, 2) pixels by the published formula, in millimetres."""
    seen = CAMROT @ (1000 * points - CAMPOS[camera]).T
    return (seen[:2] / seen[2] * np.array(FOCAL)[:, None]).T + PRINCPT


def picture(points, camera):
    """Grey, with a bright green dot at each of the world points (N, 3)."""
    image = np.full((HEIGHT, WIDTH, 3), 70, np.uint8)
    for u, v in world_to_pixel(points, camera):
        cv2.circle(image, (round(u), round(v)), 4, (40, 250, 40), -1)
    return image


# Moment, camera, hand type, its validity.
CASES = (
    (100, "400262", "interacting", 1),
    (100, "400263", "interacting", True),
    (103, "400262", "interacting", [1]),
    (106, "400263", "interacting", 1),
    (109, "400262", "interacting", 1),
    (112, "400262", "interacting", 1),
    (115, "400262", "interacting", 1),
    (100, "400262", "right", 1),
    (103, "400263", "interacting", 0),
)
BLACK, WITHOUT_LEFT_FIT, WITHOUT_FITS = 109, 112, 115  # moments
CAMERAS = {
    "campos": {name: list(place) for name, place in CAMPOS.items()},
    "camrot": {name: CAMROT.tolist() for name in CAMPOS},
    "focal": {name: list(FOCAL) for name in CAMPOS},
    "princpt": {name: list(PRINCPT) for name in CAMPOS},
}


def write_interhand(root, keypoints, split="test"):
    """A folder of four usable pictures and of others that must be left out.

    keypoints: function of (fit, side) to (21, 3) world metres, MANO order.
    """
    fits = fits_of_moments()
    joints = {moment: published_joints(hands, keypoints) for moment, hands in fits.items()}
    fits[str(WITHOUT_LEFT_FIT)]["left"] = None
    del fits[str(WITHOUT_FITS)]
    write_pictures(Path(root) / "images" / split, joints)
    listed = [list_case(number, *case) for number, case in enumerate(CASES)]
    images, annotations = (list(entries) for entries in zip(*listed, strict=True))
    contents = {
        "data": {"images": images, "annotations": annotations},
        "camera": {"0": CAMERAS},
        "joint_3d": {"0": joints},
        "MANO_NeuralAnnot": {"0": fits},
    }
    folder = Path(root) / "annotations" / split
    folder.mkdir(parents=True, exist_ok=True)
    for kind, content in contents.items():
        (folder / f"InterHand2.6M_{split}_{kind}.json").write_text(json.dumps(content))
    return root


def fits_of_moments():
    """Both hands' fits by moment, in the order of time."""
    moments = sorted({case[0] for case in CASES})
    return {str(m): {side: mano_fit(side, m) for side in ("right", "left")} for m in moments}


def published_joints(hands, keypoints):
    """One moment's joints of both hands, in millimetres; the left wrist is not valid."""
    xyz = [keypoints(hands[side], side)[PUBLISHED_ORDER] for side in ("right", "left")]
    return {
        "world_coord": (1000 * np.concatenate(xyz)).tolist(),
        "joint_valid": [[1]] * 41 + [[0]],
        "hand_type": "interacting",
        "hand_type_valid": True,
    }


def picture_name(number, moment, camera):
    return f"Capture0/ROM07_Rt_Finger_Occlusions/cam{camera}/image{moment}_{number}.jpg"


def write_pictures(folder, joints):
    for number, (moment, camera, *_) in enumerate(CASES):
        path = folder / picture_name(number, moment, camera)
        path.parent.mkdir(parents=True, exist_ok=True)
        shown = np.array(joints[str(moment)]["world_coord"]) / 1000
        black = np.full((HEIGHT, WIDTH, 3), 4, np.uint8)
        image = black if moment == BLACK else picture(shown, camera)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 95])


def list_case(number, moment, camera, hand_type, valid):
    """The entries of one picture among the images and the annotations."""
    image = {
        "id": 1000 + number,
        "file_name": picture_name(number, moment, camera),
        "width": WIDTH,
        "height": HEIGHT,
        "capture": 0,
        "subject": 1,
        "seq_name": "ROM07_Rt_Finger_Occlusions",
        "camera": camera,
        "frame_idx": moment,
    }
    annotation = {
        "id": 2000 + number,
        "image_id": 1000 + number,
        "bbox": [50.0, 60.0, 200.0, 300.0],
        "joint_valid": [1] * 41 + [0],
        "hand_type": hand_type,
        "hand_type_valid": valid,
    }
    return image, annotation
