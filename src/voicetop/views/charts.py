"""The charts of the overview: each figure over time, one point per minute or quarter."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.engine import normals
from voicetop.engine.snapshot import NAN, Figure, Series
from voicetop.engine.windows.slots import HOUR, MINUTE
from voicetop.views.over_time import Bucket, OverTime, live_at_ends, series
from voicetop.views.scope import Scope


class Charts:
    """Makes the charts of one view."""

    def __init__(self, over_time: OverTime, scope: Scope) -> None:
        self._over_time, self._scope = over_time, scope
        self._buckets = over_time.buckets(scope, *scope.chart_slots)

    def latency(self) -> Series:
        """P95 of e2e (ms)."""
        return series(self._buckets, [bucket.percentile(0.95) for bucket in self._buckets])

    def errors(self) -> Series:
        """Calls with an error over active calls."""
        return series(self._buckets, error_rates(self._buckets, self._scope.live_now))

    def live_calls(self) -> Series:
        """The most calls of the whole fleet at once."""
        (width, count), at = self._scope.chart_slots, self._scope.at
        first = int(at // width) - count + 1
        peaks = [NAN] * count
        for minute, calls in self._scope.engine.load.minutes[-count * width // MINUTE :]:
            slot = minute * MINUTE // width - first
            if 0 <= slot < count and not peaks[slot] >= calls:
                peaks[slot] = float(calls)
        return Series(float(first * width), float(width), tuple(peaks), until=at)

    def outcome(self, kind: str) -> Series:
        """One of `normals.OUTCOMES`."""
        return series(
            self._buckets, [normals.unjudged_outcome(kind, bucket.sums) for bucket in self._buckets]
        )

    def error_hours(self) -> Series:
        """Calls with an error over active calls, by hour of the last 24."""
        hours = self._over_time.buckets(self._scope, HOUR, 24)
        return series(hours, error_rates(hours, self._scope.live_now))


def error_rates(buckets: Sequence[Bucket], live: int) -> list[Figure]:
    """The error rate of each bucket, from the calls that are `live` now."""
    return [
        bucket.errors(at_end) for bucket, at_end in zip(buckets, live_at_ends(buckets, live), strict=True)
    ]
