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
from hand_geometry import TIP_JOINTS, border_loop, palm_frame

PACKAGED = Path(__file__).parents[1] / "im2hands_ros" / "data" / "hand.npz"
FINGERS = ("index", "middle", "ring", "pinky")
FINGER_PARTS = ("metacarpal", "phalanx-proximal", "phalanx-intermediate", "phalanx-distal")
# WebXR's names in the order of the packaged hand's joints, and of its fingers' tips.
JOINTS = ("wrist", *(f"thumb-{p}" for p in ("metacarpal", "phalanx-proximal", "phalanx-distal")))
JOINTS += tuple(f"{finger}-finger-{part}" for finger in FINGERS for part in FINGER_PARTS)
TIPS = ("thumb-tip", *(f"{finger}-finger-tip" for finger in FINGERS))
PALM_BONES = JOINTS[4::4]
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


def read_rig(path: Path) -> Rig:
    """The first skinned mesh of a file. Raises ValueError with the joints that are missing."""
    glb = Glb(path)
    part = glb.tree["meshes"][0]["primitives"][0]
    names = part["attributes"]
    bones = [glb.tree["nodes"][node]["name"] for node in glb.tree["skins"][0]["joints"]]
    if absent := [name for name in (*JOINTS, *TIPS) if name not in bones]:
        raise ValueError(f"{path} has no joint {', '.join(absent)}: WebXR's names are needed")
    rest_inverse = glb.array(glb.tree["skins"][0]["inverseBindMatrices"]).reshape(-1, 4, 4)
    bind = np.linalg.inv(rest_inverse.mT.astype(np.float64))
    points = glb.array(names["POSITION"]).astype(np.float64)
    # A corner is there once for each of its texture coordinates.
    _, first, merged = np.unique(points.round(6), axis=0, return_index=True, return_inverse=True)
    triangles = merged.reshape(-1)[glb.array(part["indices"]).reshape(-1, 3)]
    corners = np.sort(triangles, axis=1)
    triangles = triangles[(np.diff(corners, axis=1) > 0).all(1)]
    dense = np.zeros((len(points), len(bones)))
    columns, shares = glb.array(names["JOINTS_0"]), glb.array(names["WEIGHTS_0"])
    for column, share in zip(columns.T, shares.T, strict=True):
        np.add.at(dense, (np.arange(len(points)), column), share)
    return _rig(bones, bind, points[first], triangles, dense[first])


def _rig(
    bones: list[str], bind: np.ndarray, points: np.ndarray, triangles: np.ndarray, dense: np.ndarray
) -> Rig:
    """Sort the joints and turn everything into the frame of the packaged hand."""
    rows, ends = ([bones.index(name) for name in names] for names in (JOINTS, TIPS))
    weights = dense[:, rows]
    weights[:, TIP_JOINTS] += dense[:, ends]  # a tip is no bone of its own
    origin = bind[rows[0], :3, 3]
    joints = bind[rows, :3, 3] - origin
    turn = palm_frame(joints)
    axes = bind[rows, :3, :3] / np.linalg.norm(bind[rows, :3, :3], axis=1, keepdims=True)
    return Rig(
        (points - origin) @ turn,
        triangles,
        weights / weights.sum(1, keepdims=True),
        joints @ turn,
        (bind[ends, :3, 3] - origin) @ turn,
        turn.T @ axes @ OURS_FROM_WEBXR,
    )


def bend_like(rig: Rig, directions: np.ndarray, parents: np.ndarray) -> Rig:
    """Turn the finger bones into directions (J, 3) on the shortest way, and the skin with them."""
    turns, places = [np.eye(3)] * len(parents), list(rig.joints)
    for joint, parent in enumerate(parents[1:], start=1):
        step = rig.joints[joint] - rig.joints[parent]
        places[joint] = places[parent] + turns[parent] @ step
        turns[joint] = turns[parent]
        if JOINTS[joint] not in PALM_BONES:
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


def bake(source: Path, cut: float) -> dict[str, np.ndarray]:
    """The arrays of the format, see `im2hands_ros.synthetic.hand`."""
    with np.load(PACKAGED) as packaged:
        names, parents, axes = (packaged[name] for name in ("joint_names", "parents", "frames"))
    rig = cut_at(bend_like(read_rig(source), axes[:, :, 1], parents), -cut)
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
    args = parser.parse_args()
    np.savez_compressed(args.output, **bake(args.glb, args.cut))


if __name__ == "__main__":
    main()
