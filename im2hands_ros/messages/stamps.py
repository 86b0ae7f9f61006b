"""How the stamps and the arrivals of keypoints lie to those of their images. No ROS here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_WINDOW = 60  # pairs
_ENOUGH = 20
_OTHER_CLOCK = 3600.0  # seconds


class PairTiming:
    """Offset and lateness of keypoints, over the last pairs; times in seconds."""

    def __init__(self) -> None:
        self._stamps: deque[float] = deque(maxlen=_WINDOW)
        self._offsets: deque[float] = deque(maxlen=_WINDOW)
        self._lags: deque[float] = deque(maxlen=_WINDOW)

    def add_image(self, stamp_ns: int) -> None:
        """Note an image's stamp."""
        self._stamps.append(stamp_ns / 1e9)

    def add_pair(self, offset: float, lag: float) -> None:
        """Note a pair.

        Args:
            offset: stamp of the keypoints less the image's.
            lag: arrival of the keypoints less the image's.
        """
        self._offsets.append(offset)
        self._lags.append(lag)

    @property
    def period(self) -> float | None:
        """Median time between two images; None before it is known."""
        steps = np.diff(np.sort(np.array(self._stamps)))
        steps = steps[steps > 0]
        return float(np.median(steps)) if len(steps) >= 3 else None

    @property
    def values(self) -> dict[str, str]:
        """Mean and spread of offset and arrival, and the image period, for diagnostics."""
        values = {}
        if self._offsets:
            for name, numbers in (("offset", self._offsets), ("arrival", self._lags)):
                values[f"pairs.{name}.mean_ms"] = f"{1e3 * np.mean(numbers):.1f}"
                values[f"pairs.{name}.spread_ms"] = f"{1e3 * np.std(numbers):.1f}"
        if (period := self.period) is not None:
            values["image_period_ms"] = f"{1e3 * period:.1f}"
        return values

    def warnings(self, slop: float) -> Iterator[tuple[str, str]]:
        """Kind and text of what makes it likely that pairs are of different instants.

        Args:
            slop: largest difference of stamps that is paired now.
        """
        if len(self._offsets) < _ENOUGH or (period := self.period) is None:
            return
        offsets, lags = np.array(self._offsets), np.array(self._lags)
        half = period / 2
        if offsets.any() and slop > half:
            yield (
                "sync_slop",
                f"sync_slop {slop:.3f} s is more than half an image period, {half:.3f} s, and "
                f"stamps differ by {_range(offsets)}: keypoints of another image are taken: "
                f"lower it below {half:.3f} and copy the image's stamp into the keypoints",
            )
        elif offsets.all():
            yield (
                "stamps_never_equal",
                f"the stamps of keypoints and image are never equal, keypoints {_range(offsets)} "
                "later: they may be of another image: copy the stamp of the image that the "
                "tracker processed into its keypoints",
            )
        if lags.mean() < -half:
            yield (
                "keypoints_before_image",
                f"keypoints come {_range(-lags)} before the image that they are paired with: they "
                "cannot be made of it: copy the stamp of the image that the tracker processed",
            )


def _range(seconds: NDArray[np.floating]) -> str:
    return f"{1e3 * seconds.mean():.0f} ± {1e3 * seconds.std():.0f} ms"


def gap_text(partner: str, gap: float, period: float | None) -> str:
    """What keeps a message without a partner whose nearest stamp lies `gap` seconds away."""
    text = f"the nearest stamp of {partner} is {gap:.3f} s away: "
    if gap > _OTHER_CLOCK:
        return (
            f"the stamps of {partner} are {gap:.4g} s away, of another clock: stamp images and "
            "keypoints by one clock (use_sim_time for all nodes or for none)"
        )
    text += "copy the image's stamp into the keypoints"
    # Something always lies within half a period: only what is far nearer can be the right one.
    if period is not None and gap < period / 4:
        text += f", or raise sync_slop to {gap + 0.001:.3f}"
    return text
