"""Average trained weights with those that they began with, tensor by tensor.

    python tools/average_weights.py START TRAINED OUT --share 0.3

writes START + share * (TRAINED - START) in half precision: a network that was trained further on
renderings keeps more of what it knew of photographs ("Robust fine-tuning of zero-shot models",
Wortsman et al., 2022). Tensors that TRAINED alone has are kept. Its names may have a --prefix more
than those of START.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from im2hands_ros.networks import checkpoints


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", type=Path)
    parser.add_argument("trained", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of TRAINED")
    parser.add_argument("--prefix", default="", help="of TRAINED's names")
    given = parser.parse_args()
    start, began = checkpoints.read(given.start)
    trained, record = checkpoints.read(given.trained)
    missing = sorted(set(start) - {name.removeprefix(given.prefix) for name in trained})
    if missing:
        parser.error(f"{given.trained} has no {missing[0]}: is --prefix '{given.prefix}' right?")
    state = {}
    for name, tensor in trained.items():
        old = start.get(name.removeprefix(given.prefix))
        mean = tensor if old is None else old.float() + given.share * (tensor - old.float())
        state[name] = mean.half().contiguous()
    command = f"python tools/average_weights.py START TRAINED OUT --share {given.share}"
    averaged = {
        "command": command + (f" --prefix {given.prefix}" if given.prefix else ""),
        "start": {"sha256": checkpoints.sha256(given.start), "record": began},
        "trained": {"sha256": checkpoints.sha256(given.trained)},
    }
    checkpoints.write(state, given.out, record | {"averaged": averaged})


if __name__ == "__main__":
    main()
