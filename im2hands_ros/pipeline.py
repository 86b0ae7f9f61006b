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

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.canonical import canonicalise
from im2hands_ros.checks import check_image, check_keypoints
from im2hands_ros.networks.paper.anchoring import ANCHOR_RESOLUTION
from im2hands_ros.networks.registry import Network, load_network
from im2hands_ros.networks.stages import Field, Frame, HandJoints, Joints, stages_of
from im2hands_ros.pair import Keypoints
from im2hands_ros.precision import inference_dtype
from im2hands_ros.scene import Hands, HandSurface, Scene, chunk_of
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.surface.pruned_search import SparingSearch
from im2hands_ros.surface.search import SurfaceSearch

__all__ = ["Hands", "HandSurface", "Im2Hands", "Scene"]

WEIGHTS = Path(__file__).parent / "data" / "weights"


class Im2Hands:
    """A loaded model. Use it from one thread; it keeps buffers between frames."""

    def __init__(
        self, network: Network, device: torch.device, dtype: torch.dtype, record: dict
    ) -> None:
        network.to(device).eval().requires_grad_(False)
        self._stages = stages_of(network)
        for encoder in self._stages.encoders:
            encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = self._stages.initial
        self._dtype = dtype
        self._searches: dict[tuple[int, int], SurfaceSearch] = {}
        self._switches = {name: name in self.stages for name in ("keypoints", "refinement")}
        self.device = device
        self.record = record

    @property
    def stages(self) -> tuple[str, ...]:
        """What the weights hold, of ``initial``, ``keypoints`` and ``refinement``."""
        return self._stages.names

    @property
    def refine_keypoints(self) -> bool:
        """Whether frames begin with better keypoints. May be set at any time.

        Raises ValueError when set without weights for it.
        """
        return self._switches["keypoints"]

    @refine_keypoints.setter
    def refine_keypoints(self, value: bool) -> None:
        self._switch("keypoints", value, "refine_keypoints")

    @property
    def refine_occupancy(self) -> bool:
        """Whether hands know of each other. May be set at any time.

        Raises ValueError when set without weights for it.
        """
        return self._switches["refinement"]

    @refine_occupancy.setter
    def refine_occupancy(self, value: bool) -> None:
        self._switch("refinement", value, "refine_occupancy")

    def _switch(self, stage: str, value: bool, name: str) -> None:
        if value and stage not in self.stages:
            raise ValueError(
                f"{name} is true, but the weights hold {', '.join(self.stages)} alone: "
                f"load weights with the stage '{stage}' or set it to false"
            )
        self._switches[stage] = value

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
        dtype = inference_dtype(precision, target, on_gpu="fp32" if preset == "paper" else "bf16")
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
            BadInput: an image, keypoints or camera that do not fit together.
        """
        check_image(image, camera)
        hands = check_keypoints(keypoints)
        if not hands:
            raise BadInput("no_hand", "no hand has keypoints: give 'left', 'right' or both")
        clock = Stopwatch(self.device)
        with clock.stage("crop"):
            around = np.concatenate(list(hands.values()))
            size, margin = self._network.image_size, self._network.crop_margin
            crop = crop_around(camera, around, size, margin)
            pixels = torch.from_numpy(crop.extract(image)).to(self.device)
            pixels = pixels.permute(2, 0, 1)[None].float() / 255
        with clock.stage("encode"), self._autocast():
            frame = Frame(pixels, crop.camera, self._network.encoder(pixels))
        found = HandJoints(hands)
        if self.refine_keypoints:
            with clock.stage("keypoints"), self._autocast():
                found = self._stages.better_joints(frame, hands)
        with clock.stage("canonicalise"):
            joints = self._tensor(np.stack(list(found.joints.values())))
            frames = canonicalise(joints, self._mirrored(found.joints))
        with clock.stage("encode"), self._autocast():
            intrinsics = self._tensor(crop.camera.K).expand(len(joints), 3, 3)
            index = torch.zeros(len(joints), dtype=torch.long, device=self.device)
            context: Any = self._network.context(frame.features, index, intrinsics, frames)
        field: Field = self._network
        look = None
        if self.refine_occupancy:
            with clock.stage("anchors"), self._autocast():
                context, field, look = self._stages.aware(frame, context)
        with self._autocast():
            confidence = self._confidence(frame, found)
        return Scene(field, context, found, confidence, self._search, clock, self._autocast, look)

    def warm_up(self, resolution: int = 64) -> None:
        """Run one made-up frame, so that the first real one takes no longer than the others."""
        camera = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)
        image = np.zeros((camera.height, camera.width, 3), np.uint8)
        keypoints: Keypoints = {"left": _flat_hand(-0.1), "right": _flat_hand(0.1)}
        self.encode(image, keypoints, camera).reconstruct(resolution)

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
            self._searches[resolution, hands] = SparingSearch(
                resolution, hands, self.device, chunk_of(self.device)
            )
        return self._searches[resolution, hands]

    def _confidence(self, frame: Frame, found: HandJoints) -> list[float]:
        """Per hand, the mean probability that the image shows a hand at its keypoints, times the
        share of them that the refinement trusts."""
        shown = self._network.shown(frame.features)
        pixels = np.stack([frame.camera.project(hand) for hand in found.joints.values()])
        grid = self._tensor((2 * pixels + 1) / frame.camera.width - 1)
        sampled = F.grid_sample(shown[:, None], grid[None], align_corners=False)
        sureness = [found.sureness.get(side, 1.0) for side in found.joints]
        seen = sampled[0, 0].mean(-1).tolist()
        return [share * sure for share, sure in zip(seen, sureness, strict=True)]

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)

    def _mirrored(self, hands: Joints) -> Tensor:
        return torch.tensor([side == "left" for side in hands], device=self.device)


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


def _flat_hand(x: float) -> NDArray[np.float32]:
    """Joints of a flat hand half a metre in front of the camera, for warming up."""
    joints = [(0.0, 0.08)]
    for finger in range(5):
        lateral = 0.02 * (finger - 2)
        joints += [(lateral, 0.0 - 0.03 * level + 0.02 * (finger == 0)) for level in range(4)]
    return np.array([(x + u, v, 0.5) for u, v in joints], np.float32)
