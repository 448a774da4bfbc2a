"""A point of a chart is what the headline would be over a window of just its time, whatever came later."""

from __future__ import annotations

from collections.abc import Callable

from engine.feeding import START, Line
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import Series, View
from voicetop.session import Session
from voicetop.wire.events import CallEnd, CallUpdate, Error, SourceStatus, TurnStart

MINUTE = START + 60.0
"""The end of the first minute."""


def fleet(calls: int = 20) -> Line:
    """Calls with a turn each, 30 s into a quarter of an hour."""
    line = Line(EngineConfig(lost_after_s=1e6), at=START)
    for number in range(calls):
        line.begin(f"c{number}", tier="gold" if number < 10 else "free")
    line.beat(START + 30)
    for number in range(calls):
        line.turn(f"c{number}", 900.0, turn=0)
    return line


def point(series: Series | None, at: float) -> tuple[float, bool, int]:
    """(value, at least, n) of the point that holds a time."""
    assert series is not None
    index = int((at - series.start) // series.step)
    return series.values[index], series.at_least[index], series.n[index]


def p95(line: Line, at: float, **view: str) -> tuple[float, bool, int]:
    return point(line.see(where=tuple(view.items())).latency.chart, at)


def trend(line: Line, name: str, at: float) -> tuple[float, bool, int]:
    trends = line.see(trends=True).trends
    assert trends is not None
    return point(next(series for named, _, series in trends.lines if named == name), at)


def stuck(line: Line, calls: int = 5) -> None:
    """Callers who wait for the last 20 s of the minute, and for the first 10 s of the next."""
    line.beat(MINUTE - 20)
    for number in range(calls):
        line.wait(f"c{number}", turn=1)
    line.pass_(MINUTE + 10 - line.at)


def about(seconds: float, value: float) -> bool:
    return abs(value / 1000 - seconds) < 0.01 * seconds


def test_who_is_still_waiting_counts_in_the_minute_that_is_over_as_at_its_end() -> None:
    line = fleet()
    stuck(line)
    value, at_least, n = p95(line, START)
    assert (about(20, value), at_least, n) == (True, True, 25)


def test_the_point_stays_when_the_reply_comes_after_all() -> None:
    line = fleet()
    stuck(line)
    before = p95(line, START)
    for number in range(5):
        line.turn(f"c{number}", 30_000.0, turn=1)
    line.pass_(5)
    assert p95(line, START) == before
    value, at_least, n = p95(line, MINUTE)
    assert (about(30, value), at_least, n) == (True, False, 5)


def test_the_points_stay_whichever_way_the_wait_ends() -> None:
    ends: tuple[Callable[[Line, str], None], ...] = (
        lambda line, call: line.tell(CallEnd, call, reason="user_hangup"),
        lambda line, call: line.tell(CallUpdate, call, state="held"),
        lambda line, call: line.wait(call, turn=2),
        lambda line, call: line.turn(call, float("nan"), turn=1, status="cancelled"),
    )
    for end in ends:
        line = fleet()
        stuck(line)
        before = p95(line, START)
        for number in range(5):
            end(line, f"c{number}")
        line.pass_(2)
        assert p95(line, START) == before


def test_the_youngest_point_is_the_headline_of_the_same_calls() -> None:
    line = fleet()
    line.wait("c0", turn=1)
    line.wait("c1", turn=1)
    line.beat(START + 50)
    snap = line.see()
    assert snap.latency.chart is not None
    headline = snap.latency.e2e.p95
    assert p95(line, START) == (headline.value, headline.at_least, headline.n)
    assert (about(20, headline.value), headline.at_least, headline.n) == (True, True, 22)
    assert snap.latency.chart.until == START + 50
    assert trend(line, "P95", START) == p95(line, START)


def test_a_reply_of_the_minute_before_that_arrives_late_counts_once() -> None:
    line = fleet()
    line.wait("c0", turn=1, ts=START + 55)
    line.beat(MINUTE + 0.2)
    assert p95(line, START)[2] == 21
    line.turn("c0", 4_000.0, turn=1, ts=START + 59)
    line.beat(MINUTE + 1)
    assert p95(line, START)[2] == 21
    assert not p95(line, START)[1]


def test_waits_move_with_their_call_to_a_segment_that_becomes_known() -> None:
    line = fleet()
    stuck(line)
    for number in range(5):
        line.turn(f"c{number}", 30_000.0, turn=1)
        line.tell(CallUpdate, f"c{number}", segments={"intent": "billing"})
    line.pass_(5)
    value, at_least, n = p95(line, START, intent="billing")
    assert (about(20, value), at_least, n) == (True, True, 10)
    assert p95(line, START, tier="free") == (900.0, False, 10)


def errors(line: Line, at: float) -> tuple[float, bool, int]:
    return point(line.see().errors.chart, at)


def test_a_call_counts_in_every_minute_in_which_it_has_an_error() -> None:
    line = fleet()
    line.tell(Error, "c0", component="llm", category="timeout")
    line.pass_(MINUTE + 10 - line.at)
    line.tell(Error, "c0", component="llm", category="timeout")
    line.tell(Error, "c0", component="llm", category="timeout")
    line.pass_(60)
    line.tell(Error, "c1", component="llm", category="timeout")
    line.pass_(1)
    assert [errors(line, START + 60 * n)[0] for n in range(3)] == [1 / 20] * 3
    assert trend(line, "errors", START) == (2 / 20, False, 20)
    assert line.see().errors.rate.value == 2 / 20


def test_an_error_that_becomes_known_after_a_later_one_counts_in_its_own_minute() -> None:
    line = fleet()
    for minutes in (4, 2, 1, 2):
        line.beat(START + 60 * 4 + 30)
        line.tell(Error, "c0", component="llm", category="timeout", ts=START + 60 * minutes + 5)
    line.beat(START + 60 * 4 + 31)
    assert [round(20 * errors(line, START + 60 * n)[0]) for n in range(5)] == [0, 1, 1, 0, 1]


def test_a_wait_that_goes_on_counts_where_its_publisher_was_silent_for_a_while() -> None:
    line = fleet()
    line.tell(SourceStatus, source="agent-1")
    line.hear(TurnStart(ts=line.at, call_id="c0", turn=1))
    line.pass_(60)
    assert p95(line, START)[2] == 20
    line.tell(SourceStatus, source="agent-1")
    line.pass_(6)
    assert p95(line, START)[2] == 21
    line.turn("c0", 66_000.0, turn=1)
    line.pass_(1)
    assert p95(line, START)[2] == 21


def test_error_rates_are_of_the_calls_live_at_the_end_and_those_that_ended() -> None:
    line = fleet()
    for number in range(4):
        line.tell(CallEnd, f"c{number}", reason="completed")
    line.pass_(MINUTE + 10 - line.at)
    for number in range(4, 10):
        line.tell(CallEnd, f"c{number}", reason="completed")
    line.begin("new")
    line.pass_(60)
    assert [errors(line, START + 60 * n)[2] for n in (0, 1, 2)] == [20, 17, 11]
    assert line.see().errors.rate.n == 21


def test_quarters_and_hours_remember_who_waited_at_their_end_when_minutes_are_gone() -> None:
    line = fleet()
    line.beat(START + 880)
    for number in range(5):
        line.wait(f"c{number}", turn=1)
    line.beat(START + 910)
    for number in range(20):
        line.turn(f"c{number}", 30_000.0 if number < 5 else 900.0, turn=1)
        line.tell(CallEnd, f"c{number}", reason="completed")
    before = trend(line, "P95", START)
    assert (about(20, before[0]), before[1:]) == (True, (True, 25))
    line.beat(START + 10 * 3600)
    assert trend(line, "P95", START) == before
    ends = line.session.engine.ledger.past_ends.slots
    assert list(ends) == [(START + 900) // 60]
    line.beat(START + 30 * 3600)
    assert not ends


def test_a_session_that_joins_half_way_has_the_same_past() -> None:
    line = fleet()
    stuck(line)
    line.tell(Error, "c0", component="llm", category="timeout", ts=START + 31)
    line.tell(Error, "c0", component="llm", category="timeout")
    line.turn("c0", 30_000.0, turn=1)
    other = Session()
    other.load(line.session.checkpoint())
    assert other.digest() == line.session.digest()
    view = View(trends=True, dimension="hour")
    assert repr(other.snapshot(view)) == repr(line.session.snapshot(view))
