"""What the figures have to be, computed the slow way: every event kept in plain lists, every question asked of all of
them. Written from the protocol's words; no numpy, no running totals, nothing of the engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias, cast

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
    Service,
    SourceStatus,
    Stage,
    Tool,
    Transcript,
    Turn,
    TurnStart,
    Usage,
)

Seconds: TypeAlias = float
BEGINNERS = (CallStart, CallUpdate, CallStep, Turn, TurnStart, Tool, Error, Interruption, Transcript)
"""Events that tell of a call even where its start was missed."""
TRUST = ("human", "judge", "rule", "platform", "agent")
TERMINAL = ("close", "closing", "goodbye", "farewell", "wrap_up", "end", "done", "completed", "confirmed")
GRACE, LOST_AFTER, AGAIN = 120.0, 180.0, 10.0
PARKED = ("held", "transferring")


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


def told_fields(event: Turn) -> dict[str, object]:
    """What a turn tells, by field: a missing number or text tells nothing, nor does the status "ok"."""
    told = {name: value for name, value in msgspec.to_builtins(event).items() if value not in (None, "")}
    return {name: value for name, value in told.items() if (name, value) != ("status", "ok")}


def measured(told: dict[str, object]) -> list[tuple[str, float]]:
    stages = cast("dict[str, float]", told.get("latency", {}))
    return [("e2e", cast("float", told.get("e2e_ms", math.nan))), *stages.items()]


def say_the_same(words: str, other: str) -> bool:
    """Whether four fifths of three words or more are the same, and about as many letters."""
    one, two = set(words.casefold().split()), set(other.casefold().split())
    long = max(len(words), 1)
    if not other or abs(long - len(other)) * 4 > long:
        return False
    return len(one) >= 3 and len(one & two) * 5 >= len(one | two) * 4


def differ(one: str, other: str) -> bool:
    """Whether both are told and say something else."""
    alike = one.startswith(other) or other.startswith(one) or say_the_same(other, one)
    return bool(one and other) and not alike


@dataclass
class Opinion:
    at: Seconds
    success: bool | None = None
    told: bool = False
    sentiment: float = math.nan
    escalated: bool | None = None


@dataclass
class OracleTurn:
    """A turn as told so far, by field; `times` are what is counted of it."""

    number: int
    ts: Seconds
    told: dict[str, object]
    times: list[tuple[Seconds, str, float]]

    @property
    def e2e(self) -> float:
        return cast("float", self.told.get("e2e_ms", math.nan))

    def words(self) -> str:
        return str(self.told.get("user_text", ""))


@dataclass
class OracleCall:
    call_id: str
    seen: Seconds
    started: Seconds
    segments: dict[str, str] = field(default_factory=dict)
    announced: bool = False
    source: str = ""
    turns: list[OracleTurn] = field(default_factory=list)
    numbered_from: Seconds = 0.0
    """When turn numbers began again."""
    numbers: set[int] = field(default_factory=set)
    """The numbers of turns since, and those before the first of them."""
    replied: Seconds = 0.0
    step: str = ""
    wait: Seconds = 0.0
    lost_wait: Seconds = 0.0
    """Of a lost call: since when its caller had been waiting."""
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
    totals: dict[str, tuple[Seconds, float]] = field(default_factory=dict)
    ended: Seconds = 0.0
    state: str = "active"
    told: Seconds = 0.0
    """When its state was last told."""
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
        self.claims: dict[str, int] = {}
        """How many live calls each publisher says it has."""
        self.early_ends: dict[str, tuple[Seconds, CallEnd]] = {}
        self.calls: dict[str, OracleCall] = {}
        self.former: list[OracleCall] = []
        """Calls whose id was used again."""
        self.ids: set[str] = set()
        self.duplicates = self.late = self.strangers = 0

    # -- hearing ------------------------------------------------------------------------------------------------

    def hear(self, at: Seconds, event: AnyEvent) -> None:
        if event.event_id in self.ids:
            self.duplicates += 1
            return
        self.ids |= {event.event_id} - {""}
        if isinstance(event, SourceStatus):
            self._status(event.source, at)
            self.claims[event.source] = event.active_calls
        if isinstance(event, CallEvent):
            self._hear_of_call(event, at, min(event.ts, at))

    def _hear_of_call(self, event: CallEvent, at: Seconds, ts: Seconds) -> None:
        call = self.calls.get(event.call_id)
        if call is not None and self._is_of_another(call, event, ts):
            self._use_again(call)
            call = None
        if call is None and not isinstance(event, BEGINNERS):
            self.strangers += 1
            if isinstance(event, CallEnd):
                self.early_ends[event.call_id] = ts, event
            return
        call = call or self._begin(event, at, ts)
        if call.state == "lost" and not isinstance(event, CallOutcome | Usage | Service):
            self._revive(call)
        if not isinstance(event, CallOutcome):
            call.seen = at if call.live or isinstance(event, BEGINNERS) else call.seen
        self._take(call, event, ts)

    def _begin(self, event: CallEvent, at: Seconds, ts: Seconds) -> OracleCall:
        watched = at if at - ts > 30 else 0.0
        call = OracleCall(event.call_id, at, ts, watched=watched, source=event.source)
        self.calls[event.call_id] = call
        if event.call_id in self.early_ends:
            ended, end = self.early_ends.pop(event.call_id)
            if ts <= ended + AGAIN:
                self._call_end(call, end, ended)
        return call

    def _is_of_another(self, call: OracleCall, event: CallEvent, ts: Seconds) -> bool:
        """Whether an event comes after the end of the call that has had its id so far, and begins another one."""
        if call.state != "ended":
            return False
        if isinstance(event, CallStart):
            return call.announced and ts >= call.ended and ts > call.started
        if isinstance(event, Turn) and event.turn >= 0 and event.turn in call.numbers:
            return False
        if isinstance(event, CallUpdate) and not event.state:
            return False
        return isinstance(event, CallUpdate | TurnStart | Turn) and ts > call.ended + AGAIN

    def _use_again(self, call: OracleCall) -> None:
        if call.abandoned is None:
            call.abandoned = call.looks_abandoned()
        self.former.append(call)
        del self.calls[call.call_id]

    def _revive(self, call: OracleCall) -> None:
        call.wait, call.lost_wait = call.lost_wait, 0.0
        if call.wait and self._waited_ms(call, call.ended) > 0:
            self._forget_wait(call, call.ended)
        call.state, call.reason, call.ended, call.left_at, call.abandoned = "active", "", 0.0, "", None

    def _forget_wait(self, call: OracleCall, ts: Seconds) -> None:
        """The last wait that was counted at about `ts` isn't one."""
        for place in reversed(range(len(call.timed))):
            at, metric, _ = call.timed[place]
            if metric == "waited" and at // 10 == ts // 10:
                del call.timed[place]
                return

    def _status(self, source: str, at: Seconds) -> None:
        if at - self.heard.get(source, at) > 7:
            self.lost[source], self.back[source] = self.heard[source], at
        self.heard[source] = at

    def _take(self, call: OracleCall, event: CallEvent, ts: Seconds) -> None:  # noqa: C901, PLR0912
        match event:
            case CallStart():
                call.started, call.announced = min(call.started, ts), True
                if call.live and ts >= call.told:
                    call.state, call.told = "active" if call.state == "ringing" else call.state, ts
                self._patch(call, event.segments)
            case CallUpdate():
                if call.live and event.state not in ("", "ended", "lost") and ts >= call.told:
                    call.state, call.told = event.state, ts
                    if event.state in PARKED:
                        self._end_wait(call, ts)
                self._patch(call, event.segments)
            case TurnStart():
                self._turn_start(call, event.turn, ts)
            case Turn():
                self._turn(call, event, ts)
            case Stage():
                if call.live and event.name == "vad" and event.state == "start" and ts >= call.wait:
                    self._end_wait(call, ts)
            case CallStep():
                self._reach(call, event.step, ts)
            case Error():
                if event.final:
                    call.errors.append((ts, event.component, event.category))
            case Usage():
                if event.cost_usd == event.cost_usd:
                    self._usage(call, event, ts)
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

    def _usage(self, call: OracleCall, event: Usage, ts: Seconds) -> None:
        """Usage adds up. Cumulative values replace what was said before; one that falls began again at zero."""
        key = f"{event.component}/{event.provider}/{event.model}"
        sofar, cost = call.spent.get(key, 0.0), event.cost_usd
        if not event.cumulative:
            call.spent[key] = sofar + cost
            return
        at, before = call.totals.get(key, (0.0, -1.0))
        cost = max(cost, 0.0)
        if before < 0:
            call.spent[key] = cost
        elif ts >= at:
            call.spent[key] = sofar + (cost - before if cost >= before else cost)
        else:
            return
        call.totals[key] = ts, cost

    def _turn_start(self, call: OracleCall, number: int, ts: Seconds) -> None:
        known_number = number >= 0 and number in call.numbers
        last = max(call.numbers, default=-1)
        answered = number <= last and (ts < call.replied or (ts == call.replied and number == last))
        if number < 0:
            answered = ts < call.replied
        if not call.live or answered or ts < call.wait or (call.state in PARKED and ts < call.told):
            return
        if known_number:
            self._number_again(call, number, ts)
        self._end_wait(call, ts)
        call.wait, call.wait_turn = ts, number
        call.state, call.told = "active", ts

    def _number_again(self, call: OracleCall, number: int, ts: Seconds) -> None:
        call.numbered_from, call.numbers, call.wait_turn = ts, set(range(number)), number

    def _turn(self, call: OracleCall, event: Turn, ts: Seconds) -> None:
        number = event.turn
        if (number >= 0 and number in call.numbers) or ts <= call.numbered_from:
            late = ts <= call.numbered_from
            until = min(ts + 1, call.numbered_from) if late else math.inf
            same = [t for t in call.turns if t.number == number and t.ts <= until]
            if number >= 0 and same and (late or not self._is_another(call, same[-1], event, ts)):
                self._amend(call, same[-1], event)
                return
            if not late and (same or ts > max(call.replied, call.wait)):
                self._number_again(call, number, call.replied)
        if number >= 0 and ts > call.numbered_from:
            call.numbers.add(number)
        call.replied = max(call.replied, ts)
        if call.wait and (
            number < 0 or number == call.wait_turn or (number > call.wait_turn and ts >= call.wait)
        ):
            if event.e2e_ms != event.e2e_ms and event.status not in ("cancelled", "noise"):
                self._observe(call, ts, "waited", self._waited_ms(call, ts))
            self._end_wait(call, ts)
        if event.step and event.step != call.step:
            self._reach(call, event.step, ts)
        turn = OracleTurn(number, ts, told_fields(event), [])
        call.turns.append(turn)
        self._count(call, turn)

    def _is_another(self, call: OracleCall, before: OracleTurn, event: Turn, ts: Seconds) -> bool:
        """Whether a turn with a number told before is one more: the caller spoke after the last reply."""
        e2e = event.e2e_ms
        if e2e != e2e or ts - e2e / 1000 <= call.replied:
            return False
        if differ(before.words(), event.user_text):
            return True
        greeting = before.e2e != before.e2e and not before.words()
        if greeting and differ(str(before.told.get("agent_text", "")), event.agent_text):
            return True
        return event.turn < max(call.numbers) and e2e != before.e2e

    def _amend(self, call: OracleCall, turn: OracleTurn, event: Turn) -> None:
        was_wait = self._is_wait(turn)
        told = told_fields(event)
        stages = {
            **cast("dict[str, float]", turn.told.get("latency", {})),
            **cast("dict[str, float]", told.get("latency", {})),
        }
        turn.told = {**turn.told, **told, **({"latency": stages} if stages else {})}
        if was_wait and not self._is_wait(turn):
            self._forget_wait(call, turn.ts)
        self._count(call, turn)
        step = str(turn.told.get("step", ""))
        if "step" in told and step != call.step:
            call.reached.setdefault(step, turn.ts)
            call.step = step

    def _is_wait(self, turn: OracleTurn) -> bool:
        return turn.e2e != turn.e2e and turn.told.get("status", "ok") not in ("cancelled", "noise")

    def _count(self, call: OracleCall, turn: OracleTurn) -> None:
        """Count what is told of a turn, and no longer what was told of it before."""
        for one in turn.times:
            call.timed.remove(one)
        if turn.times == [] and not held(turn.ts, self.at, "24h"):
            self.late += sum(ms >= 0 for _, ms in measured(turn.told))
            return
        turn.times = [(turn.ts, metric, ms) for metric, ms in measured(turn.told) if ms >= 0]
        call.timed += turn.times

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
        elif ts <= call.ended + GRACE and self._is_better(event.reason, call.reason):
            call.reason = event.reason
            call.abandoned = None if call.looks_abandoned() else False

    def _is_better(self, reason: str, than: str) -> bool:
        """Whether a second reason says more: "completed" says little, and of two good ones the later is better."""
        ranks = [("", "unknown"), ("completed", "cancelled", "error")]
        new, old = (next((n for n, rank in enumerate(ranks) if r in rank), 2) for r in (reason, than))
        return new > old or (new == old == 2 and reason != than)

    def _end(self, call: OracleCall, ts: Seconds, reason: str) -> None:
        waiting = call.wait
        if call.wait and self._waited_ms(call, ts) > 0:
            self._observe(call, ts, "waited", self._waited_ms(call, ts))
        self._end_wait(call, ts)
        call.state, call.lost_wait = ("lost", waiting) if reason == "lost" else ("ended", 0.0)
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
        for call in self.calls.values():
            if not call.live and call.abandoned is None and call.ended + GRACE <= at:
                call.abandoned = call.looks_abandoned()
        for call in self._lost_at(at) if passed else ():
            self._end(call, call.seen, "lost")

    def _lost_at(self, at: Seconds) -> list[OracleCall]:
        """The calls nothing was heard of, unless their publisher is heard and counts them."""
        live = [call for call in self.calls.values() if call.live]
        quiet = [call for call in live if call.seen < at - (7_200 if call.state in PARKED else LOST_AFTER)]
        quiet.sort(key=lambda call: (call.state in PARKED, call.seen, call.call_id))
        heard = {name for name in self.heard if self._last_heard(name) >= at - 7}
        lost = []
        for source in {call.source for call in quiet}:
            mine = [call for call in quiet if call.source == source]
            if source in heard:
                held_calls = sum(call.source == source for call in live)
                lost += mine[: max(0, held_calls - self.claims[source])]
            else:
                lost += mine
        return lost

    # -- questions ----------------------------------------------------------------------------------------------

    def chosen(self, where: Where) -> list[OracleCall]:
        return [call for call in (*self.calls.values(), *self.former) if call.fits(where)]

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
                (id(call), ts // width)
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
