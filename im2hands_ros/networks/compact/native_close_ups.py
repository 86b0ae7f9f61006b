"""The refinement by close-ups, by the native library."""

from __future__ import annotations

import weakref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from im2hands_ros.kernels.field import Block
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.close_ups import CELLS, Frames
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.native_keypoints import filled_up, round_weights


class NativeCloseUps:
    """What a `CloseUpRefinement` of the preset's size computes of one frame, from a copy of its
    weights."""

    def __init__(self, library: Library, network: CloseUpRefinement) -> None:
        block = close_up_weights(network)
        self._library = library
        self._handle = library.checked(library.closeups_new(block.ctypes.data, block.size))
        weakref.finalize(self, library.closeups_free, self._handle)

    def __call__(
        self, part: NDArray[np.uint8], frames: Frames, begin: CoarseHands, given: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Joints (1, 2, 21, 3) and their spread (1, 2, 21) of one scene.

        Args:
            part: of the picture, and the frames in it, as of `close_ups.region`.
            begin: joints that the close-ups are around. given: the tracker's joints.
        """
        library = self._library
        library.use_torch_threads()
        joints = begin.joints.float().clone(memory_format=torch.contiguous_format)
        spread = joints.new_empty(joints.shape[:3])
        present = begin.present.to(torch.uint8).contiguous()
        floats = [each.float().contiguous() for each in (*frames, given)]
        ends = (*floats, present, joints, spread)
        library.checked(
            library.closeups_run(
                self._handle, part.ctypes.data, *part.shape[:2], *(each.data_ptr() for each in ends)
            )
        )
        return joints, spread


@torch.no_grad()
def close_up_weights(network: CloseUpRefinement) -> Block:
    """All weights in the order of `CloseUpNetwork::read` (src/close_up_network.cpp)."""
    parts = [
        *_convolutions(network),
        network.identity,
        *filled_up(network.spread.weight.T, network.spread.bias),
        *(part for each in network.rounds for part in round_weights(each)),
    ]
    return torch.cat([part.float().cpu().flatten() for part in parts]).numpy()


def _convolutions(network: CloseUpRefinement) -> list[Tensor]:
    conv = network.conv
    first = fuse_conv_bn_eval(conv.first, conv.n1)
    second = fuse_conv_bn_eval(conv.second, conv.n2)
    flat = fuse_linear_bn_eval(conv.flat, conv.n3)
    assert conv.n2.running_var is not None and conv.hint.bias is not None
    scale = conv.n2.weight / (conv.n2.running_var + conv.n2.eps).sqrt()
    hint = conv.hint.weight * scale[:, None, None, None]
    both = torch.cat([_rows(second.weight), _rows(hint)])
    more = []
    for convolution, norm in zip(conv.more, conv.more_norms, strict=True):
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        fused = fuse_conv_bn_eval(convolution, norm)
        more += [_rows(fused.weight), _known(fused.bias)]
    places = flat.weight.unflatten(1, (conv.second.out_channels, CELLS, CELLS))
    return [
        *(_rows(first.weight), _known(first.bias)),
        *(both, _known(second.bias) + conv.hint.bias * scale, conv.who * scale),
        *more,
        *(places.permute(2, 3, 1, 0).flatten(0, 2), flat.bias),
        *filled_up(conv.offset.weight.T, conv.offset.bias),
    ]


def _rows(weight: Tensor) -> Tensor:
    """[kernel kernel in][out] of a convolution's weights."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2)


def _known(bias: Tensor | None) -> Tensor:
    assert bias is not None
    return bias
