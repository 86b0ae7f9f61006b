"""Put stages of several weights files into one.

    python tools/combine_weights.py OUT initial=a.safetensors keypoints,fusion=b.safetensors

Stages are named by their prefix in the file (initial, keypoints, landmarks, fusion, refinement);
``all`` means every stage of a file, and later files overrule earlier ones. The record of OUT lists
the records of its parts. Stages fit together only if they were trained with the same image encoder,
which is part of ``initial``.
"""

import argparse
from pathlib import Path

from im2hands_ros.networks import checkpoints


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="+", metavar="STAGES=FILE")
    parser.add_argument("--half", default="", metavar="STAGES", help="stages to store as float16")
    given = parser.parse_args()
    tensors, records = {}, []
    for part in given.parts:
        names, _, file = part.partition("=")
        stages = names.split(",")
        found, record = checkpoints.read(Path(file))
        chosen = {n: t for n, t in found.items() if "all" in stages or n.split(".")[0] in stages}
        if not chosen:
            parser.error(f"{file} holds nothing of {names}")
        tensors |= chosen
        records.append({"stages": stages, "sha256": checkpoints.sha256(Path(file)), **record})
    halved = given.half.split(",")
    tensors = {n: t.half() if n.split(".")[0] in halved else t for n, t in tensors.items()}
    checkpoints.write(tensors, given.out, {"parts": records, "licence": "Apache-2.0"})
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
