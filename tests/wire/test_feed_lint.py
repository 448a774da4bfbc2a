"""What makes a feed useless though every event of it is valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from voicetop.wire.events import SourceStatus, Turn, TurnStart
from voicetop.wire.feed_lint import FeedLint, LintFinding

START = 1_760_000_000.0
Json = dict[str, Any]


def call(call_id: str, turns: int = 4) -> list[Json]:
    """A call as it should be."""
    began = {"call_id": call_id, "source": "a"}
    events: list[Json] = [
        {"type": "source.status", "source": "a"},
        {"type": "call.start", **began, "segments": {"intent": "billing"}},
        {"type": "turn", **began, "agent_text": "Hello, this is Acme."},
    ]
    for number in range(turns):
        latency = {"llm_ttft": 600.0, "tts_ttfb": 300.0, "llm_total": 1_900.0}
        told = {"e2e_ms": 900.0, "measured_from": "vad_stop", "latency": latency, "additive": True}
        events.append({"type": "turn.start", **began, "turn": number})
        events.append({"type": "turn", **began, "turn": number, **told})
    events.append({"type": "call.end", **began, "reason": "completed", "duration_s": 60.0})
    return [
        {"ts": START + index, "event_id": f"{call_id}/{index}", **event} for index, event in enumerate(events)
    ]


def lint(*calls: list[Json]) -> list[LintFinding]:
    linter = FeedLint()
    for events in calls:
        for event in events:
            linter.raw(msgspec.json.encode(event))
    return linter.findings()


def said(findings: list[LintFinding]) -> str:
    return "\n".join(f"{finding.level} {finding.text} -> {finding.remedy}" for finding in findings)


def test_a_feed_as_it_should_be_has_nothing_to_fix_nor_to_note() -> None:
    assert said(lint(call("c1"), call("c2"))) == ""


Change = Callable[[Json], Json | None]


def with_(kind: str, **fields: Any) -> Change:
    return lambda event: {**event, **fields} if event["type"] == kind else event


def without(kind: str, *fields: str) -> Change:
    def change(event: Json) -> Json | None:
        if event["type"] != kind and kind:
            return event
        return {name: value for name, value in event.items() if name not in fields} if fields else None

    return change


def restarts(event: Json) -> Json:
    return {**event, "turn": event["turn"] % 2} if "turn" in event else event


def greets_as_0(event: Json) -> Json:
    if event["type"] == "turn" and "e2e_ms" not in event:
        return {**event, "turn": 0}
    return {**event, "turn": event["turn"] + 1} if "turn" in event else event


def shifted(kind: str, seconds: float) -> Change:
    return lambda event: {**event, "ts": event["ts"] + seconds} if event["type"] == kind else event


@pytest.mark.parametrize(
    ("change", "words", "remedy"),
    [
        (greets_as_0, "FIX 1 of 1 calls number the greeting 0 (such as c1)", "the agent's own greeting is no turn"),
        (restarts, "FIX 1 of 1 calls number their turns from the start again, or backwards (such as c1)", "go on"),
        (without("turn.start"), "have no turn.start, so nobody can be seen waiting", "send turn.start when"),
        (without("", "event_id"), "note 11 of 12 events have no event_id: what is sent again", "an `event_id`"),
        (without("source.status"), "note no source.status from a: nobody notices", "every 5 s"),
        (without("call.end"), "FIX 1 of 1 calls never end (such as c1)", "send call.end when a call is over"),
        (without("call.start"), "FIX 1 of 1 calls have events before any call.start (such as c1)", "call.start first"),
        (without("call.start", "segments"), "note 1 of 1 calls have no segments", "send intent, language"),
        (without("turn", "measured_from"), "note all 4 turns have e2e_ms without measured_from", "vad_stop"),
        (with_("turn", e2e_ms=0.9, additive=False), "times that look like seconds (such as c1", "send milliseconds"),
        (with_("turn", e2e_ms=1_900.0), "add up to something else than e2e_ms (such as c1", "set `additive` only"),
        (with_("turn", latency={"stt": -1.0}), "have a negative time, which doesn't count", "instead of sending −1"),
        (with_("call.end", call_id=""), "have an empty call_id: they look like one call", "an id of its own"),
        (with_("call.end", duration_s=6e4), "FIX 1 of 1 calls are longer than six hours", "duration_s is in seconds"),
        (shifted("turn.start", 30), "turns are before their turn.start", "when the caller stopped speaking"),
        (without("turn", "e2e_ms"), "FIX all 4 turns have neither e2e_ms nor a status", "send e2e_ms"),
        (without("turn", "turn"), "FIX all 4 turns have no `turn` (such as c1)", "the same in turn.start and turn"),
        (lambda event: {**event, "ts": event["ts"] * 1000}, "not valid: `ts` is in milliseconds", "divide by 1000"),
        (lambda event: {**event, "ts": event["ts"] - START}, "all 12 events have a `ts` before 2001", "since 1970"),
        (with_("turn", e2e=900.0), "FIX turn has no field 'e2e', 5 times; did you mean 'e2e_ms'?", "fix the name"),
        (with_("turn", zzz=900.0), "note turn has no field 'zzz', 5 times", "ignored"),
        (with_("turn", status="failure"), "turn.status 'failure' is no known value, 5 times; did you", "fix the name"),
        (with_("turn.start", type="turn.started"), "'turn.started' is no known type of event, 4 times; did", "fix"),
        (with_("turn", e2e_ms="900"), "events not valid: Expected `float`, got `str` - at `$.e2e_ms`", "protocol.md"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_remedy(change: Change, words: str, remedy: str) -> None:
    events = [changed for event in call("c1") if (changed := change(event)) is not None]
    found = [finding for finding in lint(events) if words in said([finding])]
    assert found, said(lint(events))
    assert remedy in found[0].remedy


def test_a_call_id_used_again_and_an_end_without_a_start() -> None:
    text = said(lint(call("c1"), call("c1"), call("c2")[-1:]))
    assert "1 of 2 calls use a call_id again after its end (such as c1)" in text
    assert "1 of 2 calls end without a start (such as c2)" in text


def test_a_feed_without_calls_says_what_to_send() -> None:
    assert "FIX no events of calls -> send call.start, turn.start, turn and call.end" in said(
        lint(call("c")[:1])
    )


def test_a_turn_start_that_comes_with_the_reply_is_found_in_a_live_feed() -> None:
    linter = FeedLint(joined=True)
    linter.see(SourceStatus(ts=START, source="a"), START)
    for number in range(5):
        at = START + number
        linter.see(TurnStart(ts=at - 0.9, call_id="c1", source="a", turn=number, event_id="x"), at)
        linter.see(Turn(ts=at, call_id="c1", source="a", turn=number, e2e_ms=900.0, event_id="y"), at)
    assert "FIX all 5 turns have a turn.start that comes with the reply" in said(linter.findings())
    assert "never end" not in said(linter.findings())


def test_bad_values_that_differ_in_their_numbers_are_one_finding() -> None:
    linter = FeedLint()
    for number in (1, 22, 3.5):
        why = f"`e2e_ms` is -{number}, not a number from 0 to 3,600,000"
        linter.mend(why, f"line {number}", "leave it out")
    assert said(linter.findings()[:1]) == (
        "FIX 3 events with a bad value: `e2e_ms` is -1, not a number from 0 to 3,600,000 (first in line 1)"
        " -> leave it out"
    )


def test_an_amended_turn_is_not_a_second_one() -> None:
    events = call("c1", 1)
    events.insert(-1, {**events[-2], "event_id": "again", "user_text": "hello", "interrupted": True})
    assert said(lint(events)) == ""


def test_a_turn_is_amended_after_the_caller_has_spoken_again() -> None:
    events = call("c1", 2)
    reply = next(event for event in events if event["type"] == "turn" and "e2e_ms" in event)
    after = next(
        at for at, event in enumerate(events) if event["type"] == "turn.start" and event["turn"] == 1
    )
    events.insert(after + 1, {**reply, "event_id": "again", "interrupted": True})
    assert said(lint(events)) == ""


def test_a_feed_without_end_stays_within_bounds() -> None:
    linter = FeedLint()
    for number in range(30_000):
        event = {"type": f"t{number}", "ts": START}
        linter.raw(msgspec.json.encode(event))
        linter.see(TurnStart(ts=START, call_id=f"c{number}", source=f"s{number}"))
        linter.refuse(f"why {number}")
    assert linter.of["call"] == 20_000
    assert max(len(linter.unknown), len(linter.bad), len(linter.sources)) <= 200
    assert len(linter.findings()) < 40
