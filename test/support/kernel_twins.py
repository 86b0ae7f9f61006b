"""Contexts of drawn frames in torch, and the same ones evaluated by the native library."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from im2hands_ros.canonical import canonicalise
from im2hands_ros.kernels.field import NativeImage, NativeNetwork
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.compact.initial_occupancy import ImageMemory, InitialContext
from im2hands_ros.networks.compact.native import (
    native_image,
    native_initial,
    native_network,
    native_refined,
)
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.refined_occupancy import RefinedContext
from im2hands_ros.networks.protocol import EncodedFrame, take
from im2hands_ros.pipeline import WEIGHTS
from im2hands_ros.skeleton import SIDES
from im2hands_ros.surface.boxes import SearchBoxes
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

CLOSE = 1e-3  # millimetres of depth
FRAME = 60  # of the demo: the hands touch


@cache
def trained() -> CompactNetworks:
    """The packaged weights, in torch alone."""
    networks, _ = CompactNetworks.load(WEIGHTS / "compact.safetensors")
    return networks.eval().requires_grad_(False)


@cache
def drawn_context(number: int = FRAME, sides: tuple[str, ...] = SIDES) -> RefinedContext:
    """A frame of the demo in torch, as the pipeline would make it."""
    demo, networks = load_demo_sequence(), trained()
    frame = demo.frames[number]
    size = networks.image_size
    picture = torch.from_numpy(frame.image[:, :480].copy()).permute(2, 0, 1)[None].float() / 255
    pixels = torch.nn.functional.interpolate(picture, (size, size), mode="area")
    scale = size / 480
    camera = replace(
        demo.camera,
        width=size,
        height=size,
        fx=demo.camera.fx * scale,
        fy=demo.camera.fy * scale,
        cx=(demo.camera.cx + 0.5) * scale - 0.5,
        cy=(demo.camera.cy + 0.5) * scale - 0.5,
    )
    joints = torch.stack([torch.as_tensor(frame.keypoints[side]) for side in sides])
    hands = canonicalise(joints.float(), torch.tensor([side == "left" for side in sides]))
    with torch.no_grad():
        encoded = EncodedFrame(pixels, camera, networks.encode(pixels))
        context = networks.refine_occupancy(encoded, networks.initial_context(encoded, hands))
    assert type(context) is RefinedContext
    return context


def fully_corrected(context: RefinedContext) -> RefinedContext:
    """The same with all of the corrections, whether they are worth making or not."""
    parts = {
        name: getattr(context, name)._replace(share=torch.ones(len(context.memory.share), 1))
        for name in ("memory", "other_memory")
    }
    return replace(context, **parts)


def native_twin(library: Library, context: RefinedContext) -> RefinedContext:
    """The same context evaluated by the library."""
    network = native_network(library, context.initial.network, context.network)
    initial = native_initial(image_in(network, context.initial), context.initial)
    twin = native_refined(replace(context, initial=initial))
    assert type(twin) is not RefinedContext
    return twin


def image_of(context: InitialContext) -> ImageMemory:
    """The single crop that a context's hands are in."""
    return ImageMemory(context.pixels[:1], take(context.memory, [0]))


def image_in(network: NativeNetwork, context: InitialContext) -> NativeImage:
    """The same in the library."""
    return native_image(network, context.network, image_of(context))


def points_around(context: InitialContext | RefinedContext, count: int = 2000) -> Tensor:
    """(H, count, 3) points on, in and around the hands, metres, palm frame."""
    generator = torch.Generator().manual_seed(5)
    joints = context.hands.joints_palm
    which = torch.randint(21, (count,), generator=generator)
    return joints[:, which] + 0.012 * torch.randn(len(joints), count, 3, generator=generator)


def boxes_and_bones(context: RefinedContext) -> tuple[SearchBoxes, Tensor, float]:
    """Where the hands are searched, and the search's hints."""
    boxes = SearchBoxes.around(context.hands.joints_palm)
    joints = boxes.box_from_palm(context.hands.joints_palm)
    ends = torch.tensor([(0, 1), (0, 5), (0, 9), (0, 13), (0, 17)])
    fingers = torch.tensor([(b + k, b + k + 1) for b in (1, 5, 9, 13, 17) for k in range(3)])
    return boxes, joints[:, torch.cat([ends, fingers])], 0.25


def one_hand(context: RefinedContext, hand: int) -> RefinedContext:
    """One of two hands, its partner known."""
    return take(context, slice(hand, hand + 1))
