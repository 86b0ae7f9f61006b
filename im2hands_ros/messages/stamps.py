"""How the stamps and the arrivals of keypoints lie to those of their images. No ROS here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_WINDOW = 60  # pairs
_ENOUGH = 20
_OTHER_CLOCK = 3600.0  # seconds
# Of the offsets: a tracker that takes its own time is before the image as often as after it.
_LEAST_ON_EACH_SIDE = 0.1
_ROUNDED, _FEW = 0.0015, 0.05  # seconds that rounded stamps may differ by; share of pairs
_MEANS = 60  # windows over which drift is measured: two minutes at 30 Hz


_NEVER_EQUAL = {
    "offset": "they may be of another image: copy the stamp of the image that the tracker "
    "processed into its keypoints",
    "own": "they are stamped on sending, or by a clock of the tracker's own, and results are off "
    "by what hands move in that time: copy the stamp of the image that the tracker processed, or "
    "trigger a tracker with a camera of its own together with this one",
}


class PairTiming:
    """Offset and lateness of keypoints, over the last pairs; times in seconds."""

    def __init__(self) -> None:
        self._stamps: deque[float] = deque(maxlen=_WINDOW)
        self._offsets: deque[float] = deque(maxlen=_WINDOW)
        self._lags: deque[float] = deque(maxlen=_WINDOW)
        self._means: deque[tuple[float, float]] = deque(maxlen=_MEANS)  # image's stamp, offset
        self._pairs = 0

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
        self._pairs += 1
        if self._pairs % _WINDOW == 0 and self._stamps:
            self._means.append((self._stamps[-1], float(np.mean(self._offsets))))

    @property
    def period(self) -> float | None:
        """Median time between two images; None before it is known."""
        steps = np.diff(np.sort(np.array(self._stamps)))
        steps = steps[steps > 0]
        return float(np.median(steps)) if len(steps) >= 3 else None

    @property
    def clock(self) -> str:
        """How keypoints are stamped: ``image`` (equal stamps), ``offset`` (never equal, always
        before or always after), ``own`` (on
        sending, or by a clock or rate of their own), ``mixed``; empty before
        it is known."""
        if len(self._offsets) < _ENOUGH:
            return ""
        offsets = np.array(self._offsets)
        if not offsets.any():
            return "image"
        if not offsets.all():
            return "mixed"
        after = float((offsets > 0).mean())
        on_both = _LEAST_ON_EACH_SIDE < after < 1 - _LEAST_ON_EACH_SIDE
        return "own" if on_both else "offset"

    @property
    def drift(self) -> float | None:
        """Seconds a second by which the keypoints' clock runs ahead; None before it is known."""
        if len(self._means) < 3:
            return None
        stamps, offsets = np.array(self._means).T
        rates = np.diff(offsets) / np.maximum(np.diff(stamps), 1e-6)
        return float(np.median(rates))  # where another image is the nearest now, offsets jump

    @property
    def values(self) -> dict[str, str]:
        """Mean and spread of offset and arrival, by which clock keypoints are stamped and how it
        drifts, and the image period, for diagnostics."""
        values = {}
        if clock := self.clock:
            values["pairs.clock"] = clock
        if (drift := self.drift) is not None:
            values["pairs.drift_ppm"] = f"{1e6 * drift:.0f}"
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
                f"later: {_NEVER_EQUAL[self.clock]}",
            )
        elif (share := float((np.abs(offsets) > _ROUNDED).mean())) > _FEW:
            yield (
                "stamps_differ",
                f"the stamps of keypoints and image differ in {100 * share:.0f} % of the pairs, by "
                f"up to {1e3 * np.abs(offsets).max():.0f} ms: those keypoints may be of another "
                "image: copy the stamp of the image that the tracker processed into its keypoints",
            )
        if lags.mean() < -half:
            yield (
                "keypoints_before_image",
                f"keypoints come {_range(-lags)} before the image that they are paired with: they "
                "are of another image, or images are delayed on their way: copy the stamp of the "
                "image that the tracker processed, or send smaller images",
            )


def _range(seconds: NDArray[np.floating]) -> str:
    return f"{1e3 * seconds.mean():.0f} ± {1e3 * seconds.std():.0f} ms"


def gap_text(partner: str, gap: float, period: float | None) -> str:
    """What keeps a message without a partner whose nearest stamp lies `gap` seconds away."""
    away = f"{gap:.3f}" if gap >= 0.001 else f"{gap:.1g}"
    text = f"the nearest stamp of {partner} is {away} s away: "
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
