"""What is true of a feed, counted from its raw records the slow way, by docs/protocol.md, "What the words mean"."""

from __future__ import annotations

import json
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from math import ceil, inf, isnan, nan
from typing import Any, NamedTuple, TypeAlias

zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
Event: TypeAlias = dict[str, Any]
Told: TypeAlias = tuple[float, float, Event]  # received, ts, event
Inside: TypeAlias = Callable[[float], bool]
TRUST = ("human", "judge", "rule", "platform", "agent")
TERMINAL = ("close", "closing", "goodbye", "farewell", "wrap_up", "end", "done", "completed", "confirmed")
BEGIN = ("call.start", "call.update", "call.step", "turn", "turn.start", "tool", "error", "interruption")
SPANS = {"5m": 300, "30m": 1_800, "24h": 86_400}
GRACE_S, LOST_S, UNKNOWN_S, QUANTILES = 120.0, 180.0, 7.0, (0.5, 0.95, 0.99)


class Answer(NamedTuple):  # `low` and `high`: what a percentile is one rank lower and higher
    value: float
    n: int
    at_least: bool | None = False
    low: float = nan
    high: float = nan


def percentile(done: list[float], waits: list[float], q: float) -> Answer:
    """Nearest rank over completed turns and those waits that are already at least as long as the answer."""
    done, waits, values = sorted(done), sorted(waits), sorted([*done, *waits])
    n, least = len(values), bisect_left(values, done[max(1, ceil(q * len(done) - 1e-9)) - 1]) if done else 0
    for index, value in enumerate(values[least:], least):
        shorter, longer = bisect_right(done, value), len(waits) - bisect_left(waits, value)
        rank = ceil(q * (len(done) + longer) - 1e-9)
        if shorter + waits.count(value) >= rank:
            low, high = value * 63 / 64, value * 65 / 64
            close = [bisect_right(some, low) < bisect_left(some, high) for some in (done, waits)]
            at_least = None if all(close) else shorter < rank  # None: either may decide
            return Answer(value, n, at_least, values[max(0, index - 1)], values[min(n - 1, index + 1)])
    return Answer(nan, n)


def mean(values: list[Any]) -> Answer:
    return Answer(sum(values) / len(values) if values else nan, len(values))


def window(at: float, span: str) -> Inside:
    """Whether a window holds a time: its slot began within the span."""
    fine, quarters = 10 if span == "5m" else 60, (at // 1 - 7_200) // 900 * 900
    return lambda ts: ts // (w := 900 if ts < quarters else fine) * w >= at - SPANS[span]


def told_once(told: list[Told]) -> list[Told]:
    """The records with each turn once, as amended, and without a `turn.start` that comes after its reply.

    Time decides which turn a number means: it begins again with a `turn.start` after the last reply, and then goes on
    here.
    """
    turns: dict[int, int] = {}  # the place of each turn, by number, since numbers began again
    before: dict[int, int] = {}  # those before they did, at `begun`
    kept: list[Told] = []
    replied = since = begun = 0.0
    base = 0
    for at, ts, event in told:
        kind, turn, last = event["type"], event.get("turn", -1), max(turns, default=-1)
        answered = turn <= last and (ts < replied or (ts == replied and turn == last))
        if kind == "turn.start" and (ts < since or answered):
            continue
        known_turns = before if ts <= begun else turns
        if kind == "turn" and turn in turns and ts > begun:
            earlier, spoke_at = kept[turns[turn]][2], ts - event.get("e2e_ms", inf) / 1000
            words, others = event.get("user_text", ""), earlier.get("user_text", "")
            differ = words and others and not (words.startswith(others) or others.startswith(words))
            if spoke_at > replied and (differ or (turn < last and event["e2e_ms"] != earlier.get("e2e_ms"))):
                before, begun, turns, base = {**before, **turns}, replied, {}, base + last + 1 - turn
                known_turns = turns
        if kind == "turn" and turn in known_turns:
            place = known_turns[turn]
            kept[place] = (*kept[place][:2], amended(kept[place][2], event))
            continue
        if kind == "turn.start":
            if turn in turns:
                before, begun, turns, base = {**before, **turns}, ts, {}, base + last + 1 - turn
            since = ts
        elif kind == "turn":
            turns, replied, since = {**turns, turn: len(kept)} if turn >= 0 else turns, max(replied, ts), 0.0
        numbered = kind in ("turn", "turn.start") and turn >= 0
        kept.append((at, ts, {**event, "turn": base + turn} if numbered else event))
    return kept


def amended(turn: Event, by: Event) -> Event:
    stages = {**turn.get("latency", {}), **by.get("latency", {})}
    merged = {**turn, **{k: v for k, v in by.items() if k not in ("ts", "event_id", "turn")}}
    return merged | {"latency": stages} if stages else merged


class Call:
    def __init__(self, told: list[Told], now: float, heard: float, began: float) -> None:
        self.id, self.told, self.now = told[0][2]["call_id"], told_once(told), now
        self.of = cache(self._of)
        ended, self.end = self._end()
        self.reason = self.end.get("reason", "")
        self.started = min([told[0][1], *(ts for ts, _ in self.of("call.start"))])
        self.heard, unwatched = heard, told[0][0] > self.started + 30  # its publisher was heard last
        self.began, self.ended = max(began, told[0][0] * unwatched), max(self.started, ended)
        self.steps = [(e["step"], ts) for ts, e in self.of("call.step", "turn", "call.end") if e.get("step")]
        self.reached = dict(reversed(self.steps))
        self.segments, self.waits = dict(self._segments()), list(self._waits())

    def _of(self, *kinds: str) -> list[tuple[float, Event]]:
        return [(ts, event) for _, ts, event in self.told if event["type"] in kinds]

    def _end(self) -> tuple[float, Event]:
        """When and how it ended. After three minutes without a record it is lost, until its end arrives after all."""
        ends, seen = [event for _, event in self.of("call.end")], inf
        for at, ts, event in [*self.told, (self.now, self.now, {"type": "now"})]:
            if at // 5 * 5 - seen > LOST_S and event["type"] in ("now", "call.end"):
                return seen, ends[0] if ends else {"reason": "lost"}
            if event["type"] == "call.end":
                return ts, event
            seen = seen if event["type"] == "call.outcome" else at
        return inf, {}

    def _segments(self) -> Iterator[tuple[str, str]]:
        for _, event in self.of("call.start", "call.update"):
            version = {name: value for name, value in event.get("agent", {}).items() if name == "version"}
            for name, value in {**version, **event.get("segments", {})}.items():
                yield name, {"True": "yes", "False": "no", "None": ""}.get(repr(value), str(value))

    def _waits(self) -> Iterator[tuple[float, float, bool]]:
        """(since `turn.start`, until reply, speech, hold, transfer or end, whether for want of a reply), in order."""
        since, of = nan, -1
        events = self.of("turn.start", "turn", "stage", "call.update")
        for ts, event in [*events, (self.ended, {"type": "end"})]:
            kind, turn = event["type"], event.get("turn", -1)
            spoke = kind == "stage" and (event["name"], event["state"]) == ("vad", "start")
            away = kind == "call.update" and event.get("state") in ("held", "transferring")
            reply = kind == "turn" and (turn in (of, -1) or (turn > of and ts >= since))
            if kind == "end" or spoke or away or reply:
                if not isnan(since):
                    excused = spoke or away or event.get("status") in ("cancelled", "noise")
                    watched = since if ts < self.began else max(since, self.began)
                    yield watched, ts, not excused and "e2e_ms" not in event
                since = nan
            elif kind == "turn.start":
                since, of = ts, turn

    def stage(self) -> str:  # the one that has started since the caller began to wait, and not ended
        stage = ""
        for _, event in self.of("stage", "tool", "turn.start"):
            name = event["name"] if event["type"] == "stage" else "tool"
            started = event.get("state") == "start"
            stage = name if started else "" if event["type"] == "turn.start" or name == stage else stage
        return stage

    def barge_ins(self) -> list[float]:
        noise = ("backchannel", "false_positive")
        return [ts for ts, e in self.of("interruption") if e["by"] == "user" and not any(map(e.get, noise))]

    def step(self, until: float = inf) -> str:
        return next((step for step, ts in reversed(self.steps) if ts <= until), "")

    def judged(self, name: str, until: float = inf) -> Any:
        """What the highest evaluator that says something about it said last; NaN if none does."""
        said = [event for ts, event in self.of("call.outcome") if name in event and ts <= until]
        return max(said, key=lambda e: (-TRUST.index(e["evaluator"]), e["ts"]))[name] if said else nan

    def abandoned(self) -> bool | None:
        """Whether the user hung up before a terminal step and no good outcome came in time; None: not known yet."""
        grace, party = self.ended + GRACE_S, self.end.get("party", "")
        good = True in (self.judged("success", grace), self.judged("escalated", grace))
        left = (self.reason, party) in (("user_hangup", party), ("silence_timeout", "user"))
        if good or not left or self.step(self.ended).casefold() in TERMINAL:
            return False
        return True if self.now >= grace else None

    def cost(self) -> float:
        spent: dict[tuple[Any, ...], float] = {}
        for _, event in self.of("usage"):
            key = event["component"], event.get("provider"), event.get("model")
            if "cost_usd" in event:
                spent[key] = event["cost_usd"] + (0 if event.get("cumulative") else spent.get(key, 0))
        return sum(spent.values()) if spent else nan

    def errors(self, inside: Inside, final: bool = True) -> set[str]:
        told = [e for ts, e in self.of("error") if inside(ts) and e.get("final", True) is final]
        return {name for e in told for name in ("error", f"{e['component']}:{e['category']}")}


def read(path: str) -> list[tuple[float, Event]]:
    with zstd.open(path, "rt", encoding="utf-8") as lines:
        return [(record["at"], record["raw"]) for record in map(json.loads, lines) if "raw" in record]


def calls_at(now: float, records: list[tuple[float, Event]]) -> list[Call]:
    told: dict[str, list[Told]] = {}
    ids: set[str] = set()
    for at, event in records:
        call, name = event.get("call_id", ""), event.get("event_id", "")
        if at <= now and name not in ids and call and (call in told or event["type"] in BEGIN):
            told.setdefault(call, []).append((at, min(at, event["ts"]), event))
        ids.update([name] if name else [])
    began = next(at for at, event in records if event["type"] == "heartbeat")
    heard = {e["source"]: at for at, e in records if e["type"] == "source.status" and at <= now}
    return [Call(of, now, heard.get(of[0][2].get("source", ""), inf), began) for of in told.values()]


def figures(calls: list[Call], until: float, inside: Inside, outcomes: Inside) -> dict[str, Any]:
    """The figures of a window or a chart's bucket that ends at `until`: what came of calls, of those in `outcomes`."""
    live = [c for c in calls if c.started <= until < c.ended]
    talked = [c for c in calls if outcomes(c.ended) and c.reason not in ("voicemail", "not_connected")]
    asking = [(c, (until - since) * 1000) for c in live for since, end, _ in c.waits if since <= until < end]
    waiting = [(c, ms) for c, ms in asking if until - c.heard <= UNKNOWN_S]
    waits = [(end - since) * 1000 for c in calls for since, end, lost in c.waits if lost and inside(end)]
    waits += [ms for _, ms in waiting]
    times: dict[str, list[float]] = {"e2e": []}
    for event in (event for c in calls for ts, event in c.of("turn") if inside(ts)):
        for name, ms in {"e2e": event.get("e2e_ms", nan), **event.get("latency", {})}.items():
            times.setdefault(name, []).extend([ms] if ms >= 0 else [])
    return {
        "live": len(live),
        "active": len(live) + sum(inside(c.ended) for c in calls),
        "unknown": len(asking) - len(waiting),
        "waiting": [(c.stage(), ms) for c, ms in waiting],
        "times": {n: [percentile(ms, waits * (n == "e2e"), q) for q in QUANTILES] for n, ms in times.items()},
        "errors": Counter(kind for c in calls for kind in c.errors(inside)),
        "retried": sum(bool(c.errors(inside, final=False)) for c in calls),
        "interruptions": 100
        * sum(inside(ts) for c in calls for ts in c.barge_ins())
        / max(1, len(times["e2e"])),
        "reached": Counter(step for c in calls for step, ts in c.reached.items() if outcomes(ts)),
        "success": mean([said for c in talked if (said := c.judged("success")) in (True, False)]),
        "escalation": mean([c.reason == "transferred" or c.judged("escalated") is True for c in talked]),
        "abandonment": mean([left for c in talked if (left := c.abandoned()) is not None]),
        "left": Counter(c.step(c.ended) or "unknown step" for c in talked if c.abandoned()),
        "cost": mean([cost for c in calls if outcomes(c.ended) and (cost := c.cost()) == cost]),
        "sentiment": mean([mood for c in talked if (mood := c.judged("sentiment")) == mood]),
        "started": sum(inside(c.started) for c in calls),
    }
