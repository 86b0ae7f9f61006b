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
    # Of what is known of the whole hand, and of the shape parameters that it is trained to tell.
    code_hidden: int = 160
    code_width: int = 96
    shape_width: int = 12
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


@dataclass(frozen=True)
class KeypointPreset:
    """Keypoint refinement (after Im2Hands, section 3.4): joints as tokens, in rounds."""

    width: int = 128
    heads: int = 4
    # Spacing of the patch of image features that a joint is shown, feature pixels; one per round.
    patch_spacings: tuple[float, ...] = (2.0, 1.5, 1.0)
    # Samples to each side of the joint.
    patch_reach: int = 3
    # Attention blocks a round.
    blocks: int = 2
    # Of the layers that see a whole hand at once.
    hand_width: int = 256
    # Windows of its heat map that a joint is shown: pixels to each side, and their spacing.
    windows: tuple[tuple[int, float], ...] = ((4, 1.0), (4, 2.5))
    # Root mean square of a hand's corrections, metres, below which none is made and above which
    # all are: smaller ones are no larger than the network's own error.
    worth_moving: tuple[float, float] = (0.0006, 0.0012)
    # Sides are only exchanged when the network is this sure (logit).
    swap_logit: float = 1.0


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
    worth_correcting: tuple[float, float] = (0.2, 0.3)
    # Millimetres that are left between two hands where both claim the same place.
    gap: float = 0.0


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
    # Depth zero of the queries: "first_query" as published, so that answers depend on the order
    # of the queries, or "wrist".
    depth_origin: str = "first_query"


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
    blind_radius_squared: float = 1e-3


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


@dataclass(frozen=True)
class CompactPreset:
    """The stages of the compact preset; all look through the encoder of the first."""

    initial: InitialPreset = InitialPreset()
    keypoints: KeypointPreset = KeypointPreset()
    refinement: RefinementPreset = RefinementPreset()


# The published networks as our search wants them: answers must not depend on the queries' order.
PAPER = PaperRefinedPreset(initial=PaperInitialPreset(depth_origin="wrist"))

PRESETS = {"compact": CompactPreset()}
