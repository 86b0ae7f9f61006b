"""Sizes of the compact networks, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class EncoderPreset:
    """Image encoder: square input, residual stages at strides 4, 8, 16, 32, top-down features."""

    image_size: int = 192
    stage_widths: tuple[int, ...] = (32, 64, 128, 192)
    feature_width: int = 32


@dataclass(frozen=True)
class AttentionPreset:
    """Query-image attention (paper section 3.2): image tokens and query tokens."""

    token_width: int = 64
    query_width: int = 32
    heads: int = 2


@dataclass(frozen=True)
class DecoderPreset:
    """Articulated decoder: one small network per bone slot, all slots in one batched product."""

    width: int = 32
    # Of the code of the whole hand, and of the shape parameters that it is trained to predict.
    # Weights that learned other rigs have a wider code (tools/train_people.py), which loading sees.
    code_hidden: int = 160
    code_width: int = 96
    shape_width: int = 12
    # Bones that a query point is evaluated in, nearest capsules first.
    nearest_bones: int = 4
    # Spatial frequencies of the bone-local coordinate, in radians per coordinate unit (2 cm).
    frequencies: tuple[float, ...] = (1.5,)


@dataclass(frozen=True)
class InitialPreset:
    """The initial occupancy network: per-hand articulated occupancy with image attention."""

    encoder: EncoderPreset = EncoderPreset()
    attention: AttentionPreset = AttentionPreset()
    decoder: DecoderPreset = DecoderPreset()


@dataclass(frozen=True)
class KeypointPreset:
    """Keypoint refinement (after Im2Hands, section 3.4): joints as tokens, in rounds."""

    width: int = 128
    heads: int = 4
    # Spacing of the patch of image features around a joint, feature pixels; one per round.
    patch_spacings: tuple[float, ...] = (2.0, 1.5, 1.0)
    # Samples to each side of the joint.
    patch_reach: int = 3
    # Attention blocks a round.
    blocks: int = 2
    # Of the layers that take a whole hand at once.
    hand_width: int = 256
    # Windows of a joint's heat map around it: pixels to each side, and their spacing.
    windows: tuple[tuple[int, float], ...] = ((4, 1.0), (4, 2.5))
    # Root mean square of a hand's corrections, metres, below which none is applied and above which
    # all are: smaller ones are no larger than the network's own error.
    correction_ramp: tuple[float, float] = (0.0006, 0.0012)
    # The same for hands whose fingers are flat as true ones are: corrections up to this size are
    # then those of another rig's or person's hand than the network knows. Between the two distances
    # out of the fingers' planes, metres, one ramp becomes the other.
    consistent_ramp: tuple[float, float] = (0.007, 0.0085)
    out_of_plane: tuple[float, float] = (0.0006, 0.001)
    # Sides are only swapped above this logit.
    swap_logit: float = 1.0


@dataclass(frozen=True)
class FusionPreset:
    """What the landmarks that are seen add to the keypoint refinement's tokens."""

    joint_width: int = 64
    hand_width: int = 96


@dataclass(frozen=True)
class CloseUpPreset:
    """Keypoints refined once more, from close-ups of the picture around each joint."""

    width: int = 128
    heads: int = 4
    # Channels of the two convolutions that halve the close-up.
    convolutions: tuple[int, int] = (32, 64)
    more: int = 2  # convolutions after these
    rounds: int = 2
    blocks: int = 2
    hand_width: int = 256


@dataclass(frozen=True)
class RefinementPreset:
    """Two-hand refinement (after Im2Hands, section 3.3)."""

    width: int = 64
    heads: int = 4
    # Attention blocks among the anchors of both hands.
    blocks: int = 2
    query_width: int = 32
    query_heads: int = 2
    hidden: int = 64
    # Millimetres of initial depth around the surface that are refined, and the largest correction.
    band: float = 5.0
    largest: float = 2.5
    # Root mean square of a hand's corrections at its anchors, millimetres, below which none is
    # made and above which all are.
    correction_ramp: tuple[float, float] = (0.2, 0.3)
    # Millimetres that are left between two hands that would overlap.
    gap: float = 0.0


@dataclass(frozen=True)
class CompactPreset:
    """The stages of the compact preset; all use the image encoder of the first."""

    initial: InitialPreset = InitialPreset()
    keypoints: KeypointPreset = KeypointPreset()
    fusion: FusionPreset = FusionPreset()
    closeups: CloseUpPreset = CloseUpPreset()
    refinement: RefinementPreset = RefinementPreset()

    def with_code(self, hidden: int, width: int) -> CompactPreset:
        """The same with a code of the whole hand of these widths."""
        decoder = replace(self.initial.decoder, code_hidden=hidden, code_width=width)
        return replace(self, initial=replace(self.initial, decoder=decoder))


COMPACT = CompactPreset()
