"""Write the hand of another person: a rig with other proportions, flesh and size.

Each seed is one person, in the format of `im2hands_ros/data/hand.npz`; `im2hands synthesize
--people` draws them by itself:

    python tools/vary_hand.py 7 hand_7.npz
    im2hands synthesize --hand hand_7.npz --split train --count 256 --out data/train
"""

import argparse
from pathlib import Path

import numpy as np

from im2hands_ros.synthetic.hand import ASSET
from im2hands_ros.synthetic.people import person


def main() -> None:
    """Write one hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seed", type=int, help="which person")
    parser.add_argument("out", type=Path, help="the .npz file to write")
    parser.add_argument("--hand", type=Path, default=ASSET, help="rig to begin with (packaged)")
    arguments = parser.parse_args()
    with np.load(arguments.hand) as asset:
        np.savez_compressed(arguments.out, **person(dict(asset), arguments.seed))


if __name__ == "__main__":
    main()
