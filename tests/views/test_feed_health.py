"""The health of a feed, source by source: from events to words."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import START, Line
from voicetop.engine.snapshot import FeedHealthPanel, SourceHealth
from voicetop.wire.events import CallEnd, CallStart, Capacity, Malformed, Repaired, SourceStatus


def report(line: Line, *names: str, seconds: int = 10, **fields: Any) -> None:
    """These publishers send their status every 5 s."""
    for _ in range(seconds // 5):
        for name in names:
            line.tell(SourceStatus, source=name, **fields)
        line.pass_(5, every=2.5)


def panel(line: Line) -> FeedHealthPanel:
    found = line.see(health=True).health
    assert found is not None
    return found


def source(line: Line, name: str) -> SourceHealth:
    return next(source for source in panel(line).sources if source.name == name)


def said(line: Line, name: str) -> str:
    return "\n".join(f"{trouble.text} -> {trouble.remedy}" for trouble in source(line, name).troubles)


def test_a_healthy_source_has_its_figures_and_no_words() -> None:
    line = Line()
    line.begin("c0")
    for _ in range(8):
        line.tell(CallStart, "c1", source="a")
        line.turn("c1", 800, source="a")
        report(line, "a", seconds=5, active_calls=1)
    found = source(line, "a")
    assert (found.state, found.troubles, found.since, found.seen) == ("fine", (), START, START + 37.5)
    assert (found.calls_told, found.calls_held, found.events) == (1, 1, 24)
    assert found.events_per_s == pytest.approx(0.6, rel=0.3)


def test_a_goodbye_with_a_live_call_is_told_as_what_it_is() -> None:
    line = Line()
    line.tell(CallStart, "c1", source="a")
    report(line, "a", seconds=5, active_calls=1)
    line.tell(SourceStatus, source="a", leaving=True, active_calls=1)
    line.pass_(20)
    assert source(line, "a").state == "silent"
    assert said(line, "a") == (
        "it said goodbye 20 s ago with 1 live call -> let calls end before the process does, and send call.end"
    )


def test_the_hub_itself_is_no_source_but_a_publisher_may_have_its_name() -> None:
    line = Line()
    line.tell(Capacity, source="hub", limit=300)
    line.pass_(1)
    assert panel(line).sources == ()
    report(line, "hub")
    assert source(line, "hub").state == "fine"


def test_bad_values_of_a_process_that_has_ended_need_attention_for_ten_minutes() -> None:
    line = Line()
    report(line, "stays", "job")
    line.hear(
        Repaired(ts=line.at, source="job", kind="dropped", count=3, why="`e2e_ms` is NaN", sample="NaN")
    )
    line.tell(SourceStatus, source="job", leaving=True)
    report(line, "stays", seconds=590)
    assert source(line, "job").state == "attention"
    assert said(line, "job").startswith("3 values left out: `e2e_ms` is NaN -> leave out")
    report(line, "stays", seconds=10)
    assert source(line, "job").state == "left"


def test_only_who_asks_gets_the_panel() -> None:
    assert Line().see().health is None


def test_the_worst_come_first() -> None:
    line = Line()
    report(line, "silent", "fine", "left", "drops")
    line.tell(SourceStatus, source="left", leaving=True)
    for _ in range(4):
        report(line, "fine", seconds=5)
        line.tell(SourceStatus, source="drops", dropped=12)
    line.tell(CallStart, "c", source="without")
    line.pass_(1)
    assert [(source.name, source.state) for source in panel(line).sources] == [
        ("silent", "silent"),
        ("drops", "attention"),
        ("without", "note"),
        ("fine", "fine"),
        ("left", "left"),
    ]
    assert (panel(line).of, panel(line).silent, panel(line).attention, panel(line).left) == (5, 1, 1, 1)
    assert "silent for 26 s -> check that this agent is running" in said(line, "silent")
    assert "12 events dropped before they could be sent" in said(line, "drops")
    assert "no source.status, so nobody notices when it falls silent" in said(line, "without")
    assert said(line, "left") == ""


def test_a_clock_that_is_off_and_events_that_are_late_are_told_apart_if_the_source_knows_its_clock() -> None:
    line = Line()
    for _ in range(20):
        line.tell(SourceStatus, source="clock", ts=line.at - 40, clock_offset_ms=-40_000.0)
        line.tell(SourceStatus, source="late", ts=line.at - 40, clock_offset_ms=3.0)
        line.tell(SourceStatus, source="either", ts=line.at - 40)
        line.pass_(5)
    assert said(line, "late").startswith(
        "its events come 40 s late, though its clock is right -> send events when"
    )
    for name in ("clock", "either"):
        assert said(line, name).startswith(
            "its clock is 40 s behind, or all its events come that late -> set its"
        )


@pytest.mark.parametrize(
    ("told", "held", "words"),
    [
        (
            3,
            1,
            "it says it has 3 calls; live here: 1 -> some calls are missing: send call.start",
        ),
        (0, 2, "it says it has 0 calls; live here: 2 -> some calls never end here"),
    ],
)
def test_other_calls_than_it_says_are_told_once_they_last(told: int, held: int, words: str) -> None:
    line = Line()
    for number in range(held):
        line.tell(CallStart, f"c{number}", source="a")
    report(line, "a", seconds=20, active_calls=told)
    assert said(line, "a") == ""
    report(line, "a", seconds=20, active_calls=told)
    assert words in said(line, "a")
    assert source(line, "a").state == "attention"
    report(line, "a", seconds=10, active_calls=held)
    assert said(line, "a") == ""


def test_calls_that_come_and_go_are_no_difference() -> None:
    line = Line()
    for number in range(12):
        report(line, "a", seconds=5, active_calls=0)
        line.tell(CallStart, f"c{number}", source="a")
        line.pass_(5)
        report(line, "a", seconds=5, active_calls=1)
        line.tell(CallEnd, f"c{number}", source="a", reason="completed")
        line.pass_(5)
        assert source(line, "a").state == "fine"


def test_events_that_all_come_late_are_told_though_the_status_is_in_time() -> None:
    line = Line()
    for _ in range(90):
        line.tell(SourceStatus, source="late")
        line.tell(CallStart, "c1", source="late", ts=line.at - 40)
        line.hear(Repaired(ts=line.at, source="late", kind="cut", count=1, why="w"))
        line.pass_(0.5)
        line.tell(CallStart, "c2", source="silent about itself", ts=line.at - 40)
        line.pass_(0.5)
        line.tell(SourceStatus, source="amends")
        line.tell(CallStart, "c3", source="amends", ts=line.at - 40 * (line.at % 3 == 0))
        line.pass_(0.5)
    assert said(line, "late").startswith("its events come 40 s late -> send events when they happen")
    assert "its events come 40 s late -> send events when they happen, and set its clock with NTP" in said(
        line, "silent about itself"
    )
    assert "late" not in said(line, "amends")


def test_faults_are_told_with_their_remedy_and_the_latest_of_them_and_fade_to_a_note() -> None:
    line = Line()
    report(line, "a")
    for name in ("first", "latest"):
        line.hear(
            Repaired(ts=line.at, source="a", kind="cut", count=2, why="tool.result", sample=f"the {name}"),
            Malformed(ts=line.at, source="a", payload=b"{", error="no call_id"),
        )
        report(line, "a", seconds=5)
    found = source(line, "a")
    assert (found.state, found.refused, found.repaired) == ("attention", 2, 4)
    assert [trouble.text for trouble in found.troubles] == [
        "2 events refused: no call_id",
        "4 texts cut: tool.result",
    ]
    assert found.troubles[1].sample == "the latest"
    assert found.troubles[1].remedy == "send at most 20,000 characters of text, and 512 of a name"
    report(line, "a", seconds=620)
    assert source(line, "a").state == "note"


def test_ignored_events_are_told_and_need_attention_where_they_are_many() -> None:
    line = Line()
    report(line, "a")
    feed = line.session.engine.feed
    feed.ignore("a", "late turn.start")
    assert source(line, "a").state == "note"
    assert said(line, "a").startswith("1 event ignored: late turn.start -> the reply had come already")
    for _ in range(5):
        feed.ignore("a", "late turn.start")
    assert (source(line, "a").state, source(line, "a").ignored) == ("attention", 6)


def test_ten_thousand_sources_are_200_lines() -> None:
    line = Line()
    line.hear(*[SourceStatus(ts=line.at, source=f"s{n}") for n in range(10_000)])
    assert (len(panel(line).sources), panel(line).of) == (200, 2_000)


def test_events_without_a_source_have_a_line_of_their_own() -> None:
    line = Line()
    line.turn("c1", 800)
    line.pass_(1)
    assert said(line, "").startswith(
        "events that don't say which process sent them -> set `source` in every event"
    )
