"""Makes the bundled demo sequence: poses, pictures and a tracker's keypoints.

``python -m im2hands_ros.synthetic.demo_making --out FOLDER``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import MIDDLE_MCP, SIDES, WRIST
from im2hands_ros.synthetic.background import PAINTERS
from im2hands_ros.synthetic.dataset import scene_hands
from im2hands_ros.synthetic.demo_sequence import DEMO_FILE
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.photography import encode
from im2hands_ros.synthetic.poses import sequence
from im2hands_ros.synthetic.renderer import render
from im2hands_ros.synthetic.sample import HandParameters, PosedArrays, moved, pose_hand
from im2hands_ros.synthetic.shading import DISPLAY_QUALITY, Light, Receiver
from im2hands_ros.synthetic.skin import TONES, Skin

FRAME_COUNT = 90
FRAME_RATE = 15.0
CAMERA = Camera(640, 480, 560.0, 560.0, 319.5, 239.5)
# A tracker's error: mean distance from the true joint, metres, and how long it lasts, frames.
KEYPOINT_ERROR = 0.003
_ERROR_PERSISTENCE = 3.0
_TILT_DEGREES = 30.0
_FILL = 0.8
_JPEG_QUALITY = 92


def make_demo_sequence(path: Path, frames: int = FRAME_COUNT, seed: int = 0) -> None:
    """Render the sequence and write it as one ``.npz``; the same seed gives the same frames."""
    scenes = sequence(frames, seed=seed)
    in_scene = [scene_hands(scenes, index) for index in range(frames)]
    rotation, translation = _fixed_view(in_scene)
    parameters = [
        {side: moved(given, rotation, translation) for side, given in hands.items()}
        for hands in in_scene
    ]
    posed = [{s: pose_hand(s, given) for s, given in hands.items()} for hands in parameters]
    files = _pictures(posed, seed)
    arrays = {
        "image_bytes": np.frombuffer(b"".join(files), np.uint8),
        "image_ends": np.cumsum([0, *map(len, files)]),
        "intrinsics": np.array([CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy]),
        "size": np.array([CAMERA.width, CAMERA.height]),
        "rate": np.float64(FRAME_RATE),
    }
    for number, side in enumerate(SIDES):
        rng = np.random.default_rng([seed, number])
        arrays |= _side_arrays(side, parameters, posed, rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def _side_arrays(
    side: str,
    parameters: list[dict[str, HandParameters]],
    posed: list[dict[str, PosedArrays]],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    present = np.array([side in hands for hands in posed])
    somewhere = int(np.flatnonzero(present)[0])
    # An absent hand's rows repeat another frame's; ``present`` says not to read them.
    rows = [index if present[index] else somewhere for index in range(len(posed))]
    joints = np.stack([posed[row][side].keypoints for row in rows])
    arrays = {
        "present": present,
        "true_keypoints": joints,
        "keypoints": (joints + tracker_error(rng, len(rows))).astype(np.float32),
    }
    for name in HandParameters._fields:
        arrays[name] = np.stack([getattr(parameters[row][side], name) for row in rows])
    return {f"{side}_{name}": values for name, values in arrays.items()}


def tracker_error(rng: np.random.Generator, frames: int) -> np.ndarray:
    """(frames, 21, 3) metres: each joint wanders smoothly, partly together with its hand."""
    together = rng.standard_normal((frames, 1, 3))
    wander = 0.8 * rng.standard_normal((frames, 21, 3)) + 0.6 * together
    smooth = gaussian_filter1d(wander, _ERROR_PERSISTENCE, axis=0, mode="reflect")
    return smooth * (KEYPOINT_ERROR / np.linalg.norm(smooth, axis=2).mean())


def _fixed_view(
    in_scene: list[dict[str, HandParameters]],
) -> tuple[np.ndarray, np.ndarray]:
    """Camera-from-scene: fingers up, left hand on the left, tilted down, everything in view."""
    joints = [{s: pose_hand(s, h).keypoints for s, h in hands.items()} for hands in in_scene]
    start = joints[0]
    right = start["right"].mean(axis=0) - start["left"].mean(axis=0)
    everything = np.concatenate([hand for hands in joints for hand in hands.values()])
    approach = joints[: 1 + len(joints) // 3]
    fingers = sum(hand[MIDDLE_MCP] - hand[WRIST] for hands in approach for hand in hands.values())
    x = right / np.linalg.norm(right)
    down = -(fingers - (fingers @ x) * x)
    down /= np.linalg.norm(down)
    tilt = np.radians(_TILT_DEGREES)
    cosine, sine = np.cos(tilt), np.sin(tilt)
    about_x = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    rotation = about_x @ np.stack([x, down, np.cross(x, down)])
    seen = everything @ rotation.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    spans = (high - low)[:2] * CAMERA.fx / (CAMERA.width, CAMERA.height)
    nearest = spans.max() / _FILL
    offset = np.array([0, 0, nearest + (high - low)[2] / 2]) - (low + high) / 2
    return rotation, offset


def _pictures(posed: list[dict[str, PosedArrays]], seed: int) -> list[bytes]:
    """JPEG files of all frames: one light, one desk, one skin."""
    rng = np.random.default_rng(seed)
    skin = Skin(
        tone=np.float32(0.5 * TONES[1] + 0.5 * TONES[2]) ** 2,
        offset=np.float32([0.01, 0.02, 0.03]),
        contrast=0.6,
        gloss=0.1,
        sleeve_start=0.10,
        sleeve=(0.05, 0.09, 0.17),
    )
    light = Light(direction=(-0.45, -0.7, -0.75), spread=0.08)
    depth = max(float(hand.surface[:, 2].max()) for hands in posed for hand in hands.values())
    desk = Receiver((0.0, -0.25, 1.0), depth + 0.04, 0.5)
    background = _desk(rng)
    files = []
    for hands in tqdm(posed, unit="frame", desc="demo"):
        parts = [hand_part(side, hand.skin, skin) for side, hand in hands.items()]
        image, _ = render(parts, CAMERA, light, background, desk, DISPLAY_QUALITY)
        noisy = image + rng.normal(0, 1.2, image.shape)
        files.append(encode(np.clip(noisy, 0, 255).astype(np.uint8), _JPEG_QUALITY))
    return files


def _desk(rng: np.random.Generator) -> np.ndarray:
    """(480, 640, 3) uint8: a pale desk with a soft fall-off of light."""
    texture = PAINTERS["cloud"](rng, CAMERA.height, CAMERA.width)
    texture = (texture - texture.mean(axis=(0, 1))) / texture.std()
    y, x = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width] / CAMERA.width
    fall = 1.05 - 0.45 * np.hypot(x - 0.35, y - 0.25)[..., None]
    return np.clip((np.array([150, 158, 160]) + 3 * texture) * fall, 0, 255).astype(np.uint8)


def main() -> None:
    """Command line: where to write the sequence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEMO_FILE.parent, help="folder to write to")
    parser.add_argument("--frames", type=int, default=FRAME_COUNT, help="how many frames")
    args = parser.parse_args()
    make_demo_sequence(args.out / DEMO_FILE.name, args.frames)
    size = (args.out / DEMO_FILE.name).stat().st_size
    print(f"{args.frames} frames, {size / 1e6:.1f} MB in {args.out / DEMO_FILE.name}")


if __name__ == "__main__":
    main()
