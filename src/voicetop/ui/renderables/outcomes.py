"""The small panels of the Overview: success, abandonment, cost, sentiment, and the feed. Five lines each."""

from __future__ import annotations

from collections.abc import Callable

from voicetop.engine.snapshot import Figure, Series, Snapshot
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import Line, Row, clip, fit, rule
from voicetop.ui.renderables.chart import spark
from voicetop.ui.renderables.health import (
    compared,
    outcome_span,
    part_of_outcome_window,
    troubled,
    why_unknown,
)
from voicetop.ui.renderables.written_figure import plus_minus, write_figure
from voicetop.ui.style.display_options import DisplayOptions

WORDY = 36
"""From this width, every panel's title has room for "n 1,402 calls"."""
LEAST_SHAPE = 20
"""The least room for a sparkline with its range."""


def headline(
    figure: Figure,
    write: Callable[[float], str],
    width: int,
    unknown: str,
    *,
    low_is_bad: bool = False,
    bad: bool = False,
) -> Line:
    """The figure of a panel: 88.1 %  ▼ low  normal 91.4 %; `unknown` says why it has no value."""
    if not figure.n:
        return Row(2).add(unknown, "faint").line()
    reading = write_figure(figure, write, low_is_bad=low_is_bad, troubled=bad)
    tone = reading.tone if reading.tone in ("degraded", "muted") else "strong"
    row = compared(Row(2).add(reading.value, tone).add("  "), reading)
    normal = f" normal {reading.normal}" if reading.normal else ""
    return row.add(normal if row.width + len(normal) <= width else "", "muted").line()


def _title(name: str, n: int, width: int) -> Line:
    """The title of a panel with the calls that it rests on; without the word if there is no room for it."""
    return rule(name, width, f"n {numbers.counted(n, 'call') if width >= WORDY else f'{n:,}'}")


def shape(
    series: Series | None, width: int, options: DisplayOptions, write: Callable[[float], str], window: str
) -> Line:
    """The figure over time, after the part of its window that there is data for if that isn't all of it."""
    if not window:
        return Row(2).put(spark(series, width - 3, options, write)).line()
    row = Row(2).add(window, "muted").add("  ")
    room = width - row.width - 1
    return row.put(spark(series, room, options, write) if room >= LEAST_SHAPE else ()).line()


def success_panel(snap: Snapshot, options: DisplayOptions, width: int) -> list[Line]:
    panel = snap.outcome
    certainty = [plus_minus(panel.success)] if panel.success.known else []
    if panel.success.n:
        certainty.append(f"known for {numbers.whole_percent(panel.coverage.value)}")
    escalation = write_figure(panel.escalation, numbers.percent)
    handed = Row(2).add("escalated ", "muted").add(escalation.value, "text").add(" ")
    return [
        _title(labels.FIGURES["success"], panel.success.n, width),
        headline(
            panel.success,
            numbers.percent,
            width,
            why_unknown(snap, panel.success, "call.outcome", outcome_span(snap)),
            low_is_bad=True,
            bad=troubled(snap, "success"),
        ),
        Row(2).add(" · ".join(word for word in certainty if word), "muted").line(),
        compared(handed, escalation).line() if panel.escalation.n else (),
        shape(panel.chart, width, options, numbers.percent, part_of_outcome_window(snap)),
    ]


def abandonment_panel(snap: Snapshot, options: DisplayOptions, width: int) -> list[Line]:
    panel = snap.abandonment
    steps = [
        Row(2)
        .add("after ", "muted")
        .left(max(6, width - 15), step.step or "–")
        .right(width - 1, numbers.whole_percent(step.share))
        .line()
        for step in panel.steps[:2]
    ]
    return [
        _title("abandoned", panel.rate.n, width),
        headline(
            panel.rate,
            numbers.percent,
            width,
            why_unknown(snap, panel.rate, "call.end", outcome_span(snap)),
            bad=troubled(snap, "abandonment"),
        ),
        *[*steps, (), ()][:2],
        shape(panel.chart, width, options, numbers.percent, part_of_outcome_window(snap)),
    ]


def cost_panel(snap: Snapshot, options: DisplayOptions, width: int) -> list[Line]:
    panel = snap.cost
    shares = Row(2)
    for component, share in panel.shares:
        part = f"{clip(labels.stage(component), 12)} {numbers.whole_percent(share)}"
        if shares.width + len(part) + 2 > width:
            break
        shares.add("  " if shares.width > 2 else "").add(part, "text")
    estimated = (
        f"estimated for {numbers.whole_percent(panel.estimated)}" if panel.estimated > 0 else "as reported"
    )
    return [
        _title(labels.FIGURES["cost"], panel.per_call.n, width),
        headline(
            panel.per_call,
            numbers.dollars,
            width,
            why_unknown(snap, panel.per_call, "usage", outcome_span(snap)),
            bad=troubled(snap, "cost"),
        ),
        shares.line(),
        Row(2).add(estimated if panel.per_call.n else "", "muted").line(),
        shape(panel.chart, width, options, numbers.dollars, part_of_outcome_window(snap)),
    ]


def sentiment_panel(snap: Snapshot, width: int) -> list[Line]:
    panel = snap.mood
    return [
        _title(labels.FIGURES["sentiment"], panel.sentiment.n, width),
        _mood("sentiment", panel.sentiment, numbers.plain, " of 5", width, low_is_bad=True),
        _mood("frustrated", panel.frustrated, numbers.percent, "", width),
        _mood("interrupted", panel.interruptions, numbers.plain, " per 100", width),
        Row(2).add(part_of_outcome_window(snap), "muted").line(),
    ]


def _mood(
    name: str,
    figure: Figure,
    write: Callable[[float], str],
    unit: str,
    width: int,
    *,
    low_is_bad: bool = False,
) -> Line:
    row = Row(2).left(12, name, "muted")
    if not figure.n:
        return row.add(numbers.DASH if figure.normal.n else "(unset)", "faint").line()
    reading = write_figure(figure, write, low_is_bad=low_is_bad)
    row.add(reading.value, "degraded" if reading.tone == "degraded" else "text")
    row.add("" if figure.few else unit, "muted")
    return compared(row.add("  "), reading).line() if row.width + 8 <= width else fit(row.line(), width)


def feed_panel(snap: Snapshot, width: int) -> list[Line]:
    """Received and unusable events: nothing is dropped silently."""
    feed = snap.feed
    trouble = [
        (feed.malformed, "malformed"),
        (feed.late, "too late"),
        (feed.missed, "missed"),
        (feed.dropped, "dropped"),
        (feed.unknown, "unknown"),
        (feed.duplicates, "duplicate"),
    ]
    text = " · ".join(f"{n:,} {word}" for n, word in trouble if n) or "nothing dropped"
    silent = f", {feed.publishers_silent:,} silent" if feed.publishers_silent else ""
    off = len(feed.skewed)
    skewed = f"{numbers.counted(off, 'clock')} off" if off else "clocks in sync"
    return [
        rule("feed", width, f"seq {feed.seq:,}"),
        Row(2)
        .add(f"{numbers.count(feed.events_per_s)} events/s", "strong")
        .add(f"  lag {times.seconds(feed.lag_s)}", "muted")
        .line(),
        Row(2).add(f"{numbers.counted(feed.publishers, 'publisher')}{silent} · {skewed}", "muted").line(),
        fit(
            Row(2).add(text, "degraded" if feed.missed or feed.malformed or feed.dropped else "muted").line(),
            width,
        ),
        Row(2)
        .add(f"{feed.cells:,} segment cells" + (f", {feed.folded:,} folded" if feed.folded else ""), "faint")
        .line(),
    ]
