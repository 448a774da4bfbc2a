"""Finds what makes a feed useless though every event of it is valid: each thing in a line, with what to do about it.

Fed with decoded events, from a file or from a live feed; bounded however long it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from math import isnan
from typing import Any

import msgspec
from msgspec import Struct, field

from voicetop.errors import nearest
from voicetop.formatting.numbers import counted
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.events import (
    EVENT_TYPES,
    AnyEvent,
    CallEnd,
    CallEvent,
    CallStart,
    Durations,
    SourceStatus,
    Stage,
    Tool,
    Turn,
    TurnStart,
)
from voicetop.wire.feed_lint_rules import NAMES, RULES, Level
from voicetop.wire.text import safe_label, safe_text

MAX_CALLS = 20_000
MAX_NAMES = 200
MAX_TOLD = 5
MAX_EXAMPLE = 60
"""Characters of a call id or a source in a finding."""
FEW = 0.1
"""Faults in less than this share of the events that could have them are a note."""
SUM_OFF_MS, SUM_OFF = 50.0, 0.1
SECONDS_BELOW_MS = 30.0
"""No fleet answers within 30 ms: times that are all shorter are seconds."""
JOINED_S = 0.5
"""A turn of a live feed may have begun before one listened, and a little more."""
LONG_CALL_S = 21_600.0
OLD_TS = 1e9
"""2001: an earlier time isn't one of now."""


_NUMBER = re.compile(r"-?\d[\d,.e+]*")
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class LintFinding(Struct, frozen=True):
    """One thing that is wrong. A "note" is harmless, but worth knowing."""

    level: Level
    text: str
    remedy: str


class _CallState(Struct):
    started: bool = False
    ended: bool = False
    turn: int = -1
    spoke: bool = False
    told: tuple[int, float] = (-1, 0.0)
    """Turn and time of the last reply: what comes again with both amends it, also once the caller speaks again."""
    turn_starts: dict[int, float] = field(default_factory=dict)
    hits: set[str] = field(default_factory=set)
    segments: bool = False


class FeedLint:
    """Takes events in their order, then gives its findings. `joined`: it began in the middle of a live feed."""

    def __init__(self, *, joined: bool = False) -> None:
        self.joined = joined
        self.began = float("nan")
        self.of: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.remedies: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.bad: Counter[str] = Counter()
        self.mended: Counter[str] = Counter()
        self.sources: set[str] = set()
        self.reporting: set[str] = set()
        self._calls: dict[str, _CallState] = {}

    # -- what comes -----------------------------------------------------------------------------------------------

    def refuse(self, why: str, where: str = "") -> None:
        """Something that is no event, why, and where it was."""
        self._count(self.bad, why)
        if where and why in self.bad:
            self.examples.setdefault(why, where)

    def mend(self, why: str, where: str, remedy: str) -> None:
        """An event with bad values, what was done about them, where it was, and what to do.

        Faults that differ only in their numbers are one.
        """
        kind = _NUMBER.sub("#", why)
        self._count(self.mended, kind)
        if kind in self.mended:
            self.words.setdefault(kind, why)
            self.examples.setdefault(kind, where)
            self.remedies.setdefault(kind, remedy)

    def raw(self, text: bytes) -> AnyEvent | None:
        """Take an event as JSON text, with its unknown fields; None if it isn't valid or of an unknown type."""
        try:
            fields: dict[str, Any] = msgspec.json.decode(text)
            kind = EVENT_TYPES.get(fields.get("type", ""))
            if kind is None:
                self._count(self.unknown, ("", safe_label(str(fields.get("type", "")))))
                return None
            for name in fields.keys() - set(kind.__struct_fields__) - {"type"}:
                self._count(self.unknown, (str(fields["type"]), safe_label(name)))
            event: AnyEvent = _event_decoder.decode(text)
        except (*UNDECODABLE, AttributeError) as error:
            self.refuse(safe_label(str(error)))
            return None
        self.see(event)
        return event

    def see(self, event: AnyEvent, at: float = float("nan")) -> None:
        """Take an event, with its receive time (epoch s) if it comes from a live feed."""
        if not self.of["event"]:
            self.began = at
        self.of["event"] += 1
        self._hit("old ts", event.source, when=event.ts < OLD_TS)
        self._hit(
            "no event_id", event.source, when=not event.event_id and not isinstance(event, SourceStatus)
        )
        if len(self.sources) < MAX_NAMES:
            self.sources.add(event.source)
        if isinstance(event, SourceStatus):
            if len(self.reporting) < MAX_NAMES:
                self.reporting.add(event.source)
        elif isinstance(event, CallEvent):
            self._see_call(event, at)
        self._check_names(event)

    def _see_call(self, event: CallEvent, at: float) -> None:
        self._hit("empty id", event.source, when=not event.call_id)
        call = self._calls.get(event.call_id)
        if call is None:
            if len(self._calls) >= MAX_CALLS:
                return
            call = self._calls[event.call_id] = _CallState()
            self.of["call"] += 1
            if not isinstance(event, CallStart) and not self.joined:
                self._mark(call, "end only" if isinstance(event, CallEnd) else "no start", event.call_id)
        if isinstance(event, CallStart):
            if call.ended:
                self._mark(call, "id again", event.call_id)
                call.ended, call.turn = False, -1
            call.started = True
        call.segments = call.segments or bool(getattr(event, "segments", None))
        seen = _TAKES.get(type(event))
        if seen is not None:
            seen(self, call, event, at)

    def _end(self, call: _CallState, event: CallEnd, at: float) -> None:  # noqa: ARG002 - as all
        call.ended = True
        self._mark(call, "duration", event.call_id, when=event.duration_s > LONG_CALL_S)

    def _turn_start(self, call: _CallState, event: TurnStart, at: float) -> None:
        self._number(call, event, when=event.turn < call.turn or (event.turn == call.turn and call.spoke))
        call.turn_starts = {event.turn: event.ts if isnan(at) else at}  # only the last one is waited for

    def _turn(self, call: _CallState, event: Turn, at: float) -> None:
        if not self.joined and _is_greeting(call, event):
            self._mark(call, "greeting", event.call_id)
            call.spoke, call.turn = True, 0
            return
        if (
            _is_unasked(event)
            or call.told == (event.turn, event.ts)
            or (event.turn == call.turn and call.spoke and event.turn not in call.turn_starts)
        ):
            return  # the agent's own words; or it amends the turn
        call.told = (event.turn, event.ts)
        self.of["turn"] += 1
        self._number(call, event, when=0 <= event.turn < call.turn)
        self._hit("no number", event.call_id, when=event.turn < 0)
        self._waited(call, event, at)
        self._times(event)
        call.spoke = True

    def _waited(self, call: _CallState, event: Turn, at: float) -> None:
        began = call.turn_starts.pop(event.turn, None)
        if began is None:
            seen_all = not self.joined or at - event.e2e_ms / 1000 > self.began + JOINED_S
            self._hit("no turn.start", event.call_id, when=seen_all)
        elif not isnan(at):
            self._hit("with reply", event.call_id, when=at - began < 0.05 and event.e2e_ms >= 300)
        else:
            self._hit("negative wait", event.call_id, when=event.ts < began)

    def _number(self, call: _CallState, event: CallEvent, *, when: bool) -> None:
        if event.turn < 0:
            return
        self._mark(call, "restart", event.call_id, when=when)
        call.turn = event.turn
        if isinstance(event, TurnStart):
            call.spoke = False

    def _times(self, event: Turn) -> None:
        stages = event.latency or Durations()
        times = {name: getattr(stages, name) for name in Durations.__struct_fields__}
        told = [ms for ms in (event.e2e_ms, *times.values()) if ms == ms]
        example = f"{event.call_id}, turn {event.turn}"
        self._hit("no e2e", example, when=isnan(event.e2e_ms) and event.status == "ok")
        self._hit("negative", example, when=any(ms < 0 for ms in told))
        self._hit("seconds", f"{example}: {event.e2e_ms:g}", when=0 < event.e2e_ms < SECONDS_BELOW_MS)
        self._hit("no measured_from", example, when=event.e2e_ms == event.e2e_ms and not event.measured_from)
        if event.additive and event.e2e_ms == event.e2e_ms:
            total = sum(ms for name, ms in times.items() if ms == ms and name != "llm_total")
            off = abs(total - event.e2e_ms) > max(SUM_OFF_MS, SUM_OFF * event.e2e_ms)
            self._hit("sum", f"{example}: {total:,.0f} instead of {event.e2e_ms:,.0f} ms", when=off)

    def _check_names(self, event: AnyEvent) -> None:
        if isinstance(event, Turn | Stage | Tool):
            tag = str(type(event).__struct_config__.tag)
            for name in ("status", "measured_from", "name", "state"):
                valid = NAMES.get(f"{tag}.{name}")
                value = getattr(event, name, "")
                if valid and value and value not in valid:
                    self._count(self.unknown, (f"{tag}.{name}=", safe_label(value)))

    def _mark(self, call: _CallState, key: str, example: str, *, when: bool = True) -> None:
        """A fault of a call; it counts once."""
        if when and key not in call.hits:
            call.hits.add(key)
            self._hit(key, example)

    def _hit(self, key: str, example: str, *, when: bool = True) -> None:
        if when:
            self.hits[key] += 1
            self.examples.setdefault(key, _short(example))

    def _count(self, counts: Counter[Any], name: Any) -> None:
        if name in counts or len(counts) < MAX_NAMES:
            counts[name] += 1

    # -- what is wrong --------------------------------------------------------------------------------------------

    def findings(self) -> list[LintFinding]:
        """What is wrong, the worst first."""
        found = [*self._invalid(), *self._seen(), *self._missing(), *self._names()]
        return sorted(found, key=lambda finding: finding.level != "FIX")

    def _invalid(self) -> Iterator[LintFinding]:
        for counts, what in ((self.bad, "not valid"), (self.mended, "with a bad value")):
            for why, count in counts.most_common(MAX_TOLD):
                text, remedy = (
                    self.words.get(why, why),
                    self.remedies.get(why, "docs/protocol.md describes every event and field"),
                )
                if "$.ts" in why and "<=" in why:
                    text, remedy = "`ts` is in milliseconds", "`ts` is in seconds since 1970: divide by 1000"
                where = f" (first in {self.examples[why]})" if why in self.examples else ""
                yield LintFinding("FIX", f"{counted(count, 'event')} {what}: {text}{where}", remedy)

    def _seen(self) -> Iterator[LintFinding]:
        bare = [name for name, call in self._calls.items() if call.started and not call.segments]
        if bare:
            self.hits["no segments"], self.examples["no segments"] = len(bare), _short(bare[0])
        for key, rule in RULES.items():
            count, of = self.hits[key], self.of[rule.of]
            if count:
                level: Level = "note" if count < FEW * of else rule.level
                example = f" (such as {self.examples[key]})" if self.examples[key] else ""
                yield LintFinding(level, f"{_share(count, of, rule.of)} {rule.text}{example}", rule.remedy)

    def _missing(self) -> Iterator[LintFinding]:
        if self.of["event"] and not self.of["call"] and not self.joined:
            yield LintFinding("FIX", "no events of calls", "send call.start, turn.start, turn and call.end")
        quiet = sorted(self.sources - self.reporting - {"hub"})
        if quiet and not self.joined:
            named = ", ".join(_short(name) or "(no source)" for name in quiet[:3])
            yield LintFinding(
                "note",
                f"no source.status from {named}: nobody notices when it falls silent",
                "send source.status after the hello and every 5 s (`voicetop publish` sends its own)",
            )
        if not self.joined:
            yield from self._endless()

    def _endless(self) -> Iterator[LintFinding]:
        live = [name for name, call in self._calls.items() if call.started and not call.ended]
        if live:
            many = _share(len(live), self.of["call"], "call")
            level: Level = "FIX" if len(live) == self.of["call"] else "note"
            text = f"{many} never end (such as {_short(live[0])})"
            yield LintFinding(level, text, "send call.end when a call is over")

    def _names(self) -> Iterator[LintFinding]:
        for (kind, name), count in self.unknown.most_common(10):
            if kind.endswith("="):
                valid, what = sorted(NAMES[kind[:-1]]), f"{kind[:-1]} {name!r} is no known value"
            elif kind:
                valid, what = sorted(EVENT_TYPES[kind].__struct_fields__), f"{kind} has no field {name!r}"
            else:
                valid, what = sorted(EVENT_TYPES), f"{name!r} is no known type of event"
            likely = "" if name in _FIELDS else nearest(name, valid, "")
            text = f"{what}, {counted(count, 'time')}{likely}"
            remedy = "fix the name" if likely else "ignored; kept in recordings, if it is your own"
            yield LintFinding("FIX" if likely else "note", text, remedy)


def _is_greeting(call: _CallState, event: Turn) -> bool:
    """Whether it is what the agent says before the caller has spoken, as turn 0."""
    answers = event.user_text or event.turn in call.turn_starts or not isnan(event.e2e_ms)
    return not (call.spoke or answers) and event.turn == 0 and event.status == "ok"


def _is_unasked(event: Turn) -> bool:
    """Whether the agent says something that is no reply."""
    return event.turn < 0 and isnan(event.e2e_ms) and event.status == "ok" and not event.user_text


def _short(name: str) -> str:
    return safe_text(name, MAX_EXAMPLE)


def _share(count: int, of: int, what: str) -> str:
    return f"{count:,} of {of:,} {what}s" if count < of or of == 1 else f"all {of:,} {what}s"


_FIELDS = frozenset(field for kind in EVENT_TYPES.values() for field in kind.__struct_fields__)
"""Of all events: one of them in an event that doesn't have it isn't misspelt."""

_TAKES: dict[type, Callable[[FeedLint, _CallState, Any, float], None]] = {
    CallEnd: FeedLint._end,
    Turn: FeedLint._turn,
    TurnStart: FeedLint._turn_start,
}
