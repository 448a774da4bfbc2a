"""One publisher, as its events and its own word tell: when it was heard, its clock, its calls, its queue."""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, SourceStatus

SKEW_FROM = 2.0
"""Minimum skew in seconds to correct a source: less may be network delay."""
SILENT_AFTER = 15.0
UNKNOWN_AFTER = 7.0
"""Seconds without a status after which the waits of a publisher's callers are unknown: statuses come every 5 s, and a
caller is stuck after 8 s at the earliest, so that a lost connection doesn't look like an outage.
"""
BACKLOG_S = 5.0
"""How long a publisher that was silent takes to send the events that it kept back: its status comes before them."""
CALLS_TOLERANCE = 0.1


class SourceTracker(Struct, gc=False):
    """One publisher. Its skew is the minimum delay (receive time − source time) of the last 30 to 60 s: queues only add
    to the minimum.
    """

    seen: float
    least: float = NAN
    least_before: float = NAN
    skew: float = 0.0
    dropped: int = 0
    active_calls: int = 0
    status_at: float = 0.0
    lost_at: float = 0.0
    back_at: float = 0.0
    """The last silence: when the publisher was heard before it and after it (stamp time)."""
    heard: float = 0.0
    """When anything of it was last heard (stamp time), not only a status as in `seen`."""
    since: float = 0.0
    """From when on it has been heard without falling silent (stamp time)."""
    events: int = 0
    totals: list[int] = field(default_factory=list)
    """`events` at the last of `FeedTracker.rate_times`."""
    queue: int = 0
    clock_offset_s: float = NAN
    """Its clock minus the hub's, as it says itself."""
    held: int = 0
    """Its live calls at the last mark; `calls_off` is for how many marks there have been too many of them, or too few
    (negative), for what it says.
    """
    calls_off: int = 0
    leaving: bool = False
    statuses: int = 0
    """Since the last heartbeat."""
    lag: float = NAN
    lag_before: float = NAN
    """The least delay of its events, its clock corrected, in the last 30 s and in those before."""

    @property
    def reports(self) -> bool:
        """Whether it sends its status and hasn't left: one that is missed when it falls silent."""
        return self.status_at > 0 and not self.left

    @property
    def left(self) -> bool:
        """Whether it has said goodbye, without calls."""
        return self.leaving and not self.active_calls

    def hear(self, at: float) -> None:
        """Something of it is heard at `at`."""
        if at - self.heard > SILENT_AFTER or self.left:
            self.since = at
        self.heard = at

    def report(self, event: SourceStatus, at: float) -> None:
        """Take its own word for its health."""
        if self.status_at and at - self.seen > UNKNOWN_AFTER:
            self.lost_at, self.back_at = self.seen, at
        self.hear(at)
        self.seen = at
        if not event.leaving:  # a goodbye may be the hub's, by its own clock
            self.measure(at - event.ts)
            self.clock_offset_s = event.clock_offset_ms / 1000
        self.status_at = at
        self.dropped, self.queue = event.dropped, event.queue
        self.active_calls, self.leaving = event.active_calls, event.leaving
        self.statuses += 1

    def count(self, events: int, at: float) -> None:
        """It sent so many events until the heartbeat `at`, its statuses among them. More than those bring it back, but
        not with its goodbye: they came before.
        """
        self.events += events
        if events > self.statuses and not (self.statuses and self.left):
            self.hear(at)
            self.leaving = False
        self.statuses = 0

    def compare_calls(self, held: int) -> None:
        """Compare its live calls with what it said up to 5 s ago: a few more or less are no surprise.

        One that said goodbye with live calls has left once none of them is live.
        """
        if self.leaving and self.held and not held:
            self.active_calls = 0
        self.held, more = held, held - self.active_calls
        if not self.status_at or abs(more) <= CALLS_TOLERANCE * max(held, self.active_calls):
            self.calls_off = 0
        elif more > 0:
            self.calls_off = max(self.calls_off, 0) + 1
        else:
            self.calls_off = min(self.calls_off, 0) - 1

    def rate(self, times: list[float], at: float) -> float:
        """Events per second, over the last 10 s or since it is known."""
        if not self.totals:
            return 0.0
        elapsed = at - times[-len(self.totals)]
        return (self.events - self.totals[0]) / elapsed if elapsed > 0 else 0.0

    def silent(self, at: float) -> bool:
        """Whether nothing of it has been heard for 15 s."""
        return at - self.heard > SILENT_AFTER

    def last_heard(self, at: float) -> float:
        """When it was heard before `at`; after a silence, not before it had time to send what it kept back."""
        return self.lost_at if self.lost_at <= at < self.back_at + BACKLOG_S else self.seen

    def measure(self, delay: float) -> None:
        if not delay >= self.least:
            self.least = delay

    def measure_lag(self, lag: float) -> None:
        """One of its events came so many seconds late; not each is measured."""
        if not lag >= self.lag:
            self.lag = lag

    @property
    def late_s(self) -> float:
        """How many seconds late all its events have come for over 30 s; 0 if some came in time, or if unknown."""
        return (
            min(lag for lag in (self.lag, self.lag_before) if known(lag)) if known(self.lag_before) else 0.0
        )

    def turn(self, *, rotate: bool) -> None:
        """Apply the measured skew; `rotate` drops the older half of the measurements."""
        delays = [value for value in (self.least, self.least_before) if known(value)]
        if delays:
            delay = min(delays)
            self.skew = delay if abs(delay) >= SKEW_FROM else 0.0
        if rotate and known(self.least):
            self.least_before, self.least = self.least, NAN
        if rotate and known(self.lag):
            self.lag_before, self.lag = self.lag, NAN
