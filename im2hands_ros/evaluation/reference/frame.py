"""A whole frame in the published order of work: image in, both hands' surfaces out.

Of the paper preset by the networks of `occupancy.py`: a search for the initial surfaces, anchors on
them, a search for the refined ones. Of another preset, which was never published, its own networks
are evaluated in torch in the same order: one search, for which everything but the keypoints is done
anew in every round. Both search the published box, from about 32 cells a side on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.evaluation.reference.mise import COARSE, DenseGrid
from im2hands_ros.evaluation.reference.occupancy import BOX_SIDE, initial, refined, search_both
from im2hands_ros.networks.paper.networks import PaperNetworks
from im2hands_ros.networks.paper.surface_anchors import points_on_surface
from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair, KeypointPair, Keypoints
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import SIDES
from im2hands_ros.surface.extract import Triangles

ANCHORS = 512
Frame = Callable[[np.ndarray, Keypoints, Camera, float], "ReferenceFrame"]
_HALF = 0.5  # the probability at the surface


@dataclass(frozen=True)
class ReferenceFrame:
    """What was found.

    Attributes:
        resolution: cells a side of the published box. points: evaluated, in all searches.
        meshes: of each hand, vertices in its palm frame, metres; None where there is no surface.
    """

    resolution: int
    points: int
    meshes: list[Triangles | None]


def reference_of(model: Im2Hands) -> Frame:
    """The published order of work with the weights of a model without compiled kernels.

    Its result takes an image (H, W, 3) uint8 RGB, keypoints of both hands, the camera and the side
    of the finest cells, metres: they are a little larger than that.
    """
    of_preset = _paper_frame if isinstance(model.networks, PaperNetworks) else _torch_frame

    @torch.inference_mode()
    def frame(
        image: np.ndarray, keypoints: Keypoints, camera: Camera, cell: float
    ) -> ReferenceFrame:
        return of_preset(model, image, HandPair(**keypoints), camera, cell)

    return frame


def lattice(cell: float) -> dict[str, int]:
    """Cells of the first round and how often they are halved: from about 32 on."""
    cells = BOX_SIDE / cell
    depth = max(round(math.log2(cells / COARSE)), 0)
    return {"coarse": int(cells / 2**depth), "depth": depth}


def _paper_frame(
    model: Im2Hands, image: np.ndarray, keypoints: KeypointPair, camera: Camera, cell: float
) -> ReferenceFrame:
    networks = model.networks
    assert isinstance(networks, PaperNetworks)
    if "keypoints" in model.stages:
        keypoints = model.encode(image, keypoints, camera).keypoints
    around = np.concatenate(list(keypoints.present.values()))
    crop = crop_around(camera, around, networks.image_size, networks.crop_margin)
    pixels = torch.from_numpy(crop.extract(image)).to(model.device).permute(2, 0, 1)[None] / 255
    pixels = networks.initial.encoder.normalise(pixels)
    hands, size = _canonical(model, keypoints), lattice(cell)
    first = search_both(
        lambda palm: initial(networks.initial, pixels, hands, palm), _HALF, model.device, **size
    )
    network = networks.refinement
    if network is None:
        return _found([first])
    intrinsics = torch.as_tensor(crop.camera.K, dtype=torch.float32, device=model.device)
    intrinsics = intrinsics.expand(len(SIDES), 3, 3)
    there = torch.stack([_anchors_on(grid, hands, hand) for hand, grid in enumerate(first)])
    second = search_both(
        lambda palm: refined(network, pixels, hands, intrinsics, there, palm),
        _HALF,
        model.device,
        **size,
    )
    return _found([first, second])


def _torch_frame(
    model: Im2Hands, image: np.ndarray, keypoints: KeypointPair, camera: Camera, cell: float
) -> ReferenceFrame:
    joints = EstimatedJoints.as_given(keypoints)
    refines = model.refine_keypoints
    if refines:
        scene = model.encode(image, keypoints, camera)
        joints = EstimatedJoints(scene.keypoints, scene.confidence)
    hands = _canonical(model, joints.joints)

    def evaluate(points_palm: list[Tensor]) -> list[Tensor]:
        scene = model.encode(image, keypoints, camera, settle=lambda _: joints)
        values = []
        for hand, (side, points) in enumerate(zip(SIDES, points_palm, strict=True)):
            queries = _camera_from_palm(hands, hand, points).cpu().numpy()
            values.append(torch.from_numpy(getattr(scene, side).occupancy(queries)))
        return values

    try:
        model.refine_keypoints = False
        return _found([search_both(evaluate, _HALF, model.device, **lattice(cell))])
    finally:
        model.refine_keypoints = refines


def _canonical(model: Im2Hands, keypoints: KeypointPair) -> CanonicalHands:
    """Frames of the left and the right hand. Raises ValueError where one is missing."""
    if len(keypoints.present) < len(SIDES):
        raise ValueError("the published order of work takes two hands: give keypoints of both")
    joints = torch.as_tensor(np.stack(list(keypoints.present.values()))).to(model.device)
    mirrored = torch.tensor([True, False], device=model.device)
    return model.networks.canonicalise(joints, mirrored)


def _camera_from_palm(hands: CanonicalHands, hand: int, points_palm: Tensor) -> Tensor:
    """(N, 3) palm points of one hand in the camera frame."""
    one = CanonicalHands(*(value[hand : hand + 1] for value in hands))
    return one.camera_from_palm(points_palm[None])[0]


def _anchors_on(grid: DenseGrid, hands: CanonicalHands, hand: int) -> Tensor:
    """(512, 3) points on a hand's surface, camera frame. Raises ValueError where it has none."""
    surface = grid.surface()
    if surface is None:
        raise ValueError("the reference implementation finds no initial surface: use other weights")
    points = points_on_surface(surface.vertices, surface.triangles, ANCHORS)
    palm = torch.from_numpy((points - 0.5) * BOX_SIDE).to(hands.wrist)
    return _camera_from_palm(hands, hand, palm)


def _found(searches: list[list[DenseGrid]]) -> ReferenceFrame:
    meshes: list[Triangles | None] = []
    for grid in searches[-1]:
        found = grid.surface()
        if found is not None:
            found = Triangles((found.vertices - 0.5) * BOX_SIDE, found.triangles)
        meshes.append(found)
    points = sum(sum(grid.counts) for grids in searches for grid in grids)
    return ReferenceFrame(len(searches[-1][0].values) - 1, points, meshes)


def paper_model(device: torch.device, dtype: torch.dtype, radius: float = 0.08) -> Im2Hands:
    """The paper preset with weights that anybody can make again: octahedra of a hand's surface
    area; a trained network's work is all done."""
    from im2hands_ros.evaluation.reference.octahedra import octahedra

    record: dict[str, Any] = {"preset": "paper", "network": "octahedra"}
    return Im2Hands(PaperNetworks(octahedra(radius)), device, dtype, record)
