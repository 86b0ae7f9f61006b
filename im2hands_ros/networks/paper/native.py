"""The published networks' costly layers, by the native library: vector attention and decoder."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import BONE_SLOT_COUNT
from im2hands_ros.kernels.field import Block
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.paper.decoder import PaperBones, PaperDecoder
from im2hands_ros.networks.paper.point_transformer import PointTransformer, SetAbstraction
from im2hands_ros.networks.paper.query_decoder import QueryAttention
from im2hands_ros.networks.paper.vector_attention import Attending, TwoLayers, Weights

_LANES = 16  # channels are padded to a multiple of these


class NativeAttention:
    """What `vector_attention` computes of one hand, from a copy of the layers' weights."""

    def __init__(self, library: Library, offset: TwoLayers, score: TwoLayers) -> None:
        width = score.first.out_features
        self._library, self._width, self._padding = library, width, -width % _LANES
        block = attention_weights(Weights.of(offset, score))
        self._handle = library.checked(
            library.attention_new(block.ctypes.data, block.size, width + self._padding)
        )
        weakref.finalize(self, library.attention_free, self._handle)

    def __call__(self, given: Attending) -> Tensor:
        """(N, C) float32."""
        library, (positions, near, cloud, queries, whole) = self._library, given
        library.use_torch_threads()
        beside = None if whole is None else torch.stack([*whole])
        padded = [None if x is None else self._padded(x) for x in (*cloud[1:], queries, beside)]
        places, points = cloud.positions.float().contiguous(), positions.float().contiguous()
        numbers = near.to(torch.int32).contiguous()
        out = points.new_empty(len(points), self._width + self._padding)
        keys, values, query, alone = (None if x is None else x.data_ptr() for x in padded)
        library.checked(
            library.attention_run(
                *(self._handle, places.data_ptr(), keys, values, len(places)),
                *(points.data_ptr(), query, numbers.data_ptr(), *numbers.shape, alone),
                out.data_ptr(),
            )
        )
        return out[:, : self._width]

    def nearest(self, centres: Tensor, positions: Tensor, count: int) -> Tensor:
        """(H, M, count) int32 indices of the points (H, N, 3) nearest to (H, M, 3) centres."""
        library = self._library
        library.use_torch_threads()
        found = torch.empty(*centres.shape[:2], count, dtype=torch.int32)
        for of, among, out in zip(
            centres.float().contiguous(), positions.float().contiguous(), found, strict=True
        ):
            sizes = (of.data_ptr(), len(of), among.data_ptr(), len(among), count)
            library.checked(library.nearest(*sizes, out.data_ptr()))
        return found

    def _padded(self, rows: Tensor) -> Tensor:
        return F.pad(rows.float(), (0, self._padding)).contiguous()


class NativeDecoder:
    """What a `PaperDecoder` computes, from a copy of its weights."""

    def __init__(self, library: Library, decoder: PaperDecoder) -> None:
        block, width = decoder_weights(decoder), decoder.second.weight.shape[1]
        self._library = library
        self._handle = library.checked(
            library.decoder_new(
                block.ctypes.data, block.size, BONE_SLOT_COUNT, width, decoder.image_width + 1
            )
        )
        weakref.finalize(self, library.decoder_free, self._handle)

    def __call__(self, points_palm: Tensor, bones: PaperBones, image: Tensor) -> Tensor:
        """Logits (H, N) of (H, N, 3) palm-frame points (metres) with (H, N, C) image features."""
        library = self._library
        library.use_torch_threads()
        points = points_palm.float().contiguous()
        features = F.pad(image.float(), (0, 1), value=1.0).contiguous()
        first = torch.cat([bones.weight, bones.bias], 2).float().contiguous()
        logits = points.new_empty(points.shape[:2])
        for parts in zip(first, points, features, logits, strict=True):
            *given, out = (part.data_ptr() for part in parts)
            library.checked(library.decoder_run(self._handle, *given, points.shape[1], out))
        return logits


def use_native_layers(networks: nn.Module, library: Library) -> None:
    """Let the library compute the vector attention and the decoders in these networks."""
    for part in networks.modules():
        if isinstance(part, (PointTransformer, QueryAttention)):
            part.score.native = NativeAttention(library, part.offset, part.score)
        elif isinstance(part, SetAbstraction):
            for score in (part.first_score, part.second_score):
                score.native = NativeAttention(library, part.offset, score)
        elif isinstance(part, PaperDecoder):
            part.native = NativeDecoder(library, part)


def attention_weights(weights: Weights) -> Block:
    """What `VectorAttention::read` (src/vector_attention.cpp) reads."""
    missing = -weights.joint.shape[0] % _LANES
    inner = (weights.offset_second, weights.joint, weights.score_second)
    square = [F.pad(layer, (0, missing, 0, missing)) for layer in inner]
    first = [F.pad(layer, (0, missing)) for layer in weights[:2]]
    return torch.cat([part.detach().float().flatten() for part in (*first, *square)]).numpy()


def decoder_weights(decoder: PaperDecoder) -> Block:
    """What `PaperDecoder::read` (src/paper_decoder.cpp) reads."""
    layers = decoder.layers()
    third = torch.cat([layers.third, layers.third_image], 1)
    parts = (*layers[:2], third, *layers[4:])
    return torch.cat([part.detach().float().flatten() for part in parts]).numpy()
