"""Convert MediaPipe's landmark or palm network into weights of ours.

    python -m im2hands_ros.detection.bundle          # fetches the networks, checks their hash
    python tools/convert_mediapipe.py landmarks im2hands_ros/data/weights/landmarks.safetensors
    python tools/convert_mediapipe.py palms palms.safetensors   # what tune_palms.py starts with

Reads a network's file out of that bundle and writes the same float16 numbers under the names of
`im2hands_ros.networks.compact`: nothing is rounded, nothing trained.
"""

import argparse
import hashlib
import zipfile
from pathlib import Path

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact import landmark_weights, palm_weights

# Of each network: its file in the bundle, MediaPipe's name for it, and what reads it.
NETWORKS = {
    "landmarks": (
        *("hand_landmarks_detector.tflite", "hand_landmark_full.tflite"),
        landmark_weights.converted,
    ),
    "palms": ("hand_detector.tflite", "palm_detection_full.tflite", palm_weights.converted),
}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("out", type=Path, help="the weights file to write")
    parser.add_argument("--bundle", default="", help="the bundle (the one that was made)")
    given = parser.parse_args()
    member, name, converted = NETWORKS[given.network]
    with zipfile.ZipFile(find_bundle(given.bundle)) as archive:
        content = archive.read(member)
    record = {
        "network": f"{name} of MediaPipe Hands, as in mediapipe 0.10.21",
        "sha256": hashlib.sha256(content).hexdigest(),
        "copyright": "The MediaPipe Authors (Google LLC)",
        "licence": "Apache-2.0",
        "changes": "stored as safetensors, tensors renamed and transposed; values unchanged",
        "command": f"python tools/convert_mediapipe.py {given.network} OUT",
    }
    checkpoints.write(converted(content), given.out, record)
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
