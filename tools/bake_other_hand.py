"""Bake a rigged hand with WebXR's joints into the format of `im2hands_ros/data/hand.npz`.

For hands that training never saw: `im2hands synthesize --hand OUT` and `im2hands evaluate --hand
OUT` draw their scenes with it. Reads a right hand as a binary glTF file (.glb) with one skinned
mesh whose joints are named and turned as in WebXR, such as the hand of the npm package
@webxr-input-profiles/assets (MIT):

    npm pack @webxr-input-profiles/assets && tar xzf webxr-input-profiles-assets-*.tgz
    python tools/bake_other_hand.py package/dist/profiles/generic-hand/right.glb hand_webxr.npz

Keypoints are the rig's own joints and tips, in MANO order. The surface ends at a plane across the
arm near the wrist; the forearm behind it is made up, as such rigs have none. Shapes vary in size,
length and girth only. The rest pose is bent to that of the packaged hand, which the limits of the
joints count from. All lengths are metres.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from glb_file import Glb
from hand_geometry import MIDDLE_MCP, TIP_DEPTH, TIP_JOINTS, border_loop, palm_frame, unit
from rig_joints import WEBXR, Make, make_of
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

PACKAGED = Path(__file__).parents[1] / "im2hands_ros" / "data" / "hand.npz"
JOINTS, TIPS = WEBXR.joints, WEBXR.tips
PALM_JOINTS = (4, 8, 12, 16)
# WebXR's joints have x to the right, y out of the back of the hand, -z along the bone; ours have x
# along the axis of flexion, y along the bone, z out of the palm.
OURS_FROM_WEBXR = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]]).T
WRIST_BLEND = (-0.015, 0.010)  # along y; behind it the skin is the forearm's, before it the palm's
FOREARM_RINGS = (0.008, 0.02, 0.04, 0.07, 0.11, 0.15, 0.19, 0.23)  # behind the cut
ELBOW_GIRTH = 1.6  # of the wrist's
# Share of the size along x, y and z that one standard deviation adds: size, length, girth.
SHAPES = ((0.06, 0.06, 0.06), (0.0, 0.04, 0.0), (0.04, 0.0, 0.06))


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
    """(V, 20) of the joints; what other bones hold, and bones that are not there, is the wrist's."""
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


def bend_like(rig: Rig, directions: np.ndarray, parents: np.ndarray) -> Rig:
    """Turn the finger bones into directions (J, 3) on the shortest way, and the skin with them."""
    turns, places = [np.eye(3)] * len(parents), list(rig.joints)
    for joint, parent in enumerate(parents[1:], start=1):
        step = rig.joints[joint] - rig.joints[parent]
        places[joint] = places[parent] + turns[parent] @ step
        turns[joint] = turns[parent]
        if joint not in PALM_JOINTS:
            carried = turns[parent] @ rig.frames[joint, :, 1]
            turns[joint] = shortest_turn(carried, directions[joint]) @ turns[parent]
    turn, place = np.stack(turns), np.stack(places)
    shift = place - np.einsum("jab,jb->ja", turn, rig.joints)
    moved = np.einsum("jab,vb->vja", turn, rig.vertices) + shift
    last = list(TIP_JOINTS)
    return replace(
        rig,
        vertices=np.einsum("vj,vja->va", rig.weights, moved),
        joints=place,
        tips=np.einsum("fab,fb->fa", turn[last], rig.tips) + shift[last],
        frames=turn @ rig.frames,
    )


def shortest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of one unit vector onto another that is not opposite."""
    axis = np.cross(start, end)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + start @ end)


def cut_at(rig: Rig, height: float) -> Rig:
    """What lies above y = height, open where it was cut; corners on the cut are blended."""
    above = rig.vertices[:, 1] > height
    points, weights = list(rig.vertices), list(rig.weights)
    crossing: dict[tuple[int, int], int] = {}

    def cross(a: int, b: int) -> int:
        edge = (min(a, b), max(a, b))
        if edge not in crossing:
            low, high = rig.vertices[list(edge), 1]
            share = (height - low) / (high - low)
            crossing[edge] = len(points)
            for table in (points, weights):
                table.append(table[edge[0]] + share * (table[edge[1]] - table[edge[0]]))
        return crossing[edge]

    triangles = []
    for triangle in rig.triangles.tolist():
        polygon = []
        for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True):
            polygon += [a] if above[a] else []
            polygon += [cross(a, b)] if above[a] != above[b] else []
        triangles += [(polygon[0], *polygon[k : k + 2]) for k in range(1, len(polygon) - 1)]
    used, renamed = np.unique(triangles, return_inverse=True)
    return replace(
        rig,
        vertices=np.array(points)[used],
        weights=np.array(weights)[used],
        triangles=renamed.reshape(-1, 3),
    )


def close_holes(rig: Rig) -> Rig:
    """The skin with one open edge, the longest: others get a fan around their middle."""
    edges = rig.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    known = set(map(tuple, edges.tolist()))
    following = {a: b for a, b in known if (b, a) not in known}
    loops = []
    while following:
        start, loop = next(iter(following)), []
        while start in following:
            loop.append(start)
            start = following.pop(start)
        loops.append(loop)
    loops.sort(key=lambda loop: np.ptp(rig.vertices[loop], axis=0).max())
    points, weights, triangles = rig.vertices, rig.weights, rig.triangles
    for loop in loops[:-1]:
        fan = [(b, a, len(points)) for a, b in zip(loop, loop[1:] + loop[:1], strict=True)]
        points = np.concatenate([points, points[loop].mean(0, keepdims=True)])
        weights = np.concatenate([weights, weights[loop].mean(0, keepdims=True)])
        triangles = np.concatenate([triangles, fan])
    return replace(rig, vertices=points, weights=weights, triangles=triangles)


def extended(rig: Rig, length: float) -> Rig:
    """The skin goes straight on behind its open edge, for a rig that ends before its wrist."""
    loop = border_loop(rig.triangles)
    ring = len(rig.vertices) + np.arange(len(loop))
    after, far_after = np.roll(loop, -1), np.roll(ring, -1)
    sides = [np.stack([after, loop, ring], 1), np.stack([after, ring, far_after], 1)]
    return replace(
        rig,
        vertices=np.concatenate([rig.vertices, rig.vertices[loop] - [0, length, 0]]),
        weights=np.concatenate([rig.weights, rig.weights[loop]]),
        triangles=np.concatenate([rig.triangles, *sides]),
    )


def forearm(rim: np.ndarray, first: int, loop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (R, 3) and triangles of a tube behind the rim (L, 3), whose rows are `loop`.

    first: row of the tube's first vertex.
    """
    centre, count = rim.mean(0), len(rim)
    rings, rows = [], [loop]
    for ring, behind in enumerate(FOREARM_RINGS):
        girth = 1 + (ELBOW_GIRTH - 1) * behind / FOREARM_RINGS[-1]
        rings.append(centre + (rim - centre) * girth - [0, behind, 0])
        rows.append(first + ring * count + np.arange(count))
    triangles = []
    for near, far in zip(rows, rows[1:], strict=False):
        after, far_after = np.roll(near, -1), np.roll(far, -1)
        triangles += [np.stack([after, near, far], 1), np.stack([after, far, far_after], 1)]
    return np.concatenate(rings), np.concatenate(triangles)


def skin_weights(rig: Rig, points: np.ndarray) -> np.ndarray:
    """(V, 21) of forearm and joints; the wrist's are shared out along the arm."""
    count = len(points) - len(rig.vertices)
    weights = np.concatenate([rig.weights, np.eye(1, len(JOINTS)).repeat(count, 0)])
    behind, before = WRIST_BLEND
    palm = np.clip((points[:, 1] - behind) / (before - behind), 0, 1) * weights[:, 0]
    return np.column_stack([weights[:, 0] - palm, palm, weights[:, 1:]])


def keypoints_of(rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """(21, 3) joints and tips in MANO order, and the bones (21, 21) that they move with."""
    points, weights = [rig.joints[0]], [np.eye(len(JOINTS) + 1)[1]]
    for finger, last in enumerate(TIP_JOINTS):
        for joint in (last - 2, last - 1, last):
            points.append(rig.joints[joint])
            weights.append(np.eye(len(JOINTS) + 1)[joint + 1])
        points.append(rig.tips[finger])
        weights.append(weights[-1])
    return np.array(points), np.array(weights)


def bake(source: Path, cut: float, length: float | None = None, extend: float = 0.0) -> dict[str, np.ndarray]:
    """The arrays of the format, see `im2hands_ros.synthetic.hand`."""
    with np.load(PACKAGED) as packaged:
        names, parents, axes = (packaged[name] for name in ("joint_names", "parents", "frames"))
    rig = close_holes(cut_at(bend_like(read_rig(source, length), axes[:, :, 1], parents), -cut))
    rig = extended(rig, extend) if extend else rig
    loop = border_loop(rig.triangles)
    tube, tube_triangles = forearm(rig.vertices[loop], len(rig.vertices), loop)
    skin = np.concatenate([rig.vertices, tube])
    points, point_weights = keypoints_of(rig)
    shapes = np.zeros((12, 3))
    shapes[: len(SHAPES)] = SHAPES
    arrays = {
        "vertices": skin,
        "vertex_basis": shapes[:, None] * skin,
        "joints": rig.joints,
        "joint_basis": shapes[:, None] * rig.joints,
        "keypoints": points,
        "keypoint_basis": shapes[:, None] * points,
        "weights": skin_weights(rig, skin),
        "keypoint_weights": point_weights,
        "frames": rig.frames,
        "nails": np.zeros(len(skin)),
    }
    arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
    triangles = np.concatenate([rig.triangles, tube_triangles])
    arrays |= {"faces": triangles.astype(np.int32), "wrist_loop": loop}
    arrays |= {"hand_vertices": np.int64(len(rig.vertices))}
    arrays |= {"hand_faces": np.int64(len(rig.triangles))}
    return arrays | {"parents": parents, "joint_names": names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("glb", type=Path, help="rigged right hand")
    parser.add_argument("output", type=Path, help=".npz file to write")
    parser.add_argument(
        "--cut", type=float, default=0.0, help="metres behind the wrist that the hand ends (0)"
    )
    parser.add_argument(
        "--length", type=float, help="metres from wrist to middle tip, straight (as in the file)"
    )
    parser.add_argument(
        "--extend", type=float, default=0.0, help="metres that the skin goes on behind its end (0)"
    )
    args = parser.parse_args()
    np.savez_compressed(args.output, **bake(args.glb, args.cut, args.length, args.extend))


if __name__ == "__main__":
    main()
