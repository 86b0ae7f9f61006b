"""Frame, border and keypoints of a baked hand.

A part of `bake_hand.py` and `bake_other_hand.py`; needs numpy only. Lengths are metres, joints the
20 of the packaged hand. Keypoints lie in the middle of the fingers, as trackers put them.
"""

import numpy as np

TIP_DEPTH = 0.0025  # keypoint under the skin of the finger's end
WRIST_SHIFT = 0.010  # MANO's wrist joint lies nearer the knuckles than MakeHuman's
TIP_JOINTS = (3, 7, 11, 15, 19)  # last joint of each finger
INDEX_MCP, MIDDLE_MCP, PINKY_MCP = 5, 9, 17  # rows of the joints


class SkinRays:
    """Rays from inside the hand to its skin, to find the middle of a cross-section."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self.corner = vertices[faces[:, 0]]
        self.edge1 = vertices[faces[:, 1]] - self.corner
        self.edge2 = vertices[faces[:, 2]] - self.corner

    def distance(self, origin: np.ndarray, direction: np.ndarray) -> float:
        """Metres to the first triangle (Moeller and Trumbore 1997)."""
        p = np.cross(direction, self.edge2)
        scale = 1 / np.einsum("ij,ij->i", self.edge1, p)
        s = origin - self.corner
        u = np.einsum("ij,ij->i", s, p) * scale
        q = np.cross(s, self.edge1)
        v = q @ direction * scale
        t = np.einsum("ij,ij->i", self.edge2, q) * scale
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6)
        return float(t[hit].min())

    def centre(self, point: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """Move a point to the middle of the skin along each of the axes (A, 3) in turn."""
        for _ in range(4):
            for axis in axes:
                offset = self.distance(point, axis) - self.distance(point, -axis)
                point = point + axis * offset / 2
        return point


def palm_frame(joints: np.ndarray) -> np.ndarray:
    """(3, 3), columns are x (thumb's side), y (middle knuckle), z (out of the palm)."""
    y = unit(joints[MIDDLE_MCP])
    x = joints[INDEX_MCP] - joints[PINKY_MCP]
    x = unit(x - (x @ y) * y)
    return np.stack([x, y, np.cross(x, y)], 1)


def border_loop(triangles: np.ndarray) -> np.ndarray:
    """(L,) vertices of the one open edge loop, in the direction of the triangles' own edges."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = set(map(tuple, edges.tolist()))
    following = {a: b for a, b in known if (b, a) not in known}
    if not following:
        raise ValueError("the mesh has no open edge, the cut is beyond it: give a smaller --cut")
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    if len(loop) != len(following):
        raise ValueError(f"{len(following)} open edges, {len(loop)} in one loop: close other holes")
    return np.array(loop)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def finger_keypoints(
    skin: SkinRays, joints: np.ndarray, tip: np.ndarray, axis: np.ndarray, deep: int
) -> np.ndarray:
    """(4, 3) middle of the cross-section at three joints, and under the skin of the end.

    joints (4, 3): the bone before the finger's first joint, and its three joints; tip: the rig's;
    axis: of flexion; deep: so many joints lie in the palm, where only thickness has a middle.
    """
    chain = np.concatenate([joints, tip[None]])
    middle = []
    for k in (1, 2, 3):
        along = unit(unit(chain[k + 1] - chain[k]) + unit(chain[k] - chain[k - 1]))
        side = unit(axis - (axis @ along) * along)
        thickness = np.cross(side, along)
        axes = [thickness] if k <= deep else [thickness, side]
        middle.append(skin.centre(chain[k], np.array(axes)))
    along = unit(tip - middle[2])
    side = unit(axis - (axis @ along) * along)
    half = skin.centre(0.5 * (middle[2] + tip), np.array([np.cross(side, along), side]))
    along = unit(half - middle[2])
    end = half + along * (skin.distance(half, along) - TIP_DEPTH)
    return np.stack([*middle, end])


def mean_keypoints(
    vertices: np.ndarray, faces: np.ndarray, joints: np.ndarray, tips: np.ndarray, frames
) -> np.ndarray:
    """(21, 3) keypoints of the mean hand in MANO order, see `BakedHand` for the convention."""
    skin = SkinRays(vertices, faces)
    wrist = skin.centre(joints[0] + np.array([0, WRIST_SHIFT, 0]), np.eye(3)[[0, 2]])
    rows = [wrist[None]]
    rows.append(finger_keypoints(skin, joints[[0, 1, 2, 3]], tips[0], frames[2][:, 0], 2))
    for f in range(1, 5):
        base = 4 * f
        chain = joints[[base, base + 1, base + 2, base + 3]]
        rows.append(finger_keypoints(skin, chain, tips[f], frames[base + 2][:, 0], 1))
    return np.concatenate(rows)


def regressors(
    vertices: np.ndarray, keypoints: np.ndarray, weights: np.ndarray, radius: float = 0.016
) -> np.ndarray:
    """(21, V) rows that sum to one and give the keypoints from nearby vertices."""
    palm = {0, 1, *(base + 1 for base in (4, 8, 12, 16))}  # weight columns: the forearm first
    own = [palm]
    for f in range(5):
        first, middle, last = (TIP_JOINTS[f] - k for k in (1, 0, -1))
        own += [palm | {first}, {first, middle} | (palm if f == 0 else set()), {middle, last}]
        own += [{last}]
    rows = np.zeros((len(keypoints), len(vertices)))
    owner = weights.argmax(1)
    for k, point in enumerate(keypoints):
        distance = np.linalg.norm(vertices - point, axis=1)
        reach = max(radius, 2 * distance.min())
        near = np.flatnonzero((distance < reach) & np.isin(owner, list(own[k])))
        # The smallest weights that hit the point exactly, closer vertices first.
        trust = np.exp(-((distance[near] / reach) ** 2))
        system = np.concatenate([(vertices[near] - point).T, np.ones((1, len(near)))])
        pull = np.linalg.solve((system * trust) @ system.T, [0, 0, 0, 1])
        rows[k, near] = trust * (system.T @ pull)
    return rows


def keypoint_weights(joint_count: int) -> np.ndarray:
    """(21, 21) skin weights of the keypoints: half way between the two bones of a joint.

    Linear blend skinning moves the middle of a bent finger just so. Wrist and tips are rigid.
    """
    weights = np.zeros((21, joint_count + 1))
    weights[0, 1] = 1
    row = 1
    for f in range(5):
        for joint in range(TIP_JOINTS[f] - 2, TIP_JOINTS[f] + 1):
            parent = joint - 1
            weights[row, [parent + 1, joint + 1]] = 0.5
            row += 1
        weights[row, TIP_JOINTS[f] + 1] = 1
        row += 1
    return weights
