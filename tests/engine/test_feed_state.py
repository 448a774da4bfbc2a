"""What is known of the feed itself: clocks that are off, publishers that fell silent, time that stands still."""

from __future__ import annotations

import pytest

from engine.feeding import START, Line, Stamped, frames
from voicetop.wire.events import CallStart, Gap, Heartbeat, Operator, SourceStatus, Turn

HOUR = 3_600.0


def publish(line: Line, off: float, seconds: int = 60, source: str = "agent-7") -> None:
    """A publisher whose clock is `off` sends its status and a turn every 5 s."""
    for _ in range(seconds // 5):
        line.tell(SourceStatus, ts=line.at + off, source=source)
        line.pass_(0.5, every=0.25)
        line.tell(Turn, "c1", ts=line.at + off - 0.1, source=source, e2e_ms=800.0)
        line.pass_(4.5)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_publisher_an_hour_off_lands_in_the_windows_and_its_skew_is_shown(off: float) -> None:
    line = Line()
    publish(line, off)
    seen = line.see(span="5m")
    assert seen.latency.e2e.p50.n == 12
    assert seen.feed.skewed == (("agent-7", -off),)
    publish(line, off, 400)
    assert 55 <= line.see(span="5m").latency.e2e.p50.n <= 60
    assert line.see(span="5m").feed.late == 0


@pytest.mark.parametrize("off", [1.0, -1.0, 0.0])
def test_what_may_be_the_network_is_no_skew(off: float) -> None:
    line = Line()
    publish(line, off)
    assert line.see().feed.skewed == ()


def test_only_the_clock_that_is_off_is_corrected() -> None:
    line = Line()
    publish(line, -HOUR, source="off")
    publish(line, 0.0, source="right")
    assert line.see().feed.skewed == (("off", HOUR),)
    assert line.see(span="5m").latency.e2e.p50.n == 24


def test_a_day_told_afterwards_is_no_skew() -> None:
    line = Line()
    for n in range(100):
        line.tell(SourceStatus, source="agent-7")
        line.turn("c1", 800, source="agent-7", ts=line.at - 20_000 + n)
        line.pass_(0.5)
    assert line.see().feed.skewed == ()
    assert line.see(span="24h").latency.e2e.p50.n == 100
    assert line.see(span="30m").latency.e2e.p50.n == 0


def test_a_slow_network_now_and_then_is_no_skew() -> None:
    line = Line()
    for n in range(40):
        line.tell(SourceStatus, ts=line.at - (20 if n % 4 else 0.1), source="agent-7")
        line.pass_(5)
    assert line.see().feed.skewed == ()


def test_a_clock_that_was_set_right_is_believed_again() -> None:
    line = Line()
    publish(line, -HOUR)
    publish(line, 0.0, 120)
    assert line.see().feed.skewed == ()


def test_nothing_happens_in_the_future() -> None:
    line = Line()
    line.turn("c1", 800, ts=line.at + 5 * HOUR)
    line.pass_(3)
    assert line.see(span="5m").latency.e2e.p50.n == 1


def test_publishers_that_fall_silent_are_counted_and_forgotten_after_a_while() -> None:
    line = Line()
    for name in ("a", "b"):
        line.tell(SourceStatus, source=name, dropped=3)
    line.pass_(10)
    line.tell(SourceStatus, source="a", dropped=4)
    line.pass_(10)
    feed = line.see().feed
    assert (feed.publishers, feed.publishers_silent, feed.dropped) == (2, 1, 7)
    line.pass_(10)
    verdict = line.see().verdict
    assert (verdict.severity, verdict.text) == (
        "blind",
        "hub is up, but none of its 2 publishers is sending",
    )
    line.pass_(700, every=5)
    assert line.see().feed.publishers == 0


def test_a_silent_hub_is_blind_since_its_last_word() -> None:
    line = Line()
    record_status = line.at
    line.beat(line.at + 2, local=True)
    assert line.see().verdict.severity != "blind"
    line.beat(line.at + 10, local=True)
    seen = line.see()
    assert (seen.verdict.severity, seen.verdict.since, seen.feed.silent_s) == ("blind", record_status, 12)
    line.beat(line.at + 0.25)
    assert line.see().verdict.severity != "blind"
    assert line.see().feed.silent_s == 0


def test_events_are_counted_with_their_rate_lag_and_gaps() -> None:
    line = Line()
    line.pass_(20)
    for _ in range(20):
        line.hear(*[CallStart(ts=line.at - 0.2, call_id="c1")] * 5)
        line.pass_(1)
    line.tell(Gap, from_seq=10, to_seq=14, why="slow")
    feed = line.see().feed
    assert (feed.events, feed.gaps, feed.missed) == (101, 1, 5)
    assert feed.events_per_s == pytest.approx(5)
    assert feed.lag_s == pytest.approx(0.2)


def test_ten_thousand_sources_stay_bounded() -> None:
    line = Line()
    line.hear(*[SourceStatus(ts=line.at, source=f"s{n}") for n in range(10_000)])
    assert line.see().feed.publishers == 2_000


@pytest.mark.parametrize("sizes", [(), (1,), (2,), (1, 1), (3,)])
def test_a_note_about_long_ago_is_no_lag_however_the_feed_is_cut(sizes: tuple[int, ...]) -> None:
    line = Line()
    at = START + 0.5
    note = Operator(ts=START - 600, act="note", by="ada", text="it began here")
    told: list[Stamped] = [
        (at, Turn(ts=at - 0.2, call_id="a", e2e_ms=1.0)),
        (at, note),
        (at, note),
        (at, Heartbeat(ts=at, seq=9)),
    ]
    for each in frames(told, sizes, seq=line.session.seq + 1):
        line.session.feed(each)
    snap = line.see()
    assert snap.feed.lag_s == pytest.approx(0.2)
    assert [memo.at for memo in snap.memos] == [START - 600] * 2


def test_the_feed_says_how_far_back_it_reaches() -> None:
    line = Line(at=START + 47)
    assert line.see().feed.covered_s == 0
    line.turn("c1", 800)
    line.pass_(13)
    assert 13 <= line.see().feed.covered_s <= 23
    line.pass_(300)
    assert 313 <= line.see().feed.covered_s <= 373
    line.turn("c0", 800, ts=line.at - 20_000)
    line.pass_(13)
    assert 20_000 <= line.see().feed.covered_s <= 20_013 + 900


# -- catching up ------------------------------------------------------------------------------------------------------


def send(line: Line, lags: list[float], *, events: int = 30) -> list[float]:
    """The events of each heartbeat so many seconds late; returns how far behind the feed said it was."""
    said = []
    for lag in lags:
        line.hear(*[Turn(ts=line.at - lag, call_id="c1", e2e_ms=800.0)] * events)
        line.pass_(0.25, every=0.25)
        said.append(line.see().feed.behind_s)
    return said


def test_a_feed_that_loads_its_history_is_behind_until_it_has_caught_up() -> None:
    line = Line()
    said = send(line, [21_600 * 0.8**n for n in range(28)])
    assert said[0] == 0
    assert all(behind > 0 for behind in said[1:])
    assert said[5] == pytest.approx(21_600 * 0.8**5)
    assert send(line, [0.2] * 8)[4:] == [0] * 4


def test_a_backlog_that_is_sent_at_twice_its_speed_is_behind() -> None:
    line = Line()
    send(line, [0.2] * 40)
    said = send(line, [180 - n / 4 for n in range(60)])
    assert all(behind > 0 for behind in said[8:])


@pytest.mark.parametrize("late", [50.0, 108_000.0])
def test_late_events_now_and_then_are_not_behind(late: float) -> None:
    line = Line()
    send(line, [0.2] * 3)
    said = send(line, [late if n % 3 == 0 else 0.2 for n in range(60)])
    assert set(said) == {0}


def test_old_calls_at_the_start_of_a_feed_are_not_behind() -> None:
    assert set(send(Line(), [108_000.0] * 10)) == {0}
    assert set(send(Line(), [108_000.0 - 5 * n for n in range(10)], events=1)) == {0}


def test_a_feed_that_is_always_late_is_not_catching_up() -> None:
    line = Line()
    said = send(line, [40 + (n * 7 % 10) / 10 for n in range(80)])
    assert set(said) == {0}
    assert line.see().feed.lag_s > 40
    assert "feed.late" in [one.rule for one in line.session.alerts.incidents.opened]


def test_a_healthy_publisher_beside_it_changes_nothing() -> None:
    line = Line()
    said = []
    for n in range(40):
        said += send(line, [21_600 - 360 * n])
        line.tell(SourceStatus, source="healthy")
        line.turn("c2", 700, source="healthy")
        if n % 3 == 0:
            line.pass_(0.25, every=0.25)
    assert all(behind > 0 for behind in said[6:])


def test_history_that_breaks_off_is_not_behind_for_ever() -> None:
    line = Line()
    assert send(line, [21_600 - 360 * n for n in range(20)])[-1] > 0
    line.pass_(10)
    assert line.see().feed.behind_s == 0


def test_publishers_that_are_gone_are_silent_since_the_last_status() -> None:
    line = Line()
    line.tell(SourceStatus, source="a")
    line.pass_(15)
    assert line.see().feed.publishers_silent_s == 0
    line.pass_(7)
    seen = line.see()
    assert seen.feed.publishers_silent_s == 22
    assert (seen.verdict.severity, seen.verdict.since) == ("blind", START)
