"""Teach the packaged initial stage the hands of people and of other rigs; its own hand stays.

All that is there stays as it is: a second branch of the hand's code (`SecondCode`) learns what it
adds to the biases, from hands without pictures. It begins at nothing, and in the end the two are
one, wider code (`widened`), which costs a frame next to nothing.
Shards are those of `im2hands synthesize --no-pictures`; each folder has the share of scenes that
are drawn from it. `--hold` names a folder of the packaged hand, to which the branch adds nothing:

    python tools/train_people.py im2hands_ros/data/weights/compact.safetensors wide.safetensors \\
        --steps 6000 --hold data/own data/own=0.08 data/people=0.1 data/mrtk=0.1 ...
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from averaged_training import averaged
from torch import Tensor, nn

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.articulated_decoder import ArticulatedDecoder
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.training.augmentation import KeypointErrors, perturb
from im2hands_ros.training.losses import depth_loss, occupancy_loss
from im2hands_ros.training.scene_folder import SceneFolder
from im2hands_ros.training.stretching import stretched

HIDDEN, WIDTH = 256, 96
HANDS, POINTS = 64, 224
HELD, HOLD = 128, 3.0
ERRORS = KeypointErrors(convention_share=0.3, noise_share=0.25)
STRETCHED, OCCUPANCY = 0.6, 0.5
RATE = 0.003
PREFIX = "initial.decoder."


class SecondCode(nn.Module):
    """What a second code of the same hands adds to the decoder's biases; nothing at first."""

    def __init__(self, decoder: ArticulatedDecoder) -> None:
        super().__init__()
        inputs, outputs = decoder.code[0].in_features, decoder.code_to_bias.out_features
        self.code = nn.Sequential(
            nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH), nn.ReLU()
        )
        self.to_bias = nn.Linear(WIDTH, outputs)
        nn.init.zeros_(self.to_bias.weight)
        nn.init.zeros_(self.to_bias.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """What it adds, from (H, inputs) inputs of the code."""
        return self.to_bias(self.code(inputs))

    def join(self, decoder: ArticulatedDecoder) -> None:
        """Let the decoder add it from now on."""
        joints: list[Tensor] = []
        decoder.code.register_forward_pre_hook(lambda _, given: joints.append(given[0]))
        decoder.code_to_bias.register_forward_hook(lambda _, __, bias: bias + self(joints.pop()))


def widened(state: dict[str, Tensor], second: SecondCode, part: float = 1.0) -> dict[str, Tensor]:
    """The decoder's parameters by name with both codes as one, the second in part."""
    code = second.code.state_dict()
    to_bias = {name: part * value for name, value in second.to_bias.state_dict().items()}
    wide = dict(state)
    for name in ("0.weight", "0.bias", "2.bias"):
        wide[f"code.{name}"] = torch.cat([state[f"code.{name}"], code[name]])
    wide["code.2.weight"] = torch.block_diag(state["code.2.weight"], code["2.weight"])
    wide["code_to_bias.weight"] = torch.cat([state["code_to_bias.weight"], to_bias["weight"]], 1)
    wide["code_to_bias.bias"] = state["code_to_bias.bias"] + to_bias["bias"]
    shape = state["shape_head.weight"]
    wide["shape_head.weight"] = torch.cat([shape, shape.new_zeros(len(shape), WIDTH)], 1)
    return wide


def draw(folders: list[SceneFolder], shares: np.ndarray, step: int) -> tuple[Tensor, ...]:
    """A step's keypoints (H, 21, 3), which are left (H,), points (H, N, 3), depth (H, N)."""
    rng = np.random.default_rng((77, step))
    hands = []
    while len(hands) < HANDS:
        folder = folders[rng.choice(len(folders), p=shares)]
        scene = folder[int(rng.integers(len(folder)))]
        scene = stretched(scene, rng) if rng.random() < STRETCHED else scene
        coarse = perturb(scene.keypoints, ERRORS, rng)
        for side, joints in coarse.items():
            chosen = rng.permutation(len(scene.points[side]))[:POINTS]
            depth = scene.depth[side][chosen]
            hands.append((joints, side == "left", scene.points[side][chosen], depth))
    columns = zip(*hands[:HANDS], strict=True)
    return tuple(torch.from_numpy(np.stack(column)) for column in columns)


def loss_of(decoder: ArticulatedDecoder, batch: tuple[Tensor, ...]) -> Tensor:
    """Error of depth and occupancy from keypoints alone."""
    keypoints, left, points, depth = batch
    hands = canonicalise(keypoints.float(), left)
    logits = decoder(hands.palm_from_camera(points.float()), decoder.bones(hands), image=None)
    return depth_loss(logits, depth.float()) + OCCUPANCY * occupancy_loss(logits, depth.float())


def held_keypoints(folder: SceneFolder, step: int) -> tuple[Tensor, Tensor]:
    """Keypoints (H, 21, 3) of the held hand, errors on a quarter of them, which are left (H,)."""
    rng = np.random.default_rng((78, step))
    hands: list[tuple[np.ndarray, bool]] = []
    while len(hands) < HELD:
        keypoints = folder[int(rng.integers(len(folder)))].keypoints
        keypoints = perturb(keypoints, ERRORS, rng) if rng.random() < 0.25 else keypoints
        hands += [(np.float32(joints), side == "left") for side, joints in keypoints.items()]
    joints, left = zip(*hands[:HELD], strict=True)
    return torch.from_numpy(np.stack(joints)), torch.tensor(left)


def held_loss(
    decoder: ArticulatedDecoder, second: SecondCode, held: tuple[Tensor, Tensor]
) -> Tensor:
    """Mean square of what the branch adds for hands that shall stay as they are."""
    return second(decoder.code_inputs(canonicalise(*held))).square().mean()


def learn(
    decoder: ArticulatedDecoder,
    folders: list[SceneFolder],
    shares: np.ndarray,
    steps: int,
    hold: SceneFolder | None = None,
) -> SecondCode:
    """The branch after so many steps, its weights averaged over the last ones."""
    decoder.requires_grad_(False)
    second = SecondCode(decoder)
    second.join(decoder)

    def loss_in(step: int) -> Tensor:
        loss = loss_of(decoder, draw(folders, shares, step))
        if hold is not None:
            loss = loss + HOLD * held_loss(decoder, second, held_keypoints(hold, step))
        return loss

    second.load_state_dict(averaged(second, loss_in, steps, RATE))
    return second


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="weights file to begin with")
    parser.add_argument("out", type=Path, help="weights file to write, its code widened")
    parser.add_argument("shards", nargs="+", metavar="FOLDER=SHARE")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--hold", type=Path, help="shards of the hand that shall stay as it is")
    parser.add_argument("--part", type=float, default=1.0, help="of the branch that is taken")
    given = parser.parse_args()
    torch.manual_seed(5)
    names, shares = zip(*(part.rsplit("=", 1) for part in given.shards), strict=True)
    folders = [SceneFolder(Path(name)) for name in names]
    weights = np.array([float(share) for share in shares])
    decoder = CompactNetworks.load(given.weights)[0].initial.decoder
    state = {name: value.clone() for name, value in decoder.state_dict().items()}
    hold = given.hold and SceneFolder(given.hold)
    second = learn(decoder, folders, weights / weights.sum(), given.steps, hold)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    tensors, record = checkpoints.read(given.weights)
    wide = widened(state, second, given.part)
    tensors |= {PREFIX + name: value.detach().contiguous() for name, value in wide.items()}
    command = " ".join(["tools/train_people.py", *given.shards, f"--hold {given.hold}"])
    made = {"stage": "initial", "command": command, "steps": given.steps, "part": given.part}
    checkpoints.write(tensors, given.out, record | {"parts": [*record.get("parts", []), made]})


if __name__ == "__main__":
    main()
