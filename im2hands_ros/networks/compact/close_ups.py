"""Close-ups: the picture around each joint, upright along its bone, and where its bones should be.

What both hands' crop shows of a finger is a few pixels wide. A close-up has a fixed size in shares
of the hand and in its bone's direction, so that one small network reads all joints of all hands.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import JOINT_COUNT, PARENTS, SIDES

# Pixels of a close-up's side, pixels to the hand's size, and cells of a side in the maps of bones.
SIDE, TO_SIZE, CELLS = 24, 40.0, 6
BONE_MAPS = 6
_KNUCKLES = [5, 9, 13, 17]
_SMALLEST, _LARGEST, _NEAREST = 0.03, 0.2, 0.05  # metres
_PALM_SHARE = 0.25  # of the palm's direction in a close-up's, for bones along the ray
_BLUR = 9.0  # square of a bone's half width in its map, pixels of the close-up
_DEPTH_UNIT, _FAR, _ORDER = 0.03, 1e4, 1e-3
_REST = 13.0  # added to the deviation of the colours, of 255


class Frames(NamedTuple):
    """Where B scenes' close-ups lie in the picture.

    Attributes:
        pixels: (B, 2, 21, 2) middles. axes: (B, 2, 21, 2, 2) unit x and y of each as rows, y along
            the bone, x mirrored for left hands. step: (B, 2) picture pixels of a close-up's pixel.
    """

    pixels: Tensor
    axes: Tensor
    step: Tensor


class CloseUps(NamedTuple):
    """Of B scenes.

    Attributes:
        colours: (B, 42, 3, 24, 24) RGB, normalised over each hand.
        bones: (B, 42, 6, 6, 6) maps of the bone, the next ones, the others and how much deeper they
            are, the other hand's and how much deeper they are.
        axes: as of `Frames`.
    """

    colours: Tensor
    bones: Tensor
    axes: Tensor


def shown_in(part: NDArray[np.uint8], frames: Frames, joints: Tensor, present: Tensor) -> CloseUps:
    """The close-ups of one scene: what `region` finds, and its arguments."""
    colours = torch.from_numpy(part).permute(2, 0, 1)[None].float()
    return CloseUps(
        normalised(sampled(colours, frames)), bone_maps(joints, frames, present), frames.axes
    )


def region(
    image: NDArray[np.uint8], camera: Camera, joints: Tensor, present: Tensor
) -> tuple[NDArray[np.uint8], Frames] | None:
    """The part of a picture that the close-ups of one scene need, shrunk so that sampling it does
    not alias, and the frames in it; None where a hand is not in front of the lens, or the picture
    has no part of any.

    Args:
        image: (H, W, 3) uint8 RGB of the camera. joints: (1, 2, 21, 3) metres, camera frame.
        present: (1, 2) bool.
    """
    places = joints[0].reshape(-1, 3).double().cpu().numpy()
    pixels = camera.project(places).reshape(1, len(SIDES), JOINT_COUNT, 2)
    there = present[0].cpu().numpy().astype(bool)
    if not np.isfinite(pixels[0, there]).all() or (places[:, 2].reshape(2, -1)[there] <= 0).any():
        return None
    pixels = np.where(np.isfinite(pixels), pixels, 0.0)
    frames = frames_of(joints.cpu(), torch.from_numpy(pixels).float(), camera.fx)
    steps = frames.step[0, present[0].cpu()]
    reach = float(steps.max()) * SIDE
    low = np.floor(pixels[0, there].min((0, 1)) - reach).astype(int).clip(0)
    high = np.ceil(pixels[0, there].max((0, 1)) + reach).astype(int) + 1
    part = image[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
    if min(part.shape[:2]) < 2:
        return None
    part, shrink = shrunk(part, float(steps.min()))
    moved = (frames.pixels - torch.from_numpy(low).float() + 0.5) / shrink - 0.5
    return part, Frames(moved, frames.axes, frames.step / shrink)


def shrunk(part: NDArray[np.uint8], step: float) -> tuple[NDArray[np.uint8], int]:
    """Means of whole blocks, and their side."""
    shrink = max(1, min(int(0.7 * step), *part.shape[:2]))
    rows, columns = (side // shrink for side in part.shape[:2])
    if shrink > 1:
        whole = part[: rows * shrink, : columns * shrink]
        part = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return np.ascontiguousarray(part), shrink


def frames_of(joints: Tensor, pixels: Tensor, focal: float | Tensor) -> Frames:
    """Of joints (B, 2, 21, 3), metres, at pixels (B, 2, 21, 2); focal: in x, pixels, () or
    (B, 1)."""
    size = (joints[:, :, _KNUCKLES] - joints[:, :, :1]).norm(dim=-1).mean(2)
    depth = joints[..., 2].mean(2).clamp_min(_NEAREST)
    unit = size.clamp(_SMALLEST, _LARGEST) * focal / depth
    bone = (pixels - pixels[:, :, list(PARENTS)]) / unit[..., None, None]
    palm = (pixels[:, :, _KNUCKLES].mean(2) - pixels[:, :, 0]) / unit[..., None]
    # A bone and a palm along the ray have no direction: up.
    along = bone + _PALM_SHARE * palm[:, :, None] + torch.tensor([0.0, -1e-3])
    y = along / along.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    mirror = torch.tensor([-1.0, 1.0])[None, :, None, None]
    x = torch.stack([-y[..., 1], y[..., 0]], -1) * mirror
    return Frames(pixels, torch.stack([x, y], -2), unit / TO_SIZE)


def sampled(image: Tensor, frames: Frames) -> Tensor:
    """(B, 42, 3, 24, 24) of (B, 3, H, W) pictures; their border goes on outside."""
    offsets = torch.arange(SIDE) - (SIDE - 1) / 2
    x, y = (frames.axes * frames.step[:, :, None, None, None]).unbind(-2)
    places = (
        frames.pixels[:, :, :, None, None]
        + offsets[None, :, None] * x[:, :, :, None, None]
        + offsets[:, None, None] * y[:, :, :, None, None]
    )
    size = torch.tensor([image.shape[3], image.shape[2]])
    grid = ((2 * places + 1) / size - 1).clamp(-3, 3).view(len(image), -1, SIDE, 2)
    found = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    return found.unflatten(2, (-1, SIDE)).transpose(1, 2)


def normalised(colours: Tensor) -> Tensor:
    """Colours of 255 with mean zero and about the deviation one over each hand's close-ups."""
    hands = colours.unflatten(1, (len(SIDES), JOINT_COUNT))
    mean = hands.mean((2, 4, 5), keepdim=True)
    deviation = hands.var((2, 4, 5), correction=0, keepdim=True).sqrt()
    return ((hands - mean) / (deviation + _REST)).flatten(1, 2)


def bone_maps(joints: Tensor, frames: Frames, present: Tensor) -> Tensor:
    """(B, 42, 6, 6, 6) as in `CloseUps`; joints (B, 2, 21, 3), present (B, 2)."""
    parents = list(PARENTS[1:])
    distance = _from_bones(frames, parents)
    bone = torch.arange(2 * len(parents))
    hand, child = bone // len(parents), bone % len(parents) + 1
    joint = torch.arange(len(SIDES) * JOINT_COUNT)[:, None]
    # Bones meet in joints: which of them is the nearest there must not be left to chance.
    distance = distance + bone[:, None, None] * _ORDER
    same = hand == joint // JOINT_COUNT
    own = same & (child == joint % JOINT_COUNT)
    following = same & (torch.tensor(parents * 2) == joint % JOINT_COUNT)
    depth = joints[..., 2]
    middles = (depth[:, :, parents] + depth[:, :, 1:]).flatten(1) / 2
    deeper = ((middles[:, None] - depth.flatten(1)[..., None]) / _DEPTH_UNIT).clamp(-2, 2)
    other = ~same & present.repeat_interleave(len(parents), 1)[:, None]
    maps = []
    for number, chosen in enumerate((own, following, same & ~own & ~following, other)):
        least, nearest = torch.where(chosen[..., None, None], distance, _FAR).min(2)
        maps.append((-least / (2 * _BLUR)).exp())
        if number > 1:
            by = deeper.gather(2, nearest.flatten(2)).view_as(nearest)
            maps.append(maps[-1] * by)
    return torch.stack(maps, 2)


def _from_bones(frames: Frames, parents: list[int]) -> Tensor:
    """(B, 42, 40, 6, 6) squared distances of the maps' cells from the bones, close-up pixels."""
    pixels, axes = frames.pixels, frames.axes.flatten(1, 2)
    step = frames.step.repeat_interleave(JOINT_COUNT, 1)[..., None, None]
    middle = pixels.flatten(1, 2)[:, :, None]
    begin, end = (
        torch.einsum("bjkc,bjec->bjke", ends.flatten(1, 2)[:, None] - middle, axes) / step
        for ends in (pixels[:, :, parents], pixels[:, :, 1:])
    )
    along = end - begin
    cells = (torch.arange(CELLS) + 0.5) * (SIDE / CELLS) - SIDE / 2
    x, y = cells[None, :] - begin[..., :1, None], cells[:, None] - begin[..., 1:, None]
    dx, dy = along[..., :1, None], along[..., 1:, None]
    square = along.square().sum(-1).clamp_min(1e-4)[..., None, None]
    share = ((x * dx + y * dy) / square).clamp(0, 1)
    return (x - share * dx).square() + (y - share * dy).square()
