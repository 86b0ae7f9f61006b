"""Read a rigged hand of one of the makes of `rig_joints`. A part of `bake_other_hand.py`.

All lengths are metres.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from glb_file import Glb
from hand_geometry import MIDDLE_MCP, TIP_DEPTH, TIP_JOINTS, palm_frame, unit
from rig_joints import WEBXR, Make, make_of
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

PACKAGED = Path(__file__).parents[1] / "im2hands_ros" / "data" / "hand.npz"
JOINTS = WEBXR.joints
PALM_JOINTS = (4, 8, 12, 16)
# WebXR's joints have x to the right, y out of the back of the hand, -z along the bone; ours have x
# along the axis of flexion, y along the bone, z out of the palm.
OURS_FROM_WEBXR = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]]).T


@dataclass(frozen=True)
class Rig:
    """A hand as it was modelled.

    vertices (V, 3), triangles (T, 3), weights (V, J), joints (J, 3), tips (5, 3),
    frames (J, 3, 3): columns are the axes of flexion, along the bone, and out of the palm.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    weights: np.ndarray
    joints: np.ndarray
    tips: np.ndarray
    frames: np.ndarray


def read_rig(path: Path, length: float | None = None) -> Rig:
    """The first skinned mesh of a file, scaled so that the hand is so long (metres).

    Raises ValueError with the joints that are missing.
    """
    glb = Glb(path)
    mesh = next(m for m in glb.tree["meshes"] if "JOINTS_0" in m["primitives"][0]["attributes"])
    part = mesh["primitives"][0]
    names = part["attributes"]
    bones, bind = _bind(glb)
    points = glb.array(names["POSITION"]).astype(np.float64)
    # A corner is there once for each of its texture coordinates.
    unit_size = np.ptp(points, axis=0).max() * 5e-6
    _, first, merged = np.unique(
        (points / unit_size).round(), axis=0, return_index=True, return_inverse=True
    )
    triangles = merged.reshape(-1)[glb.array(part["indices"]).reshape(-1, 3)]
    corners = np.sort(triangles, axis=1)
    triangles = triangles[(np.diff(corners, axis=1) > 0).all(1)]
    dense = np.zeros((len(points), len(bones)))
    columns, shares = glb.array(names["JOINTS_0"]), glb.array(names["WEIGHTS_0"])
    for column, share in zip(columns.T, shares.T, strict=True):
        np.add.at(dense, (np.arange(len(points)), column), share)
    used, renamed = np.unique(_largest_piece(triangles), return_inverse=True)
    skin, weights = points[first][used], dense[first][used]
    return _rig(make_of(bones, path), bones, bind, skin, renamed.reshape(-1, 3), weights, length)


def _bind(glb: Glb) -> tuple[list[str], np.ndarray]:
    """Names of the skin's joints and of their ends, and where they are at rest (J, 4, 4)."""
    nodes, skin = glb.tree["nodes"], glb.tree["skins"][0]
    inverse = glb.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4)
    bind = dict(zip(skin["joints"], np.linalg.inv(inverse.mT.astype(np.float64)), strict=True))
    for bone in skin["joints"]:
        for end in nodes[bone].get("children", ()):
            if end not in bind and "matrix" in nodes[end]:
                bind[end] = bind[bone] @ np.reshape(nodes[end]["matrix"], (4, 4)).T
    return [nodes[node]["name"] for node in bind], np.stack(list(bind.values()))


def _largest_piece(triangles: np.ndarray) -> np.ndarray:
    """The connected piece with most triangles: nails may be pieces of their own."""
    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    count = triangles.max() + 1
    graph = coo_matrix((np.ones(len(edges)), edges.T), (count, count))
    piece = connected_components(graph, directed=False)[1][triangles[:, 0]]
    return triangles[piece == np.bincount(piece).argmax()]


def _rig(
    make: Make,
    bones: list[str],
    bind: np.ndarray,
    points: np.ndarray,
    triangles: np.ndarray,
    dense: np.ndarray,
    length: float | None,
) -> Rig:
    """Sort the joints and turn everything into the frame of the packaged hand."""
    rows = [None if name is None else bones.index(name) for name in (*make.joints, *make.tips)]
    places = np.array([np.full(3, np.nan) if row is None else bind[row, :3, 3] for row in rows])
    places[0] += make.behind * (places[0] - places[MIDDLE_MCP])
    origin = places[0].copy()
    turn = palm_frame(places[: len(JOINTS)] - origin)
    places, skin = (places - origin) @ turn, (points - origin) @ turn
    weights = _weights(rows, dense)
    _fill_tips(places, skin, weights)
    size = 1.0 if length is None else length / _reach(places)
    places, skin = size * places, size * skin
    _fill_palm(places)
    joints, tips = places[: len(JOINTS)], places[len(JOINTS) :]
    with np.load(PACKAGED) as packaged:
        frames, parents = packaged["frames"].astype(np.float64), packaged["parents"]
    if make.has_axes:
        axes = bind[rows[: len(JOINTS)], :3, :3]
        axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        frames = turn.T @ axes @ OURS_FROM_WEBXR
    else:
        along = bone_directions(joints, tips, parents)
        frames = np.stack(
            [shortest_turn(f[:, 1], a) @ f for f, a in zip(frames, along, strict=True)]
        )
    return Rig(skin, triangles, weights, joints, tips, frames)


def _weights(rows: list[int | None], dense: np.ndarray) -> np.ndarray:
    """(V, 20) of the joints; what other bones hold is the wrist's."""
    weights = np.zeros((len(dense), len(JOINTS)))
    for joint, row in enumerate(rows[: len(JOINTS)]):
        if row is not None:
            weights[:, joint] = dense[:, row]
    for joint, row in zip(TIP_JOINTS, rows[len(JOINTS) :], strict=True):
        if row is not None and row < dense.shape[1]:
            weights[:, joint] += dense[:, row]  # a tip is no bone of its own
    total = np.maximum(dense.sum(1, keepdims=True), 1e-9)
    weights[:, :1] += (total - weights.sum(1, keepdims=True)).clip(0)
    return weights / weights.sum(1, keepdims=True)


def _fill_tips(places: np.ndarray, skin: np.ndarray, weights: np.ndarray) -> None:
    """Tips that a rig lacks: under the skin of the finger's end."""
    for finger, last in enumerate(TIP_JOINTS):
        if np.isnan(places[len(JOINTS) + finger, 0]):
            own = skin[weights[:, last] > 0.5]
            along = unit(own.mean(0) - places[last])
            reach = (own - places[last]) @ along
            end = own[reach > 0.8 * reach.max()].mean(0)
            under = TIP_DEPTH / 0.18 * _reach(places)
            behind = reach.max() - under - (end - places[last]) @ along
            places[len(JOINTS) + finger] = end + behind * along


def _reach(places: np.ndarray) -> float:
    """From the wrist along the bones of the middle finger, as far as they are known."""
    chain = places[[0, MIDDLE_MCP, MIDDLE_MCP + 1, MIDDLE_MCP + 2, len(JOINTS) + 2]]
    steps = np.linalg.norm(np.diff(chain, axis=0), axis=1)
    return float(np.nansum(steps))


def _fill_palm(places: np.ndarray) -> None:
    """Bases of the metacarpals that a rig lacks: where the packaged hand has them."""
    with np.load(PACKAGED) as packaged:
        usual = packaged["joints"].astype(np.float64)
    for joint in PALM_JOINTS:
        if np.isnan(places[joint, 0]):
            size = np.linalg.norm(places[joint + 1]) / np.linalg.norm(usual[joint + 1])
            places[joint] = usual[joint] * size


def bone_directions(joints: np.ndarray, tips: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """(20, 3) unit vectors from each joint to the next along the finger; the wrist's is y."""
    ends = np.empty_like(joints)
    ends[0] = joints[MIDDLE_MCP]
    ends[:-1][parents[1:] == np.arange(len(joints) - 1)] = joints[1:][
        parents[1:] == np.arange(len(joints) - 1)
    ]
    ends[list(TIP_JOINTS)] = tips
    along = ends - joints
    along[0] = [0, 1, 0]
    return along / np.linalg.norm(along, axis=1, keepdims=True)


def shortest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of one unit vector onto another that is not opposite."""
    axis = np.cross(start, end)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + start @ end)
