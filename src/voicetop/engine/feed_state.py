"""The feed's own state: publishers, their clock skew, losses."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter

from msgspec import Struct, field

from voicetop.engine.calls import Call
from voicetop.engine.ignored import IgnoredKind
from voicetop.engine.source_tracker import SILENT_AFTER, UNKNOWN_AFTER, SourceTracker
from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, AnyEvent, SourceStatus

SKEW_TURN = 30.0
MAX_SOURCES = 2_000
RATE_EVERY, RATE_TIMES = 2.0, 6
"""The rates of sources are over the last 10 s, in steps of 2 s."""
FORGOTTEN_AFTER = 600.0
SAMPLED_FROM, SAMPLED = 2_000.0, 7
"""From so many events per second on, only every seventh is counted by source: the name of each costs 2 % of folding."""
NOT_PUBLISHERS = ("", "hub")
"""Sources of consoles and of the hub's own events; "" also of publishers that don't say who they are."""
OTHERS = "other sources"
"""What those that don't fit are counted under."""
BLIND_AFTER = 3.0
BEHIND_FROM = 30.0
"""Lag in seconds from which events are the past: of calls that happen now they come within seconds."""
BEHIND_LAGS, LEAST_LAGS = 8, 2
"""How many of the last lags tell whether the feed catches up, and how many at least: one per heartbeat with events."""
LEAST_EVENTS = 50
"""Fewer events in 5 s are no backlog, however old they are."""
BEAT_S = 0.25
_source_of = attrgetter("source")


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
    heard: dict[str, int] = field(default_factory=dict)
    """Events since the last heartbeat, by source."""
    sampling: int = 1
    """How many events one stands for that is counted by source."""
    rate_times: list[float] = field(default_factory=list)
    left_at: float = 0.0
    """When the last publisher left; 0 if none has."""
    ignored: dict[str, dict[str, int]] = field(default_factory=dict)
    """Well-formed events that changed nothing, by source and `ignored.IgnoredKind`."""
    lag_of: str | None = None
    """The source of the event whose lag was measured; None if it belongs to no call."""

    def ignore(self, source: str, kind: IgnoredKind) -> None:
        """Count a well-formed event of `source` that changes nothing."""
        kinds = self.ignored.get(source)
        if kinds is None:
            name = source if len(self.ignored) < MAX_SOURCES else OTHERS
            kinds = self.ignored.setdefault(name, {})
        kinds[kind] = kinds.get(kind, 0) + 1

    def record_status(self, event: SourceStatus, at: float) -> None:
        """Record a publisher's status and its delay.

        Only status records measure the clock: other events may be delivered late, after a lost connection or from a
        backfill.
        """
        source = self._source(event.source, at, MAX_SOURCES)
        if source is not None:
            source.report(event, at)
            if source.left:
                self.left_at = at

    def _source(self, name: str, at: float, most: int) -> SourceTracker | None:
        """The source, a new one unless there are `most` already."""
        source = self.sources.get(name)
        if source is None and len(self.sources) < most:
            source = self.sources[name] = SourceTracker(at)
        return source

    def count(self, events: list[AnyEvent]) -> None:
        """Count events, and by source until the next heartbeat."""
        first, step = -self.events % self.sampling, self.sampling
        self.events += len(events)
        for name, count in Counter(map(_source_of, events[first::step])).items():
            self.heard[name] = self.heard.get(name, 0) + count * step
        if (
            len(self.heard) > MAX_SOURCES
        ):  # those that came first stay, however the events were cut into batches
            self.heard = dict(itertools.islice(self.heard.items(), MAX_SOURCES))

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
        self._count_sources(at)
        if known(self.lag) and self.lag_of is not None and self.lag_of in self.sources:
            self.sources[self.lag_of].measure_lag(self.lag)
        for source in self.sources.values():
            source.turn(rotate=rotate)
        self.skewed = any(source.skew for source in self.sources.values())
        self._forget(at)
        if known(self.lag):
            self.lags = [*self.lags[-19:], self.lag]
            self.lag = NAN
        self.rates = [*[(t, n) for t, n in self.rates if t > at - 10], (at, self.events)]
        since, before = self.rates[0]
        self.sampling = SAMPLED if self.events - before > SAMPLED_FROM * (at - since) else 1

    def _count_sources(self, at: float) -> None:
        """Give the sources the events that were counted since the last heartbeat, and keep the rates' base."""
        for name, count in self.heard.items():
            source = self._source(name, at, MAX_SOURCES // 2)  # one that reports its status finds room
            if source is not None:
                source.count(count, at)
        self.heard.clear()
        if not self.rate_times or at - self.rate_times[-1] >= RATE_EVERY:
            self.rate_times = [*self.rate_times[1 - RATE_TIMES :], at]
            for source in self.sources.values():
                source.totals = [*source.totals[1 - RATE_TIMES :], source.events]

    def compare_calls(self, calls: Iterable[Call]) -> None:
        """Compare the live calls with what their sources say; at every mark."""
        held = Counter(call.source for call in calls)
        for name, source in self.sources.items():
            before = source.left
            source.compare_calls(held[name])
            if source.left and not before:
                self.left_at = self.at

    def _forget(self, at: float) -> None:
        """Forget sources that haven't been heard for long; while none is heard, those that are missed stay missed."""
        heard = any(source.reports and not source.silent(at) for source in self.sources.values())
        crowded = len(self.sources) > MAX_SOURCES // 2
        stale = [
            name
            for name, source in self.sources.items()
            if source.heard < at - FORGOTTEN_AFTER and (heard or crowded or not source.reports)
        ]
        for name in stale:
            del self.sources[name]
            self.ignored.pop(name, None)

    @property
    def blind(self) -> bool:
        """Whether the data is stale: the hub is silent, or every publisher that reports its status is."""
        if self.local and self.at - self.spoke_at >= BLIND_AFTER:
            return True
        missed = False
        for source in self.sources.values():
            if source.reports:
                if not source.silent(self.at):
                    return False
                missed = True
        return missed

    @property
    def unheard(self) -> bool:
        """Whether fewer calls mean nothing: a publisher is silent, or all have left."""
        return self.idle or bool(self.silent(self.at))

    @property
    def idle(self) -> bool:
        """Whether every publisher has left, and nothing is heard of any other source."""
        return self.left_at > 0 and not any(
            source.reports or (name not in NOT_PUBLISHERS and not source.left and not source.silent(self.at))
            for name, source in self.sources.items()
        )

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
        heard = max((source.heard for source in self.sources.values() if source.reports), default=self.at)
        return self.at - heard if self.at - heard > SILENT_AFTER else 0.0

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
        sent a status, or has left, is none of them.
        """
        heard = {name: source.last_heard(at) for name, source in self.sources.items() if source.reports}
        silent = {name: seen for name, seen in heard.items() if at - seen > UNKNOWN_AFTER}
        if silent and len(silent) == len(heard):
            silent.setdefault("", max(heard.values()))
        return silent

    def heard_at(self, name: str) -> float:
        """When that publisher last reported its status; now if it never does. For "" when any publisher did."""
        if not name:
            return max((source.seen for source in self.sources.values() if source.reports), default=self.at)
        source = self.sources.get(name)
        return source.seen if source is not None and source.status_at else self.at

    def departed(self, at: float) -> dict[str, float]:
        """The publishers that had left by `at`, with the time when they did."""
        return {
            name: source.status_at
            for name, source in self.sources.items()
            if source.left and source.status_at <= at
        }

    def reporting(self, at: float) -> tuple[int, int]:
        """(publishers that send their status and haven't left, those of them that have been silent for 15 s)."""
        reporting = [source for source in self.sources.values() if source.reports]
        return len(reporting), sum(source.silent(at) for source in reporting)
