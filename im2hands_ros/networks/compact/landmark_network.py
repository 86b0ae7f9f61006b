"""MediaPipe's hand landmark network: one hand's crop to its 21 landmarks, and maps on the way.

"MediaPipe Hands: On-device Real-time Hand Tracking" (Zhang et al., 2020), file
``hand_landmark_full.tflite``: inverted residual blocks as in MobileNetV2, with ReLU6 and without
squeeze and excitation; batch norms are part of the convolutions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.skeleton import JOINT_COUNT

INPUT_SIZE = 224
STRIDES = (4, 8, 16, 32)
MAP_WIDTHS = (24, 40, 112, 192)
# The network's depth is this share of a pixel (MediaPipe's "normalize_z").
DEPTH_SHARE = 0.4
_STEM, _FIRST = 24, 16
_CEILING = 6.0


class BlockSize(NamedTuple):
    """An inverted residual block: expand, depthwise, project."""

    inputs: int
    hidden: int
    outputs: int
    kernel: int
    stride: int


BLOCKS = (
    BlockSize(16, 64, 24, 3, 2),
    BlockSize(24, 144, 24, 3, 1),
    BlockSize(24, 144, 40, 5, 2),
    BlockSize(40, 240, 40, 5, 1),
    BlockSize(40, 240, 80, 3, 2),
    BlockSize(80, 480, 80, 3, 1),
    BlockSize(80, 480, 80, 3, 1),
    BlockSize(80, 480, 112, 5, 1),
    BlockSize(112, 672, 112, 5, 1),
    BlockSize(112, 672, 112, 5, 1),
    BlockSize(112, 672, 192, 5, 2),
    BlockSize(192, 1152, 192, 5, 1),
    BlockSize(192, 1152, 192, 5, 1),
    BlockSize(192, 1152, 192, 5, 1),
)
# Blocks whose output is a map of the pyramid, and the one behind which hints join, at stride 8.
_LEVELS = (1, 3, 9, 13)
HINTED = 3
CODE_WIDTH = BLOCKS[-1].hidden


class SeenLandmarks(NamedTuple):
    """Of B crops.

    Attributes:
        landmarks: (B, 21, 3) x, y in the crop's pixels, the first pixel's centre at (0, 0), and
            relief: how much farther away than the hand's middle, in pixels too.
        presence: (B,) probability that a hand is there. right: (B,) that it is a right one, as an
            unmirrored picture shows it.
        shape: (B, 21, 3) the hand by itself, metres, turned as in the crop.
        maps: (B, C, 224/s, 224/s) features at ``STRIDES``, of ``MAP_WIDTHS``.
        code: (B, ``CODE_WIDTH``) that all of this but the maps is read from.
    """

    landmarks: Tensor
    presence: Tensor
    right: Tensor
    shape: Tensor
    maps: tuple[Tensor, ...]
    code: Tensor


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME" does: with stride 2 and even sizes, one pixel
    less at the left and top. ReLU6 behind it where ``active``."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        padding = 0 if stride == 2 else kernel // 2
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups)
        self.active = active
        self._uneven = ((kernel - 2) // 2, (kernel - 1) // 2) if stride == 2 else None
        self._fused: Tensor | None = None
        self._packed = False

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W), even sizes where the stride is 2, to (B, outputs, H/s, W/s)."""
        if self._fused is not None:
            return self._forward_fused(x, self._fused)
        if self._uneven:
            x = F.pad(x, self._uneven * 2)
        x = super().forward(x)
        return F.relu6(x, inplace=True) if self.active else x

    def fuse(self) -> None:
        """From now on convolve, add and clip in one pass, with a copy of the weights."""
        # A zero row and column before the kernel make the padding even, so that no copy is needed.
        weight = F.pad(self.weight, (1, 0, 1, 0)) if self._uneven else self.weight
        self._fused = weight.detach().clone(memory_format=torch.channels_last)
        self._packed = False

    def _forward_fused(self, x: Tensor, weight: Tensor) -> Tensor:
        padding = [(self.kernel_size[0] - 1) // 2] * 2
        if not self._packed:
            # Else the weights are brought into the order that the kernels read in every call.
            weight = torch.ops.mkldnn._reorder_convolution_weight(
                weight, padding, self.stride, [1, 1], self.groups, x.shape
            )
            self._fused, self._packed = weight, True
        kind, limits = ("hardtanh", [0.0, _CEILING]) if self.active else ("none", [])
        return torch.ops.mkldnn._convolution_pointwise(  # type: ignore[no-any-return]
            x, weight, self.bias, padding, self.stride, [1, 1], self.groups, kind, limits, ""
        )


class InvertedResidual(nn.Module):
    """Expand, depthwise, project; with a shortcut where sizes allow."""

    def __init__(self, size: BlockSize) -> None:
        super().__init__()
        inputs, hidden, outputs, kernel, stride = size
        self.expand = SameConv(inputs, hidden)
        self.depthwise = SameConv(hidden, hidden, kernel, stride, hidden)
        self.project = SameConv(hidden, outputs, active=False)
        self._shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self._shortcut else y


class LandmarkNetwork(nn.Module):
    """Landmarks of the hand in a crop."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            SameConv(3, _STEM, 3, 2),
            SameConv(_STEM, _STEM, 3, 1, _STEM),
            SameConv(_STEM, _FIRST, active=False),
        )
        self.blocks = nn.ModuleList(InvertedResidual(size) for size in BLOCKS)
        self.last = nn.Sequential(
            SameConv(BLOCKS[-1].outputs, CODE_WIDTH),
            SameConv(CODE_WIDTH, CODE_WIDTH, 3, 1, CODE_WIDTH),
        )
        self.presence, self.right = nn.Linear(CODE_WIDTH, 1), nn.Linear(CODE_WIDTH, 1)
        self.landmarks = nn.Linear(CODE_WIDTH, 3 * JOINT_COUNT)
        self.shape = nn.Linear(CODE_WIDTH, 3 * JOINT_COUNT)

    def forward(self, image: Tensor) -> SeenLandmarks:
        """(B, 3, 224, 224) RGB in [0, 1]."""
        return self.read(*self.encode(image))

    def encode(
        self, image: Tensor, hint: Tensor | None = None, code_hint: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The code of each crop and its maps; the hints are added to the map at stride 8 and to
        the code."""
        x, maps = self.stem(image), []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == HINTED and hint is not None:
                x = x + hint
            if number in _LEVELS:
                maps.append(x)
        code: Tensor = self.last(x).mean((2, 3))
        return code if code_hint is None else code + code_hint, tuple(maps)

    def read(self, code: Tensor, maps: tuple[Tensor, ...]) -> SeenLandmarks:
        """What the (B, CODE_WIDTH) code of a crop says."""
        raw = self.landmarks(code).unflatten(1, (JOINT_COUNT, 3))
        # The network counts from the first pixel's edge.
        places = torch.cat([raw[..., :2] - 0.5, raw[..., 2:] / DEPTH_SHARE], -1)
        presence, right = (head(code)[:, 0].sigmoid() for head in (self.presence, self.right))
        return SeenLandmarks(
            places, presence, right, self.shape(code).unflatten(1, (JOINT_COUNT, 3)), maps, code
        )

    def fuse(self) -> None:
        """Make inference on a CPU in float32 fast; weights must not change afterwards."""
        fuse_convolutions(self)


def fuse_convolutions(network: nn.Module) -> None:
    """Make a network's ``SameConv`` fast on a CPU in float32; weights must not change afterwards.

    With one thread, PyTorch's own convolution takes twice as long for kernels of one pixel.
    """
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        for module in network.modules():
            if isinstance(module, SameConv):
                module.fuse()
