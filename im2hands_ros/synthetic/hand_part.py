"""A posed hand with its forearm, ready to be drawn."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from im2hands_ros.synthetic.hand import ASSET
from im2hands_ros.synthetic.raytracing import RenderPart
from im2hands_ros.synthetic.sample import MASK_IDS, HandParameters, hand_model, pose_hand
from im2hands_ros.synthetic.skin import Skin, SkinAttributes

_FOREARM_ID = 0


def hand_part(side: str, vertices: np.ndarray, skin: Skin, asset: Path = ASSET) -> RenderPart:
    """A posed skin mesh with its forearm, ready to draw; ids: ``MASK_IDS``, 0 on the forearm."""
    template = _skin_template(asset)
    ids = np.where(template.on_hand, MASK_IDS[side], _FOREARM_ID).astype(np.int8)
    triangles = template.triangles if side == "right" else template.triangles[:, ::-1]
    closed = np.concatenate([vertices, vertices[template.rim].mean(axis=0, keepdims=True)])
    return RenderPart(closed, triangles, template.attributes, skin, ids)


class _SkinTemplate(NamedTuple):
    """The right skin with its elbow end closed by one vertex more, in the middle of its rim."""

    triangles: np.ndarray
    rim: np.ndarray
    attributes: np.ndarray
    on_hand: np.ndarray


@lru_cache(maxsize=2)
def _skin_template(asset: Path) -> _SkinTemplate:
    model = hand_model(asset)
    neutral = HandParameters(
        np.zeros(model.pose_dims, np.float32),
        np.zeros(model.shape_dims, np.float32),
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
    )
    posed = pose_hand("right", neutral, asset)
    triangles, rim = _closed(np.asarray(model.skin_triangles), len(posed.skin))
    rest, nails = (
        np.concatenate([values, values[rim].mean(axis=0, keepdims=True)])
        for values in (np.asarray(model.skin_rest), np.asarray(model.nails))
    )
    attributes = SkinAttributes.of(rest, triangles, nails, posed.keypoints).values
    # The watertight hand is the skin's first vertices and the middle of its wrist cap.
    on_hand = (triangles < len(posed.surface) - 1).all(axis=1)
    return _SkinTemplate(triangles, rim, attributes, on_hand)


def _closed(triangles: np.ndarray, centre: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles with a fan from the open rim to the vertex ``centre``, and the rim's vertices."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = set(map(tuple, edges.tolist()))
    rim = np.array([edge for edge in edges if (edge[1], edge[0]) not in known])
    fan = np.stack([rim[:, 1], rim[:, 0], np.full(len(rim), centre)], axis=1)
    return np.concatenate([triangles, fan]), rim[:, 0]
