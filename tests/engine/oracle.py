"""What the figures have to be, computed the slow way: every event kept in plain lists, every question asked of all of
them. Written from the protocol's words; no numpy, no running totals, nothing of the engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from voicetop.engine.snapshot import Where
from voicetop.wire.events import (
    AnyEvent,
    CallEnd,
    CallEvent,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Interruption,
    SourceStatus,
    Stage,
    Tool,
    Turn,
    TurnStart,
    Usage,
)

Seconds: TypeAlias = float
BEGINNERS = (CallStart, CallUpdate, CallStep, Turn, TurnStart, Tool, Error, Interruption)
"""Events that tell of a call even where its start was missed."""
TRUST = ("human", "judge", "rule", "platform", "agent")
TERMINAL = ("close", "closing", "goodbye", "farewell", "wrap_up", "end", "done", "completed", "confirmed")
GRACE, LOST_AFTER = 120.0, 180.0


def held(ts: Seconds, at: Seconds, span: str) -> bool:
    """Whether a window holds `ts`: its slot began within the span. Slots are of 10 s for 5 minutes, of a minute for
    30 minutes; for 24 hours of a minute, and of a quarter of an hour beyond the last 2 hours.
    """
    if span == "5m":
        return ts // 10 * 10 >= at - 300
    if span == "30m":
        return ts // 60 * 60 >= at - 1_800
    quartered = (at // 1 - 7_200) // 900 * 900
    width = 900 if ts < quartered else 60
    return ts // width * width >= at - 86_400


def middle(ms: float) -> float:
    """The value that stands for `ms` in buckets of which 64 make a doubling, from 1 ms to 2^20 ms."""
    ms = min(max(ms, 1.0), 2.0**20 * (1 - 2**-20))
    width = 2.0 ** math.floor(math.log2(ms)) / 64
    return (math.floor(ms / width) + 0.5) * width


def nearest_rank(values: list[float], q: float) -> float:
    """The smallest value that at least the share q of `values` doesn't exceed."""
    return sorted(values)[math.ceil(q * len(values)) - 1] if values else math.nan


def at_least_rank(done: list[float], waits: list[float], q: float) -> float:
    """The same over completed values and those waits that are already at least as long as the answer: a wait can
    only push it up.
    """
    alone = nearest_rank(done, q)
    for v in sorted(value for value in {*done, *waits} if not value < alone):
        longer = sum(wait >= v for wait in waits)
        below = sum(value <= v for value in done) + sum(wait == v for wait in waits)
        if below >= max(1, math.ceil(q * (len(done) + longer) - 1e-9)):
            return v
    return math.nan


@dataclass
class Opinion:
    at: Seconds
    success: bool | None = None
    told: bool = False
    sentiment: float = math.nan
    escalated: bool | None = None


@dataclass
class OracleCall:
    call_id: str
    seen: Seconds
    started: Seconds
    segments: dict[str, str] = field(default_factory=dict)
    turn: int = -1
    step: str = ""
    wait: Seconds = 0.0
    wait_turn: int = -1
    waited: list[tuple[Seconds, Seconds]] = field(default_factory=list)
    """(since, until) of the waits that are over, whichever way."""
    watched: Seconds = 0.0
    """When it was first heard of, if that was over 30 s after it began."""
    timed: list[tuple[Seconds, str, float]] = field(default_factory=list)
    """(when, metric, ms); "waited" are waits that ended without a reply."""
    errors: list[tuple[Seconds, str, str]] = field(default_factory=list)
    reached: dict[str, Seconds] = field(default_factory=dict)
    opinions: dict[str, Opinion] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    ended: Seconds = 0.0
    state: str = "active"
    reason: str = ""
    left_at: str = ""
    abandoned: bool | None = None

    @property
    def live(self) -> bool:
        return not self.reason

    def fits(self, where: Where) -> bool:
        return all(self.segments.get(name) == value for name, value in where if name != "hour")

    def verdict(self) -> bool | None:
        for who in TRUST:
            opinion = self.opinions.get(who)
            if opinion is not None and opinion.told:
                return opinion.success
        return None

    def escalated(self) -> bool:
        return self.reason == "transferred" or any(o.escalated for o in self.opinions.values())

    def sentiment(self) -> float:
        told = [self.opinions[who].sentiment for who in TRUST if who in self.opinions]
        return next((value for value in told if value == value), math.nan)

    def looks_abandoned(self) -> bool:
        left = self.left_at.casefold() in TERMINAL
        good = self.verdict() is True or self.escalated()
        return self.reason == "user_hangup" and not left and not good


class Oracle:
    """Hears what the engine hears."""

    def __init__(self) -> None:
        self.at = self.began = 0.0
        self.heard: dict[str, Seconds] = {}
        self.back: dict[str, Seconds] = {}
        self.lost: dict[str, Seconds] = {}
        """When each publisher that reports its status last did, when it did again after a silence, and before it."""
        self.calls: dict[str, OracleCall] = {}
        self.ids: set[str] = set()
        self.duplicates = self.late = self.strangers = 0

    # -- hearing ------------------------------------------------------------------------------------------------

    def hear(self, at: Seconds, event: AnyEvent) -> None:
        if event.event_id:
            if event.event_id in self.ids:
                self.duplicates += 1
                return
            self.ids.add(event.event_id)
        if isinstance(event, SourceStatus):
            self._status(event.source, at)
        if not isinstance(event, CallEvent):
            return
        ts = min(event.ts, at)
        call = self.calls.get(event.call_id)
        if call is None:
            if not isinstance(event, BEGINNERS):
                self.strangers += 1
                return
            watched = at if at - ts > 30 else 0.0
            call = self.calls[event.call_id] = OracleCall(event.call_id, at, ts, watched=watched)
        if not call.live and isinstance(event, CallStart):
            return
        if not isinstance(event, CallOutcome):
            call.seen = at if call.live or isinstance(event, BEGINNERS) else call.seen
        self._take(call, event, ts)

    def _status(self, source: str, at: Seconds) -> None:
        if at - self.heard.get(source, at) > 7:
            self.lost[source], self.back[source] = self.heard[source], at
        self.heard[source] = at

    def _take(self, call: OracleCall, event: AnyEvent, ts: Seconds) -> None:  # noqa: C901, PLR0912
        match event:
            case CallStart():
                call.started = min(call.started, ts)
                self._patch(call, event.segments)
            case CallUpdate():
                if call.live and event.state:
                    call.state = event.state
                if call.live and event.state in ("held", "transferring"):
                    self._end_wait(call, ts)
                self._patch(call, event.segments)
            case TurnStart():
                if call.live and (event.turn > call.turn or event.turn < 0):
                    self._end_wait(call, ts)
                    call.wait, call.wait_turn = ts, event.turn
            case Turn():
                self._turn(call, event, ts)
            case Stage():
                if call.live and event.name == "vad" and event.state == "start":
                    self._end_wait(call, ts)
            case CallStep():
                self._reach(call, event.step, ts)
            case Error():
                if event.final:
                    call.errors.append((ts, event.component, event.category))
            case Usage():
                if event.cost_usd == event.cost_usd:
                    key = f"{event.component}/{event.provider}/{event.model}"
                    call.spent[key] = event.cost_usd + (0 if event.cumulative else call.spent.get(key, 0))
            case CallOutcome():
                self._outcome(call, event, ts)
            case CallEnd():
                self._call_end(call, event, ts)
            case _:
                pass

    def _patch(self, call: OracleCall, segments: object) -> None:
        assert isinstance(segments, dict)
        for name, value in segments.items():
            if value is None:
                call.segments.pop(name, None)
            else:
                call.segments[name] = value

    def _reach(self, call: OracleCall, step: str, ts: Seconds) -> None:
        call.step = step
        call.reached.setdefault(step, ts)

    def _observe(self, call: OracleCall, ts: Seconds, metric: str, ms: float) -> None:
        if held(ts, self.at, "24h"):
            call.timed.append((ts, metric, ms))
        else:
            self.late += 1

    def _turn(self, call: OracleCall, event: Turn, ts: Seconds) -> None:
        call.turn = max(call.turn, event.turn)
        if call.wait and (event.turn >= call.wait_turn or event.turn < 0):
            if event.e2e_ms != event.e2e_ms and event.status not in ("cancelled", "noise"):
                self._observe(call, ts, "waited", self._waited_ms(call, ts))
            self._end_wait(call, ts)
        if event.step and event.step != call.step:
            self._reach(call, event.step, ts)
        told = msgspec.structs.asdict(event.latency) if event.latency is not None else {}
        for metric, ms in (("e2e", event.e2e_ms), *told.items()):
            if ms >= 0:
                self._observe(call, ts, metric, ms)

    def _outcome(self, call: OracleCall, event: CallOutcome, ts: Seconds) -> None:
        opinion = call.opinions.setdefault(event.evaluator, Opinion(ts))
        if ts < opinion.at:
            return
        opinion.at = ts
        if event.success is not msgspec.UNSET:
            opinion.told = True
            opinion.success = event.success if isinstance(event.success, bool) else None
        if event.sentiment == event.sentiment:
            opinion.sentiment = event.sentiment
        if event.escalated is not None:
            opinion.escalated = event.escalated
        if not call.live and ts <= call.ended + GRACE:
            call.abandoned = None if call.looks_abandoned() else False

    def _call_end(self, call: OracleCall, event: CallEnd, ts: Seconds) -> None:
        if call.live:
            if event.step:
                self._reach(call, event.step, ts)
            self._end(call, ts, event.reason)
        elif call.state == "lost":
            call.state, call.reason = "ended", event.reason
            call.abandoned = None if call.looks_abandoned() else False

    def _end(self, call: OracleCall, ts: Seconds, reason: str) -> None:
        if call.wait and self._waited_ms(call, ts) > 0:
            self._observe(call, ts, "waited", self._waited_ms(call, ts))
        self._end_wait(call, ts)
        call.state = "lost" if reason == "lost" else "ended"
        call.left_at = call.step
        call.reason, call.ended = reason, max(ts, call.started)
        call.abandoned = None if call.looks_abandoned() else False

    def _end_wait(self, call: OracleCall, ts: Seconds) -> None:
        if call.wait:
            call.waited.append((ts - self._waited_ms(call, ts) / 1000, ts))
        call.wait = 0.0

    def _waited_ms(self, call: OracleCall, until: Seconds) -> float:
        """What was before the feed or the first word of a call isn't waiting, unless it was over by then."""
        watched = max(self.began, call.watched)
        return (until - (call.wait if until <= watched else max(call.wait, watched))) * 1000

    def beat(self, at: Seconds) -> None:
        """A heartbeat."""
        passed = at // 5 > self.at // 5
        self.at, self.began = at, self.began or at
        self.back = {source: when for source, when in self.back.items() if self.heard[source] >= at - 600}
        self.heard = {source: seen for source, seen in self.heard.items() if seen >= at - 600}
        for call in self.calls.values():
            if not call.live and call.abandoned is None and call.ended + GRACE <= at:
                call.abandoned = call.looks_abandoned()
        for call in self.calls.values():
            if passed and call.live and call.seen < at - LOST_AFTER:
                self._end(call, call.seen, "lost")

    # -- questions ----------------------------------------------------------------------------------------------

    def chosen(self, where: Where) -> list[OracleCall]:
        return [call for call in self.calls.values() if call.fits(where)]

    def within(self, ts: Seconds, span: str, where: Where) -> bool:
        """Whether a figure over `span` counts `ts`. A figure by hour of day counts the last 24 hours."""
        hour = dict(where).get("hour")
        if hour is None:
            return held(ts, self.at, span)
        return held(ts, self.at, "24h") and ts // 3600 % 24 == int(hour)

    def ends(self, where: Where) -> list[Seconds]:
        """When the windows of a figure end: now; by hour of day each such hour of the last 24 at its own end."""
        hour = dict(where).get("hour")
        if hour is None:
            return [self.at]
        first, last = int((self.at - 86_400) // 3600), int(self.at // 3600)
        return [min(self.at, (n + 1) * 3600.0) for n in range(first, last + 1) if n % 24 == int(hour)]

    def active(self, span: str, where: Where) -> int:
        """The calls that were live at those ends, and those that ended before."""
        live = sum(
            call.live if end == self.at else call.started < end and (call.live or call.ended >= end)
            for end in self.ends(where)
            for call in self.chosen(where)
        )
        return live + len(self.ended(span, where))

    def present(self, where: Where) -> list[OracleCall]:
        """The live calls; in a figure by hour of day only where that hour is now."""
        hour = dict(where).get("hour")
        if hour is not None and self.at // 3600 % 24 != int(hour):
            return []
        return [call for call in self.chosen(where) if call.live]

    def times(self, metric: str, span: str, where: Where) -> list[float]:
        return [
            ms
            for call in self.chosen(where)
            for ts, name, ms in call.timed
            if name == metric and self.within(ts, span, where)
        ]

    def waits(self, span: str, where: Where) -> list[float]:
        """Waits that ended without a reply, and those that went on at the end."""
        going_on = [ms for end in self.ends(where) for ms in self._waits_at(end, where)]
        return [*self.times("waited", span, where), *going_on]

    def _waits_at(self, end: Seconds, where: Where) -> list[float]:
        if end == self.at:
            return [self._waited_ms(call, end) for call in self.waiting(where)]
        over = [wait for call in self.chosen(where) for wait in call.waited]
        waiting = [call for call in self.chosen(where) if call.wait]
        if self._nobody_is_heard() and end > max(map(self._last_heard, self.heard)) + 7:
            waiting = []
        still = [(self.at - self._waited_ms(call, self.at) / 1000, math.inf) for call in waiting]
        return [(end - since) * 1000 for since, until in [*over, *still] if since < end <= until]

    def waiting(self, where: Where) -> list[OracleCall]:
        """The calls with a waiting caller: while nobody is heard, none is known to wait."""
        return [] if self._nobody_is_heard() else [call for call in self.present(where) if call.wait]

    def _nobody_is_heard(self) -> bool:
        return bool(self.heard) and all(self._last_heard(name) < self.at - 7 for name in self.heard)

    def _last_heard(self, name: str) -> Seconds:
        """Who was silent sends its backlog first."""
        return self.lost[name] if self.at < self.back.get(name, 0) + 5 else self.heard[name]

    def ended(self, span: str, where: Where) -> list[OracleCall]:
        gone = [call for call in self.chosen(where) if not call.live]
        return [call for call in gone if self.within(call.ended, span, where)]

    def with_error(self, kind: str, span: str, where: Where) -> int:
        """The calls with such an error (any for the empty name) in a window; each hour of a day is one of its own."""
        width = 3600 if "hour" in dict(where) else math.inf
        return len(
            {
                (call.call_id, ts // width)
                for call in self.chosen(where)
                for ts, component, category in call.errors
                if kind in ("", f"{component}:{category}") and self.within(ts, span, where)
            }
        )

    def error_kinds(self, span: str, where: Where) -> set[str]:
        errors = [error for call in self.chosen(where) for error in call.errors]
        return {
            f"{component}:{category}" for ts, component, category in errors if self.within(ts, span, where)
        }

    def reached(self, span: str, where: Where) -> dict[str, int]:
        counts: dict[str, int] = {}
        for call in self.chosen(where):
            for step, ts in call.reached.items():
                if self.within(ts, span, where):
                    counts[step] = counts.get(step, 0) + 1
        return counts
