"""What torch, NumPy and scikit-image compute of encoder, keypoints, close-ups, tokens, meshes and
the published networks' layers, for test/kernels/equality.cpp on another processor."""

from __future__ import annotations

import numpy as np
import torch
from kernel_twins import trained
from two_hands import CAMERA, joints, picture

from im2hands_ros.kernels import marching
from im2hands_ros.networks.attention import AttentionBlocks
from im2hands_ros.networks.compact.close_ups import region, shown_in
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.native_close_ups import close_up_weights
from im2hands_ros.networks.compact.native_encoder import encoder_weights
from im2hands_ros.networks.compact.native_keypoints import keypoint_weights
from im2hands_ros.networks.native_attention import block_weights
from im2hands_ros.networks.paper.decoder import PaperBones, PaperDecoder
from im2hands_ros.networks.paper.native import attention_weights, decoder_weights
from im2hands_ros.networks.paper.presets import PaperDecoderPreset
from im2hands_ros.networks.paper.vector_attention import (
    Cloud,
    ScoreLayers,
    TwoLayers,
    Weights,
    Whole,
    attending,
    nearest,
    vector_attention,
)
from im2hands_ros.surface.extract import extract
from im2hands_ros.surface.search import SurfaceCells
from im2hands_ros.surface.voxels import occupied_voxels

_NOISE, _VOXEL, _WIDTH, _NEAR = 0.008, 0.005, 48, 9


def arrays(cells: SurfaceCells) -> list[np.ndarray]:
    """In the order that equality.cpp reads; cells: of a search in torch."""
    torch.manual_seed(0)
    parts = (_keypoints(), _close_ups(), _tokens(), _meshes(cells), _attention(), _decoder())
    return [array for part in parts for array in part]


def _keypoints() -> list[np.ndarray]:
    """Of the encoder, and what the keypoint refinement makes of its features."""
    networks = trained()
    size = networks.image_size
    image = torch.from_numpy(picture()[:size, :size]).permute(2, 0, 1)[None].float() / 255
    features = networks.encode(image)
    hands = _hands()
    assert networks.keypoints is not None
    refined = networks.keypoints(features, hands)
    maps = (features.pixels.permute(0, 2, 3, 1), features.context.permute(0, 2, 3, 1))
    return [
        encoder_weights(networks.initial.encoder),
        *_numbers(image.permute(0, 2, 3, 1), *maps, features.joints),
        keypoint_weights(networks.keypoints),
        *_numbers(hands.intrinsics, hands.joints, refined.joints, refined.spread, refined.swapped),
    ]


def _close_ups() -> list[np.ndarray]:
    """The part of the picture that the refinement by close-ups reads, and what it makes of it."""
    network, begin, given = trained().closeups, _hands(), _hands()
    found = region(picture(), CAMERA, begin.joints, begin.present)
    assert network is not None and found is not None
    refined = network(shown_in(*found, begin.joints, begin.present), begin, given.joints)
    part, frames = found
    return [
        close_up_weights(network),
        np.array(part.shape[:2], np.int64),
        part.astype(np.int64),
        *_numbers(*frames, given.joints, begin.joints, refined.joints, refined.spread),
    ]


def _hands() -> CoarseHands:
    """Both hands of the picture with noise."""
    places = torch.stack([torch.as_tensor(joints(side)).float() for side in ("left", "right")])
    places = (places + _NOISE * torch.randn(places.shape))[None]
    camera = torch.as_tensor(CAMERA.K, dtype=torch.float32)[None]
    return CoarseHands(places, torch.ones(1, 2).bool(), camera)


def _tokens() -> list[np.ndarray]:
    blocks = AttentionBlocks(2, 64, 4)
    tokens = torch.randn(2, 78, 64)
    return [block_weights(blocks), *_numbers(tokens, blocks(tokens))]


def _meshes(cells: SurfaceCells) -> list[np.ndarray]:
    """Of the right hand: marching cubes' tables, lattice, triangles and voxels."""
    mesh = extract(cells, 1)
    assert mesh is not None
    vertices = 0.2 * mesh.vertices
    centres, _ = occupied_voxels(vertices, mesh.triangles, lambda it: np.ones(len(it)), _VOXEL)
    return [
        marching.tables().astype(np.int64),
        cells.values[1].numpy(),
        cells.cells[1].numpy(),
        mesh.vertices * cells.resolution,
        mesh.triangles.astype(np.int64),
        centres,
    ]


def _attention() -> list[np.ndarray]:
    """One query for all with a neighbour of all, then a query per point."""
    offset, score = TwoLayers(3, _WIDTH), ScoreLayers(_WIDTH, _WIDTH)
    positions, places = 0.05 * torch.randn(1, 400, 3), 0.05 * torch.randn(1, 30, 3)
    cloud = Cloud(places, torch.randn(1, 30, _WIDTH), torch.randn(1, 30, _WIDTH))
    near = nearest(positions, places, _NEAR).sort(-1).values
    weights = Weights.of(offset, score)
    parts = [attention_weights(weights), *_numbers(positions, places), near.numpy()]
    for count in (1, 400):
        queries = torch.randn(1, count, _WIDTH)
        whole = Whole(torch.randn(1, _WIDTH), torch.randn(1, _WIDTH)) if count == 1 else None
        one = None if whole is None else Whole(whole.key[0], whole.value[0])
        given = attending(
            positions[0], queries[0], Cloud(*(x[0] for x in cloud)), near[0], weights, one
        )
        more = given.queries if given.whole is None else torch.stack([*given.whole])
        assert more is not None
        result = vector_attention(positions, queries, cloud, near, offset, score, whole)
        parts += _numbers(given.cloud.keys, given.cloud.values, more, result)
    return parts


def _decoder() -> list[np.ndarray]:
    decoder = PaperDecoder(PaperDecoderPreset(), 19)
    bones = PaperBones(torch.randn(1, 16, 3, 64), torch.randn(1, 16, 1, 64))
    points, image = 0.1 * torch.randn(1, 300, 3), torch.randn(1, 300, 19)
    first = torch.cat([bones.weight, bones.bias], 2)
    rows = torch.cat([image, torch.ones(1, 300, 1)], 2)
    return [decoder_weights(decoder), *_numbers(first, points, rows, decoder(points, bones, image))]


def _numbers(*tensors: torch.Tensor) -> list[np.ndarray]:
    return [tensor.detach().float().contiguous().numpy() for tensor in tensors]
