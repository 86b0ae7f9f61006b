"""One encoded frame: the hands' occupancy fields, and their surfaces on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.networks.chunking import Chunks
from im2hands_ros.networks.paper.anchoring import ANCHOR_RESOLUTION, PaperRefinement
from im2hands_ros.networks.paper.initial_occupancy import PaperHandContext
from im2hands_ros.networks.stages import Context, Field, HandJoints
from im2hands_ros.pair import Pair
from im2hands_ros.skeleton import BONES
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.surface.boxes import FLESH_REACH, SearchBoxes
from im2hands_ros.surface.extract import Triangles, extract, orient
from im2hands_ros.surface.search import SurfaceCells, SurfaceSearch
from im2hands_ros.surface.voxels import occupied_voxels

# Points of a hand evaluated at once, by kind of device: bounds the memory of a query and, on a CPU,
# keeps the layers in its cache.
CHUNKS = {"cpu": 4096, "cuda": 65536}
# Beside the bones, lines across the palm, so that the search's first round covers all of it.
_PALM_LINES = ((1, 5), (5, 9), (9, 13), (13, 17), (2, 5))

Searcher = Callable[[int, int], SurfaceSearch]


@dataclass(frozen=True)
class HandSurface:
    """The reconstructed shape of one hand, in the camera frame, metres.

    Attributes:
        vertices: (V, 3) float32. triangles: (T, 3) int32, counter-clockwise from outside.
        voxels: (N, 3) float32 centres of the occupied surface voxels;
        voxel_occupancy: (N,) float32, the probabilities at those centres.
        keypoints: (21, 3) float32, MANO order, that the shape was made from.
        confidence: share in [0, 1] of the keypoints where the image shows a hand.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    voxels: NDArray[np.float32]
    voxel_occupancy: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    confidence: float

    @cached_property
    def mesh(self) -> trimesh.Trimesh:
        """The same surface as a trimesh object."""
        return trimesh.Trimesh(self.vertices, self.triangles, process=False)


class Hands(Pair[HandSurface]):
    """Both hands' surfaces (None: absent, or no surface found) and the time each stage took."""

    def __init__(
        self,
        left: HandSurface | None = None,
        right: HandSurface | None = None,
        timings_ms: dict[str, float] | None = None,
    ) -> None:
        super().__init__(left, right)
        self.timings_ms = timings_ms or {}


class HandField:
    """The occupancy field of one hand of a scene."""

    def __init__(self, scene: Scene, hand: int) -> None:
        self._scene = scene
        self._hand = hand

    def occupancy(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probability that points lie inside the hand.

        Args:
            points: (N, 3) camera frame, metres; any N.

        Returns:
            (N,) float32 in [0, 1].

        Raises:
            ValueError: another shape, or non-finite coordinates.
        """
        points = np.ascontiguousarray(points, np.float32)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points have shape {points.shape}: give (N, 3), metres, camera frame")
        if not np.isfinite(points).all():
            raise ValueError("points have non-finite coordinates: remove them before the query")
        return self._scene.probabilities(self._hand, points)


class Scene(Pair[HandField]):
    """The hands' fields in one encoded frame. Belongs to one thread, as its model does.

    Attributes:
        sides: which hands are present, in the order of the batch.
        keypoints: the (21, 3) joints that each hand's shape is made from, metres, camera frame,
            MANO order: refined, or as given.
        confidence: of each hand, as its surface's.
        swapped: the given left hand was the right one and the other way round.
    """

    def __init__(
        self,
        network: Field,
        context: Context,
        found: HandJoints,
        confidence: list[float],
        searcher: Searcher,
        clock: Stopwatch,
        autocast: Callable[[], torch.autocast],
        refinement: PaperRefinement | None = None,
    ) -> None:
        self._network: Field = network
        self._context: Context = context
        self._autocast, self._refinement = autocast, refinement
        self._confidence, self._searcher, self._clock = confidence, searcher, clock
        self.sides = list(found.joints)
        super().__init__(**{side: HandField(self, hand) for hand, side in enumerate(self.sides)})
        self.keypoints = Pair(**found.joints)
        self.confidence = Pair(**dict(zip(self.sides, confidence, strict=True)))
        self.swapped = found.swapped

    @torch.inference_mode()
    def probabilities(self, hand: int, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3) camera-frame points to (N,) probabilities of the batch's hand of this number."""
        if not len(points):
            return np.empty(0, np.float32)
        self._refine()
        context = self._context.select(hand)
        queries = torch.from_numpy(points)[None].to(context.intrinsics.device)
        logits = chunk_of(queries.device).over(
            len(points),
            lambda part: self._logits(context.hands.palm_from_camera(queries[:, part]), context),
        )
        return torch.cat(logits, dim=1)[0].sigmoid().cpu().numpy()

    @torch.inference_mode()
    def reconstruct(
        self, resolution: int = 64, threshold: float = 0.5, voxel_size: float = 0.005
    ) -> Hands:
        """Find the surfaces of both hands.

        Args:
            resolution: lattice cells per side of each hand's box (about 0.2 m).
            threshold: occupancy probability at the surface.
            voxel_size: side of the occupied surface voxels, metres; 0 leaves them out.

        Raises:
            ValueError: a resolution, threshold or voxel size out of range.
        """
        if not 0 < threshold < 1:
            raise ValueError(f"occupancy threshold {threshold}: choose it between 0 and 1")
        self._refine()
        boxes = SearchBoxes.around(self._context.hands.joints_palm)
        with self._clock.stage("search"):
            cells = self._search(boxes, resolution, threshold)
        surfaces: dict[str, HandSurface] = {}
        for hand, side in enumerate(self.sides):
            with self._clock.stage("extract"):
                found = extract(cells, hand)
            if found is not None:
                surfaces[side] = self._lift(hand, found, boxes, threshold, voxel_size)
        return Hands(**surfaces, timings_ms=dict(self._clock.milliseconds))

    def _refine(self) -> None:
        """Once per frame, where there is a refinement: from here on the refined field answers.

        A hand without an initial surface leaves both as they are.
        """
        if self._refinement is None:
            return
        refinement, self._refinement = self._refinement, None
        assert isinstance(self._context, PaperHandContext)
        boxes = SearchBoxes.around(self._context.hands.joints_palm)
        with self._clock.stage("refine"):
            cells = self._search(boxes, ANCHOR_RESOLUTION, 0.5)
            found = [extract(cells, hand) for hand in range(len(self.sides))]
            surfaces = [
                self._in_camera(hand, surface, boxes)
                for hand, surface in enumerate(found)
                if surface is not None
            ]
            if len(surfaces) == len(self.sides):
                with self._autocast():
                    self._context = refinement(self._context, surfaces)
                self._network = refinement.network

    def _search(self, boxes: SearchBoxes, resolution: int, threshold: float) -> SurfaceCells:
        def field_in_boxes(points_box: Tensor, valid: Tensor) -> Tensor:
            return self._logits(boxes.palm_from_box(points_box), self._context)

        search = self._searcher(resolution, len(self.sides))
        reach = float(FLESH_REACH / boxes.side.min()) + 1.0 / 16
        logit = float(np.log(threshold / (1 - threshold)))
        return search(field_in_boxes, logit, self._bone_segments(boxes), reach)

    def _bone_segments(self, boxes: SearchBoxes) -> Tensor:
        """(H, S, 2, 3) bones and palm lines in box coordinates."""
        joints = boxes.box_from_palm(self._context.hands.joints_palm)
        return joints[:, torch.tensor(BONES + _PALM_LINES, device=joints.device)]

    def _lift(
        self, hand: int, found: Triangles, boxes: SearchBoxes, threshold: float, voxel_size: float
    ) -> HandSurface:
        """Bring one hand's triangles from its box to the camera and fill its surface voxels."""
        hands = self._context.hands
        with self._clock.stage("extract"):
            vertices, triangles = self._in_camera(hand, found, boxes)
            keypoints = hands.camera_from_palm(hands.joints_palm)[hand].cpu().numpy()
        voxels, occupancy = np.empty((0, 3), np.float32), np.empty(0, np.float32)
        if voxel_size:
            with self._clock.stage("voxels"):
                voxels, occupancy = occupied_voxels(
                    vertices,
                    triangles,
                    lambda centres: self.probabilities(hand, centres),
                    voxel_size,
                    threshold,
                )
        confidence = self._confidence[hand]
        return HandSurface(vertices, triangles, voxels, occupancy, keypoints, confidence)

    def _in_camera(
        self, hand: int, found: Triangles, boxes: SearchBoxes
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Vertices in the camera frame and triangles counter-clockwise from outside."""
        hands = self._context.hands
        points = torch.zeros(len(hands.wrist), *found.vertices.shape).to(hands.wrist)
        points[hand] = torch.from_numpy(found.vertices)
        vertices = hands.camera_from_palm(boxes.palm_from_box(points))[hand].cpu().numpy()
        return vertices, orient(found.triangles, bool(hands.mirrored[hand]))

    def _logits(self, points_palm: Tensor, context: Context) -> Tensor:
        with self._autocast():
            return self._network(points_palm, context).float()


@cache
def chunk_of(device: torch.device) -> Chunks:
    """How many points of a hand to evaluate at once on this device."""
    return Chunks(CHUNKS[device.type])
