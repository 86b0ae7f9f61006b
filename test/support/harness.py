"""What the node's tests need, from one place: a node process, a client, and messages to send."""

from __future__ import annotations

from node_client import LOSSLESS, LOSSLESS_INPUTS, Client
from node_process import ANALYTIC_NODE, REAL_NODE, ROOT, NodeProcess, new_namespace
from sent_messages import (
    FRAME_ID,
    HEIGHT,
    WIDTH,
    camera_info,
    hand,
    header,
    image,
    keypoints,
    stamp_of,
)

__all__ = [
    "ANALYTIC_NODE",
    "Client",
    "FRAME_ID",
    "HEIGHT",
    "LOSSLESS",
    "LOSSLESS_INPUTS",
    "NodeProcess",
    "REAL_NODE",
    "ROOT",
    "WIDTH",
    "camera_info",
    "hand",
    "header",
    "image",
    "keypoints",
    "new_namespace",
    "stamp_of",
]
