"""Bake a rigged hand into the format of `im2hands_ros/data/hand.npz`.

`im2hands synthesize --hand OUT` and `im2hands evaluate --hand OUT` draw their scenes with it. Reads
a right hand as a binary glTF file (.glb) with a skinned mesh whose joints have the names of one of
the makes in `rig_joints.py`, such as the hand of the npm package @webxr-input-profiles/assets:

    npm pack @webxr-input-profiles/assets && tar xzf webxr-input-profiles-assets-*.tgz
    python tools/bake_other_hand.py package/dist/profiles/generic-hand/right.glb hand_webxr.npz

Keypoints are the rig's own joints and tips, in MANO order. The surface ends at a plane across the
arm near the wrist; the forearm behind it is made up, as such rigs have none. Shapes vary in size,
length and girth only. The rest pose is bent to that of the packaged hand, which the limits of the
joints count from. All lengths are metres.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from hand_geometry import TIP_JOINTS, border_loop
from rig_file import JOINTS, PACKAGED, PALM_JOINTS, Rig, read_rig, shortest_turn

WRIST_BLEND = (-0.015, 0.010)  # along y; behind it the skin is the forearm's, before it the palm's
FOREARM_RINGS = (0.008, 0.02, 0.04, 0.07, 0.11, 0.15, 0.19, 0.23)  # behind the cut
ELBOW_GIRTH = 1.6  # of the wrist's
# Share of the size along x, y and z that one standard deviation adds: size, length, girth.
SHAPES = ((0.06, 0.06, 0.06), (0.0, 0.04, 0.0), (0.04, 0.0, 0.06))


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


def bake(
    source: Path, cut: float, length: float | None = None, extend: float = 0.0
) -> dict[str, np.ndarray]:
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
