"""Sizes of the networks, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass


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
    code_width: int = 64
    # Bones that a query point is shown to, nearest capsules first.
    nearest_bones: int = 4
    # Spatial frequencies of the bone-local coordinate, in radians per coordinate unit (2 cm).
    frequencies: tuple[float, ...] = (1.5,)


@dataclass(frozen=True)
class InitialPreset:
    """The initial occupancy network: per-hand articulated occupancy with image attention."""

    encoder: EncoderPreset = EncoderPreset()
    attention: AttentionPreset = AttentionPreset()
    decoder: DecoderPreset = DecoderPreset()


PRESETS = {"compact": InitialPreset()}
