"""Every figure of a snapshot is what the raw records say."""

from __future__ import annotations

from collections import Counter

import pytest

from truth import oracle
from truth.claims import claims, wrong
from truth.feeds import RECORDINGS, Look, looks, simulated
from truth.figures import answers, chosen, of_snapshot
from voicetop.engine.snapshot import Span, View, Where
from voicetop.simulator import SCENARIOS

MOMENTS = {"llm-outage": (60.0, 160.0, 240.0, 310.0, 475.0), "billing-es-v42": (60.0, 190.0, 410.0)}
"""Seconds into a recording: before its incident, during it, right after its end, and later."""
FILTERS: tuple[Where, ...] = (
    (),
    (("language", "es"),),
    (("intent", "billing"), ("language", "es"), ("version", "v42")),
)


def three_calls(look: Look) -> Where:
    """A segment with three live calls, or as near to that as there is."""
    live = [call.segments for call in look.calls if not call.reason]
    counts = Counter(tuple(sorted(segments.items()))[:3] for segments in live if segments)
    return min(counts, key=lambda where: (abs(counts[where] - 3), where))


def mistakes(look: Look, where: Where, span: Span) -> list[str]:
    snap = look.session.snapshot(View(span=span, where=where))
    true = answers(chosen(look.calls, where), snap.at, span, snap.waiting.over_s)
    shown = dict(of_snapshot(snap))
    missing = [name for name, answer in true.items() if answer.n and name not in shown]
    said = list(claims(f"snapshot of {where}", shown.items(), true))
    return [*wrong(said), *missing]


@pytest.mark.parametrize("name", MOMENTS)
def test_a_recording_is_shown_as_it_was(name: str) -> None:
    for look in looks(oracle.read(str(RECORDINGS / f"{name}.vtr")), MOMENTS[name]):
        for where in (*FILTERS, three_calls(look)):
            assert mistakes(look, where, "5m") == []
        assert mistakes(look, (), "30m") + mistakes(look, (), "24h") == []


@pytest.mark.parametrize("incident", sorted(SCENARIOS))
def test_a_simulated_incident_is_shown_as_it_was(incident: str) -> None:
    for look in looks(simulated(incident, at=10.0, duration=120.0, until=220.0), (90.0, 140.0, 215.0)):
        assert mistakes(look, (), "5m") + mistakes(look, three_calls(look), "5m") == []
