"""One encoded frame: the hands' occupancy fields, and their surfaces on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.field_surfaces import FieldSurfaces
from im2hands_ros.networks.protocol import EstimatedJoints, HandContext, cloned, take
from im2hands_ros.pair import HandPair
from im2hands_ros.precision import Precision
from im2hands_ros.skeleton import JOINT_COUNT
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.surface.chunking import chunks_of
from im2hands_ros.surface.extract import Triangles
from im2hands_ros.surface.pruned_search import SearchCache
from im2hands_ros.surface.search import SurfaceCells
from im2hands_ros.surface.voxels import occupied_voxels

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True)
class HandSurface:
    """The reconstructed shape of one hand, in the camera frame, metres.

    Attributes:
        vertices: (V, 3) float32. triangles: (T, 3) int32, counter-clockwise from outside.
        voxels: (N, 3) float32 centres of the occupied surface voxels;
        voxel_occupancy: (N,) float32, the probabilities at those centres.
        keypoints: (21, 3) float32, MANO order, that the shape was made from.
        confidence: share in [0, 1] of the keypoints where the image shows a hand, and which the
            surface was not left without.
        severed: numbers of the keypoints that lie in a piece cut off from the rest and left out.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    voxels: NDArray[np.float32]
    voxel_occupancy: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    confidence: float
    severed: tuple[int, ...] = ()

    @cached_property
    def mesh(self) -> trimesh.Trimesh:
        """The same surface as a trimesh object."""
        # Its import catches whatever is raised, Ctrl-C too: not while a node starts.
        import trimesh

        return trimesh.Trimesh(self.vertices, self.triangles, process=False)


@dataclass(frozen=True)
class Hands(HandPair[HandSurface]):
    """Both hands' surfaces (None: absent, or no surface found) and the time each stage took."""

    timings_ms: dict[str, float] = field(default_factory=dict)


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
        _check_shape(points.shape)
        if not np.isfinite(points).all():
            raise ValueError("points have non-finite coordinates: remove them before the query")
        return self._scene.probabilities(self._hand, points)

    def depth(self, points: Tensor) -> Tensor:
        """The same field as signed depth under the skin; differentiable in the points.

        Args:
            points: (N, 3) camera frame, metres.

        Returns:
            (N,) float32 metres, positive inside; exact near the surface.

        Raises:
            ValueError: another shape, or a preset whose logits are no depths.
        """
        _check_shape(points.shape)
        return self._scene.depths(self._hand, points)


class Scene(HandPair[HandField]):
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
        context: HandContext,
        estimate: EstimatedJoints,
        confidence: HandPair[float],
        searches: SearchCache,
        precision: Precision,
        clock: Stopwatch,
        depth_unit: float | None = None,
    ) -> None:
        self._depth_unit = depth_unit
        self._torch_context: HandContext | None = None
        self.sides = list(estimate.joints.present)
        super().__init__(**{side: HandField(self, hand) for hand, side in enumerate(self.sides)})
        self.keypoints, self.confidence = estimate.joints, confidence
        self.swapped = estimate.swapped
        self._context = context
        self._searches, self._precision, self._clock = searches, precision, clock

    @torch.inference_mode()
    def probabilities(self, hand: int, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3) camera-frame points to (N,) probabilities of the batch's hand of this number."""
        if not len(points):
            return np.empty(0, np.float32)
        hands, field = self._field_of(hand)
        queries = torch.from_numpy(points)[None].to(hands.wrist.device)
        logits = chunks_of(self._precision.device).over(
            len(points), lambda part: field(hands.palm_from_camera(queries[:, part]))
        )
        return torch.cat(logits, dim=1)[0].sigmoid().cpu().numpy()

    def _field_of(self, hand: int) -> tuple[CanonicalHands, Callable[[Tensor], Tensor]]:
        """One hand's frames, and its logits at palm-frame points."""
        context, one = self._complete_context(), slice(hand, hand + 1)
        if context.native_field is not None:  # without copies of the context's tensors
            return take(context.hands, one), context.native_field[one]
        alone = context.select(hand)
        return alone.hands, lambda points_palm: self._logits(points_palm, alone)

    def depths(self, hand: int, points: Tensor) -> Tensor:
        """(N, 3) camera-frame points to (N,) metres of depth in the batch's hand of this number."""
        if self._depth_unit is None:
            raise ValueError("this preset's logits are no depths: use the preset 'compact'")
        if self._torch_context is None:
            with torch.inference_mode(False):
                self._torch_context = cloned(self._complete_context().in_torch())
        context = self._torch_context.select(hand)
        queries = points.to(context.hands.wrist)[None]
        logits = self._logits(context.hands.palm_from_camera(queries), context)
        return self._depth_unit * logits[0]

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
        found = self._field_surfaces(self._complete_context())
        with self._clock.stage("search"):
            cells = found.cells(resolution, threshold)
        surfaces: dict[str, HandSurface] = {}
        for hand, side in enumerate(self.sides):
            with self._clock.stage("extract"):
                triangles = found.triangles(cells, hand)
            if triangles is not None:
                surfaces[side] = self._surface(hand, triangles, found, threshold, voxel_size)
        return Hands(**surfaces, timings_ms=dict(self._clock.milliseconds))

    @torch.inference_mode()
    def surface_cells(
        self, resolution: int, threshold: float = 0.5, dense: bool = False
    ) -> SurfaceCells:
        """The lattice cells that the surfaces pass through; see `FieldSurfaces.cells`."""
        return self._field_surfaces(self._complete_context()).cells(resolution, threshold, dense)

    def _field_surfaces(self, context: HandContext) -> FieldSurfaces:
        logits = partial(self._logits, context=context)
        return FieldSurfaces(context, logits, self._searches, self._precision.device)

    def _complete_context(self) -> HandContext:
        """The context, with the initial surfaces where it needs them: once per frame."""
        resolution = self._context.surface_resolution
        if resolution is not None:
            initial = self._field_surfaces(self._context)
            with self._clock.stage("refine"):
                surfaces = initial.all_in_camera(resolution, 0.5)
                with self._precision.autocast():
                    self._context = self._context.with_surfaces(surfaces)
        return self._context

    def _surface(
        self,
        hand: int,
        found: Triangles,
        surfaces: FieldSurfaces,
        threshold: float,
        voxel_size: float,
    ) -> HandSurface:
        """One hand's triangles with its surface voxels, keypoints and confidence."""
        keypoints = self.keypoints.present[self.sides[hand]]
        with self._clock.stage("extract"):
            triangles = surfaces.in_camera(found, hand)
            severed = surfaces.severed(found, hand)
        voxels, occupancy = np.empty((0, 3), np.float32), np.empty(0, np.float32)
        if voxel_size:
            with self._clock.stage("voxels"):
                voxels, occupancy = occupied_voxels(
                    *triangles,
                    lambda centres: self.probabilities(hand, centres),
                    voxel_size,
                    threshold,
                    surfaces.kernels,
                )
        confidence = self.confidence.present[self.sides[hand]] * (1 - len(severed) / JOINT_COUNT)
        return HandSurface(*triangles, voxels, occupancy, keypoints, confidence, severed)

    def _logits(self, points_palm: Tensor, context: HandContext) -> Tensor:
        with self._precision.autocast():
            return context.logits(points_palm).float()


def _check_shape(shape: Sequence[int]) -> None:
    if len(shape) != 2 or shape[1] != 3:
        raise ValueError(f"points have shape {tuple(shape)}: give (N, 3), metres, camera frame")
