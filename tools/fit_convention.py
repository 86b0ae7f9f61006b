"""Find where a tracker puts its joints: one entry of `im2hands_ros/data/keypoint_conventions.yaml`.

Reads hands of `tools/bake_other_hand.py` whose keypoints are where that tracker has them. Scenes
are drawn with them; offsets of the joints are fitted, together with the flesh of each hand, which
is then forgotten, so that the field goes through their skin. Several hands share the offsets. Run
it again when the stage `initial` was trained anew, and before that with --check, which only says
how well the present table fits:

    python tools/fit_convention.py openxr hand_webxr.npz --source "..."

IoU is that of the initial occupancy with true keypoints in scenes that were not fitted to: as
given, with the offsets alone, and with the flesh as well.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import yaml
from tqdm import tqdm

from im2hands_ros.calibration.field_fit import STEPS, Adaptation, AdaptedField, fit
from im2hands_ros.calibration.observations import (
    Observations,
    SeenHand,
    compact_networks,
    observations_of,
    seen_frame,
)
from im2hands_ros.keypoint_convention import CONVENTIONS, OWN, TABLE, convention_offsets
from im2hands_ros.networks.compact.person_shape import fingerprint
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.dataset import PointCounts, make_samples
from im2hands_ros.synthetic.sample import present

SCENES, CHECKED = 64, 24
POINTS = PointCounts(near=1536, volume=4096)
NEAR = 0.006  # metres from the skin
# So much of the flesh is a rig's own; offsets that leave it more free fit its sister rigs worse.
FLESH = 0.15
CHUNK = 8
ORDER = ("along the finger", "out of the back", "to the thumb's side")


def observed(model: Im2Hands, rig: Path, split: str, count: int) -> Observations:
    """Hands of drawn scenes: points near the skin of `train`, throughout the box of `test`."""
    hands, frames = [], []
    for number, sample in enumerate(make_samples(split, 0, count, POINTS, rig)):
        joints = present(sample.keypoints)
        frames.append(seen_frame(model, sample.image, joints, sample.camera))
        for side, xyz in joints.items():
            points, depth = sample.points[side], sample.depth[side]
            if split == "train":
                near = np.abs(depth) < NEAR
                points, depth = points[near], depth[near]
            else:
                points, depth = points[POINTS.near :], depth[POINTS.near :]
            known = np.zeros(len(points), bool)
            hands.append(SeenHand(side, xyz, points, depth, known, number))
    return observations_of(hands, frames)


@torch.no_grad()
def mean_iou(field: AdaptedField, seen: Observations, adaptation: Adaptation) -> float:
    """Of the field with observed volumes."""
    scores = []
    for start in range(0, seen.hand_count, CHUNK):
        hands = torch.arange(start, min(start + CHUNK, seen.hand_count))
        part = seen.hands(hands)
        own = adaptation._replace(moves=torch.zeros(len(hands), 3))
        inside, true = field.adapted(part, part.points, own) > 0, part.depth > 0
        scores.append((inside & true).sum(1) / (inside | true).sum(1))
    return float(torch.cat(scores).mean())


def report(model: Im2Hands, rig: Path, offsets: np.ndarray, fitted: Adaptation | None) -> None:
    """Print how well offsets (21, 3), metres, fit a rig."""
    network = compact_networks(model).initial
    field, seen = AdaptedField(network), observed(model, rig, "test", CHECKED)
    none = Adaptation.none(network, 1)
    moved = none._replace(offsets=torch.as_tensor(offsets, dtype=torch.float32))
    scores = [mean_iou(field, seen, each) for each in (none, moved, fitted) if each is not None]
    print(f"{rig.name}: IoU as given, with offsets, and with flesh:", *np.round(scores, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("convention", choices=[name for name in CONVENTIONS if name != OWN])
    parser.add_argument("rigs", type=Path, nargs="+", metavar="RIG", help=".npz files of hands")
    parser.add_argument("--source", default="", help="whose hands these are, and their licence")
    parser.add_argument("--weights", type=Path, help="weights file (the packaged ones)")
    parser.add_argument("--check", action="store_true", help="only try the present offsets")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Im2Hands.load(args.weights)
    if args.check:
        present_offsets = convention_offsets(args.convention)
        for rig in args.rigs:
            report(
                model, rig, np.zeros((21, 3)) if present_offsets is None else present_offsets, None
            )
        return
    network = compact_networks(model).initial
    found = []
    for rig in args.rigs:
        seen = observed(model, rig, "train", SCENES)
        with tqdm(total=STEPS, desc=rig.stem, unit="step") as bar:
            fitted = fit(network, seen, flesh=FLESH, on_step=lambda _: bar.update())
        found.append(fitted.offsets.numpy())
        report(model, rig, found[-1], fitted)
    offsets = np.mean(found, axis=0)
    if len(found) > 1:
        for rig in args.rigs:
            report(model, rig, offsets, None)
    table = yaml.safe_load(TABLE.read_text()) if TABLE.exists() else {}
    table[args.convention] = {
        "source": args.source,
        "weights": fingerprint(network.decoder),
        "offsets_mm": [[round(float(v), 1) for v in row] for row in 1e3 * offsets],
    }
    text = yaml.safe_dump(table, sort_keys=True, default_flow_style=None, width=100)
    head = f"# By tools/fit_convention.py; joints in MANO order: {', '.join(ORDER)}.\n"
    TABLE.write_text(head + text)


if __name__ == "__main__":
    main()
