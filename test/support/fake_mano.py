"""MANO files in exactly the published format, with made-up content."""

from __future__ import annotations

import pickle
import struct
import types

import numpy as np

# The wrist's border in MANO's mesh, in order, and the vertices at the tips.
WRIST_LOOP = (108, 79, 78, 121, 214, 215, 279, 239, 234, 92, 38, 122, 118, 117, 119, 120)
TIPS = (745, 317, 444, 556, 673)
PARENTS = (2**32 - 1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
# Where (along, across) the palm's axes the joints lie, metres: wrist, then index, middle, little,
# ring finger and thumb, three each.
JOINT_PLACES = (
    (0.01, 0.0),
    *((0.10, 0.025), (0.13, 0.026), (0.15, 0.027)),
    *((0.10, 0.005), (0.14, 0.005), (0.16, 0.005)),
    *((0.09, -0.032), (0.11, -0.034), (0.13, -0.034)),
    *((0.10, -0.015), (0.13, -0.016), (0.15, -0.016)),
    *((0.03, 0.030), (0.06, 0.038), (0.08, 0.042)),
)
TIP_PLACES = ((0.10, 0.046), (0.17, 0.025), (0.18, 0.005), (0.17, -0.016), (0.15, -0.032))
MIRROR = np.array([-1.0, 1.0, 1.0])


def mitten():
    """(778, 3) vertices and (1538, 3) triangles of a right mitten, open at the wrist."""
    ring = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    along = np.linspace(0, 0.17, 48)
    width = 0.025 + 0.025 * np.sin(np.linspace(0.3, 2.6, 48))
    across, up = np.outer(width, np.cos(ring)), 0.35 * np.outer(width, np.sin(ring))
    vertices = np.stack([np.repeat(along[:, None], 16, 1), across, up], -1).reshape(-1, 3)
    quads = [(16 * k + i, 16 * k + (i + 1) % 16) for k in range(47) for i in range(16)]
    triangles = [t for a, b in quads for t in ((a, b, b + 16), (a, b + 16, a + 16))]
    triangles += [(752 + i, 752 + (i + 1) % 16, 768) for i in range(16)]
    vertices = np.concatenate([vertices, [[0.185, 0, 0]]])
    for index in range(9):
        a, b, c = triangles[-16 + index]
        middle = len(vertices)
        vertices = np.concatenate([vertices, vertices[[a, b, c]].mean(0, keepdims=True)])
        triangles[-16 + index] = (a, b, middle)
        triangles += [(b, c, middle), (c, a, middle)]
    return numbered_as_mano(vertices, np.array(triangles))


def numbered_as_mano(vertices, triangles):
    """Renumber so that the border and the tips have MANO's numbers."""
    wanted = dict(zip(range(15, -1, -1), WRIST_LOOP, strict=True))
    for number, (x, y) in zip(TIPS, TIP_PLACES, strict=True):
        distance = np.linalg.norm(vertices - (x, y, 0), axis=1)
        distance[list(wanted)] = np.inf
        wanted[int(distance.argmin())] = number
    free = iter(sorted(set(range(778)) - set(wanted.values())))
    new = np.array([wanted[old] if old in wanted else next(free) for old in range(778)])
    renumbered = np.empty_like(vertices)
    renumbered[new] = vertices
    return renumbered, new[triangles]


def mano_content(side, *, mended_left=False):
    """The arrays of a MANO file. The left hand mirrors the right one, with the published mistake
    in its shapes unless `mended_left`."""
    rng = np.random.default_rng(0)
    vertices, triangles = mitten()
    regressor = np.zeros((16, 778))
    weights = np.zeros((778, 16))
    for joint, (x, y) in enumerate(JOINT_PLACES):
        distance = np.linalg.norm(vertices - (x, y, 0), axis=1)
        nearest = distance.argsort()[:12]
        regressor[joint, nearest] = 1 / 12
        weights[:, joint] = np.exp(-distance / 0.01)
    weights /= weights.sum(1, keepdims=True)
    shapes = 0.002 * rng.standard_normal((1, 3, 10)) * vertices[..., None] / 0.1
    shapes += 0.0001 * rng.standard_normal((778, 3, 10))
    poses = 0.0005 * rng.standard_normal((778, 3, 135))
    mean = 0.1 * rng.standard_normal((15, 3))
    if side == "left":
        vertices, triangles = vertices * MIRROR, triangles[:, ::-1]
        mirrored = np.outer(MIRROR, MIRROR).ravel()
        poses = poses * MIRROR[:, None] * np.tile(mirrored, 15)
        mean = mean * -MIRROR
        if mended_left:
            shapes = shapes * MIRROR[:, None]
    tree = np.array([PARENTS, range(16)], np.int64)
    return {
        "v_template": vertices,
        "shapedirs": shapes,
        "posedirs": poses,
        "weights": weights,
        "J_regressor": regressor,
        "hands_mean": mean.ravel(),
        "hands_components": np.eye(45),
        "f": np.ascontiguousarray(triangles, np.uint32),
        "kintree_table": tree,
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }


def foreign(module, name, state):
    """An object that pickles as one of the class `module.name` with this state."""
    made = type(name, (), {"__module__": module})()
    made.__dict__.update(state)
    return made


def chumpy(array):
    """As chumpy.Ch keeps an array."""
    return foreign("chumpy.ch", "Ch", {"x": np.asarray(array), "_dirty_vars": {"x"}})


def chumpy_select(array):
    """As MANO's files keep the shapes: chumpy's choice of the first ten of twenty."""
    twenty = np.concatenate([array, np.full_like(array, 7)], axis=2)
    state = {
        "a": chumpy(twenty),
        "idxs": np.arange(twenty.size).reshape(twenty.shape)[..., :10].ravel(),
    }
    return foreign("chumpy.reordering", "Select", {**state, "preferred_shape": array.shape})


def sparse(array):
    """As scipy's csc_matrix keeps an array."""
    rows = [np.flatnonzero(column) for column in array.T]
    state = {
        "_shape": array.shape,
        "indptr": np.cumsum([0, *map(len, rows)]).astype(np.int32),
        "indices": np.concatenate(rows).astype(np.int32),
        "data": array.T[array.T != 0],
        "maxprint": 50,
    }
    return foreign("scipy.sparse.csc", "csc_matrix", state)


PYTHON_2_MODULES = {
    "copyreg": "copy_reg",
    "builtins": "__builtin__",
    "numpy._core.multiarray": "numpy.core.multiarray",
}


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: byte strings, and the module names of its time."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_text(self, text):
        data = text if isinstance(text, bytes) else text.encode("latin1")
        self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(text)

    def save_global(self, obj, name=None):
        name, module = (
            name or obj.__qualname__,
            PYTHON_2_MODULES.get(obj.__module__, obj.__module__),
        )
        self.write(f"c{module}\n{name}\n".encode())
        self.memoize(obj)

    dispatch[str] = dispatch[bytes] = save_text
    dispatch[type] = dispatch[types.FunctionType] = save_global


def write_mano(folder, protocol=2):
    """MANO_LEFT.pkl and MANO_RIGHT.pkl, with chumpy arrays and a sparse matrix as published."""
    folder.mkdir(parents=True, exist_ok=True)
    for side in ("left", "right"):
        content = mano_content(side)
        content["shapedirs"] = chumpy_select(content["shapedirs"])
        content["posedirs"] = chumpy(content["posedirs"])
        content["J_regressor"] = sparse(content["J_regressor"])
        content["weights"] = np.asfortranarray(content["weights"])
        with (folder / f"MANO_{side.upper()}.pkl").open("wb") as file:
            Python2Pickler(file, protocol).dump(content)
    return folder
