"""The keypoint refinement's joints of one frame, refined once more from close-ups."""

from __future__ import annotations

from torch import Tensor

from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.close_ups import CloseUps, region, shown_in
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement, RefinedKeypoints
from im2hands_ros.networks.compact.native_close_ups import NativeCloseUps
from im2hands_ros.networks.protocol import Picture


def refine_closer(
    network: CloseUpRefinement | NativeCloseUps,
    keypoints: KeypointRefinement,
    picture: Picture,
    coarse: CoarseHands,
    refined: RefinedKeypoints,
) -> RefinedKeypoints:
    """The same, refined once more; as it was where no close-ups can be cut.

    Args:
        coarse: what the tracker gave; refined: what `keypoints` made of it.
    """
    device = refined.joints.device
    swapped = refined.swapped.float().cpu() > keypoints.preset.swap_logit
    given = CoarseHands(*(part.cpu() for part in coarse)).swap(swapped)
    begin = given._replace(joints=refined.joints.float().cpu())
    found = region(picture.image, picture.camera, begin.joints, begin.present)
    if found is None:
        return refined
    joints: Tensor
    if isinstance(network, NativeCloseUps):
        joints, spread = network(*found, begin, given.joints)
    else:
        on = network.identity.device
        shown = CloseUps(*(part.to(on) for part in shown_in(*found, begin.joints, begin.present)))
        hands = CoarseHands(*(part.to(on) for part in begin))
        result = network(shown, hands, given.joints.to(on))
        joints, spread = result.joints.float().cpu(), result.spread.cpu()
    joints = keypoints.large_corrections(given.joints, joints)
    return refined._replace(joints=joints.to(device), spread=spread.to(device))
