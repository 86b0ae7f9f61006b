"""From a picture with MANO fits to a `Sample`: crop, meshes, keypoints, labelled points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.canonical import canonicalise
from im2hands_ros.datasets.annotations import AnnotatedFrame
from im2hands_ros.datasets.mano import ManoHand
from im2hands_ros.pictures import AS_STORED
from im2hands_ros.skeleton import SIDES, WRIST
from im2hands_ros.synthetic.labels import sample_points, signed_depth, surface_points
from im2hands_ros.synthetic.photography import encode
from im2hands_ros.synthetic.raytracing import RayScene, pixel_rays, plain_part
from im2hands_ros.synthetic.sample import (
    MASK_IDS,
    Mesh,
    Sample,
    pack_depth,
    pack_points,
    unpack_depth,
    unpack_points,
)

Points = NDArray[np.float32]

SIZE = 256
# Share of the crop that the hands fill, and the mean below which a picture is called black.
PUBLISHED_FILL = 0.8
_DARKEST = 10.0
_JPEG_QUALITY = 95
# The published sampling: half the points uniform in this cube around the wrist, aligned with the
# palm; half this far (standard deviation) from the skin. Metres: 1.1 and 0.01 units of 0.4 m.
_CUBE_SIDE, _SKIN_SIGMA = 0.44, 0.004
# Seeds of converted scenes, apart from those of synthetic splits.
SPLIT_SEEDS = {"train": 5_000_000_000, "val": 6_000_000_000, "test": 7_000_000_000}


class PosedPair(NamedTuple):
    """Two hands in the camera frame, metres: meshes (V, 3) and keypoints (21, 3) by side."""

    surfaces: dict[str, Mesh]
    keypoints: dict[str, Points]


@dataclass(frozen=True)
class ConversionSettings:
    """How samples are made. The same frame and conversion always give the same sample.

    Attributes:
        split: train, val or test.
        near, volume: labelled points a hand, around the skin and throughout its surroundings.
        sampling: "project" as `im2hands synthesize` draws them, or "paper" as published.
        fill: share of the crop's side that the hands' larger extent takes.
    """

    split: str
    near: int
    volume: int
    sampling: str = "project"
    fill: float = PUBLISHED_FILL

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"sampling '{self.sampling}' is unknown: use {', '.join(SAMPLINGS)}")
        if min(self.near, self.volume) < 1:
            raise ValueError(f"{self.near},{self.volume} points: give at least 1 of either kind")
        if not 0.2 <= self.fill <= 1:
            raise ValueError(f"fill {self.fill}: give 0.2 to 1 of the crop's side")


def make_sample(frame: AnnotatedFrame, hand: ManoHand, how: ConversionSettings) -> Sample | str:
    """One frame's sample, or why there is none.

    Raises:
        FileNotFoundError: the picture is missing. ValueError: it cannot be read.
    """
    picture = read_picture(frame)
    if picture.mean() < _DARKEST:
        return "picture nearly black"
    pair = pose_pair(frame, hand)
    if min(mesh.vertices[:, 2].min() for mesh in pair.surfaces.values()) < 0.05:
        return "hands not in front of the camera"
    affine, camera = crop_of(frame.view.camera, pair.surfaces, how.fill)
    image = cv2.warpAffine(picture, affine, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    seed = SPLIT_SEEDS[how.split] + frame.identity
    rng = np.random.default_rng(seed)
    points = {side: _points_of(side, pair, how, rng) for side in SIDES}
    depth = {
        side: unpack_depth(pack_depth(signed_depth(*pair.surfaces[side], points[side])))
        for side in SIDES
    }
    return Sample(
        jpeg=encode(image, _JPEG_QUALITY),
        camera=camera,
        mask=mask_of(camera, pair.surfaces),
        keypoints=dict(pair.keypoints),
        points=dict(points),
        depth=dict(depth),
        subset="interacting",
        kind=frame.sequence,
        seed=seed,
        parameters=dict.fromkeys(SIDES),
        surfaces=dict(pair.surfaces),
        near=how.near,
    )


def read_picture(frame: AnnotatedFrame) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of the camera's size; errors as `make_sample`."""
    if not frame.image.is_file():
        raise FileNotFoundError(f"no picture {frame.image}: unpack the images of this split")
    picture = cv2.imread(str(frame.image), AS_STORED)
    camera = frame.view.camera
    if picture is None or picture.shape[:2] != (camera.height, camera.width):
        size = "not a picture" if picture is None else f"{picture.shape[1]}x{picture.shape[0]}"
        raise ValueError(
            f"{frame.image} is {size}, annotated {camera.width}x{camera.height}: unpack it again"
        )
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)


def pose_pair(frame: AnnotatedFrame, hand: ManoHand) -> PosedPair:
    """Both hands of a frame from their fits, in its camera's frame."""
    surfaces, keypoints = {}, {}
    for side in SIDES:
        with torch.no_grad():
            pose, shape, translation = (torch.from_numpy(v)[None] for v in frame.fits[side])
            posed = hand.annotated(pose, shape, translation, side)
        posed_camera = (
            frame.view.to_camera(p[0].numpy()) for p in (posed.surface, posed.keypoints)
        )
        vertices, keypoints[side] = (points.astype(np.float32) for points in posed_camera)
        surfaces[side] = Mesh(vertices, hand.triangles_of(side).astype(np.int32))
    return PosedPair(surfaces, keypoints)


def fit_error(frame: AnnotatedFrame, pair_keypoints: dict[str, Points]) -> float:
    """Mean distance in metres of a pair's keypoints from the annotated joints (nan: none valid).

    The published fits come within some 5 mm; joints that MANO and the annotators place
    differently add to it. Much more means that files do not belong together.
    """
    distances = [
        np.linalg.norm(frame.view.to_camera(joints.xyz) - pair_keypoints[side], axis=1)[
            joints.valid
        ]
        for side, joints in frame.joints.items()
    ]
    every = np.concatenate(distances)
    return float(every.mean()) if len(every) else float("nan")


def crop_of(
    camera: Camera, surfaces: dict[str, Mesh], fill: float = PUBLISHED_FILL
) -> tuple[NDArray[np.float64], Camera]:
    """The published crop: the square around both hands' vertices, `fill` of it theirs.

    Returns the (2, 3) map from the picture's pixels to the crop's, and the crop's camera.
    """
    pixels = camera.project(np.concatenate([mesh.vertices for mesh in surfaces.values()]))
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    half = (high - low).max() / 2 / fill
    scale = SIZE / 2 / half
    shift = scale * (half - (low + high) / 2)
    affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    values = (scale * fx, scale * fy, scale * cx + shift[0], scale * cy + shift[1])
    fx, fy, cx, cy = (float(value) for value in values)
    return affine, Camera(SIZE, SIZE, fx, fy, cx, cy)


def mask_of(camera: Camera, surfaces: dict[str, Mesh]) -> NDArray[np.uint8]:
    """(H, W) uint8 of the nearest hand at each pixel: 0 none, 1 left, 2 right."""
    grey = np.ones(3)
    scene = RayScene([plain_part(*mesh, grey, MASK_IDS[side]) for side, mesh in surfaces.items()])
    v, u = np.mgrid[: camera.height, : camera.width].reshape(2, -1)
    cast = scene.cast(pixel_rays(camera, u, v))
    found = np.where(cast.hit, scene.ids[cast.triangle], 0)
    return found.reshape(camera.height, camera.width).astype(np.uint8)


def _points_of(
    side: str, pair: PosedPair, how: ConversionSettings, rng: np.random.Generator
) -> Points:
    """Points as shards keep them, so that the labels are those of the points that are read."""
    keypoints = pair.keypoints[side]
    drawn = SAMPLINGS[how.sampling](pair.surfaces[side], keypoints, side, how, rng)
    return unpack_points(pack_points(drawn, keypoints[WRIST]), keypoints[WRIST])


def _as_synthetic(
    mesh: Mesh, keypoints: Points, side: str, how: ConversionSettings, rng: np.random.Generator
) -> Points:
    return sample_points(*mesh, rng, how.near, how.volume)


def _as_published(
    mesh: Mesh, keypoints: Points, side: str, how: ConversionSettings, rng: np.random.Generator
) -> Points:
    near = surface_points(*mesh, rng, how.near)
    near = near + rng.normal(0, _SKIN_SIGMA, near.shape)
    cube = rng.uniform(-_CUBE_SIDE / 2, _CUBE_SIDE / 2, (how.volume, 3)).astype(np.float32)
    hands = canonicalise(torch.from_numpy(keypoints)[None], torch.tensor([side == "left"]))
    around = hands.camera_from_palm(torch.from_numpy(cube)[None])[0].numpy()
    return np.concatenate([near, around]).astype(np.float32)


SAMPLINGS: dict[str, Callable[..., Points]] = {"project": _as_synthetic, "paper": _as_published}
