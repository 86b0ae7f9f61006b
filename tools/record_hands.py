"""Render a recording of one person's hands before an RGB-D camera, for `im2hands calibrate`.

The hands are those of the package or of `tools/bake_other_hand.py`, in the motion that
`im2hands evaluate --sequences` is measured on; the depth camera has the noise, holes and mixed
edges of `synthetic/depth_camera.py`. Keypoints are the hand's true ones, or noisy:

    python tools/record_hands.py hand_webxr.npz recording.mcap --seconds 30 --rate 5
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from im2hands_ros.bags.definitions import standard_types
from im2hands_ros.bags.topics import CAMERA_INFO, COMPRESSED_IMAGE, HAND_KEYPOINTS, IMAGE
from im2hands_ros.bags.writer import BagWriter
from im2hands_ros.messages.camera_info import Calibration, write_camera_info
from im2hands_ros.messages.header import Header, Stamp
from im2hands_ros.messages.images import write_compressed_image
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.dataset import draw_hands
from im2hands_ros.synthetic.depth_camera import KINECT, REALSENSE, perfect_depth, photographed
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.motion import Motion, draw_motion
from im2hands_ros.synthetic.sample import pose_hand
from im2hands_ros.synthetic.skin import random_skin

CAMERAS = {"realsense": REALSENSE, "kinect": KINECT}
WALL = 1.2  # metres
PARTS = 6  # of a recording; each hand shows its palm or its back in one
NOISE = 2.0  # grey levels
FRAME_ID = "camera_color_optical_frame"
FIRST_STAMP = 1.0
DEPTH = "/aligned_depth_to_color/image_raw"
TYPES = {
    "/image/compressed": COMPRESSED_IMAGE,
    "/camera_info": CAMERA_INFO,
    "/keypoints": HAND_KEYPOINTS,
    DEPTH: IMAGE,
}


def turned_over(asset: Path, seconds: float, seed: int, rate: float) -> Motion:
    """A person's motion in which each hand shows its palm for a while, and its back."""
    parts = [draw_motion(seconds / PARTS, seed + k, rate, asset=asset) for k in range(PARTS)]
    shape = parts[0].parameters["left"][0].shape
    parameters = {
        side: [given._replace(shape=shape) for part in parts for given in part.parameters[side]]
        for side in SIDES
    }
    keypoints = {
        side: np.stack([pose_hand(side, given, asset).keypoints for given in every])
        for side, every in parameters.items()
    }
    return Motion(np.arange(len(parameters["left"])) / rate, parameters, keypoints)


def depth_message(header: Header, depth: np.ndarray) -> bytes:
    """A serialised 16UC1 image of (H, W) metres."""
    types = standard_types()
    stamp = types.types["builtin_interfaces/msg/Time"](header.stamp.sec, header.stamp.nanosec)
    pixels = np.rint(1e3 * depth).astype("<u2")
    message = types.types[IMAGE](
        types.types["std_msgs/msg/Header"](stamp, header.frame_id),
        *depth.shape,
        "16UC1",
        0,
        2 * depth.shape[1],
        pixels.view(np.uint8).ravel(),
    )
    return bytes(types.serialize_cdr(message, IMAGE))


def frames(
    motion: Motion, asset: Path, kind: str, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(H, W, 3) uint8 RGB and (H, W) metres of every frame."""
    skin = random_skin(np.random.default_rng(seed))
    for frame in range(len(motion)):
        hands = {s: pose_hand(s, each[frame], asset) for s, each in motion.parameters.items()}
        clean, _ = draw_hands(np.random.default_rng(seed), hands, motion.camera, asset)
        rng = np.random.default_rng((seed, frame))
        image = np.clip(clean + rng.normal(0, NOISE, clean.shape), 0, 255).astype(np.uint8)
        parts = [hand_part(side, hand.skin, skin, asset) for side, hand in hands.items()]
        perfect = perfect_depth(parts, motion.camera, WALL)
        yield image, photographed(perfect, CAMERAS[kind], rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hand", type=Path, help=".npz file of a hand")
    parser.add_argument("out", type=Path, help="bag folder to write")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=5.0, help="frames per second (5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise", type=float, default=0.0, help="of the keypoints, mm (0)")
    parser.add_argument("--depth-camera", choices=sorted(CAMERAS), default="realsense")
    args = parser.parse_args()
    motion = turned_over(args.hand, args.seconds, args.seed, args.rate)
    bag = BagWriter(args.out)
    for name, kind in TYPES.items():
        bag.add_topic(name, kind, reliable=False, types=standard_types())
    random = np.random.default_rng((args.seed, 1))
    pictures = frames(motion, args.hand, args.depth_camera, args.seed)
    for number, (image, depth) in enumerate(tqdm(pictures, total=len(motion), unit="frame")):
        stamp_ns = round(1e9 * (FIRST_STAMP + motion.stamps[number]))
        header = Header(Stamp(*divmod(stamp_ns, 10**9)), FRAME_ID)
        joints = {
            side: track[number] + random.normal(0, args.noise / 1e3, track[number].shape)
            for side, track in motion.keypoints.items()
        }
        for topic, data in {
            "/camera_info": write_camera_info(header, Calibration.of(motion.camera)),
            DEPTH: depth_message(header, depth),
            "/keypoints": write_keypoints(header, joints, dict.fromkeys(joints, 1.0)),
            "/image/compressed": write_compressed_image(header, image),
        }.items():
            bag.write(topic, stamp_ns, data)
    bag.close()


if __name__ == "__main__":
    main()
