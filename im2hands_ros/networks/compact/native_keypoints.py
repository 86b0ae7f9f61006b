"""The compact preset's keypoint refinement, by the native library."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.kernels.field import Block
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.joint_round import JointRound
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement, RefinedKeypoints
from im2hands_ros.networks.native_attention import block_weights, layer_weights

# Outputs of a layer are filled up to a multiple of this.
_MULTIPLE = 16


class NativeKeypoints:
    """What a `KeypointRefinement` of the preset's size computes of one frame, from a copy of its
    weights."""

    def __init__(self, library: Library, refinement: KeypointRefinement) -> None:
        block = keypoint_weights(refinement)
        self._library = library
        self._handle = library.checked(library.keypoints_new(block.ctypes.data, block.size))
        weakref.finalize(self, library.keypoints_free, self._handle)

    def __call__(self, features: ImageFeatures, coarse: CoarseHands) -> RefinedKeypoints:
        """Refine the joints of one scene; the result's ``rounds`` are left out."""
        library = self._library
        library.use_torch_threads()
        joints, present = coarse.joints.float().clone(), coarse.present.to(torch.uint8).clone()
        spread, swapped = joints.new_empty(joints.shape[:3]), joints.new_empty(1)
        given = (
            features.pixels[0].float().permute(1, 2, 0).contiguous(),
            features.context[0].float().permute(1, 2, 0).contiguous(),
            features.joints[0].float().contiguous(),
            coarse.intrinsics[0].float().contiguous(),
        )
        results = (joints, present, spread, swapped)
        library.checked(
            library.keypoints_run(self._handle, *(each.data_ptr() for each in (*given, *results)))
        )
        return RefinedKeypoints(joints, present.bool(), spread, swapped, ())


@torch.no_grad()
def keypoint_weights(network: KeypointRefinement) -> Block:
    """All weights in the order of `KeypointNetwork::read` (src/keypoints.cpp)."""
    preset = network.preset
    heads = torch.cat([network.side.weight, network.spread.weight])
    biases = torch.cat([network.side.bias, network.spread.bias])
    parts = [
        *layer_weights(network.image),
        network.image_positions,
        network.identity,
        *filled_up(heads.T, biases),
        torch.tensor([*preset.correction_ramp, *preset.consistent_ramp]),
        torch.tensor([*preset.out_of_plane, preset.swap_logit, *preset.patch_spacings]),
        *(part for each in network.rounds for part in round_weights(each)),
    ]
    return torch.cat([part.float().flatten() for part in parts]).numpy()


def round_weights(each: nn.Module) -> list[Tensor]:
    """What `JointRound::read` (src/joint_round.cpp) reads of a `JointRound`."""
    assert isinstance(each, JointRound)
    places, hands = [each.place[0], each.place[2]], [each.hand[number] for number in (0, 2, 4)]
    layers: list[nn.Module] = [*places, each.look, *hands]
    bias = each.step.weight @ each.norm.bias + each.step.bias
    step = filled_up((each.step.weight * each.norm.weight).T, bias)
    known = [part for layer in layers for part in layer_weights(layer)]
    return [*known, *step, torch.from_numpy(block_weights(each.blocks))]


def filled_up(weight: Tensor, bias: Tensor) -> list[Tensor]:
    """A layer's [input][output] weights and its bias, with zeros for outputs to fill up rows."""
    missing = -weight.shape[1] % _MULTIPLE
    return [F.pad(weight, (0, missing)), F.pad(bias, (0, missing))]
