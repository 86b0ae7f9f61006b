"""The networks of the compact preset: one shared image encoder, and the stages that have weights.

A weights file holds any of them, each stage's tensors under its name: ``initial.…``,
``keypoints.…``, ``refinement.…``. Only the first is needed. ``landmarks.…`` and ``fusion.…``
belong to the keypoint refinement: what is seen of each hand, and what that says of its joints;
``closeups.…``, too: it refines once more what the others found.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.hand_calibration import HandShape
from im2hands_ros.kernels import canonical, choice, library
from im2hands_ros.kernels.field import NativeNetwork
from im2hands_ros.kernels.gpu.field import Evaluator, TritonField
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact import packing
from im2hands_ros.networks.compact.articulated_decoder import DEPTH_UNIT
from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.closer_joints import refine_closer
from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks
from im2hands_ros.networks.compact.device import DeviceContext, DeviceNetworks
from im2hands_ros.networks.compact.encoded_image import EncodedImage, hand_mask_probability
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.initial_occupancy import InitialContext, InitialOccupancy
from im2hands_ros.networks.compact.joint_features import coarse_hands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement, RefinedKeypoints
from im2hands_ros.networks.compact.landmark_fusion import FusedLandmarks, LandmarkFusion
from im2hands_ros.networks.compact.native import (
    image_sizes,
    native_network,
    native_refined,
    of_known_sizes,
)
from im2hands_ros.networks.compact.native_close_ups import NativeCloseUps
from im2hands_ros.networks.compact.native_encoder import NativeEncoder
from im2hands_ros.networks.compact.native_keypoints import NativeKeypoints
from im2hands_ros.networks.compact.person_shape import take_shape
from im2hands_ros.networks.compact.presets import COMPACT, CompactPreset
from im2hands_ros.networks.compact.refined_occupancy import RefinedOccupancy
from im2hands_ros.networks.compact.seen_hands import see_hands
from im2hands_ros.networks.native_attention import use_native_attention
from im2hands_ros.networks.protocol import (
    STAGES,
    EncodedFrame,
    EstimatedJoints,
    HandContext,
    HandNetworks,
)
from im2hands_ros.pair import KeypointPair

CompactFrame: TypeAlias = EncodedFrame[ImageFeatures]


class CompactNetworks(HandNetworks[ImageFeatures, "InitialContext | DeviceContext"]):
    """The stages, None where there are no weights.

    Attributes:
        initial: occupancy of each hand; owns the encoder that all stages share.
        keypoints: coarse to refined keypoints.
        landmarks, fusion: what is seen of each hand, and what that says of its joints; part of the
            stage ``keypoints`` where there are both.
        closeups: refines the keypoints once more; part of that stage, too.
        refinement: occupancy of two interacting hands.
    """

    crop_margin = 0.3
    depth_unit = DEPTH_UNIT

    def __init__(self, preset: CompactPreset = COMPACT, stages: tuple[str, ...] = STAGES) -> None:
        super().__init__()
        encoder = preset.initial.encoder
        self.image_size = encoder.image_size
        self.native: NativeNetwork | None = None
        self.on_device: DeviceNetworks | None = None
        self.native_encoder: NativeEncoder | None = None
        self.native_keypoints: NativeKeypoints | None = None
        self.native_closeups: NativeCloseUps | None = None
        self._image: EncodedImage | None = None  # the last frame's
        self.initial = InitialOccupancy(preset.initial)
        self.keypoints = (
            KeypointRefinement(preset.keypoints, encoder) if "keypoints" in stages else None
        )
        self.landmarks = ConditionedLandmarks() if "landmarks" in stages else None
        self.fusion = fusion_of(preset) if "fusion" in stages else None
        self.closeups = CloseUpRefinement(preset.closeups) if "closeups" in stages else None
        self.refinement = (
            RefinedOccupancy(preset.refinement, encoder) if "refinement" in stages else None
        )

    @classmethod
    def load(cls, path: Path) -> tuple[CompactNetworks, dict[str, Any]]:
        """The stages that a weights file holds, its hand's code as wide as there, and its record;
        raises as ``checkpoints.load_into``."""
        shapes = checkpoints.shapes_in(path)
        found = {name.partition(".")[0] for name in shapes}
        networks = cls(_preset_of(shapes), ("initial", *found))
        return networks, checkpoints.load_into(networks, path)

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(name for name in STAGES if getattr(self, name) is not None)

    @property
    def encoders(self) -> tuple[nn.Module, ...]:
        seen = [] if self.landmarks is None else [self.landmarks]
        return (self.initial.encoder, *seen)

    @property
    def kernels(self) -> str:
        return "native" if self.native else "triton" if self.on_device else "torch"

    def take_shape(self, shape: HandShape) -> None:
        take_shape(self.initial.decoder, shape)

    def use_kernels(self) -> None:
        """By the library that there is, else in torch."""
        if self.landmarks is not None:
            self.landmarks.network.fuse()
        kernels = library.chosen()
        if kernels:
            self.native = native_network(kernels, self.initial, self.refinement)
        if kernels and self.native:
            use_native_attention(self, kernels)
            self.native_encoder = NativeEncoder(kernels, self.initial.encoder)
            if self.keypoints is not None and self.keypoints.preset == COMPACT.keypoints:
                self.native_keypoints = NativeKeypoints(kernels, self.keypoints)
        self._compile_closeups(kernels)

    def use_device_kernels(self, device: torch.device, dtype: torch.dtype) -> None:
        """By the Triton kernel where Triton is there, else in torch; close-ups on the host, where
        the picture is."""
        self._compile_closeups(library.chosen())
        if choice.triton_chosen(device) and of_known_sizes(self.initial, self.refinement):
            weights = torch.from_numpy(packing.weights(self.initial, self.refinement)).to(device)
            precision = "ieee" if dtype is torch.float32 else "tf32"
            self.run_on(device, TritonField(weights, image_sizes(self.initial), precision))

    def _compile_closeups(self, kernels: library.Library | None) -> None:
        if kernels and self.closeups is not None and self.closeups.preset == COMPACT.closeups:
            self.native_closeups = NativeCloseUps(kernels, self.closeups)

    def run_on(self, device: torch.device, evaluator: Evaluator) -> None:
        """Record the steps on a device, with this evaluator of its points."""
        stages = (self.initial, self.keypoints, self.refinement)
        self.on_device = DeviceNetworks(*stages, evaluator, device)

    def canonicalise(self, joints: Tensor, mirrored: Tensor) -> CanonicalHands:
        compiled = self.native.library if self.native else self.on_device and library.best()
        if not compiled:
            return super().canonicalise(joints, mirrored)
        return canonical.canonicalise(compiled, joints, mirrored)

    def encode(self, pixels: Tensor) -> ImageFeatures:
        if self.on_device:
            return self.on_device.encode(pixels)
        features = (self.native_encoder or self.initial.encoder)(pixels)
        return self._image_of(features).features

    def _image_of(self, features: ImageFeatures) -> EncodedImage:
        """Hands are bound to a frame's image twice where there is depth, and else once."""
        if self._image is None or self._image.features is not features:
            self._image = EncodedImage(features, self.initial, self.native)
        return self._image

    def hand_mask_probability(self, frame: CompactFrame) -> Tensor:
        if self.on_device:  # whose features the next frame overwrites
            return hand_mask_probability(self.initial, frame.features)
        return self._image_of(frame.features).hand_mask

    def refine_keypoints(self, frame: CompactFrame, joints: KeypointPair) -> EstimatedJoints:
        if self.keypoints is None:
            return super().refine_keypoints(frame, joints)
        refined = self._refined(self.keypoints, frame, joints)
        if self.closeups is not None and frame.picture is not None:
            closer, given = self.native_closeups or self.closeups, coarse_hands(joints, frame)
            refined = refine_closer(closer, self.keypoints, frame.picture, given, refined)
        return refined.estimate(self.keypoints.preset.swap_logit)

    def _refined(
        self, keypoints: KeypointRefinement, frame: CompactFrame, joints: KeypointPair
    ) -> RefinedKeypoints:
        """By what sees the hands, and else by what is fastest on the device."""
        seen = self._seen(frame, joints)
        if seen is not None:  # what is compiled or recorded reads no landmarks
            return keypoints(frame.features, coarse_hands(joints, frame), seen=seen)
        if self.on_device:
            host = torch.device("cpu")
            return self.on_device.refine_keypoints(coarse_hands(joints, frame, host))
        refine = self.native_keypoints or keypoints
        return refine(frame.features, coarse_hands(joints, frame))

    def _seen(self, frame: CompactFrame, joints: KeypointPair) -> FusedLandmarks | None:
        if self.landmarks is None or self.fusion is None or frame.picture is None:
            return None
        seen = see_hands(self.landmarks, frame.picture.image, frame.picture.camera, joints)
        return FusedLandmarks(seen, self.fusion)

    def initial_context(
        self, frame: CompactFrame, hands: CanonicalHands
    ) -> InitialContext | DeviceContext:
        if self.on_device:
            return self.on_device.initial_context(hands, torch.as_tensor(frame.camera.K).float())
        return self._image_of(frame.features).context(frame, hands)

    def refine_occupancy(
        self, frame: CompactFrame, context: InitialContext | DeviceContext
    ) -> HandContext:
        if self.refinement is None:
            return context
        if isinstance(context, DeviceContext):
            assert self.on_device is not None
            return self.on_device.refine_occupancy(context)
        count = len(context.intrinsics)
        partner = torch.arange(count - 1, -1, -1, device=context.intrinsics.device)
        accompanied = torch.full_like(partner, count > 1, dtype=torch.bool)
        return native_refined(self.refinement.context(context, partner, accompanied))


def _preset_of(shapes: Mapping[str, tuple[int, ...]]) -> CompactPreset:
    """The preset with the hand's code as wide as these weights have it."""
    layer = shapes.get("initial.decoder.code.2.weight", ())
    if len(layer) != 2:
        return COMPACT  # loading names what is missing
    return COMPACT.with_code(hidden=layer[1], width=layer[0])


def fusion_of(preset: CompactPreset) -> LandmarkFusion:
    """The fusion that fits a preset's keypoint refinement."""
    keypoints = preset.keypoints
    return LandmarkFusion(preset.fusion, keypoints.width, len(keypoints.patch_spacings))


def under(stage: str, network: nn.Module) -> dict[str, Tensor]:
    """A stage's tensors as a weights file names them."""
    return {f"{stage}.{name}": value for name, value in network.state_dict().items()}
