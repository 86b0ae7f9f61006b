"""All that is published of a frame, for the live node and for bags. No ROS here."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.messages.header import HeaderFields, nanoseconds
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.messages.markers import LIFETIME, Key, draw, write_markers
from im2hands_ros.messages.meshes import write_meshes
from im2hands_ros.messages.occupancy import write_occupancy
from im2hands_ros.messages.wrist_poses import PosedHand, WristPose, WristPoses, write_wrist_pose

if TYPE_CHECKING:
    from im2hands_ros.scene import Hands

# Topic -> type.
RESULT_TYPES = {
    "/refined_keypoints": "im2hands_ros/msg/HandKeypoints",
    "/left/wrist_pose": "geometry_msgs/msg/PoseStamped",
    "/right/wrist_pose": "geometry_msgs/msg/PoseStamped",
    "/meshes": "im2hands_ros/msg/HandMeshArray",
    "/occupancy": "sensor_msgs/msg/PointCloud2",
    "/markers": "visualization_msgs/msg/MarkerArray",
}
# The topics that need the wrists' poses; the transforms' messages are tf2_ros's own.
_LIFETIME_FRAMES = 3.0  # how long markers live
_SLOWEST_FRAMES = 5.0  # seconds; what is further apart is a break
_OF_WRISTS = ("/left/wrist_pose", "/right/wrist_pose", "/tf")

Messages = Iterator[tuple[str, bytes]]  # topic, serialised message


class ResultEncoder:
    """Serialises frames in the order of a stream: wrists do not jump, lost hands are deleted.

    A message is serialised when the iterator comes to it, so it can be sent before the next one.

    Attributes:
        wrists: side -> pose, of the last frame whose wrists were wanted.
    """

    def __init__(self) -> None:
        self._poses = WristPoses()
        self._shown: tuple[Key, ...] = ()
        self._shows_voxels = False
        self._stamp_ns: int | None = None
        self._periods: deque[float] = deque(maxlen=5)
        self.wrists: dict[str, WristPose] = {}

    @property
    def lifetime(self) -> float:
        """How long viewers show markers, seconds: slow frames must not blink."""
        return max(LIFETIME, _LIFETIME_FRAMES * median(self._periods or (0.0,)))

    def encode(
        self,
        header: HeaderFields,
        hands: Hands,
        voxel_size: float,
        smooth: bool = True,
        posed: Mapping[str, PosedHand] | None = None,
    ) -> Messages:
        """All results of a frame; arguments as those of `surfaces`, and of `poses`."""
        yield from self.poses(header, hands.present if posed is None else posed)
        yield from self.surfaces(header, hands, voxel_size, smooth=smooth)

    def poses(
        self,
        header: HeaderFields,
        hands: Mapping[str, PosedHand],
        wanted: Container[str] = RESULT_TYPES,
    ) -> Messages:
        """Keypoints and wrist poses, those of the topics in `wanted`; `wrists` for "/tf" in it.

        `hands`: side -> hand of those that are there.
        """
        if any(topic in wanted for topic in _OF_WRISTS):
            self.wrists = self._poses.of(hands)
        if "/refined_keypoints" in wanted:
            yield (
                "/refined_keypoints",
                write_keypoints(
                    header,
                    {side: hand.keypoints for side, hand in hands.items()},
                    {side: _confidence(hand) for side, hand in hands.items()},
                ),
            )
        for side, pose in self.wrists.items():
            if (topic := f"/{side}/wrist_pose") in wanted:
                yield topic, write_wrist_pose(header, pose)

    def surfaces(
        self,
        header: HeaderFields,
        hands: Hands,
        voxel_size: float,
        wanted: Container[str] = RESULT_TYPES,
        smooth: bool = True,
    ) -> Messages:
        """Meshes, occupied voxels and markers, those of the topics in `wanted`.

        Args:
            header: the image's.
            hands: the surfaces.
            voxel_size: side of the drawn voxels, metres.
            wanted: topics.
            smooth: markers are shaded by their vertices' normals.
        """
        surfaces = hands.present
        self._note_period(header)
        if "/meshes" in wanted:
            yield "/meshes", write_meshes(header, surfaces)
        if "/occupancy" in wanted:
            self._shows_voxels = any(len(each.voxels) for each in surfaces.values())
            yield "/occupancy", write_occupancy(header, surfaces)
        if "/markers" not in wanted:
            return
        drawings = draw(surfaces, voxel_size, smooth)
        shown = tuple(drawing.key for drawing in drawings)
        lost = tuple(key for key in self._shown if key not in shown)
        self._shown = shown
        if drawings or lost:
            yield "/markers", write_markers(header, drawings, lost, self.lifetime)

    def withdraw(self, header: HeaderFields) -> Messages:
        """What takes the hands from viewers that show any: deletions, and a cloud of no points."""
        lost, self._shown = self._shown, ()
        if lost:
            yield "/markers", write_markers(header, (), lost)
        if self._shows_voxels:
            self._shows_voxels = False
            yield "/occupancy", write_occupancy(header, {})

    def _note_period(self, header: HeaderFields) -> None:
        """Stamps that go back or are far apart say nothing of how fast frames come."""
        stamp_ns = nanoseconds(header.stamp)
        before, self._stamp_ns = self._stamp_ns, stamp_ns
        if before is not None and 0 < (period := (stamp_ns - before) / 1e9) < _SLOWEST_FRAMES:
            self._periods.append(period)


def _confidence(hand: PosedHand) -> float | NDArray[np.float32] | None:
    """Of each joint where it is known, else of the hand."""
    of_joints: NDArray[np.float32] | None = getattr(hand, "joint_confidence", None)
    return hand.confidence if of_joints is None else of_joints
