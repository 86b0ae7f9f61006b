"""A round of a refinement of joints, after Im2Hands' section 3.4: what both refinements share.

Joints of both hands are tokens. They are shown where they and their hands are and what the image
has around them, attend to each other, and say how far each joint moves.
"""

from __future__ import annotations

from torch import Tensor, nn

from im2hands_ros.networks.attention import AttentionBlocks
from im2hands_ros.networks.compact.presets import CloseUpPreset, KeypointPreset
from im2hands_ros.skeleton import JOINT_COUNT, SIDES


class JointRound(nn.Module):
    """The layers of a round.

    Args:
        of_joint, of_hand, looked: features of a joint, of one within its whole hand, and of the
            image around it.
        steps: what is predicted of a joint; the first six are its step in the axes of the palm,
            where hands are alike, and in those of the camera.
    """

    def __init__(
        self,
        preset: KeypointPreset | CloseUpPreset,
        of_joint: int,
        of_hand: int,
        looked: int,
        steps: int,
    ) -> None:
        super().__init__()
        width = preset.width
        self.place = nn.Sequential(
            nn.Linear(of_joint, width), nn.ReLU(inplace=True), nn.Linear(width, width)
        )
        self.look = nn.Linear(looked, width)
        # From a whole hand's pose to each of its joints: hands are much alike.
        self.hand = nn.Sequential(
            nn.Linear(of_hand * JOINT_COUNT, preset.hand_width),
            nn.ReLU(inplace=True),
            nn.Linear(preset.hand_width, preset.hand_width),
            nn.ReLU(inplace=True),
            nn.Linear(preset.hand_width, JOINT_COUNT * width),
        )
        self.blocks = AttentionBlocks(preset.blocks, width, preset.heads)
        self.norm = nn.LayerNorm(width)
        self.step = nn.Linear(width, steps)
        # Starts by leaving the joints where they are.
        nn.init.zeros_(self.step.weight)
        nn.init.zeros_(self.step.bias)

    def shown(self, of_hand: Tensor, of_joint: Tensor) -> Tensor:
        """(B, 2, 21, W) to be added to the tokens, of (B, 2, 21, C) features each."""
        by_hand = self.hand(of_hand.flatten(2)).unflatten(2, (JOINT_COUNT, -1))
        return by_hand + self.place(of_joint)

    def steps(self, tokens: Tensor) -> Tensor:
        """(B, 2, 21, S) float32 of (B, 42, W) tokens, in units of the steps."""
        return self.step(self.norm(tokens)).float().unflatten(1, (len(SIDES), JOINT_COUNT))


def step_in_camera(steps: Tensor, palm: Tensor) -> Tensor:
    """The first six of (B, 2, 21, S) steps to (B, 2, 21, 3) in the axes of the camera; palm:
    (B, 2, 3, 3) axes of the palms as columns."""
    return steps[..., :3] @ palm.mT + steps[..., 3:6]
