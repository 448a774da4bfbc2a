"""Random streams of calls: all that a feed may do, in one seeded generator.

Late binding, failed and silent turns, hang-ups while waiting, calls that are never ended, repeated events, events out
of their order by seconds or hours, heartbeats at any distance, pauses of minutes and hours.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from engine.feeding import START, Stamped
from voicetop.wire.events import (
    AnyEvent,
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Heartbeat,
    Interruption,
    Latency,
    Marker,
    Service,
    SourceStatus,
    Stage,
    Tool,
    Transcript,
    Turn,
    TurnStart,
    Usage,
)

STAGES = ("vad", "stt", "eou", "hook", "llm_ttft", "llm_total", "tool", "aggregation", "tts_ttfb", "output")
SEGMENTS = {"intent": ["billing", "cancel", "sales"], "language": ["en", "es"], "tier": ["free", "gold"]}
STEPS = ("greet", "verify", "solve", "goodbye")
REASONS = (
    *["user_hangup"] * 6, "completed", "completed", "agent_hangup", "transferred", "voicemail", "not_connected",
    "silence_timeout", "error",
)  # fmt: skip
ERRORS = (("llm", "timeout"), ("llm", "rate_limit"), ("tts", "server"), ("stt", "connectivity"))
MIX = {
    "begin": 9, "turn": 40, "wait": 16, "update": 6, "stage": 5, "step": 6, "error": 5, "tool": 4, "usage": 8,
    "interruption": 3, "outcome": 9, "end": 8, "late": 8, "again": 3, "stranger": 2, "status": 1, "marker": 1,
    "amendment": 12, "handoff": 2, "transcript": 3, "reuse": 1, "other_end": 2,
}  # fmt: skip


class Traffic:
    """Stamped events on and on; equal seeds give equal streams."""

    def __init__(self, seed: int, *, calls: int = 14, pauses: float = 0.012) -> None:
        self.dice = random.Random(seed)
        self.now = START + self.dice.random() * 3_600
        self.at_once, self.pauses = calls, pauses
        self.ids = itertools.count()
        self.live: dict[str, int] = {}
        self.gone: list[str] = []
        self.told: list[AnyEvent] = []

    def stream(self, count: int) -> list[Stamped]:
        """`count` stamped events."""
        return list(itertools.islice(self._events(), count))

    def _events(self) -> Iterator[Stamped]:
        dice, kinds, weights = self.dice, list(MIX), list(MIX.values())
        yield self.now, Heartbeat(ts=self.now, seq=0)
        while True:
            for _ in range(dice.choice((0, 1, 3, 10, 25))):
                made = getattr(self, f"_{dice.choices(kinds, weights)[0]}")()
                if made is not None:
                    self.told = [*self.told[-40:], made]
                    yield self.now, made
                if dice.random() < 0.3:
                    self.now = round(self.now + dice.random() * 0.2, 3)
            self._pass()
            yield self.now, Heartbeat(ts=self.now, seq=0)

    def _pass(self) -> None:
        dice = self.dice
        if dice.random() < self.pauses:
            low, high = dice.choice(((20, 90), (200, 420), (900, 2_400), (6_000, 9_000), (20_000, 100_000)))
            self.now = float(int(self.now + dice.randint(low, high)))  # whole seconds meet the edges of slots
        else:
            self.now = round(self.now + dice.choice((0.25, 0.25, 1, 4)) * (0.5 + dice.random()), 3)

    # -- what may happen ----------------------------------------------------------------------------------------

    def _of(self, call_id: str, kind: type[Any], **fields: Any) -> AnyEvent:
        """An event of a call, its `ts` a little before now as a network has it, its id mostly told."""
        dice = self.dice
        fields.setdefault("ts", round(self.now - dice.choice((0, 0.05, 0.4, 3)) * dice.random(), 3))
        if dice.random() < 0.8:
            fields.setdefault("event_id", f"e{next(self.ids)}")
        made: AnyEvent = kind(call_id=call_id, source="agent-1", **fields)
        return made

    def _some(self) -> str:
        if not self.live or (self.gone and self.dice.random() < 0.02):
            return self.dice.choice(self.gone) if self.gone else "c-first"
        return self.dice.choice(list(self.live))

    def _patch(self) -> dict[str, Any]:
        dice = self.dice
        return {name: dice.choice(of) for name, of in SEGMENTS.items() if dice.random() < 0.6}

    def _begin(self) -> AnyEvent | None:
        if len(self.live) >= self.at_once:
            return None
        call_id = f"c{next(self.ids)}"
        self.live[call_id] = -1
        return self._of(call_id, CallStart, segments=self._patch())

    def _turn(self, **fields: Any) -> AnyEvent:
        dice, call_id = self.dice, self._some()
        number = self.live[call_id] = self.live.get(call_id, -1) + 1
        if call_id in self.gone:
            del self.live[call_id]
        told = {name: round(dice.lognormvariate(5, 1), 1) for name in STAGES if dice.random() < 0.4}
        if told and dice.random() < 0.05:
            told[next(iter(told))] = -1.0
        if dice.random() < 0.9:
            fields["e2e_ms"] = round(dice.choice((dice.lognormvariate(6.8, 0.6), 0.0, 3_000.0, 2e6)), 1)
            if dice.random() < 0.8:
                fields["e2e_ms"] = round(dice.lognormvariate(6.8, 0.6), 1)
        else:
            fields["status"] = dice.choice(("failed", "no_reply", "cancelled", "ok"))
        if dice.random() < 0.2:
            fields["agent_text"] = dice.choice(
                ("Hello, this is Acme.", "What can I do for you?", "Let me see.")
            )
        if dice.random() < 0.1:
            fields["step"] = dice.choice(STEPS)
        if dice.random() < 0.3:
            fields["user_text"] = dice.choice(
                ("I want my money back", "I want my money back now", "yes", "no")
            )
        fields["measured_from"] = dice.choice(("", "vad_stop", "transcript"))
        return self._of(call_id, Turn, turn=number, latency=Latency(**told) if told else None, **fields)

    def _amendment(self) -> AnyEvent | None:
        """A turn told again: its words, its exact times, or that it failed; now, or as of its reply."""
        dice = self.dice
        turns = [event for event in self.told if isinstance(event, Turn) and event.turn >= 0]
        if not turns:
            return None
        turn = dice.choice(turns)
        e2e = dice.choice(({}, {"e2e_ms": turn.e2e_ms}, {"e2e_ms": round(dice.lognormvariate(6.8, 0.6), 1)}))
        words = dice.choice(({}, {"agent_text": "Let me see."}, {"user_text": f"no, {turn.user_text}"}))
        failure = {"status": dice.choice(("failed", "noise"))} if dice.random() < 0.1 else {}
        stages = Latency(tool=round(dice.lognormvariate(5, 1), 1)) if dice.random() < 0.2 else None
        when = {"ts": turn.ts} if dice.random() < 0.5 else {}
        return self._of(turn.call_id, Turn, turn=turn.turn, latency=stages, **when, **e2e, **words, **failure)

    def _handoff(self) -> AnyEvent:
        """Another agent takes over, and numbers its turns from 0."""
        call_id = self._some()
        self.live[call_id] = -1
        if self.dice.random() < 0.5:
            return self._of(call_id, TurnStart, turn=0)
        self.live[call_id] = 0
        return self._of(call_id, Turn, turn=0, e2e_ms=round(self.dice.lognormvariate(6.8, 0.6), 1))

    def _transcript(self) -> AnyEvent:
        role, final = self.dice.choice(("user", "agent")), self.dice.random() < 0.5
        return self._of(self._some(), Transcript, role=role, text="and then", final=final)

    def _reuse(self) -> AnyEvent | None:
        """A call with the id of one that has ended."""
        if not self.gone:
            return None
        call_id = self.dice.choice(self.gone[-10:])
        self.live[call_id] = -1
        return self._of(call_id, self.dice.choice((CallStart, CallUpdate, TurnStart)))

    def _other_end(self) -> AnyEvent | None:
        if not self.gone:
            return None
        return self._of(self.dice.choice(self.gone[-10:]), CallEnd, reason=self.dice.choice(REASONS))

    def _wait(self) -> AnyEvent:
        call_id = self._some()
        return self._of(
            call_id, TurnStart, turn=self.live.get(call_id, -1) + self.dice.choice((1, 1, 1, 0, 2))
        )

    def _update(self) -> AnyEvent:
        dice = self.dice
        patch = self._patch()
        if dice.random() < 0.1:
            patch[dice.choice(list(SEGMENTS))] = None
        state = dice.choice(
            ("", "", "", "", "", "", "held", "active", "active", "transferring", "ringing", "ended")
        )
        return self._of(self._some(), CallUpdate, segments=patch, state=state)

    def _stage(self) -> AnyEvent:
        dice = self.dice
        name, state = dice.choice(("vad", "stt", "llm", "tts")), dice.choice(("start", "start", "end"))
        return self._of(self._some(), Stage, name=name, state=state, provider="acme")

    def _step(self) -> AnyEvent:
        return self._of(self._some(), CallStep, step=self.dice.choice(STEPS))

    def _error(self) -> AnyEvent:
        component, category = self.dice.choice(ERRORS)
        final = self.dice.random() < 0.7
        return self._of(self._some(), Error, component=component, category=category, final=final)

    def _tool(self) -> AnyEvent:
        return self._of(self._some(), Tool, name="lookup", state=self.dice.choice(("start", "ok", "error")))

    def _usage(self) -> AnyEvent:
        dice = self.dice
        cost = round((dice.random() - 0.05) / 10, 5)
        fields: dict[str, Any] = {"cost_usd": cost} if dice.random() < 0.8 else {}
        return self._of(
            dice.choice([*self.gone[-5:], self._some()]), Usage, component=dice.choice(("llm", "tts")),
            provider="acme", cumulative=dice.random() < 0.3, output_tokens=dice.randint(0, 900), **fields,
        )  # fmt: skip

    def _interruption(self) -> AnyEvent:
        return self._of(self._some(), Interruption, by=self.dice.choice(("user", "agent")))

    def _outcome(self) -> AnyEvent:
        dice = self.dice
        fields: dict[str, Any] = {}
        if dice.random() < 0.8:
            fields["success"] = dice.choice((True, True, False, None))
        if dice.random() < 0.3:
            fields["sentiment"] = float(dice.randint(1, 5))
        if dice.random() < 0.1:
            fields["escalated"] = True
        call_id = dice.choice([*self.gone[-6:], self._some()])
        evaluator = dice.choice(("agent", "rule", "judge", "platform", "human"))
        return self._of(call_id, CallOutcome, evaluator=evaluator, ts=self.now, **fields)

    def _end(self) -> AnyEvent | None:
        if not self.live:
            return None
        call_id = self.dice.choice(list(self.live))
        del self.live[call_id]
        self.gone = [*self.gone[-60:], call_id]
        fields: dict[str, Any] = {"step": self.dice.choice(STEPS)} if self.dice.random() < 0.2 else {}
        return self._of(call_id, CallEnd, reason=self.dice.choice(REASONS), **fields)

    def _late(self) -> AnyEvent:
        """Something of seconds, minutes or hours ago, of a call that lives or lived."""
        dice = self.dice
        ts = round(self.now - dice.choice((5, 60, 350, 2_000, 8_000, 50_000, 90_000)) * dice.random(), 3)
        call_id = dice.choice([*self.gone[-20:], self._some()])
        if dice.random() < 0.7:
            e2e = round(dice.lognormvariate(6.8, 0.6), 1)
            return self._of(call_id, Turn, ts=ts, e2e_ms=e2e, latency=Latency(llm_ttft=e2e / 2))
        component, category = dice.choice(ERRORS)
        return self._of(call_id, Error, ts=ts, component=component, category=category)

    def _again(self) -> AnyEvent | None:
        named = [event for event in self.told if event.event_id]
        return self.dice.choice(named) if named else None

    def _stranger(self) -> AnyEvent:
        """An event of a call that nobody announced, now and then one that is told only once it is over."""
        dice, call_id = self.dice, f"s{next(self.ids)}"
        kind = dice.choice((Turn, CallEnd, Usage))
        if kind is Turn:
            self.live[call_id] = 0
            return self._of(call_id, Turn, turn=0, e2e_ms=900.0)
        if kind is CallEnd:
            return self._of(call_id, CallEnd, reason="completed")
        return self._of(call_id, Usage, component="llm", cost_usd=0.5)

    def _status(self) -> AnyEvent:
        return SourceStatus(ts=self.now, source="agent-1", active_calls=len(self.live))

    def _marker(self) -> AnyEvent:
        if self.dice.random() < 0.5:
            return self._of(self._some(), Service, component="llm", provider="acme", model="m1")
        return Marker(ts=self.now, kind="deploy", label="v2")
