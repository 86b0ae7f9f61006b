"""From one image and coarse 3D keypoints to the shapes of two hands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks.loading import Network, load_network
from im2hands_ros.networks.paper_refined_occupancy import PaperRefinedOccupancy
from im2hands_ros.paper_refinement import ANCHOR_RESOLUTION, PaperRefinement
from im2hands_ros.scene import Hands, HandSurface, Scene, chunk_of
from im2hands_ros.skeleton import JOINT_COUNT, SIDES
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.surface.search import SurfaceSearch

__all__ = ["Hands", "HandSurface", "Im2Hands", "Scene"]

WEIGHTS = Path(__file__).parent / "data" / "weights"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Keypoints = dict[str, NDArray[np.floating] | None]


class Im2Hands:
    """A loaded model. Use it from one thread; it keeps buffers between frames."""

    def __init__(
        self, network: Network, device: torch.device, dtype: torch.dtype, record: dict
    ) -> None:
        network.to(device).eval().requires_grad_(False)
        network.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._refined = network if isinstance(network, PaperRefinedOccupancy) else None
        self._network = network.initial if isinstance(network, PaperRefinedOccupancy) else network
        self._network.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._dtype = dtype
        self._searches: dict[tuple[int, int], SurfaceSearch] = {}
        self.device = device
        self.record = record

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        preset: str = "compact",
        device: str = "auto",
        precision: str = "auto",
    ) -> Im2Hands:
        """Load a model.

        Args:
            weights: safetensors file; None for the packaged weights of the preset.
            preset: ``compact``, or ``paper`` for the published networks: weights are then an
                init_occ or ref_occ file made by ``im2hands import-checkpoint``; none is packaged.
            device: ``auto`` (GPU if there is one), ``cpu`` or ``cuda[:n]``.
            precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; ``auto`` is bf16 for ``compact``
                on a GPU, fp32 otherwise.

        Raises:
            FileNotFoundError: no such weights file.
            ValueError: unknown preset, device or precision, or weights that do not fit.
        """
        target = choose_device(device)
        if preset == "paper" and precision == "auto":
            precision = "fp32"
        dtype = choose_precision(precision, target)
        path = Path(weights) if weights else WEIGHTS / f"{preset}.safetensors"
        network, record = load_network(preset, path)
        return cls(network, target, dtype, record)

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8], keypoints: Keypoints, camera: Camera) -> Scene:
        """Look at a frame once; everything else is asked of the scene.

        Args:
            image: (H, W, 3) uint8 RGB.
            keypoints: per side ("left", "right") (21, 3) MANO order, metres, camera frame; a side
                that is None or missing is absent.
            camera: intrinsics of the image.

        Raises:
            ValueError: an image, keypoints or camera that do not fit together.
        """
        hands = check_keypoints(keypoints)
        check_image(image, camera)
        clock = Stopwatch(self.device)
        with clock.stage("crop"):
            joints = np.stack(list(hands.values()))
            size, margin = self._network.image_size, self._network.crop_margin
            crop = crop_around(camera, joints.reshape(-1, 3), size, margin)
            pixels = torch.from_numpy(crop.extract(image)).to(self.device)
            pixels = pixels.permute(2, 0, 1)[None].float() / 255
        with clock.stage("encode"), self._autocast():
            features = self._network.encoder(pixels)
            refinement = self._refinement(pixels, len(hands))
        with clock.stage("canonicalise"):
            frames = canonicalise(self._tensor(joints), self._mirrored(hands))
        with clock.stage("encode"), self._autocast():
            intrinsics = self._tensor(crop.camera.K).expand(len(hands), 3, 3)
            index = torch.zeros(len(hands), dtype=torch.long, device=self.device)
            context = self._network.context(features, index, intrinsics, frames)
            confidence = self._confidence(features, joints, crop.camera)
        return Scene(
            self._network,
            context,
            list(hands),
            confidence,
            self._search,
            clock,
            self._autocast,
            refinement,
        )

    def warm_up(self, resolution: int = 64) -> None:
        """Run one made-up frame, so that the first real one takes no longer than the others."""
        camera = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)
        image = np.zeros((camera.height, camera.width, 3), np.uint8)
        keypoints: Keypoints = {"left": _flat_hand(-0.1), "right": _flat_hand(0.1)}
        self.encode(image, keypoints, camera).reconstruct(resolution)

    def _refinement(self, pixels: Tensor, hands: int) -> PaperRefinement | None:
        """The published refinement knows two hands; one alone keeps its initial occupancy."""
        if self._refined is None or hands < len(SIDES):
            return None
        return PaperRefinement(self._refined, self._refined.encoder(pixels))

    @property
    def _autocast(self) -> Callable[[], torch.autocast]:
        reduced = self._dtype is not torch.float32
        return partial(torch.autocast, self.device.type, self._dtype, enabled=reduced)

    def _search(self, resolution: int, hands: int) -> SurfaceSearch:
        """The searches' volumes are kept: clearing what was touched is cheaper than new memory."""
        if (resolution, hands) not in self._searches:
            self._searches = {
                key: search
                for key, search in self._searches.items()
                if key[0] in (resolution, ANCHOR_RESOLUTION)
            }
            self._searches[resolution, hands] = SurfaceSearch(
                resolution, hands, self.device, chunk_of(self.device)
            )
        return self._searches[resolution, hands]

    def _confidence(self, features: Any, joints: NDArray[np.float32], crop: Camera) -> list[float]:
        """Per hand, the mean probability that the image shows a hand at its keypoints."""
        shown = self._network.shown(features)
        pixels = np.stack([crop.project(hand) for hand in joints])
        grid = self._tensor((2 * pixels + 1) / crop.width - 1)
        sampled = F.grid_sample(shown[:, None], grid[None], align_corners=False)
        return [float(value) for value in sampled[0, 0].mean(-1)]

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)

    def _mirrored(self, hands: dict[str, NDArray[np.float32]]) -> Tensor:
        return torch.tensor([side == "left" for side in hands], device=self.device)


def check_keypoints(keypoints: Keypoints) -> dict[str, NDArray[np.float32]]:
    """The present hands, left first. Raises ValueError with the reason if they cannot be used."""
    unknown = set(keypoints) - set(SIDES)
    if unknown:
        raise ValueError(f"keypoints have side '{unknown.pop()}': use {' and '.join(SIDES)}")
    present = {}
    for side in SIDES:
        given = keypoints.get(side)
        if given is None:
            continue
        joints = np.asarray(given, np.float32)
        if joints.shape != (JOINT_COUNT, 3):
            raise ValueError(f"{side} keypoints have shape {joints.shape}: give (21, 3), metres")
        if not np.isfinite(joints).all():
            raise ValueError(f"{side} keypoints have non-finite values: drop that hand instead")
        present[side] = joints
    if not present:
        raise ValueError("no hand has keypoints: give 'left', 'right' or both")
    return present


def check_image(image: NDArray[np.uint8], camera: Camera) -> None:
    """Raise ValueError unless the image is (H, W, 3) uint8 of the camera's size."""
    expected = (camera.height, camera.width, 3)
    if image.shape != expected or image.dtype != np.uint8:
        raise ValueError(
            f"image is {image.shape} {image.dtype}: the camera needs {expected} uint8, RGB"
        )


def choose_device(name: str) -> torch.device:
    """The torch device of a ``device`` setting. Raises ValueError when it cannot be had."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"device '{name}' is unknown: use auto, cpu or cuda[:n]")
    if kind == "cuda":
        device = torch.device(name)
        if (device.index or 0) >= torch.cuda.device_count():
            raise ValueError(
                f"device '{name}' is not there ({torch.cuda.device_count()} GPUs found): "
                "use 'auto' or 'cpu', or check the driver"
            )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype of a ``precision`` setting; ``auto`` is bf16 on a GPU and fp32 on a CPU."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name not in PRECISIONS:
        raise ValueError(f"precision '{name}' is unknown: use auto, {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def _flat_hand(x: float) -> NDArray[np.float32]:
    """Joints of a flat hand half a metre in front of the camera, for warming up."""
    joints = [(0.0, 0.08)]
    for finger in range(5):
        lateral = 0.02 * (finger - 2)
        joints += [(lateral, 0.0 - 0.03 * level + 0.02 * (finger == 0)) for level in range(4)]
    return np.array([(x + u, v, 0.5) for u, v in joints], np.float32)
