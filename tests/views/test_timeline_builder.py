"""The timeline: counts in slots that widen, and a bounded number of notes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from engine.feeding import START as AT
from voicetop.engine.engine import Engine
from voicetop.engine.judge.mark import ActiveTrouble
from voicetop.engine.snapshot import NAN, Severity, Trouble
from voicetop.engine.snapshot.timeline import GRAVITY, Note
from voicetop.views import timeline_builder as module
from voicetop.views.timeline_builder import TimelineBuilder
from voicetop.wire.codec import Batch
from voicetop.wire.events import AnyEvent, CallStart, Error, Gap, Marker, Operator, Security, Turn


def step(builder: TimelineBuilder, engine: Engine, at: float, events: Sequence[AnyEvent] = ()) -> None:
    if events:
        engine.apply(Batch(list(events), [at] * len(events)))
    engine.advance(at)
    builder.step(engine, at)


def turns(count: int, at: float) -> list[AnyEvent]:
    return [Turn(ts=at, call_id="c1", e2e_ms=800.0) for _ in range(count)]


def failed(at: float) -> Error:
    return Error(ts=at, call_id="c1", component="llm", category="timeout", final=True)


def kinds(builder: TimelineBuilder) -> list[tuple[str, float, str]]:
    return [(note.kind, note.at - AT, note.label) for note in builder.timeline(complete=True).notes]


def test_turns_and_errors_are_counted_in_their_second() -> None:
    builder, engine = TimelineBuilder(), Engine()
    step(builder, engine, AT, [CallStart(ts=AT, call_id="c1")])
    for second in range(1, 5):
        step(
            builder,
            engine,
            AT + second,
            [*turns(second, AT + second), *[failed(AT + second)] * (second % 2)],
        )
    line = builder.timeline(complete=True)
    assert (line.first_at, line.last_at, line.start, line.step) == (AT, AT + 4, AT, 1.0)
    assert (line.turns, line.errors) == ((0, 1, 2, 3, 4), (0, 1, 0, 1, 0))


def test_slots_widen_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SLOTS", 16)
    builder, engine, dice = TimelineBuilder(), Engine(), random.Random(2)
    counted: dict[int, int] = {}
    at = AT + 3
    for _ in range(200):
        at += dice.choice([0.25, 1.0, 7.0])
        count = dice.randrange(4)
        counted[int(at)] = counted.get(int(at), 0) + count
        step(builder, engine, at, turns(count, at))
    line = builder.timeline(complete=False)
    assert len(line.turns) <= 16
    assert sum(line.turns) == sum(counted.values())
    for slot, value in enumerate(line.turns):
        begin = line.start + slot * line.step
        assert value == sum(n for second, n in counted.items() if begin <= second < begin + line.step)


def test_earlier_counts_are_ignored_and_a_checkpoint_may_take_over() -> None:
    builder, first = TimelineBuilder(), Engine()
    step(builder, first, AT, turns(7, AT))
    step(builder, first, AT, [Marker(ts=AT, kind="deploy", label="v42", version="v42"), *turns(3, AT)])
    second = Engine()
    second.markers, second.feed = first.markers, replace(first.feed, gaps=5, missed=100)
    step(builder, second, AT + 1, turns(2, AT + 1))
    assert builder.timeline(complete=True).turns == (3, 2)
    assert kinds(builder) == [("marker", 0.0, "deploy v42")]


def test_markers_and_notes_are_added_once() -> None:
    builder, engine = TimelineBuilder(), Engine()
    note = Operator(ts=AT - 30, act="note", by="ada", text="a\x1b[31mred", event_id="n1")
    step(builder, engine, AT, [Marker(ts=AT - 1, kind="deploy", label="v42", version="42")])
    step(builder, engine, AT + 1, [Security(ts=AT + 1, kind="pii", label="card number told"), note])
    step(builder, engine, AT + 2, [Operator(ts=AT + 2, act="ack", by="ada", target="i1")])
    step(builder, engine, AT + 3)
    builder.add_act(note, note.ts)
    assert kinds(builder) == [
        ("note", -30.0, "a[31mred"),
        ("marker", -1.0, "deploy v42 42"),
        ("security", 1.0, "pii card number told"),
    ]


def test_troubles_begin_and_clear() -> None:
    builder, engine = TimelineBuilder(), Engine()
    step(builder, engine, AT)
    trouble = Trouble("waiting", AT, "down", 9, n=12, line=8)
    engine.judge.standing["waiting"] = ActiveTrouble(trouble, AT, AT)
    builder.step(engine, AT + 5)
    builder.step(engine, AT + 10)
    engine.judge.standing.clear()
    builder.step(engine, AT + 15)
    assert kinds(builder) == [
        ("trouble", 5.0, "9 of 12 waiting callers stuck for over 8 s"),
        ("cleared", 15.0, "9 of 12 waiting callers stuck for over 8 s"),
    ]


def test_what_recovered_is_over_though_the_five_minutes_still_contain_it() -> None:
    builder, engine = TimelineBuilder(), Engine()
    step(builder, engine, AT)
    active = ActiveTrouble(Trouble("errors", AT, "degraded", 0.2, n=100), AT, AT)
    engine.judge.standing["errors"] = active
    for second, recovered in ((5, NAN), (10, AT + 8), (15, AT + 8), (20, NAN)):
        active.recovered = recovered
        builder.step(engine, AT + second)
    assert [(kind, at) for kind, at, _ in kinds(builder)] == [
        ("trouble", 5.0),
        ("cleared", 10.0),
        ("trouble", 20.0),
    ]


def test_gaps_and_a_silent_hub_are_noted() -> None:
    builder, engine = TimelineBuilder(), Engine()
    step(builder, engine, AT)
    step(builder, engine, AT + 1, [Gap(ts=AT + 1, from_seq=5, to_seq=16, why="slow")])
    for second in (2, 3):
        engine.advance(AT + second, local=True)
        builder.step(engine, AT + second)
    assert kinds(builder) == [("gap", 1.0, "12 records are missing"), ("gap", 2.0, "the hub went silent")]


def test_notes_of_people_are_kept_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NOTES", 10)
    builder = TimelineBuilder()
    builder.add(Note(AT, "bookmark", "mine", by="ada"))
    for second in range(50):
        builder.add(Note(AT + second, "marker", "deploy"))
    kept = builder.timeline(complete=True).notes
    assert len(kept) == 10
    assert kept[0].kind == "bookmark"
    assert kept[-1].at == AT + 49


def test_a_timeline_can_be_cut_and_continued() -> None:
    builder, engine = TimelineBuilder(), Engine()
    for second in range(10):
        step(builder, engine, AT + second, turns(second, AT + second))
    builder.add(Note(AT + 2, "marker", "old"))
    line = builder.timeline(complete=True, since=AT + 4)
    assert (line.first_at, line.start, line.turns[:2], line.notes) == (AT + 4, AT + 4, (4, 5), ())
    again = TimelineBuilder.continuing(builder.timeline(complete=True))
    assert again.timeline(complete=True) == builder.timeline(complete=True)


def test_the_worst_severity_survives_wider_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_SLOTS", 16)
    builder, engine = TimelineBuilder(), Engine()
    words: list[Severity] = ["ok", "learning", "degraded", "down", "recovering", "blind", "ok", "ok"]
    for second, severity in enumerate(words):
        engine.advance(AT + second)
        builder.step(engine, AT + second, severity)
    line = builder.timeline(complete=False)
    assert [GRAVITY[bad] for bad in line.gravity] == words
    assert TimelineBuilder.continuing(line).timeline(complete=False).gravity == line.gravity
    for second in range(8, 40):
        engine.advance(AT + second)
        builder.step(engine, AT + second)
    wide = builder.timeline(complete=False)
    assert wide.step > 1
    assert len(wide.gravity) == len(wide.turns)
    assert max(wide.gravity) == GRAVITY.index("down")
    assert sum(map(bool, wide.gravity)) * wide.step <= 5 + 2 * wide.step
