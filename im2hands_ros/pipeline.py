"""From one image and coarse 3D keypoints to the shapes of two hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.checks import check_image, check_keypoints
from im2hands_ros.depth_fit import DepthFit
from im2hands_ros.hand_calibration import HandCalibration
from im2hands_ros.hand_mask import hand_confidence
from im2hands_ros.loaded_networks import LoadedNetworks, choose_device
from im2hands_ros.networks.protocol import (
    EncodedFrame,
    EstimatedJoints,
    HandContext,
    HandNetworks,
    Picture,
)
from im2hands_ros.networks.registry import networks_of
from im2hands_ros.pair import HandPair, KeypointPair, Keypoints
from im2hands_ros.precision import inference_dtype
from im2hands_ros.scene import Scene
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.surface.pruned_search import SearchCache

Settle = Callable[[EstimatedJoints], EstimatedJoints]

WEIGHTS = Path(__file__).parent / "data" / "weights"


class Im2Hands(LoadedNetworks):
    """A loaded model. Use it from one thread; it keeps buffers between frames."""

    def __init__(
        self,
        networks: HandNetworks[Any, Any],
        device: torch.device,
        dtype: torch.dtype,
        record: dict[str, Any],
    ) -> None:
        super().__init__(networks, device, dtype, record)
        self._searches = SearchCache(device)

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        preset: str = "compact",
        device: str = "auto",
        precision: str = "auto",
        calibration: HandCalibration | None = None,
    ) -> Im2Hands:
        """Load a model.

        Args:
            weights: safetensors file; None for the packaged weights of the preset.
            preset: ``compact``, or ``paper`` for the published networks: weights are then an
                init_occ or ref_occ file made by ``im2hands import-checkpoint``; none is packaged.
            device: ``auto`` (GPU if there is one), ``cpu`` or ``cuda[:n]``.
            precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; ``auto`` is bf16 for ``compact``
                on a GPU, fp32 otherwise.
            calibration: of the person whose hands these will be; their shape is taken from it. What
                it says of a tracker's joints: ``calibration.own_joints``, or `HandTracker`.

        Raises:
            FileNotFoundError: no such weights file.
            ValueError: unknown preset, device or precision, weights that do not fit, or a
                calibration that was made with others.
        """
        target, kind = choose_device(device), networks_of(preset)
        dtype = inference_dtype(precision, target, kind.gpu_precision)
        path = Path(weights) if weights else WEIGHTS / f"{preset}.safetensors"
        networks, record = kind.load(path)
        if calibration is not None and calibration.shape is not None:
            networks.take_shape(calibration.shape)
        return cls(networks, target, dtype, record)

    @torch.inference_mode()
    def encode(
        self,
        image: NDArray[np.uint8],
        keypoints: Keypoints,
        camera: Camera,
        depth: NDArray[np.floating] | None = None,
        *,
        settle: Settle | None = None,
    ) -> Scene:
        """All of a frame that does not depend on query points: its two occupancy fields.

        Args:
            image: (H, W, 3) uint8 RGB.
            keypoints: per side ("left", "right") (21, 3) MANO order, metres, camera frame; a side
                that is None or missing is absent.
            camera: intrinsics of the image.
            depth: (H, W) metres along z, registered to the image, 0 or NaN where unknown: each hand
                is moved to where its skin is seen.
            settle: from the joints that were estimated from this image, or given, to those that
                the shapes are made from: what a stream of images knows more. With a depth image
                twice: to what is fitted to it, then of what was ``fitted``.

        Raises:
            BadInput: an image, keypoints, camera or depth image that do not fit together.
            ValueError: a depth image, and networks whose logits are no depths.
        """
        check_image(image, camera)
        given = HandPair(**check_keypoints(keypoints))
        if not given.present:
            raise BadInput("no_hand", "no hand has keypoints: give 'left', 'right' or both")
        clock = Stopwatch(self.device)
        frame = self._encoded(image, given, camera, clock)
        estimate = self._estimated(frame, given, depth, settle, clock)
        context = self._context(frame, estimate.joints, clock)
        with self._precision.autocast():
            confidence = hand_confidence(self.networks, frame, estimate)
        unit = self.networks.depth_unit
        return Scene(context, estimate, confidence, self._searches, self._precision, clock, unit)

    @torch.inference_mode()
    def image_features(
        self, image: NDArray[np.uint8], keypoints: Keypoints, camera: Camera
    ) -> EncodedFrame[Any]:
        """The image's features around the hands: the first step of `encode`, which says what is
        taken and raised."""
        check_image(image, camera)
        given = HandPair(**check_keypoints(keypoints))
        return self._encoded(image, given, camera, Stopwatch(self.device))

    def _encoded(
        self, image: NDArray[np.uint8], joints: KeypointPair, camera: Camera, clock: Stopwatch
    ) -> EncodedFrame[Any]:
        """The image's features around the hands."""
        with clock.stage("crop"):
            pixels, crop_camera = self._crop(image, joints, camera)
        with clock.stage("encode"), self._precision.autocast():
            features = self.networks.encode(pixels)
        return EncodedFrame(pixels, crop_camera, features, Picture(image, camera))

    def _estimated(
        self,
        frame: EncodedFrame[Any],
        given: KeypointPair,
        depth: NDArray[np.floating] | None,
        settle: Settle | None,
        clock: Stopwatch,
    ) -> EstimatedJoints:
        """The joints that the shapes are made from: refined, settled, under the observed skin."""
        estimate = EstimatedJoints.as_given(given)
        if self.refine_keypoints:
            with clock.stage("keypoints"), self._precision.autocast():
                estimate = self.networks.refine_keypoints(frame, given)
        if settle is not None:
            with clock.stage("filter"):
                estimate = settle(estimate)
        if depth is not None:
            with clock.stage("depth"):
                fit = DepthFit(self.networks, self._precision, self._canonicalise)
                estimate = replace(fit(estimate, frame, depth), fitted=True)
            if settle is not None:
                with clock.stage("filter"):
                    estimate = settle(estimate)
        return estimate

    def _context(
        self, frame: EncodedFrame[Any], joints: KeypointPair, clock: Stopwatch
    ) -> HandContext:
        """What the fields of both hands are evaluated from."""
        with clock.stage("canonicalise"):
            hands = self._canonicalise(joints)
        with clock.stage("encode"), self._precision.autocast():
            context: HandContext = self.networks.initial_context(frame, hands)
        if self.refine_occupancy:
            with clock.stage("anchors"), self._precision.autocast():
                context = self.networks.refine_occupancy(frame, context)
        return context

    def warm_up(self, resolution: int = 64) -> None:
        """Run one made-up frame, so that the first real one takes no longer than the others."""
        camera = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)
        image = np.zeros((camera.height, camera.width, 3), np.uint8)
        keypoints = HandPair(_flat_hand(-0.1), _flat_hand(0.1))
        self.encode(image, keypoints, camera).reconstruct(resolution)

    def _crop(
        self, image: NDArray[np.uint8], joints: KeypointPair, camera: Camera
    ) -> tuple[Tensor, Camera]:
        """(1, 3, S, S) RGB in [0, 1] around the hands, and the crop's camera."""
        around = np.concatenate(list(joints.present.values()))
        crop = crop_around(camera, around, self.networks.image_size, self.networks.crop_margin)
        pixels = torch.from_numpy(crop.extract(image)).to(self.device)
        return pixels.permute(2, 0, 1)[None].float() / 255, crop.camera

    def _canonicalise(self, joints: KeypointPair) -> CanonicalHands:
        present = joints.present
        mirrored = torch.tensor([side == "left" for side in present])
        given = torch.as_tensor(np.stack(list(present.values())), dtype=torch.float32)
        # On the host: hundreds of small steps. The networks on a device take them from there.
        hands = self.networks.canonicalise(given, mirrored)
        return hands if self.networks.kernels == "triton" else hands.to(self.device)


def _flat_hand(x: float) -> NDArray[np.float32]:
    """Joints of a flat hand half a metre in front of the camera, for warming up."""
    joints = [(0.0, 0.08)]
    for finger in range(5):
        lateral = 0.02 * (finger - 2)
        joints += [(lateral, 0.0 - 0.03 * level + 0.02 * (finger == 0)) for level in range(4)]
    return np.array([(x + u, v, 0.5) for u, v in joints], np.float32)
