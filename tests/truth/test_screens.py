"""Every figure on every screen is what the raw records say, and no two places show two values for one thing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from truth import oracle
from truth.claims import Claim, claims, contradictions, wrong
from truth.feeds import RECORDINGS, Look, looks, simulated
from truth.figures import NAN, answers, answers_of_call, chosen, of_snapshot
from truth.oracle import Answer, Call
from truth.screens import (
    COMPACT,
    WIDE,
    Painted,
    of_calls,
    of_compact,
    of_plain,
    of_segments,
    of_verdict,
    of_wide,
)
from truth.test_figures import FILTERS, MOMENTS, three_calls
from voicetop.cli import plain
from voicetop.engine.snapshot import View, Where
from voicetop.simulator import SCENARIOS
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.overview import OverviewPage
from voicetop.ui.screens.segments import SegmentsPage


def on_screens(look: Look, where: Where) -> Iterator[Claim]:
    """What every screen says with a filter; a name with "of all" is of the whole fleet."""
    view = View(where=where)
    compact = Painted(look.session, OverviewPage, view, COMPACT)
    wide = Painted(look.session, OverviewPage, view, WIDE)
    snap = wide.snap
    true = answers(chosen(look.calls, where), snap.at, "5m", snap.waiting.over_s)
    everybody = answers(look.calls, snap.at, "5m", snap.waiting.over_s)
    true |= {f"{name} of all": answer for name, answer in everybody.items()}
    yield from claims("snapshot", of_snapshot(snap), true)
    yield from claims("overview 80×24", of_compact(compact.text), true)
    yield from claims("overview 200×50", of_wide(wide.lines), true)
    yield from claims("--plain", of_plain(plain.line(snap)), true)
    yield from claims("verdict", of_verdict(wide.snap.verdict.text), true)


def of_rows(look: Look, where: Where) -> Iterator[Claim]:
    """What the tables say: a row of Segments for each value, a row of Calls for each live call."""
    mine = chosen(look.calls, where)
    page = Painted(look.session, CallsPage, View(where=where), WIDE)
    true = {name: a for call in mine for name, a in answers_of_call(call, page.snap.at).items()}
    yield from claims("calls", of_calls(page.lines), true)
    for dimension in ("intent", "language", "version"):
        page = Painted(look.session, SegmentsPage, View(where=where), WIDE, dimension=dimension)
        over_s = page.snap.waiting.over_s
        for value, said in of_segments(page.lines):
            rows: list[list[Call]] = [[], []]
            for call in mine:
                rows[(call.segments.get(dimension) or "(unset)") != value].append(call)
            true = answers(rows[0], page.snap.at, "5m", over_s)
            true["rest P95"] = answers(rows[1], page.snap.at, "5m", over_s).get("P95 e2e", Answer(NAN, 0))
            yield from claims(f"segments, {dimension}={value}", said, true)


def mistakes(look: Look, where: Where) -> list[str]:
    rows = wrong(of_rows(look, where))
    said = list(on_screens(look, where))
    if not where:
        said = [claim._replace(name=claim.name.removesuffix(" of all")) for claim in said]
    return [*rows, *wrong(said), *contradictions(said)]


@pytest.mark.parametrize("name", MOMENTS)
def test_the_screens_of_a_recording_are_true_and_agree(name: str) -> None:
    for look in looks(oracle.read(str(RECORDINGS / f"{name}.vtr")), MOMENTS[name]):
        for where in (*FILTERS, three_calls(look)):
            assert mistakes(look, where) == []


@pytest.mark.parametrize("incident", sorted(SCENARIOS))
def test_the_screens_of_an_incident_are_true_and_agree(incident: str) -> None:
    for look in looks(simulated(incident, at=10.0, duration=120.0, until=220.0), (90.0, 140.0, 215.0)):
        for where in ((), three_calls(look)):
            assert mistakes(look, where) == []
