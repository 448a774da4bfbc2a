"""What happened when: counted in slots that widen, told in notes that stay few."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from engine.feeding import START as AT
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import Severity, Trouble
from voicetop.engine.snapshot.timeline import GRAVITY, Note
from voicetop.engine.verdict import ActiveTrouble
from voicetop.views import timeline_builder as module
from voicetop.views.timeline_builder import TimelineBuilder
from voicetop.wire.codec import Batch
from voicetop.wire.events import AnyEvent, CallStart, Error, Gap, Marker, Operator, Security, Turn


def step(chronicle: TimelineBuilder, engine: Engine, at: float, events: Sequence[AnyEvent] = ()) -> None:
    if events:
        engine.apply(Batch(list(events), [at] * len(events)))
    engine.advance(at)
    chronicle.step(engine, at)


def turns(count: int, at: float) -> list[AnyEvent]:
    return [Turn(ts=at, call_id="c1", turn=number, e2e_ms=800.0) for number in range(count)]


def failed(at: float) -> Error:
    return Error(ts=at, call_id="c1", component="llm", category="timeout", final=True)


def kinds(chronicle: TimelineBuilder) -> list[tuple[str, float, str]]:
    return [(note.kind, note.at - AT, note.label) for note in chronicle.timeline(complete=True).notes]


def test_turns_and_errors_stand_in_the_second_in_which_they_came() -> None:
    chronicle, engine = TimelineBuilder(), Engine()
    step(chronicle, engine, AT, [CallStart(ts=AT, call_id="c1")])
    for second in range(1, 5):
        step(
            chronicle,
            engine,
            AT + second,
            [*turns(second, AT + second), *[failed(AT + second)] * (second % 2)],
        )
    line = chronicle.timeline(complete=True)
    assert (line.first_at, line.last_at, line.start, line.step) == (AT, AT + 4, AT, 1.0)
    assert (line.turns, line.errors) == ((0, 1, 2, 3, 4), (0, 1, 0, 1, 0))


def test_slots_widen_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SLOTS", 16)
    chronicle, engine, dice = TimelineBuilder(), Engine(), random.Random(2)
    counted: dict[int, int] = {}
    at = AT + 3
    for _ in range(200):
        at += dice.choice([0.25, 1.0, 7.0])
        count = dice.randrange(4)
        counted[int(at)] = counted.get(int(at), 0) + count
        step(chronicle, engine, at, turns(count, at))
    line = chronicle.timeline(complete=False)
    assert len(line.turns) <= 16
    assert sum(line.turns) == sum(counted.values())
    for slot, value in enumerate(line.turns):
        begin = line.start + slot * line.step
        assert value == sum(n for second, n in counted.items() if begin <= second < begin + line.step)


def test_what_is_told_of_before_counts_for_nothing_and_a_checkpoint_takes_over_in_between() -> None:
    chronicle, first = TimelineBuilder(), Engine()
    step(chronicle, first, AT, turns(7, AT))
    step(chronicle, first, AT, [Marker(ts=AT, kind="deploy", label="v42", version="v42"), *turns(3, AT)])
    second = Engine()
    second.markers, second.feed = first.markers, replace(first.feed, gaps=5, missed=100)
    step(chronicle, second, AT + 1, turns(2, AT + 1))
    assert chronicle.timeline(complete=True).turns == (3, 2)
    assert kinds(chronicle) == [("marker", 0.0, "deploy v42")]


def test_what_the_feed_and_people_say_is_told_once() -> None:
    chronicle, engine = TimelineBuilder(), Engine()
    note = Operator(ts=AT - 30, act="note", by="ada", text="a\x1b[31mred", event_id="n1")
    step(chronicle, engine, AT, [Marker(ts=AT - 1, kind="deploy", label="v42", version="42")])
    step(chronicle, engine, AT + 1, [Security(ts=AT + 1, kind="pii", label="card number told"), note])
    step(chronicle, engine, AT + 2, [Operator(ts=AT + 2, act="ack", by="ada", target="i1")])
    step(chronicle, engine, AT + 3)
    chronicle.hear(note, note.ts)
    assert kinds(chronicle) == [
        ("note", -30.0, "a[31mred"),
        ("marker", -1.0, "deploy v42 42"),
        ("security", 1.0, "pii card number told"),
    ]


def test_troubles_begin_and_clear() -> None:
    chronicle, engine = TimelineBuilder(), Engine()
    step(chronicle, engine, AT)
    trouble = Trouble("waiting", AT, "down", 9, n=12, line=8)
    engine.judge.standing["waiting"] = ActiveTrouble(trouble, AT, AT)
    chronicle.step(engine, AT + 5)
    chronicle.step(engine, AT + 10)
    engine.judge.standing.clear()
    chronicle.step(engine, AT + 15)
    assert kinds(chronicle) == [
        ("trouble", 5.0, "9 of 12 waiting callers stuck for over 8 s"),
        ("cleared", 15.0, "9 of 12 waiting callers stuck for over 8 s"),
    ]


def test_gaps_and_a_silent_hub_are_holes_in_what_is_known() -> None:
    chronicle, engine = TimelineBuilder(), Engine()
    step(chronicle, engine, AT)
    step(chronicle, engine, AT + 1, [Gap(ts=AT + 1, from_seq=5, to_seq=16, why="slow")])
    for second in (2, 3):
        engine.advance(AT + second, local=True)
        chronicle.step(engine, AT + second)
    assert kinds(chronicle) == [("gap", 1.0, "12 records are missing"), ("gap", 2.0, "the hub went silent")]


def test_of_many_notes_those_of_people_are_kept_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NOTES", 10)
    chronicle = TimelineBuilder()
    chronicle.note(Note(AT, "bookmark", "mine", by="ada"))
    for second in range(50):
        chronicle.note(Note(AT + second, "marker", "deploy"))
    kept = chronicle.timeline(complete=True).notes
    assert len(kept) == 10
    assert kept[0].kind == "bookmark"
    assert kept[-1].at == AT + 49


def test_what_is_no_longer_kept_is_left_out_and_a_timeline_can_be_gone_on_with() -> None:
    chronicle, engine = TimelineBuilder(), Engine()
    for second in range(10):
        step(chronicle, engine, AT + second, turns(second, AT + second))
    chronicle.note(Note(AT + 2, "marker", "old"))
    line = chronicle.timeline(complete=True, since=AT + 4)
    assert (line.first_at, line.start, line.turns[:2], line.notes) == (AT + 4, AT + 4, (4, 5), ())
    again = TimelineBuilder.of(chronicle.timeline(complete=True))
    assert again.timeline(complete=True) == chronicle.timeline(complete=True)


def test_how_bad_it_was_stands_in_its_seconds_and_the_worst_survives_wider_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_SLOTS", 16)
    chronicle, engine = TimelineBuilder(), Engine()
    told: list[Severity] = ["ok", "learning", "degraded", "down", "degraded", "blind", "ok", "ok"]
    for second, severity in enumerate(told):
        engine.advance(AT + second)
        chronicle.step(engine, AT + second, severity)
    line = chronicle.timeline(complete=False)
    assert [GRAVITY[bad] for bad in line.gravity] == ["ok", "ok", *told[2:]]
    assert TimelineBuilder.of(line).timeline(complete=False).gravity == line.gravity
    for second in range(8, 40):
        engine.advance(AT + second)
        chronicle.step(engine, AT + second)
    wide = chronicle.timeline(complete=False)
    assert wide.step > 1
    assert len(wide.gravity) == len(wide.turns)
    assert max(wide.gravity) == GRAVITY.index("down")
    assert sum(map(bool, wide.gravity)) * wide.step <= 4 + 2 * wide.step
