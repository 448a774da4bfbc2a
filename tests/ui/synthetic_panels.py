"""Segments and trends made by hand, for `synthetic`."""

from __future__ import annotations

import math

from voicetop.engine.snapshot import (
    NAN,
    Figure,
    HeatMap,
    MixRow,
    Normal,
    SegmentRow,
    SegmentsPanel,
    Series,
    StepShare,
    TrendsPanel,
    View,
    WorseFigure,
)

QUARTER = 900.0
VALUES = {
    "intent": ("billing", "orders", "refund", "support", "cancel"),
    "language": ("es", "en", "de", "hi"),
    "tier": ("gold", "basic"),
    "version": ("v42", "v41"),
    "hour": tuple(f"{hour:02d}" for hour in range(24)),
}
WORSE = {"intent": "billing", "language": "es", "version": "v42"}


def _figure(value: float, n: int, normal: float = NAN, spread: float = 0.0) -> Figure:
    known = Normal(normal, abs(normal) * 0.05, 4000) if normal == normal else Normal()
    low, high = (max(0.0, value - spread), value + spread) if spread else (NAN, NAN)
    low_is_bad = 0.5 <= normal <= 5
    warn = normal - (0.03 if normal < 1 else 0.4) if low_is_bad else normal * 1.5
    off = n >= 30 and (value < warn if low_is_bad else value > warn)
    return Figure(value, n, low, high, known, warn=warn, few=n < 30, off=off)


WORSE_FIGURES = (
    WorseFigure("stuck", 29, 0, 2, "calls"),
    WorseFigure("latency", 0.614, 0.05, 0.048),
    WorseFigure("errors", 0.099, 0.014, 0.013),
)


def segment_row(value: str, calls: int, share: float, *, bad: bool) -> SegmentRow:
    few = calls < 30
    return SegmentRow(
        value=value,
        calls=calls,
        share=share,
        p95=_figure(5810.0 if bad else 1702.0, 12 if few else calls * 14, 1709.0),
        errors=_figure(0.099 if bad else 0.013, 12 if few else calls, 0.014, 0.026),
        success=_figure(0.81 if bad else 0.912, 8 if few else calls, 0.91, 0.041),
        abandonment=_figure(0.091 if bad else 0.041, 8 if few else calls, 0.04, 0.02),
        cost=_figure(0.11 if bad else 0.084, 0 if few else calls, 0.085),
        sentiment=_figure(3.1 if bad else 3.9, 0 if few else calls // 2, 3.9),
        stuck=29 if bad else 0,
        explains=0.91 if bad else 0.03,
        worse=WORSE_FIGURES if bad else (),
        rest_p95=1690.0 if bad else 2400.0,
        rest_errors=0.013 if bad else 0.03,
    )


def segments_panel(view: View, *, bad: bool) -> SegmentsPanel | None:
    """The rows of the view's dimension; the narrowed ones alone where it is narrowed in it."""
    if not view.dimension:
        return None
    taken = dict(view.where)
    rows = []
    for index, value in enumerate(VALUES.get(view.dimension, ())):
        calls = (231, 118, 60, 12, 9)[index % 5]
        worse = bad and WORSE.get(view.dimension) == value
        if taken.get(view.dimension, value) == value:
            rows.append(segment_row(value, calls, calls / 430, bad=worse))
    return SegmentsPanel(view.dimension, tuple(rows), 0)


def _day(
    at: float, low: float, high: float, end: float = 0.0, *, n: int = 0, waiting: bool = False
) -> Series:
    """`n` is that of each point; in the last one callers are `waiting`."""
    last = math.floor(at / QUARTER)
    values = []
    for i in range(96):
        share = (math.sin((last - 95 + i) / 9.0) + 1) / 2
        value = low + (high - low) * share
        values.append(end if end and i >= 93 else value)
    at_least = (*[False] * 95, waiting)
    return Series((last - 95) * QUARTER, QUARTER, tuple(values), at_least, (n,) * 96 if n else (), at)


def _heat(at: float, *, bad: bool) -> HeatMap:
    """One hump around 800 ms; in an incident the last hour has a second one around 4 s."""
    edges = tuple(200.0 * 2 ** (i / 4) for i in range(23))
    columns = []
    for i in range(96):
        second = 40.0 if bad and i >= 92 else 0.0
        busy = 60 + 40 * math.sin(i / 12)
        columns.append(
            tuple(
                int(busy * math.exp(-(((j - 8) / 2.2) ** 2)) + second * math.exp(-(((j - 17) / 1.4) ** 2)))
                for j in range(22)
            )
        )
    return HeatMap(math.floor(at / QUARTER) * QUARTER - 95 * QUARTER, QUARTER, edges, tuple(columns))


def trends_panel(view: View, at: float, *, bad: bool) -> TrendsPanel | None:
    if not view.trends:
        return None
    end = 1.0 if bad else 0.0
    lines = (
        ("P50", "ms", _day(at, 700, 780, n=4_420)),
        ("P95", "ms", _day(at, 1500, 1800, 3910 * end, n=4_420, waiting=bad)),
        ("P99", "ms", _day(at, 2600, 3100, 6204 * end, n=4_420, waiting=bad)),
        ("calls", "calls", _day(at, 120, 640)),
        ("errors", "%", _day(at, 0.008, 0.016, 0.041 * end, n=612)),
        ("success", "%", _day(at, 0.9, 0.93, 0.86 * end, n=353)),
        ("abandonment", "%", _day(at, 0.03, 0.05, 0.062 * end)),
        ("escalation", "%", _day(at, 0.05, 0.07)),
        ("cost per call", "$", _day(at, 0.08, 0.09)),
        ("sentiment", "of 5", Series(0.0, QUARTER, (NAN,) * 96)),
    )
    mix = (
        MixRow("billing", 171, 0.41, 0.25),
        MixRow("orders", 120, 0.29, 0.30),
        MixRow("refund", 60, 0.14, 0.14),
        MixRow("support", 40, 0.1, 0.2),
        MixRow("payment_twice", 25, 0.06, 0.0, new=True),
    )
    steps = (
        ("greeting", 402, 2),
        ("verify", 390, 5),
        ("ask_account", 371, 11),
        ("lookup", 330, 3),
        ("resolve", 300, 4),
    )
    funnel = tuple(StepShare(step, reached, left, left / 25) for step, reached, left in steps)
    return TrendsPanel(lines, _heat(at, bad=bad), mix, funnel)
