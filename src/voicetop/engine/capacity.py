"""Live calls against the tested limit: the peak of the day, and the time until arrivals reach the limit."""

from __future__ import annotations

import math

from msgspec import Struct, field

from voicetop.wire.events import NAN, Capacity

MAX_MINUTES = 1_440
HUB = "hub"
"""The source of what an operator set at the hub."""


class CapacityLoad(Struct, kw_only=True):
    """The most calls at once in each of the last 1,440 minutes, as (minute, calls), and the tested limit.

    `by_operator`: the limit was set at the hub, and counts whatever publishers report; `published` is what they did.
    """

    limit: int = 0
    tested_at: float = NAN
    minutes: list[tuple[int, int]] = field(default_factory=list)
    by_operator: bool = False
    published: int = 0

    def set_limit(self, event: Capacity) -> None:
        """Take over a limit, unless it is a publisher's and the operator has set one."""
        if event.source == HUB:
            self.by_operator = True
        elif self.by_operator:
            self.published = event.limit
            return
        self.limit, self.tested_at = event.limit, event.tested_at

    def beat(self, at: float, live: int) -> None:
        """Record `live` calls at a heartbeat."""
        minute = int(at // 60)
        if self.minutes and self.minutes[-1][0] == minute:
            if live > self.minutes[-1][1]:
                self.minutes[-1] = (minute, live)
            return
        self.minutes.append((minute, live))
        if len(self.minutes) > MAX_MINUTES:
            del self.minutes[0]

    def recent_peak(self, at: float, minutes: int = 35) -> int:
        """Most calls at once in the last `minutes`; 0 where nothing is known of them."""
        since = int(at // 60) - minutes
        return max((calls for minute, calls in self.minutes[-minutes - 1 :] if minute >= since), default=0)

    def peak(self, at: float) -> tuple[int, float]:
        """(most calls at once in the last 24 hours, epoch seconds of that minute)."""
        since = int(at // 60) - MAX_MINUTES
        recent = [(calls, -minute) for minute, calls in self.minutes if minute > since]
        if not recent:
            return 0, NAN
        calls, minute = max(recent)
        return calls, -minute * 60.0


def minutes_to_limit(live: int, limit: int, arrivals_per_min: float, handling_s: float) -> float:
    """Minutes until `live` reaches `limit` if calls keep arriving and lasting as they do now; NaN if they won't.

    By Little's law the load settles at arrivals × handling time. With exponential
    call lengths it gets there as L(t) = settled + (live − settled)·e^(−t / handling); solve L(t) = limit.

    60 calls per minute of 3 minutes settle at 180; from 120, a limit of 150 is 2.1 minutes away.
    """
    if limit <= 0 or not arrivals_per_min > 0 or not handling_s > 0:
        return NAN
    if live >= limit:
        return 0.0
    settled = arrivals_per_min * handling_s / 60
    if settled <= limit:
        return NAN
    return handling_s / 60 * math.log((settled - live) / (settled - limit))
