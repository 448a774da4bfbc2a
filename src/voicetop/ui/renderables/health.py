"""The two large panels of the Overview: latency with its split, and errors with their kinds."""

from __future__ import annotations

from math import isnan

from voicetop.charts import blocks
from voicetop.engine.snapshot import ErrorKind, Figure, Latencies, LatencyPanel, Snapshot, Span
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import Line, Row, beside, cells, clip, fit, rule, width_of
from voicetop.ui.renderables.chart import chart, spark
from voicetop.ui.renderables.plots import part_at
from voicetop.ui.renderables.written_figure import WrittenFigure, derivation, plus_minus, write_figure
from voicetop.ui.style.display_options import SPANS, SPANS_S, DisplayOptions

TABLE_AT, TABLE_WIDTH = 63, 40
"""Column and width of the stage table, beside the percentiles."""
STAGE_MARKS = {"stt": "━", "eou": "╌", "llm": "━", "tool": "═", "tts": "╌", "other": "┄"}
"""Neighbours differ in texture, to be readable without colours."""
COUNTED = {"call.start": "call", "call.end": "ended call", "call.outcome": "outcome", "usage": "cost"}
"""What a figure counts, by the event that it needs."""


def troubled(snap: Snapshot, kind: str) -> bool:
    """Whether the verdict has a trouble of this kind."""
    return any(trouble.kind == kind for trouble in snap.verdict.troubles)


def _of_an_hour(snap: Snapshot) -> bool:
    """Whether the figures are those of an hour of the day, not of a window that ends now."""
    return any(name == "hour" for name, _ in snap.view.where)


def part_of_window(snap: Snapshot, span: Span) -> str:
    """How much of a window there is data for, as in "2 of 30 min"; empty if for all of it."""
    if _of_an_hour(snap):
        return ""
    return times.of_window(snap.feed.covered_s, SPANS_S[span])


def shown_window(snap: Snapshot) -> str:
    """The view's window, and how much of it there is data for: "5 min", "2 of 5 min"."""
    return part_of_window(snap, snap.view.span) or SPANS["24h" if _of_an_hour(snap) else snap.view.span]


def outcome_span(snap: Snapshot) -> Span:
    """The window of success, escalation, abandonment, cost and sentiment."""
    return "24h" if snap.view.span == "24h" else "30m"


def part_of_outcome_window(snap: Snapshot) -> str:
    """How much of that window there is data for; empty if for all of it."""
    return part_of_window(snap, outcome_span(snap))


def why_unknown(snap: Snapshot, figure: Figure, event: str, span: Span) -> str:
    """Why a figure of nothing has no value: the feed lacks the events, or there were none in the window."""
    if snap.verdict.severity == "catching_up":
        return "loading …"
    if not (snap.view.where or figure.normal.n):
        return f"needs {event} events"
    return f"no {COUNTED[event]} in {'that hour' if _of_an_hour(snap) else SPANS[span]}"


def compared(row: Row, reading: WrittenFigure) -> Row:
    """Glyph and times normal, as every figure shows them: ▲ 2.4×, ● 1.0×, ▼ low."""
    if reading.word:
        text = reading.word if reading.glyph == "▼" or not reading.ratio else reading.ratio
        row.add(f"{reading.glyph} {text}", reading.tone)
    return row


def latency_panel(snap: Snapshot, options: DisplayOptions, width: int, height: int) -> list[Line]:
    """Percentiles, a chart in the remaining room, and the split by stage."""
    panel = snap.latency
    lines = [_latency_rule(snap, width), *latency_numbers(panel, width)]
    if height >= 15 and width >= TABLE_AT + TABLE_WIDTH and panel.stages:
        left = [*lines[1:], (), measured(panel)]
        lines = [lines[0], *beside([left, stage_table(panel)], (TABLE_AT, TABLE_WIDTH), 0)]
    tail = [split_bar(panel, width), split_line(panel, width)]
    plot = height - len(lines) - len(tail) - 1
    if panel.chart and plot >= 3:
        lines += chart(
            panel.chart,
            width - 1,
            plot,
            options,
            numbers.axis_ms,
            name="P95",
            warn=panel.e2e.p95.warn,
            markers=snap.markers,
        )
    else:
        lines += [Row(2).add("P95 over time appears with the first turns", "faint").line()]
    lines += [()] * (height - len(lines) - len(tail))
    return lines + tail


def _latency_rule(snap: Snapshot, width: int) -> Line:
    sources = snap.latency.measured_from
    total = sum(n for _, n in sources)
    mixed = (
        f"from {sources[0][0]} {numbers.whole_percent(sources[0][1] / total)}"
        if len(sources) > 1 and total
        else ""
    )
    one = f"from {sources[0][0]}" if len(sources) == 1 else mixed
    return rule(
        "response time",
        width,
        one,
        shown_window(snap),
        f"n {numbers.counted(snap.latency.e2e.p50.n, 'turn')}",
    )


def latency_numbers(panel: LatencyPanel, width: int) -> list[Line]:
    """P50, P95 and P99, each against its normal."""
    e2e = panel.e2e
    return [
        _percentile(name, value, width)
        for name, value in (("P50", e2e.p50), ("P95", e2e.p95), ("P99", e2e.p99))
    ]


def _percentile(name: str, figure: Figure, width: int) -> Line:
    reading = write_figure(figure, numbers.milliseconds)
    tone = reading.tone if reading.glyph == "▲" else "strong" if figure.known and not figure.few else "muted"
    row = Row(2).add(name, "title")
    row.right(max(18, row.width + 1 + cells(reading.value)), reading.value, tone).add("  ")
    compared(row, reading).to(28)
    wide = derivation(figure, numbers.bare_ms)
    text = wide if row.width + cells(wide) <= width else wide.replace("normal ", "")
    if name == "P50" or not text:
        text = f"normal {numbers.bare_ms(figure.normal.value)}" if figure.normal.known else ""
    return fit(row.add(text, "muted").line(), width)


def stage_table(panel: LatencyPanel) -> list[Line]:
    """Every stage with its percentiles, and what was judged of it."""
    head = Row().left(6, "stage", "faint")
    for title in ("P50", "P95", "P99"):
        head.right(head.width + 8, title, "faint")
    lines: list[Line] = [head.line()]
    for stage in panel.stages[:6]:
        row = Row().left(6, labels.short_stage(stage.name), labels.stage_kind(stage.name))
        for value in (stage.p50, stage.p95, stage.p99):
            row.right(row.width + 8, "few" if value.few else numbers.bare_ms(value.value), "text")
        lines.append(compared(row.add("  "), write_figure(speaking_for(stage), numbers.bare_ms)).line())
    return lines


def speaking_for(stage: Latencies) -> Figure:
    """The one figure that a stage is judged by wherever it is shown: its P95, unless only its P50 is off its normal."""
    return stage.p50 if stage.p50.off and not stage.p95.off else stage.p95


def measured(panel: LatencyPanel) -> Line:
    """How e2e was measured, if known: a fleet may mix methods."""
    total = sum(n for _, n in panel.measured_from)
    parts = [f"{name} {numbers.whole_percent(n / total)}" for name, n in panel.measured_from[:3] if total]
    return Row(2).add(f"measured from {', '.join(parts)}" if parts else "", "faint").line()


def _parts(panel: LatencyPanel) -> list[tuple[str, float]]:
    return [(name, figure.value) for name, figure in panel.split if figure.value > 0 and not figure.few]


def split_bar(panel: LatencyPanel, width: int) -> Line:
    """One bar of the whole, each stage in its own tone and texture."""
    parts = _parts(panel)
    if not parts:
        return ()
    sizes = blocks.shares([value for _, value in parts], max(10, width - 3))
    row = Row(2)
    for (name, _), size in zip(parts, sizes, strict=True):
        tone = labels.stage_kind(name)
        row.add(STAGE_MARKS[tone] * size, tone)
    return row.line()


def split_line(panel: LatencyPanel, width: int) -> Line:
    """The split in figures: STT 140 │ EOU 310 │ LLM 2,610 ▲ │ tool 210 │ TTS 180 ms. Marks are those of the table."""
    parts = _parts(panel)
    if not parts:
        return Row(2).add(_no_split(panel), "faint").line()
    row, off = Row(2), {stage.name for stage in panel.stages if speaking_for(stage).off}
    for index, (name, value) in enumerate(parts):
        row.add(" │ " if index else "", "rule").add(
            clip(labels.short_stage(name), 14), labels.stage_kind(name)
        )
        row.add(f" {value:,.0f}", "degraded" if name in off else "text")
        row.add(" ▲" if name in off else "", "degraded")
    return fit(row.add(" ms", "muted").line(), width)


def _no_split(panel: LatencyPanel) -> str:
    """Why there is no split."""
    p50 = panel.e2e.p50
    if p50.few and p50.n:
        return f"too few turns for a breakdown (n={p50.n})"
    return "no turns in this window" if p50.normal.n else "stage breakdown appears once turns report it"


def errors_panel(snap: Snapshot, options: DisplayOptions, width: int, height: int) -> list[Line]:
    """Rate, kinds and last 24 hours; a chart of the window if there is room."""
    panel = snap.errors
    lines = [
        rule(
            "errors, % of calls",
            width,
            shown_window(snap),
            f"n {numbers.counted(panel.rate.n, 'call')}",
        ),
        error_rate(panel.rate, width, bad=troubled(snap, "errors")),
    ]
    day = day_strip(snap, options, width)
    room = height - len(lines) - len(day)
    plot = min(room - min(len(panel.kinds), 6) - 1, 16)
    kinds = panel.kinds[: min(8, room) if plot < 3 or not panel.chart else 6]
    lines += [_kind(kind, kinds[0].rate.value, options, width) for kind in kinds]
    if not kinds and panel.rate.n:
        lines.append(Row(2).add("no errors", "muted").line())
    if panel.chart and plot >= 3:
        air = [()] if plot >= 7 else []
        plot -= len(air)
        lines += [
            *air,
            *chart(
                panel.chart,
                width - 1,
                plot,
                options,
                numbers.axis_percent,
                name="rate",
                warn=panel.chart_warn,
            ),
        ]
    lines += [()] * (height - len(lines) - len(day))
    return lines + day


def error_rate(figure: Figure, width: int, *, bad: bool) -> Line:
    """4.1 % ▲ 3.4× normal 1.2 % ±1.5 warn 3.0 %."""
    if not figure.n:
        return Row(2).add("no calls in this window yet", "faint").line()
    reading = write_figure(figure, numbers.percent, troubled=bad)
    row = Row(2).add(reading.value, reading.tone if reading.glyph == "▲" else "strong").add("  ")
    compared(row, reading)
    row.add(f" normal {reading.normal}" if reading.normal else "", "muted")
    row.add(f"  {plus_minus(figure)}" if plus_minus(figure) else "", "faint")
    row.add(f"   warn {numbers.percent(figure.warn)}" if not isnan(figure.warn) else "", "faint")
    return fit(row.line(), width)


def share_of_calls(rate: Figure) -> str:
    """A rate in percent; of few calls, how many: "1 of 2"."""
    return f"{rate.value * rate.n:.0f} of {rate.n}" if rate.few and rate.n else numbers.percent(rate.value)


def _kind(kind: ErrorKind, worst: float, options: DisplayOptions, width: int) -> Line:
    names = min(22, max(10, width - 36))
    row = (
        Row(2)
        .left(10, labels.stage(kind.component) or "–", "title")
        .left(names, labels.words(kind.category) or "–", "text")
    )
    row.right(12 + names + 8, share_of_calls(kind.rate), "strong").add("  ")
    share = kind.rate.value / worst if worst else 0.0
    return row.add(
        blocks.strokes(share, max(0, min(40, width - row.width - 2)), ascii_only=options.ascii), "degraded"
    ).line()


def day_strip(snap: Snapshot, options: DisplayOptions, width: int) -> list[Line]:
    """The hourly rate of the last 24 hours, and the number of recovered failures."""
    panel = snap.errors
    if not panel.hours and not panel.retried:
        return []
    row = Row(2)
    if panel.hours:
        row.add("24 h ", "muted").put(
            spark(panel.hours, 24 + 15, options, numbers.percent, zero=True, most=24)
        )
        part = part_at(panel.hours)
        row.add(f", last {part}" if part and row.width + len(part) + 7 <= width else "", "faint")
    mended = f"{panel.retried:,} recovered on retry" if panel.retried else ""
    if mended and row.width + len(mended) + 3 <= width:
        row.add("   " if panel.hours else "").add(mended, "faint")
    return [row.line() if width_of(row.line()) <= width else fit(row.line(), width)]
