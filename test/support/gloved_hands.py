"""The demo's hands in gloves: one colour that no skin has, and thicker than the hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.background import random_background, random_light
from im2hands_ros.synthetic.demo_sequence import DemoFrame, load_demo_sequence
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.raytracing import plain_part, vertex_normals
from im2hands_ros.synthetic.renderer import render
from im2hands_ros.synthetic.sample import pose_hand
from im2hands_ros.synthetic.skin import Skin

GLOVES = {
    "black nitrile": ((0.07, 0.07, 0.08), 0.0),
    "blue nitrile": ((0.15, 0.35, 0.75), 0.0005),
    "white cotton": ((0.93, 0.93, 0.9), 0.001),
    "orange work": ((0.95, 0.45, 0.05), 0.003),
    "green rubber": ((0.1, 0.5, 0.2), 0.002),
    "grey winter": ((0.35, 0.35, 0.38), 0.006),
}


@dataclass(frozen=True)
class Gloved:
    """image: (480, 640, 3) uint8 RGB. true: side -> (21, 2) pixels of the joints in the gloves."""

    image: NDArray[np.uint8]
    true: dict[str, NDArray[np.floating]]


def gloved(frame: DemoFrame, glove: str, seed: int) -> Gloved:
    """A frame of the demo with the hands in a glove, before a chance background."""
    camera = load_demo_sequence().camera
    random = np.random.default_rng(seed)
    colour, thickness = GLOVES[glove]
    parts, true = [], {}
    for side in SIDES:
        given = frame.parameters[side]
        if given is None:
            continue
        bare = hand_part(side, pose_hand(side, given).skin, Skin(np.ones(3), np.zeros(3)))
        normals = vertex_normals(bare.vertices, bare.triangles)
        outside = (bare.vertices + thickness * normals).astype(np.float32)
        parts.append(plain_part(outside, bare.triangles, np.array(colour)))
        true[side] = camera.project(frame.true_keypoints[side])
    ground = random_background(random, camera.height, camera.width)
    return Gloved(render(parts, camera, random_light(random), ground)[0], true)
