"""Every figure on every screen is what the raw records say, and no two places show two values for one thing."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf

import pytest

from truth import oracle
from truth.claims import Claim, claims, contradictions, wrong
from truth.feeds import RECORDINGS, START, Look, as_they_are, looks, simulated, together
from truth.figures import (
    NAN,
    answers,
    answers_of_call,
    answers_over_time,
    chosen,
    of_charts,
    of_snapshot,
)  # fmt: skip
from truth.oracle import Answer, Call
from truth.screens import (
    COMPACT,
    PLOTS,
    WIDE,
    Painted,
    of_calls,
    of_compact,
    of_plain,
    of_plot,
    of_segments,
    of_verdict,
    of_wide,
)  # fmt: skip
from voicetop.cli import plain
from voicetop.engine.snapshot import Span, View, Where
from voicetop.recording.export import to_openmetrics
from voicetop.simulator import SCENARIOS
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.overview import OverviewPage
from voicetop.ui.screens.segments import SegmentsPage
from voicetop.ui.screens.trends import TrendsPage

OFTEN = frozenset(
    {
        "abandon_step",
        "asr_timeouts",
        "cost_double",
        "llm_outage",
        "seg_errors",
        "sentiment_deploy",
        "traffic_drop",
    }
)
"""Simulated incidents that are looked at in every run: one of each kind of figure."""
MOMENTS = {"llm-outage": (60.0, 160.0, 240.0, 310.0, 475.0), "billing-es-v42": (60.0, 190.0, 410.0)}
"""Seconds into a recording: before its incident, during it, right after its end, and later."""
FILTERS: tuple[Where, ...] = (
    (),
    (("language", "es"),),
    (("intent", "billing"), ("language", "es"), ("version", "v42")),
)
DIMENSIONS = ("intent", "language", "version")


def three_calls(look: Look) -> Where:
    """A segment with three live calls, or as near to that as there is."""
    live = [call.segments for call in look.calls if not call.reason]
    counts = Counter(tuple(sorted(segments.items()))[:3] for segments in live if segments)
    return min(counts, key=lambda where: (abs(counts[where] - 3), where))


def of_panels(look: Look, where: Where, span: Span) -> Iterator[Claim]:
    """What a snapshot says; the figures that are in it are all that there are."""
    snap = look.session.snapshot(View(span=span, where=where))
    true = answers(chosen(look.calls, where), snap.at, span, snap.waiting.over_s)
    shown = dict(of_snapshot(snap))
    missing = [name for name, answer in true.items() if answer.n and name not in shown]
    yield from claims(f"snapshot, {span}", [*shown.items(), *((name, 0.0) for name in missing)], true)


def of_screens(look: Look, where: Where) -> Iterator[Claim]:
    """What the Overview says on a small screen and on a large one, and `--plain`. "of all": of the whole fleet."""
    compact = Painted(look.session, OverviewPage, View(where=where), COMPACT)
    wide = Painted(look.session, OverviewPage, View(where=where), WIDE)
    at, over_s = wide.snap.at, wide.snap.waiting.over_s
    true = answers(chosen(look.calls, where), at, "5m", over_s)
    true |= {f"{name} of all": answer for name, answer in answers(look.calls, at, "5m", over_s).items()}
    yield from claims("overview 80×24", of_compact(compact.text), true)
    yield from claims("overview 200×50", of_wide(wide.lines), true)
    yield from claims("--plain", of_plain(plain.line(wide.snap)), true)
    yield from claims("verdict", of_verdict(wide.snap.verdict.text), true)


def of_call_list(look: Look, where: Where) -> Iterator[Claim]:
    """What the rows of Calls say."""
    page = Painted(look.session, CallsPage, View(where=where), WIDE)
    true = {name: a for call in look.calls for name, a in answers_of_call(call, page.snap.at).items()}
    yield from claims("calls", of_calls(page.lines), true)


def of_segment_table(look: Look, where: Where, dimension: str) -> Iterator[Claim]:
    """What the rows of Segments say."""
    page = Painted(look.session, SegmentsPage, View(where=where), WIDE, dimension=dimension)
    at, over_s = page.snap.at, page.snap.waiting.over_s
    for value, said in of_segments(page.lines):
        mine: list[Call] = []
        rest: list[Call] = []
        for call in chosen(look.calls, where):
            own = call.segments.get(dimension) or "(unset)"
            here = own.startswith(value[:-1]) if value.endswith("…") else own == value
            (mine if here else rest).append(call)
        true = answers(mine, at, "5m", over_s)
        true["rest P95"] = answers(rest, at, "5m", over_s).get("P95 e2e", Answer(NAN, 0))
        yield from claims(f"segments, {dimension}={value}", said, true)


def of_plots(look: Look, where: Where, *, trends: bool) -> Iterator[Claim]:
    """What the charts of the Overview say, or those of Trends: every point, and the words around them."""
    kind, page_name = (TrendsPage, "trends") if trends else (OverviewPage, "overview")
    snap = Painted(look.session, kind, View(where=where), WIDE).snap
    series = snap.trends.lines[0][2] if snap.trends else snap.latency.chart
    assert series is not None
    true = answers_over_time(chosen(look.calls, where), snap.at, series)
    yield from claims(f"charts of {page_name}", of_charts(snap), true)
    more = {"escalation": "escalation", "calls": "started", "sentiment": "sentiment"} if trends else {}
    for panel, name in (PLOTS | more).items():
        for reading in (False, True):
            page = Painted(
                look.session, kind, View(where=where), COMPACT, focus=panel, large=True, reading=reading
            )
            yield from claims(f"{page_name}, {panel} {reading=}", of_plot(page, name), true)


def mistakes(said: Sequence[Claim], where: Where) -> list[str]:
    if not where:
        said = [claim._replace(name=claim.name.removesuffix(" of all")) for claim in said]
    return [f"{words} ({where})" for words in (*wrong(said), *contradictions(said))]


def check_screens(look: Look, where: Where) -> None:
    """Those that everybody sees at once, and so have to agree."""
    assert mistakes([*of_panels(look, where, "5m"), *of_screens(look, where)], where) == []


def check_tables(look: Look, where: Where, dimensions: Sequence[str]) -> None:
    tables = [claim for dimension in dimensions for claim in of_segment_table(look, where, dimension)]
    assert wrong([*of_call_list(look, where), *tables]) == []


def check_plots(look: Look, where: Where, *, trends: bool) -> None:
    assert mistakes(list(of_plots(look, where, trends=trends)), where) == []


@pytest.mark.parametrize("name", MOMENTS)
def test_a_recording_is_shown_as_it_was(name: str) -> None:
    for number, look in enumerate(looks(oracle.read(str(RECORDINGS / f"{name}.vtr")), MOMENTS[name])):
        for where in (*FILTERS, three_calls(look)):
            check_screens(look, where)
        check_tables(look, (), DIMENSIONS[number % 3 :][:1])
        check_plots(look, FILTERS[number % 3], trends=number % 3 == 1)
    assert wrong([*of_panels(look, (), "30m"), *of_panels(look, (), "24h")]) == []


@pytest.mark.parametrize(
    "incident",
    [pytest.param(name, marks=[] if name in OFTEN else pytest.mark.soak) for name in sorted(SCENARIOS)],
)
def test_a_simulated_incident_is_shown_as_it_was(incident: str) -> None:
    records = simulated(incident, at=10.0, duration=120.0, until=220.0)
    for look in looks(records, (90.0, 215.0)):
        check_screens(look, ())
        if look.session.at == START + 90.0:
            check_screens(look, three_calls(look))
            check_tables(look, (), ("intent",))
        else:
            check_plots(look, (), trends=False)


def test_the_callers_of_a_silent_publisher_are_unknown() -> None:
    one, other = (
        simulated("healthy", at=0.0, duration=0.0, until=100.0, source=source) for source in ("one", "other")
    )
    cut = [record for record in other if record[0] <= START + 60.0]
    unknown: list[int] = []
    for look in looks(together(one, cut), (55.0, 66.0, 69.0, 90.0)):
        check_screens(look, ())
        check_plots(look, (), trends=False)
        unknown.append(look.session.snapshot(View()).waiting.unknown)
    assert unknown[:2] == [0, 0]
    assert unknown[2] == unknown[3] > 0


def test_noise_on_the_line_is_no_wait() -> None:
    records = simulated("healthy", at=0.0, duration=0.0, until=100.0)
    turns = [event for _, event in records if event["type"] == "turn" and event["ts"] > START]
    for turn in turns[::18]:
        turn["status"] = "noise"
        turn.pop("e2e_ms", None)
        turn.pop("latency", None)
    for look in looks(records, (45.0, 100.0)):
        check_screens(look, ())
        check_plots(look, (), trends=False)


def test_calls_are_shown_as_they_were_however_their_publishers_tell_them() -> None:
    records = as_they_are(simulated("llm_outage", at=10.0, duration=60.0, until=150.0), random.Random(4))
    for look in looks(records, (60.0, 150.0)):
        check_screens(look, ())
        check_screens(look, three_calls(look))
        check_tables(look, (), ("intent",))
        check_plots(look, (), trends=False)
    ignored = look.session.engine.feed.ignored["fleet"]
    assert ignored.keys() == {"late turn.start"}
    assert len([call for call in look.session.engine.roster.live.values() if call.turn_base]) >= 5
    assert len([call for call in look.session.engine.roster.live.values() if call.amendments]) >= 20


@pytest.mark.parametrize("name", MOMENTS)
def test_exported_metrics_end_where_the_recording_does(name: str) -> None:
    records = oracle.read(str(RECORDINGS / f"{name}.vtr"))
    out = io.StringIO()
    to_openmetrics(((at, seq, False, "", event) for seq, (at, event) in enumerate(records)), out)
    exported: Counter[str] = Counter()
    for line in out.getvalue().splitlines():
        if not line.startswith("#") and float(line.split()[-1]) > records[-1][0]:
            exported[line.split("{")[0].split()[0]] += round(float(line.split()[-2]))
    calls = oracle.calls_at(records[-1][0], records)
    turns = [event for call in calls for _, event in call.of("turn")]
    names = ("calls_live", "callers_waiting", "calls_ended_total", "turns_total")
    assert {name: exported[f"voicetop_{name}"] for name in names} == {
        "calls_live": sum(not call.reason for call in calls),
        "callers_waiting": sum(until == inf for call in calls for _, until, _ in call.waits),
        "calls_ended_total": sum(bool(call.reason) for call in calls),
        "turns_total": len(turns),
    }
    assert exported["voicetop_errors_total"] == sum(len(call.of("error")) for call in calls)
    assert exported["voicetop_turn_e2e_seconds_count"] == sum("e2e_ms" in event for event in turns)
