"""What is known of the feed itself: clocks that are off, publishers that fell silent, time that stands still."""

from __future__ import annotations

import pytest

from engine.feeding import START, Line, Stamped, frames
from voicetop.engine.source_tracker import SourceTracker
from voicetop.wire.events import CallEnd, CallStart, Gap, Heartbeat, Operator, Repaired, SourceStatus, Turn

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


def test_a_silent_publisher_is_forgotten_after_a_while_unless_nobody_is_heard() -> None:
    line = Line()
    for name in ("a", "b"):
        line.tell(SourceStatus, source=name)
    line.pass_(700, every=5)
    seen = line.see()
    assert (seen.feed.publishers, seen.feed.publishers_silent, seen.verdict.severity) == (2, 2, "blind")
    for _ in range(2):
        line.tell(SourceStatus, source="c")
        line.pass_(5)
    seen = line.see()
    assert (seen.feed.publishers, seen.feed.publishers_silent) == (1, 0)
    assert seen.verdict.severity != "blind"


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


# -- ignored events ---------------------------------------------------------------------------------------------------


def test_ignored_events_are_counted_by_source_and_kind_within_bounds() -> None:
    line = Line()
    feed = line.session.engine.feed
    for n in range(10_000):
        feed.ignore(f"s{n}", "unknown call")
    feed.ignore("s0", "late")
    assert feed.ignored["s0"] == {"unknown call": 1, "late": 1}
    assert len(feed.ignored) == 2_001
    assert feed.ignored["other sources"] == {"unknown call": 8_000}


# -- sources ----------------------------------------------------------------------------------------------------------


def source(line: Line, name: str) -> SourceTracker:
    return line.session.engine.feed.sources[name]


def test_events_are_counted_by_source_with_their_rate_over_the_last_10_s() -> None:
    line = Line()
    for _ in range(40):
        line.hear(*[CallStart(ts=line.at, call_id="c1", source="busy")] * 6)
        line.tell(CallStart, "c2", source="quiet")
        line.pass_(1)
    feed = line.session.engine.feed
    assert (source(line, "busy").events, source(line, "quiet").events) == (240, 40)
    assert source(line, "busy").rate(feed.rate_times, line.at) == pytest.approx(6)
    line.pass_(20)
    assert source(line, "busy").rate(feed.rate_times, line.at) == 0
    assert (source(line, "busy").heard, source(line, "busy").since) == (START + 40, START + 1)


def test_at_a_high_rate_events_are_counted_by_source_from_a_sample() -> None:
    line = Line()
    for _ in range(20):
        line.hear(*[CallStart(ts=line.at, call_id="c1", source="ab"[n % 3 == 0]) for n in range(3_000)])
        line.pass_(1)
    assert source(line, "a").events == pytest.approx(40_000, rel=0.02)
    assert source(line, "b").events == pytest.approx(20_000, rel=0.02)
    line.pass_(20)
    line.tell(CallStart, "c1", source="b")
    before = source(line, "b").events
    line.pass_(1)
    assert source(line, "b").events == before + 1


def test_a_source_whose_events_come_is_not_silent_though_its_statuses_are_missing() -> None:
    line = Line()
    line.tell(SourceStatus, source="a")
    for _ in range(30):
        line.turn("c1", 800, source="a")
        line.pass_(1)
    assert line.see().feed.publishers_silent == 0
    assert line.see().verdict.severity != "blind"


def test_sources_without_a_status_leave_room_for_those_with_one() -> None:
    line = Line()
    line.hear(*[CallStart(ts=line.at, call_id="c", source=f"s{n}") for n in range(10_000)])
    line.pass_(1)
    line.tell(SourceStatus, source="told")
    feed = line.session.engine.feed
    assert len(feed.sources) == 1_001
    assert line.see().feed.publishers == 1


@pytest.mark.parametrize("sizes", [(), (1,), (2, 3), (1, 1, 1, 1)])
def test_sources_are_the_same_however_the_feed_is_cut(sizes: tuple[int, ...]) -> None:
    digests = set()
    for cut in ((), sizes):
        line = Line()
        told: list[Stamped] = [
            (START, CallStart(ts=START, call_id="c1", source="b")),
            (START, SourceStatus(ts=START, source="a")),
            (START, CallStart(ts=START, call_id="c2", source="c")),
            (START, SourceStatus(ts=START, source="b", leaving=True)),
            (START + 0.25, Heartbeat(ts=START + 0.25, seq=4)),
        ]
        for each in frames(told, cut, seq=line.session.seq + 1):
            line.session.feed(each)
        digests.add(line.session.digest())
    assert len(digests) == 1


def test_what_the_hub_says_of_bad_events_is_no_measure_of_the_lag() -> None:
    line = Line()
    for _ in range(4):
        line.tell(CallStart, "c1", source="a", ts=line.at - 40)
        line.hear(Repaired(ts=line.at, source="a", kind="cut", count=1, why="w"))
        line.pass_(1)
    assert line.see().feed.lag_s == 40


# -- leaving ----------------------------------------------------------------------------------------------------------


def goodbye(line: Line, name: str, active_calls: int = 0) -> None:
    line.tell(SourceStatus, source=name, leaving=True, active_calls=active_calls)


def test_a_publisher_that_left_is_not_missed() -> None:
    line = Line()
    for name in ("a", "b"):
        line.tell(SourceStatus, source=name)
    goodbye(line, "a")
    for _ in range(12):
        line.tell(SourceStatus, source="b")
        line.pass_(5)
    seen = line.see()
    assert (seen.feed.publishers, seen.feed.publishers_silent, seen.feed.left) == (1, 0, 1)
    assert seen.alerts.incidents == ()


def test_when_all_have_left_it_is_idle_says_since_when_and_stays_so() -> None:
    line = Line()
    line.tell(SourceStatus, source="a")
    line.turn("c1", 800, source="a")
    line.tell(CallEnd, "c1", source="a", reason="completed")
    line.pass_(4)
    goodbye(line, "a")
    for seconds in (1, 30, 900):
        line.pass_(seconds)
        seen = line.see()
        assert (seen.verdict.severity, seen.verdict.since) == ("idle", START + 4)
        assert seen.verdict.text == "no publisher connected: the last one has left"
        assert line.session.severity == "idle"
        assert seen.alerts.incidents == ()


def test_whatever_it_sends_later_brings_it_back() -> None:
    line = Line()
    line.tell(SourceStatus, source="a")
    goodbye(line, "a")
    line.pass_(60)
    line.turn("c1", 800, source="a")
    line.pass_(1)
    assert line.see().feed.publishers == 1
    assert line.see().verdict.severity != "idle"
    assert source(line, "a").since == START + 61
    line.pass_(20)
    assert line.see().verdict.severity == "blind"


def test_what_it_sends_with_its_goodbye_does_not_bring_it_back() -> None:
    line = Line()
    line.hear(
        SourceStatus(ts=START, source="a"),
        CallStart(ts=START, call_id="c1", source="a"),
        CallEnd(ts=START, call_id="c1", source="a", reason="completed"),
        SourceStatus(ts=START, source="a", leaving=True),
    )
    line.pass_(60)
    assert line.see().verdict.severity == "idle"


def test_one_that_leaves_with_calls_is_missed_after_15_s() -> None:
    line = Line()
    goodbye(line, "a", active_calls=2)
    line.pass_(20)
    assert line.see().verdict.severity == "blind"


def test_one_that_leaves_with_a_call_has_left_once_that_call_is_over() -> None:
    line = Line()
    line.tell(CallStart, "c1", source="a")
    line.tell(SourceStatus, source="a", active_calls=1)
    line.pass_(5)
    goodbye(line, "a", active_calls=1)
    line.pass_(60)
    assert line.see().verdict.severity == "blind"
    line.pass_(300)  # nothing was heard of the call: it is lost
    seen = line.see()
    assert (seen.verdict.severity, seen.feed.left) == ("idle", 1)


def test_one_that_left_beside_one_that_vanished_is_no_reason_to_be_calm() -> None:
    line = Line()
    line.tell(SourceStatus, source="gone")
    goodbye(line, "left")
    line.pass_(20)
    seen = line.see()
    assert (seen.verdict.severity, seen.feed.publishers, seen.feed.publishers_silent) == ("blind", 1, 1)


def test_a_call_that_its_publisher_left_behind_is_not_stuck() -> None:
    line = Line()
    line.tell(SourceStatus, source="a")
    line.wait("c1", source="a")
    line.pass_(2)
    goodbye(line, "a")
    line.pass_(60)
    seen = line.see()
    assert (seen.waiting.waiting, seen.waiting.unknown) == (0, 1)
    assert [one for one in seen.alerts.incidents if one.family == "waiting"] == []


def test_another_source_that_is_heard_is_not_idle() -> None:
    line = Line()
    goodbye(line, "a")
    for _ in range(30):
        line.turn("c1", 800, source="without a status")
        line.pass_(1)
    assert line.see().verdict.severity != "idle"
