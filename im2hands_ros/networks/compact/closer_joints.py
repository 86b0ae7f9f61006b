"""The keypoint refinement's joints of one frame, refined once more from close-ups."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.close_ups import CloseUps, Frames, region, shown_in
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement, RefinedKeypoints
from im2hands_ros.networks.compact.native_close_ups import NativeCloseUps
from im2hands_ros.networks.protocol import Picture

LOOKS = 2  # close-ups around the joints given, and around those that these have shown


def refine_closer(
    network: CloseUpRefinement | NativeCloseUps,
    keypoints: KeypointRefinement,
    picture: Picture,
    coarse: CoarseHands,
    refined: RefinedKeypoints,
) -> RefinedKeypoints:
    """The same, refined once more: the mean of what every look finds, of which the last counts
    twice; as it was where no close-ups can be cut.

    Args:
        coarse: what the tracker gave; refined: what `keypoints` made of it.
    """
    device = refined.joints.device
    swapped = refined.swapped.float().cpu() > keypoints.preset.swap_logit
    given = CoarseHands(*(part.cpu() for part in coarse)).swap(swapped)
    begin, spread = given._replace(joints=refined.joints.float().cpu()), refined.spread
    seen: list[Tensor] = []
    for _ in range(LOOKS):
        found = region(picture.image, picture.camera, begin.joints, begin.present)
        if found is None:
            break
        joints, spread = look_closer(network, *found, begin, given.joints)
        begin = begin._replace(joints=joints)
        seen.append(joints)
    if not seen:
        return refined
    joints = keypoints.large_corrections(given.joints, torch.stack([*seen, seen[-1]]).mean(0))
    return refined._replace(joints=joints.to(device), spread=spread.to(device))


def look_closer(
    network: CloseUpRefinement | NativeCloseUps,
    part: NDArray[np.uint8],
    frames: Frames,
    begin: CoarseHands,
    given: Tensor,
) -> tuple[Tensor, Tensor]:
    """Joints and their spread, on the host; arguments as of `NativeCloseUps`."""
    if isinstance(network, NativeCloseUps):
        return network(part, frames, begin, given)
    on = network.identity.device
    shown = CloseUps(*(each.to(on) for each in shown_in(part, frames, begin.joints, begin.present)))
    result = network(shown, CoarseHands(*(each.to(on) for each in begin)), given.to(on))
    return result.joints.float().cpu(), result.spread.cpu()
