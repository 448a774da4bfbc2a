"""The feed's own state: publishers, their clock skew, losses."""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.engine.calls import Call
from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, AnyEvent, SourceStatus

SKEW_FROM = 2.0
"""Minimum skew in seconds to correct a source: less may be network delay."""
SKEW_TURN = 30.0
MAX_SOURCES = 2_000
SILENT_AFTER = 15.0
BLIND_AFTER = 3.0
UNKNOWN_AFTER = 7.0
"""Seconds without a status after which the waits of a publisher's callers are unknown: statuses come every 5 s, and a
caller is stuck after 8 s at the earliest, so that a lost connection doesn't look like an outage.
"""
BACKLOG_S = 5.0
"""How long a publisher that was silent takes to send the events that it kept back: its status comes before them."""
BEHIND_FROM = 30.0
"""Lag in seconds from which events are the past: of calls that happen now they come within seconds."""
BEHIND_LAGS, LEAST_LAGS = 8, 2
"""How many of the last lags tell whether the feed catches up, and how many at least: one per heartbeat with events."""
LEAST_EVENTS = 50
"""Fewer events in 5 s are no backlog, however old they are."""
BEAT_S = 0.25


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

    def hear(self, at: float) -> None:
        """It is heard at `at`."""
        if at - self.seen > UNKNOWN_AFTER:
            self.lost_at, self.back_at = self.seen, at
        self.seen = at

    def last_heard(self, at: float) -> float:
        """When it was heard before `at`; after a silence, not before it had time to send what it kept back."""
        return self.lost_at if self.lost_at <= at < self.back_at + BACKLOG_S else self.seen

    def measure(self, delay: float) -> None:
        if not delay >= self.least:
            self.least = delay

    def turn(self, *, rotate: bool) -> None:
        """Apply the measured skew; `rotate` drops the older half of the measurements."""
        delays = [value for value in (self.least, self.least_before) if known(value)]
        if delays:
            delay = min(delays)
            self.skew = delay if abs(delay) >= SKEW_FROM else 0.0
        if rotate and known(self.least):
            self.least_before, self.least = self.least, NAN


class FeedTracker(Struct, kw_only=True):
    """The feed's own figures, part of the checkpoint. `strangers` counts events of unknown calls.

    `began` is the first heartbeat's stamp: what was before, nobody watched. 0 if not known.
    """

    at: float = 0.0
    spoke_at: float = 0.0
    """Receive time of the last record that wasn't a heartbeat of the console's own."""
    local: bool = False
    events: int = 0
    strangers: int = 0
    gaps: int = 0
    missed: int = 0
    late: int = 0
    lag: float = NAN
    lags: list[float] = field(default_factory=list)
    rates: list[tuple[float, int]] = field(default_factory=list)
    sources: dict[str, SourceTracker] = field(default_factory=dict)
    rotated: float = 0.0
    skewed: bool = False
    began: float = 0.0

    def record_status(self, event: SourceStatus, at: float) -> None:
        """Record a publisher's status and its delay.

        Only status records measure the clock: other events may be delivered late, after a lost connection or from a
        backfill.
        """
        source = self.sources.get(event.source)
        if source is None:
            if len(self.sources) >= MAX_SOURCES:
                return
            source = self.sources[event.source] = SourceTracker(at)
        source.hear(at)
        source.measure(at - event.ts)
        source.status_at = at
        source.dropped = event.dropped
        source.active_calls = event.active_calls

    def correct(self, event: AnyEvent) -> float:
        """Source time on the hub's clock."""
        source = self.sources.get(event.source)
        return event.ts + source.skew if source is not None else event.ts

    def beat(self, at: float, *, local: bool) -> None:
        """Process a heartbeat: apply what was measured since the last one."""
        if not self.at:
            self.began = at
        self.at = at
        self.local = local
        if not local:
            self.spoke_at = at
        rotate = at - self.rotated >= SKEW_TURN
        if rotate:
            self.rotated = at
        for source in self.sources.values():
            source.turn(rotate=rotate)
        self.skewed = any(source.skew for source in self.sources.values())
        self._forget(at)
        if known(self.lag):
            self.lags = [*self.lags[-19:], self.lag]
            self.lag = NAN
        self.rates = [*[(t, n) for t, n in self.rates if t > at - 10], (at, self.events)]

    def _forget(self, at: float) -> None:
        stale = [name for name, source in self.sources.items() if source.seen < at - 600]
        for name in stale:
            del self.sources[name]

    @property
    def blind(self) -> bool:
        """Whether the data is stale: the hub is silent, or every publisher that reports its status is."""
        if self.local and self.at - self.spoke_at >= BLIND_AFTER:
            return True
        reporting = False
        for source in self.sources.values():
            if source.status_at and self.at - source.seen <= SILENT_AFTER:
                return False
            reporting = reporting or bool(source.status_at)
        return reporting

    @property
    def behind_s(self) -> float:
        """How many seconds of the past are still to come while a publisher sends its history or backlog; else 0.

        Most events are old, and time passes in them at twice its speed or more: neither a late event now and then nor a
        feed that is always late is behind.
        """
        late = [lag for lag in self.lags[-BEHIND_LAGS:] if lag >= BEHIND_FROM]
        if len(late) < LEAST_LAGS or 2 * len(late) < len(self.lags[-BEHIND_LAGS:]) or not self._pours:
            return 0.0
        half = len(late) // 2
        before, after = late[:half], late[half:]
        least = half * BEAT_S
        falling = min(before) - min(after) >= least and max(before) - max(after) >= least
        return late[-1] if falling else 0.0

    @property
    def _pours(self) -> bool:
        """Whether many events came within the last 5 s."""
        before = max((events for t, events in self.rates if t <= self.at - 5), default=0)
        return self.events - before >= LEAST_EVENTS

    @property
    def publishers_silent_s(self) -> float:
        """Since when no publisher that reports its status was heard, in seconds; 0 while one isn't silent."""
        seen = max((source.seen for source in self.sources.values() if source.status_at), default=self.at)
        return self.at - seen if self.at - seen > SILENT_AFTER else 0.0

    def waited_s(self, call: Call, until: float) -> float:
        """Seconds that a call's caller has been waiting at a time (corrected source time), as far as they count."""
        return until - self.wait_from(call, until)

    def wait_from(self, call: Call, until: float) -> float:
        """From when on its wait counts: nobody watched what was before the feed began and the call was heard of.

        A wait that was over before (history, sent by a publisher that joins) counts in full.
        """
        watched = max(self.began, call.watched_from)
        return call.wait_since if until <= watched else max(call.wait_since, watched)

    def silent(self, at: float) -> dict[str, float]:
        """The publishers that report their status and aren't heard, with the time when they last were.

        "" stands for events that name no source: their publisher is silent for sure if all are. A publisher that never
        sent a status is none of them.
        """
        heard = {name: source.last_heard(at) for name, source in self.sources.items() if source.status_at}
        silent = {name: seen for name, seen in heard.items() if at - seen > UNKNOWN_AFTER}
        if silent and len(silent) == len(heard):
            silent.setdefault("", max(heard.values()))
        return silent

    def heard_at(self, name: str) -> float:
        """When that publisher last reported its status; now if it never does. For "" when any publisher did."""
        if not name:
            return max((source.seen for source in self.sources.values() if source.status_at), default=self.at)
        source = self.sources.get(name)
        return source.seen if source is not None and source.status_at else self.at

    def reporting(self, at: float) -> tuple[int, int]:
        """(publishers that send their status, those of them that have been silent for 15 s)."""
        reporting = [source for source in self.sources.values() if source.status_at]
        return len(reporting), sum(1 for source in reporting if at - source.seen > SILENT_AFTER)
