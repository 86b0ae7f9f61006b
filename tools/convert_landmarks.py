"""Convert MediaPipe's hand landmark network into `im2hands_ros/data/weights/landmarks.safetensors`.

    python -m im2hands_ros.detection.bundle          # fetches the network, checks its hash
    python tools/convert_landmarks.py

Reads the network's file out of that bundle and writes the same float16 numbers under the names of
`im2hands_ros.networks.compact.landmark_network`: nothing is rounded, nothing trained.
"""

import argparse
import hashlib
import zipfile
from pathlib import Path

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.landmark_encoder import WEIGHTS
from im2hands_ros.networks.compact.landmark_weights import converted

MEMBER = "hand_landmarks_detector.tflite"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="", help="the bundle (the one that was made)")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    with zipfile.ZipFile(find_bundle(given.bundle)) as archive:
        content = archive.read(MEMBER)
    record = {
        "network": "hand_landmark_full.tflite of MediaPipe Hands, as in mediapipe 0.10.21",
        "sha256": hashlib.sha256(content).hexdigest(),
        "copyright": "The MediaPipe Authors (Google LLC)",
        "licence": "Apache-2.0",
        "changes": "stored as safetensors, tensors renamed and transposed; values unchanged",
        "command": "python tools/convert_landmarks.py",
    }
    checkpoints.write(converted(content), given.out, record)
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
