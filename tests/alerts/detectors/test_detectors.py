"""The desk at the end of a feed: what can't wait, who waits, how full it is, and the same words however it came."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from alerts.planted import baseline
from engine.feeding import START, Line, Stamped, frames
from engine.traffic import Traffic
from voicetop.alerts.alerts import Alerts
from voicetop.alerts.detectors import capacity, feed, waiting
from voicetop.alerts.detectors.all import DetectorSet
from voicetop.alerts.detectors.intents import compare
from voicetop.alerts.detectors.runaway import threshold_of
from voicetop.alerts.incident_text import blame_line
from voicetop.engine.capacity import CapacityLoad
from voicetop.session import Session
from voicetop.wire.events import (
    CallEnd,
    CallOutcome,
    CallStart,
    Error,
    Heartbeat,
    Latency,
    Security,
    SourceStatus,
    Turn,
    TurnStart,
    Usage,
)


def signals(line: Line) -> dict[str, str]:
    """What the desk says at the next mark: tier by rule."""
    desk, engine = DetectorSet(), line.session.engine
    return {
        signal.rule: signal.tier for signal in (*desk.urgent(engine, line.at), *desk.step(engine, line.at))
    }


class Room(Line):
    """A line whose detectors are asked by the test alone."""

    def __init__(self) -> None:
        super().__init__()
        self.session.alerts.detectors = ()


def test_a_compliance_violation_and_a_security_event_are_told_at_once() -> None:
    line = Room()
    line.begin("a")
    line.tell(CallOutcome, "a", evaluator="judge", compliance_violation=True, label="no consent")
    line.hear(Security(ts=line.at, kind="injection", label="prompt injection"))
    assert signals(line) == {"compliance.no consent": "critical", "security.prompt injection": "critical"}


def test_a_mild_security_event_does_not_page() -> None:
    line = Room()
    line.hear(Security(ts=line.at, kind="login", label="odd login", severity="low"))
    assert signals(line) == {"security.odd login": "warning"}


def test_callers_who_sit_in_silence_are_an_outage_though_nothing_failed() -> None:
    line = Room()
    for name in "abcd":
        line.begin(name)
        line.wait(name)
    line.pass_(12.0)
    (found,) = waiting.signals(line.session.engine, line.at)
    assert (found.tier, found.calls, found.n) == ("critical", 4, 4)
    assert found.text == "4 of 4 waiting callers stuck for over 8 s"


def test_callers_whose_publishers_are_not_heard_are_not_known_to_sit_in_silence() -> None:
    line = Room()
    for name in "abcd":
        line.begin(name)
        line.wait(name)
    line.hear(SourceStatus(ts=line.at, source="agent-1"))
    line.pass_(12.0)
    assert waiting.signals(line.session.engine, line.at) == []
    line.hear(SourceStatus(ts=line.at, source="agent-1"))
    line.pass_(4.0)
    assert waiting.signals(line.session.engine, line.at) == [], "the replies may be on their way"
    line.pass_(1.0)
    assert [one.tier for one in waiting.signals(line.session.engine, line.at)] == ["critical"]


@pytest.mark.parametrize(
    ("live", "tier", "because"),
    [
        (8, None, ""),
        (9, "warning", "warn at 9 = 90 % of the tested limit of 10"),
        (10, "critical", "critical at the tested limit of 10"),
        (12, "critical", "critical at the tested limit of 10"),
    ],
)
def test_a_line_that_is_nearly_full_is_told_by_the_line_it_crossed(
    live: int, tier: str | None, because: str
) -> None:
    line = Room()
    line.session.engine.load = CapacityLoad(limit=10)
    for number in range(live):
        line.begin(f"c{number}")
    line.pass_(1.0)
    found = capacity.signals(line.session.engine, line.at)
    assert [(signal.tier, signal.because) for signal in found] == ([(tier, because)] if tier else [])
    for signal in found:
        assert signal.text == f"{live} live calls, {live}0 % of the tested limit of 10"
        assert (
            blame_line(signal) == f"{live / 5:.0f} calls per minute start (n {live} in 5 min) · all segments"
        )


def test_who_hears_nothing_says_that_it_is_blind() -> None:
    line = Room()
    for second in range(1, 16):
        line.beat(START + second, local=True)
    (found,) = feed.signals(line.session.engine, line.at)
    assert (found.rule, found.tier) == ("feed.silent", "critical")
    assert "blind" in found.text


def test_events_that_go_on_coming_late_are_told() -> None:
    line = Room()
    for beat in range(1, 40):
        line.tell(CallStart, f"c{beat}", ts=line.at - 30.0)
        line.pass_(0.25, every=0.25)
        found = feed.signals(line.session.engine, line.at)
        assert not found or beat >= 20
    assert [(signal.rule, signal.text) for signal in found] == [("feed.late", "events come 30 s late")]


def test_a_day_that_is_told_at_once_is_not_late() -> None:
    """A publisher that was away, or joins with its history, catches up: each event is less late than the last."""
    line = Room()
    for beat in range(1, 60):
        line.tell(CallStart, f"c{beat}", ts=line.at - 86_400 * 0.9**beat)
        line.pass_(0.25, every=0.25)
        assert feed.signals(line.session.engine, line.at) == []


def test_before_the_first_heartbeat_nothing_is_known() -> None:
    desk, line = DetectorSet(baseline()), Room()
    for second in range(-295, 0, 5):
        assert desk.step(line.session.engine, START + second) == []


def test_a_label_nobody_knew_is_told_at_its_fifth_call() -> None:
    line = Room()
    desk = DetectorSet(baseline())
    for number in range(6):
        line.begin(f"c{number}", intent="pricing_tiers", language="en")
        line.tell(CallEnd, f"c{number}", reason="completed")
        line.pass_(5.0, every=5.0)
        found = [signal for signal in desk.step(line.session.engine, line.at) if signal.family == "intent"]
        assert [signal.rule for signal in found] == (["intent.pricing_tiers"] if number >= 4 else [])


def test_a_mix_is_as_far_from_itself_as_nothing() -> None:
    import numpy as np

    assert compare(np.array([50.0, 50.0]), np.array([5e3, 5e3]))[1] == pytest.approx(0)
    g, distance = compare(np.array([90.0, 10.0]), np.array([5e3, 5e3]))
    assert g > 30
    assert distance > 0.1


def test_one_call_that_costs_what_no_call_costs_is_told() -> None:
    known = baseline()
    known.dearest = [60_000 + 100 * number for number in range(100)]
    assert 60_000 < threshold_of(known) < 400_000
    line, desk = Room(), DetectorSet(known)
    line.begin("a", intent="billing")
    line.tell(Usage, "a", component="llm", cost_usd=3.0)
    line.tell(CallEnd, "a", reason="completed")
    line.pass_(5.0, every=5.0)
    found = {signal.rule: signal.text for signal in desk.step(line.session.engine, line.at)}
    assert found["cost.runaway"] == "one call cost $3.00"


def test_while_it_learns_the_presets_of_the_verdict_speak() -> None:
    line = Line()
    for n in range(60):
        line.begin(f"c{n}")
        if n % 2 == 0:
            line.tell(Error, f"c{n}", component="llm", category="timeout")
    line.pass_(30)
    snap = line.see()
    assert snap.alerts is not None
    assert snap.alerts.learning_s > 0
    (row,) = [row for row in snap.alerts.incidents if row.family == "errors"]
    assert (row.tier, row.where) == ("critical", ())
    assert "n 60" in row.text


def test_an_outage_before_anything_is_learned_is_not_learned_from() -> None:
    line, desk = Room(), DetectorSet()
    for n in range(60):
        line.begin(f"c{n}")
        line.tell(Error, f"c{n}", component="llm", category="timeout")
    line.pass_(10)
    for _ in range(12):
        line.pass_(5)
        line.see()
        desk.step(line.session.engine, line.at)
    assert desk.learning_s(line.session.engine, line.at) > 880


def test_what_has_learned_needs_no_presets() -> None:
    line = Room()
    for n in range(60):
        line.begin(f"c{n}")
        line.tell(Error, f"c{n}", component="llm", category="timeout")
    line.pass_(10)
    desk = DetectorSet(baseline())
    line.pass_(5)
    assert not [signal for signal in desk.step(line.session.engine, line.at) if "preset" in signal.rule]


def test_a_desk_says_how_long_it_still_learns() -> None:
    line, desk = Room(), DetectorSet()
    assert desk.learning_s(line.session.engine, line.at) == 900.0
    assert DetectorSet(baseline()).learning_s(line.session.engine, line.at) == 0.0


def _outage() -> list[Stamped]:
    """Twenty minutes of a busy fleet whose model fails in the last ten."""
    dice = random.Random(5)
    told: list[Stamped] = []
    for second in range(1, 1_200):
        at = START + second
        name = f"c{second}"
        told.append((at, TurnStart(call_id=name, ts=at - 1, turn=0)))
        told.append(
            (at, Turn(call_id=name, ts=at, turn=0, e2e_ms=700.0, latency=Latency(stt=100.0, llm_ttft=400.0)))
        )
        if dice.random() < (0.4 if second > 600 else 0.003):
            told.append((at, Error(call_id=name, ts=at, component="llm", category="server")))
        told.append((at, CallEnd(call_id=name, ts=at, reason="completed")))
        if second % 5 == 0:
            told.append((at, Heartbeat(ts=at, seq=0)))
    return told


def _said(
    told: list[Stamped], sizes: Iterator[int], state: bytes = b""
) -> tuple[list[tuple[float, str, str]], Session]:
    session = Session(alerts=Alerts((DetectorSet(baseline()),)))
    if state:
        session.load(state)
    said: list[tuple[float, str, str]] = []
    session.on_effect.append(lambda effect: said.append((effect.at, effect.reason, effect.incident_id)))
    for part in frames(told, sizes, seq=session.seq + 1):
        session.feed(part)
    return said, session


def test_the_same_recording_gives_the_same_alerts_at_the_same_stamps_however_it_is_cut() -> None:
    told, dice = _outage(), random.Random(1)
    whole, one = _said(told, iter(()))
    assert next(at - START for at, reason, _ in whole if reason == "fired") == pytest.approx(615, abs=15)
    for _ in range(2):
        said, other = _said(told, iter([dice.randrange(1, 300) for _ in range(400)]))
        assert said == whole
        assert other.digest() == one.digest()


def test_a_console_that_joins_in_the_middle_says_the_same() -> None:
    told = _outage()
    middle = (
        next(n for n, (at, event) in enumerate(told) if at >= START + 615 and isinstance(event, Heartbeat))
        + 1
    )
    whole, one = _said(told, iter(()))
    first, session = _said(told[:middle], iter(()))
    rest, other = _said(told[middle:], iter(()), session.checkpoint())
    assert first + rest == whole
    assert other.digest() == one.digest()


def test_what_a_feed_makes_up_does_not_break_the_desk() -> None:
    session = Session()
    for part in frames(list(Traffic(3, calls=25).stream(4_000)), iter(())):
        session.feed(part)
    assert session.digest()
