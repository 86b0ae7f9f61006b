"""One hand over time: a Kalman filter on where it is, how it is turned, and how it is bent.

The joints' motion is taken apart: the hand as a whole moves fast and is seen by all joints at once;
within the hand joints move less, and each is seen by itself. All parts have a constant-velocity
model, which does not lag behind steady motion. Noise is measured from the stream itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import JOINT_COUNT
from im2hands_ros.tracking.bone_lengths import BoneLengths
from im2hands_ros.tracking.kalman import Motion, decay
from im2hands_ros.tracking.noise_estimate import NoiseEstimate

Array = NDArray[np.float64]

# Accelerations that a hand has all the time, per level of a finger's joints where it is bent:
# m/s², rad/s², m/s².
_PLACE_ACCELERATION = 1.0
_TURN_ACCELERATION = 4.0
_BEND_ACCELERATION = np.array([0.07, *([0.07, 0.18, 0.28, 0.35] * 5)])
# Velocities fade while a hand is not seen, seconds.
_COASTING = 0.15
_EVEN = np.ones(JOINT_COUNT)
_OUTLIER = 3.0  # standard deviations; beyond it a joint counts less


class HandMemory:
    """What is known of a hand and of its tracker, also after the hand was lost.

    Args:
        lengths: (24,) of a calibration, as `BoneLengths` takes them; None: unknown.

    Attributes:
        lengths: of the bones. noise: of the joints.
    """

    def __init__(self, lengths: Array | None = None) -> None:
        self.lengths, self.noise = BoneLengths(lengths), NoiseEstimate()

    def pause(self) -> None:
        """The hand was not seen for a while."""
        self.noise.pause()


class HandFilter:
    """Follows the joints of one hand.

    Args:
        joints: (21, 3) first ones, metres, camera frame, MANO order.
        stamp: theirs, seconds.
        memory: of the same hand, from before.
    """

    def __init__(
        self, joints: NDArray[np.floating], stamp: float, memory: HandMemory | None = None
    ) -> None:
        first = np.asarray(joints, np.float64)
        self.stamp = stamp
        self.centre = first.mean(axis=0)
        self.bent = first - self.centre  # joints about the centre, in the frame `turned`
        self.turned = np.eye(3)  # camera_from_hand
        self._place = Motion(1, _PLACE_ACCELERATION)
        self._turn = Motion(1, _TURN_ACCELERATION)
        self._bend = Motion(JOINT_COUNT, _BEND_ACCELERATION[:, None])
        self._memory = memory or HandMemory()

    @property
    def joints(self) -> NDArray[np.float32]:
        """(21, 3) metres, camera frame, at `stamp`."""
        return (self.centre + self.bent @ self.turned.T).astype(np.float32)

    def predict(self, stamp: float, seen: bool = True) -> None:
        """Move on to a later stamp; velocities fade where the hand is not ``seen``."""
        elapsed = stamp - self.stamp
        self.stamp = stamp
        if not seen:
            for part in (self._place, self._turn, self._bend):
                part.velocity = part.velocity * decay(elapsed, _COASTING)
        self.centre = self.centre + view_axes(self.centre) @ self._place.predict(elapsed)[0]
        self.turned = rotation(self._turn.predict(elapsed)[0]) @ self.turned
        self.bent = self.bent + self._bend.predict(elapsed)

    def correct(self, joints: NDArray[np.floating], spread: Array | None = None) -> None:
        """Take in what was measured at `stamp`.

        Args:
            joints: (21, 3) metres, camera frame.
            spread: (21,) how much less certain each joint is than usual, 1 as usual; None: 1.
        """
        measured = np.asarray(joints, np.float64)
        expected = self.bent @ self.turned.T
        view = view_axes(self.centre)
        lengths, noise = self._memory.lengths, self._memory.noise
        noise.update(measured, self.turned, view)
        sigma = noise.joints if spread is None else noise.joints * spread[:, None]
        innovation = measured - self.centre - expected
        weights = self._weights(innovation @ view, sigma)
        shift, turn, rest = rigid_part(innovation, expected, weights)
        centre_noise, turn_noise = noise.whole(weights, expected)
        step = self._place.correct((shift @ view)[None], centre_noise[None])[0]
        self.centre = self.centre + view @ step
        self.turned = rotation(self._turn.correct(turn[None], turn_noise)[0]) @ self.turned
        # Joints in the hand's frame, with the noise of the viewing directions.
        own = view.T @ self.turned
        moved = self._bend.correct(rest @ self.turned, ((sigma**2) @ own**2) ** 0.5)
        self.bent = self.bent + moved
        lengths.update(measured @ self.turned, self.bent)
        self.bent = lengths.applied(self.bent, float(noise.joints[0].max()))
        self._take_apart()

    def _take_apart(self) -> None:
        """Whatever moves all joints alike belongs to the whole hand, not to its joints."""
        middle = self.bent.mean(axis=0)
        self.centre = self.centre + self.turned @ middle
        self.bent = self.bent - middle
        shift, turn, rest = rigid_part(self._bend.velocity, self.bent, _EVEN)
        view = view_axes(self.centre)
        self._place.velocity = self._place.velocity + (self.turned @ shift) @ view
        self._turn.velocity = self._turn.velocity + self.turned @ turn
        self._bend.velocity = rest

    def _weights(self, innovation: Array, sigma: Array) -> Array:
        """(21,) weight of each joint in the motion of the whole, by its noise; far ones less."""
        lateral = sigma[:, 0]
        far = np.linalg.norm(innovation / sigma, axis=1) / np.sqrt(3)
        usual = max(float(np.median(far)), 1.0)
        return np.minimum(1.0, _OUTLIER * usual / np.maximum(far, 1e-9)) / lateral**2


def view_axes(centre: Array) -> Array:
    """(3, 3) axes in columns: two across the viewing ray through a point, and along it."""
    along = centre / np.linalg.norm(centre)
    first = np.array([along[2], 0.0, -along[0]])
    first /= np.linalg.norm(first)
    second = np.array(
        [
            along[1] * first[2] - along[2] * first[1],
            along[2] * first[0] - along[0] * first[2],
            along[0] * first[1] - along[1] * first[0],
        ]
    )
    return np.stack([first, second, along], axis=1)


def rigid_part(moved: Array, places: Array, weights: Array) -> tuple[Array, Array, Array]:
    """The small rigid motion nearest to (N, 3) displacements of (N, 3) places.

    Returns:
        shift (3,), turn (3,) rotation vector about the origin, and what is left (N, 3).
    """
    total = weights.sum()
    middle, mean = weights @ places / total, weights @ moved / total
    arms, own = places - middle, moved - mean
    inertia = (weights[:, None] * arms).T @ arms
    inertia = np.trace(inertia) * np.eye(3) - inertia
    torque = weights @ cross(arms, own)
    turn = np.linalg.solve(inertia + 1e-12 * np.eye(3), torque)
    shift = mean - cross(turn[None], middle[None])[0]
    return shift, turn, moved - shift - cross(turn[None], places)


def cross(a: Array, b: Array) -> Array:
    """np.cross of (N, 3) and (N, 3) or (1, 3), without what it spends on shapes."""
    ax, ay, az = a.T
    bx, by, bz = b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def rotation(vector: Array) -> Array:
    """(3, 3) of a rotation vector."""
    angle = float(np.sqrt(vector @ vector))
    x, y, z = vector
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    if angle < 1e-6:
        return np.eye(3) + skew
    return np.eye(3) + np.sin(angle) / angle * skew + (1 - np.cos(angle)) / angle**2 * (skew @ skew)
