"""Comparisons made by hand, for the page that shows them."""

from __future__ import annotations

from msgspec.structs import replace

from ui import synthetic
from voicetop.engine.snapshot import Snapshot, View
from voicetop.engine.snapshot.comparison import (
    Comparison,
    FigureChange,
    Finding,
    SegmentChange,
    Unit,
    WindowSample,
)

EMPTY = (b"", b"")
AT = synthetic.AT


def moment(end: float, *, span: str = "5m", seconds: float = 300.0) -> WindowSample:
    return WindowSample(
        at=end, start=end - seconds, end=end, span=span, cut=False, keys=(), live=(), turns=EMPTY, kinds=(),
        sums=EMPTY, slots=b"", seconds=(), units=90,
    )  # fmt: skip


def change(
    name: str,
    unit: Unit,
    values: tuple[float, float],
    bounds: tuple[float, float],
    finding: Finding = "noise",
) -> FigureChange:
    chance = {"worse": 3e-9, "better": 2e-5, "changed": 1e-4}.get(finding, 0.31)
    return FigureChange(name, unit, *values, *bounds, 3778, 13853, chance, finding)


CHANGED = (
    change("e2e P50", "ms", (742.0, 1_320.0), (516.0, 641.0), "worse"),
    change("e2e P95", "ms", (1_608.0, 3_910.0), (2_035.0, 2_586.0), "worse"),
    change("e2e P99", "ms", (2_288.0, 6_204.0), (3_224.0, 4_731.0), "worse"),
    change("errors", "share", (0.013, 0.041), (0.016, 0.041), "worse"),
    change("error:llm:overloaded", "share", (0.002, 0.031), (0.018, 0.041), "worse"),
    change("success", "share", (0.861, 0.902), (0.012, 0.07), "better"),
    change("live calls", "calls", (412.0, 206.0), (-254.0, -158.0), "changed"),
)
STILL = (
    change("escalation", "share", (0.051, 0.048), (-0.021, 0.016)),
    change("abandonment", "share", (0.041, 0.062), (0.001, 0.042)),
    change("cost per call", "dollars", (0.081, 0.084), (-0.002, 0.008)),
    FigureChange("sentiment", "of 5", 3.91, 3.7, -0.8, 0.4, 9, 641, finding="few"),
    change("interruptions", "per 100", (3.4, 3.5), (-0.6, 0.8)),
    change("turns", "per min", (1_414.6, 1_517.6), (-865.6, 1_071.6)),
    change("llm_ttft P95", "ms", (828.0, 892.0), (-47.0, 171.0)),
    FigureChange("tool P50", "ms", float("nan"), 241.0, n_b=1_530),
)
BLAMED = (("intent", "billing"), ("language", "es"))
SEGMENTS = (
    SegmentChange(
        BLAMED,
        replace(CHANGED[1], a=1_656.0, b=5_810.0, low=3_711.0, high=4_640.0, n_a=412, n_b=398),
        replace(CHANGED[1], a=1_672.0, b=1_690.0, low=-61.0, high=97.0, finding="noise", chance=0.6),
    ),
    SegmentChange(
        (("version", "v42"),),
        replace(CHANGED[3], a=0.011, b=0.099, low=0.04, high=0.13, n_a=231, n_b=240),
        replace(CHANGED[3], a=0.012, b=0.013, low=-0.01, high=0.012, finding="noise", chance=0.8),
    ),
)


def incident(*, overlap_s: float = 0.0) -> Comparison:
    a, b = moment(AT - 900), moment(AT)
    return Comparison(a, b, (), CHANGED + STILL, SEGMENTS, 14, 174, overlap_s, 90)


def calm() -> Comparison:
    rows = tuple(replace(row, finding="noise", low=-abs(row.low), chance=0.4) for row in CHANGED) + STILL
    return Comparison(moment(AT - 900), moment(AT), (), rows, (), 14, 174, 0.0, 90)


def picture(view: View | None, tick: int = 0) -> Snapshot:
    """The incident, with what a comparing view asks for."""
    view = view or View()
    snap = synthetic.incident(view, tick)
    compared = view.against is not None or view.around > 0
    return replace(
        snap,
        moment=moment(snap.at) if view.moment else None,
        comparison=incident() if compared else None,
    )
