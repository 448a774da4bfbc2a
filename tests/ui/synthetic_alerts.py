"""Incidents made by hand for the screens: one of each standing."""

from __future__ import annotations

import msgspec

from ui import synthetic
from voicetop.engine.snapshot import (
    AlertsPanel,
    IncidentFigure,
    IncidentNote,
    IncidentRow,
    SilenceRow,
    Snapshot,
    View,
)

AT = synthetic.AT


def response_time(value: float, at: float) -> IncidentFigure:
    """The P95 of SLOW at another moment."""
    return IncidentFigure(
        at, f"P95 response {value:,.0f} ms", "latency.llm", "P95 response", value, 1_630, "ms", 312, 2_445
    )


PAGE = IncidentRow(
    id="i7",
    state="firing",
    tier="critical",
    family="waiting",
    rule="waiting",
    text="29 of 80 waiting callers stuck in LLM for over 8 s",
    blame="stuck 29 (n 80) · in LLM of acme-llm · billing × es × v42 explain 91 % · began 40 s after deploy v42",
    because="a burst of them: normal is 0.2 at once",
    where=(("intent", "billing"), ("language", "es"), ("version", "v42")),
    began=AT - 390,
    fired=AT - 372,
    n=80,
    calls=29,
    runbook="waiting",
    links=("https://status.acme.example/llm",),
)
SLOW = IncidentRow(
    id="i8",
    state="acknowledged",
    tier="warning",
    family="latency",
    rule="latency.llm",
    text="P95 response 3,910 ms = 2.4× normal",
    blame="P95 response 3,910 ms (2.4× normal 1,630 ms, n 312) · 82 % in LLM · billing × es × v42 explain 91 %",
    because="2.7 s = 1.5 × normal P95 1.8 s",
    where=(("intent", "billing"), ("language", "es"), ("version", "v42")),
    began=AT - 380,
    fired=AT - 318,
    acked=AT - 250,
    acked_by="ana",
    times=2,
    also=("P95 of TTS 0.9 s = 2.1× normal",),
    notes=(IncidentNote(AT - 200, "ana", "called acme, they know"),),
    ticks=((1, IncidentNote(AT - 220, "ana")), (2, IncidentNote(AT - 210, "ben"))),
    runbook="latency",
    earliest=AT - 400,
    latest=AT - 370,
    at_firing=response_time(3_910, AT - 318),
    worst=response_time(4_720, AT - 200),
    last=response_time(3_450, AT),
)
PART = IncidentRow(
    id="i9",
    state="firing",
    tier="warning",
    family="abandonment",
    rule="abandonment",
    text="abandonment 6.2 %, normal 4.0 %",
    blame="abandonment 6.2 % (1.6× normal 4.0 %, n 402) · all segments",
    began=AT - 900,
    fired=AT - 120,
    muted="part of i7: an outage does this to callers",
    runbook="abandonment",
)
PENDING = IncidentRow(
    id="–",
    state="pending",
    tier="warning",
    family="latency",
    rule="latency.tts",
    text="P95 TTS 1,400 ms = 2.0× normal",
    blame="P95 TTS 1,400 ms (2.0× normal 700 ms, n 88) · gold",
    where=(("tier", "gold"),),
    began=AT - 36,
    due=AT + 24,
    runbook="latency",
)
QUIET = IncidentRow(
    id="i5",
    state="silenced",
    tier="warning",
    family="cost",
    rule="cost",
    text="cost per call $0.170 = 2.0× normal",
    blame="cost per call $0.170 (2.0× normal $0.084, n 402) · all segments",
    began=AT - 5000,
    fired=AT - 4700,
    silence="s2",
    silenced_until=AT + 3000,
    runbook="cost",
)
OVER = IncidentRow(
    id="i6",
    state="resolved",
    tier="critical",
    family="feed",
    rule="feed",
    text="blind: the feed is silent for 10 s",
    blame="global",
    began=AT - 9010,
    fired=AT - 9000,
    ended=AT - 8900,
    resolved=AT - 8890,
    runbook="feed",
)
CLOSED = msgspec.structs.replace(
    SLOW,
    id="i4",
    state="resolved",
    text="P95 response 2,930 ms = 1.8× normal",
    blame="P95 response 2,930 ms (1.8× normal 1,630 ms, n 312) · 82 % in LLM · billing × es × v42 explain 91 %",
    began=AT - 21_062,
    fired=AT - 21_000,
    acked=AT - 20_932,
    ended=AT - 20_100,
    resolved=AT - 20_000,
    resolved_by="ben",
    notes=(),
    times=1,
    runbook="ours",
    earliest=AT - 21_072,
    latest=AT - 21_042,
    marker="deploy v42",
    at_firing=response_time(2_930, AT - 21_000),
    worst=response_time(3_910, AT - 20_520),
    last=response_time(2_120, AT - 20_100),
)
SILENCE = SilenceRow("s2", "rule=cost", AT + 3000, "ben", "the new model is dearer, known", AT - 600, hits=1)

PANEL = AlertsPanel(
    incidents=(PAGE, PART, PENDING, SLOW, QUIET, OVER, CLOSED),
    silences=(SILENCE,),
    critical=1,
    warning=1,
    last_resolved=AT - 8890,
)


def alerting(view: View | None = None, tick: int = 0) -> Snapshot:
    """The incident, with what fired."""
    return msgspec.structs.replace(synthetic.incident(view, tick), alerts=PANEL)


def calm(view: View | None = None, tick: int = 0) -> Snapshot:
    """All well; something was, three hours ago."""
    return msgspec.structs.replace(synthetic.busy(view, tick), alerts=AlertsPanel(last_resolved=AT - 10_800))


def learning(view: View | None = None, tick: int = 0) -> Snapshot:
    """The first minutes."""
    return msgspec.structs.replace(synthetic.empty(view, tick), alerts=AlertsPanel(learning_s=840.0))


def hostile(text: str, base: Snapshot | None = None) -> Snapshot:
    """`text` wherever somebody's words can come to stand."""
    note = IncidentNote(AT, text, text)
    rows = tuple(
        msgspec.structs.replace(
            row,
            rule=text,
            text=text,
            blame=text,
            because=text,
            where=((text, text),),
            acked_by=text,
            resolved_by=text,
            muted=text,
            also=(text,),
            notes=(note,),
            ticks=((1, note),),
            runbook=text,
        )
        for row in PANEL.incidents
    )
    silences = (msgspec.structs.replace(SILENCE, matcher=text, by=text, text=text),)
    return msgspec.structs.replace(
        base or synthetic.incident(None, 0, 40),
        alerts=msgspec.structs.replace(PANEL, incidents=rows, silences=silences),
    )
