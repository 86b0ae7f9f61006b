"""Sizes of the published networks, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperDecoderPreset:
    """The published articulated decoder: 16 bone slots."""

    width: int = 64
    shape_hidden: int = 40
    shape_width: int = 16
    pose_width: int = 8


@dataclass(frozen=True)
class PaperInitialPreset:
    """The published initial occupancy network (Im2Hands, section 3.2)."""

    feature_width: int = 32
    point_hidden: int = 32
    point_width: int = 16
    # Image tokens per side of the crop.
    grid: int = 4
    token_width: int = 32
    heads: int = 2
    decoder: PaperDecoderPreset = PaperDecoderPreset()
    # Depth zero of the queries: the wrist's, or as published that of the first query.
    wrist_is_origin: bool = False


@dataclass(frozen=True)
class PaperAnchorPreset:
    """The published anchor encoder (AIR-Nets): 512 points to 256 to 128 anchors."""

    counts: tuple[int, int] = (256, 128)
    neighbours: int = 16
    narrow_width: int = 120
    width: int = 256
    blocks: int = 3
    # Anchors this near to the middle between the hands (square metres) are never kept: a rule of
    # the published sampling that was meant for padding.
    excluded_radius_squared: float = 1e-3


@dataclass(frozen=True)
class PaperQueryPreset:
    """The published query-anchor decoder (AIR-Nets)."""

    width: int = 200
    hidden: int = 32
    neighbours: int = 9
    blocks: int = 5


@dataclass(frozen=True)
class PaperRefinedPreset:
    """The published refinement network (Im2Hands, section 3.3), its initial network included."""

    initial: PaperInitialPreset = PaperInitialPreset()
    feature_width: int = 32
    anchors: PaperAnchorPreset = PaperAnchorPreset()
    queries: PaperQueryPreset = PaperQueryPreset()


@dataclass(frozen=True)
class PaperKeypointPreset:
    """The published keypoint refinement network (Im2Hands, section 3.4)."""

    feature_width: int = 256
    identity_width: int = 16
    point_width: int = 32
    graph_width: int = 16
    # Image tokens per side of the crop, and their widths, one per layer (82 as published).
    grid: int = 8
    token_widths: tuple[int, ...] = (64, 82, 96, 112)
    heads: int = 4
    regressor_width: int = 32


# The published networks as our search wants them: logits must not depend on the queries' order.
PAPER = PaperRefinedPreset(initial=PaperInitialPreset(wrist_is_origin=True))
