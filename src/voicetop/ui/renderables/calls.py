"""The call table: columns by importance, one line per call. The Overview shows its first rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isnan
from typing import NamedTuple

from voicetop.charts import blocks
from voicetop.engine.snapshot import CallRow, Snapshot, View
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import Line, Row, Span, cells, clip, fit, rule, selected
from voicetop.ui.renderables.capacity import headcount
from voicetop.ui.style.display_options import DisplayOptions

ATTENTION: dict[str, tuple[str, str]] = {
    "stuck": ("■", "down"),
    "failing": ("▲", "degraded"),
    "frustrated": ("▲", "degraded"),
    "lost": ("?", "blind"),
}
"""Glyph and tone for why a call needs attention."""

RECENT_HIGH_MS = 6_000.0
"""The top of the sparklines in ms: slower turns look the same."""

GAP = 2
MARK = 3


class CallColumn(NamedTuple):
    """A column: `rank` says how long it stays when there is little room (0 for ever), `most` how wide it may grow.

    `sort` is what a View calls it.
    """

    title: str
    width: int
    most: int
    rank: int
    right: bool
    sort: str
    write: Callable[[CallRow, DisplayOptions], Span]


def _waiting(row: CallRow, _: DisplayOptions) -> Span:
    """The stage at the left, the wait at the right."""
    if not isnan(row.unknown_since):
        return ("? unknown", "blind")
    if isnan(row.waiting_s):
        return ("–", "faint")
    stage = labels.stage(row.stage)
    if row.provider not in ("", row.stage):
        stage += f" {row.provider}"
    return (f"{stage}\t{times.seconds(row.waiting_s)}", "down" if row.eyes == "stuck" else "text")


def _segment(name: str) -> Callable[[CallRow, DisplayOptions], Span]:
    return lambda row, _: (row.segment(name) or "–", "text")


def _mood(row: CallRow, _: DisplayOptions) -> Span:
    if isnan(row.mood) or not row.mood_of:
        return ("–", "faint")
    high = row.eyes == "frustrated"
    return (f"{'▲ ' if high else ''}{row.mood:.2f}", "degraded" if high else "muted")


def _cost(row: CallRow, _: DisplayOptions) -> Span:
    sign = "~" if row.estimated and not isnan(row.cost_usd) else ""
    return (sign + numbers.cents(row.cost_usd), "text")


def _recent(row: CallRow, options: DisplayOptions) -> Span:
    """The last turns on the same scale for all calls, newest at the right; × had no reply."""
    shape = blocks.spark(row.recent[-8:], RECENT_HIGH_MS, ascii_only=options.ascii)
    return (shape.replace(" ", "x" if options.ascii else "×").rjust(8), "chart")


def _end_clock(row: CallRow, options: DisplayOptions) -> Span:
    return (options.clock(row.ended_at), "text")


CALL = CallColumn("CALL", 10, 38, 0, False, "call_id", lambda row, _: (row.call_id, "strong"))
AGE = CallColumn("AGE", 7, 7, 1, True, "age", lambda row, _: (times.age(row.age_s), "text"))
TURN = CallColumn(
    "TURN", 4, 4, 8, True, "turn", lambda row, _: (str(row.turn) if row.turn >= 0 else "–", "muted")
)
WHY = CallColumn(
    "WHY", 10, 10, 3, False, "eyes", lambda row, _: (row.eyes, ATTENTION.get(row.eyes, ("", "text"))[1])
)
STATE = CallColumn("STATE", 8, 12, 10, False, "state", lambda row, _: (row.state, "muted"))
STEP = CallColumn("STEP", 12, 20, 6, False, "step", lambda row, _: (row.step or "–", "text"))
WAITING = CallColumn("WAITING", 13, 24, 2, False, "waiting", _waiting)
INTENT = CallColumn("INTENT", 9, 18, 4, False, "intent", _segment("intent"))
LANGUAGE = CallColumn("LANG", 4, 8, 7, False, "language", _segment("language"))
TIER = CallColumn("TIER", 6, 10, 12, False, "tier", _segment("tier"))
VERSION = CallColumn("VER", 5, 10, 9, False, "version", _segment("version"))
E2E = CallColumn("LAST E2E", 8, 8, 5, True, "e2e", lambda row, _: (numbers.milliseconds(row.e2e_ms), "text"))
RECENT = CallColumn("RECENT", 8, 8, 11, False, "", _recent)
ERRORS = CallColumn(
    "ERR", 3, 3, 5, True, "errors", lambda row, _: (str(row.errors), "degraded" if row.errors else "faint")
)
COST = CallColumn("COST", 7, 7, 10, True, "cost", _cost)
MOOD = CallColumn("FRUST", 6, 6, 8, True, "mood", _mood)
ENDED = CallColumn("ENDED", 8, 8, 1, True, "ended", _end_clock)
LENGTH = AGE._replace(title="LENGTH")
REASON = CallColumn("REASON", 12, 18, 2, False, "reason", lambda row, _: (row.reason or "–", "text"))
OUTCOME = CallColumn("OUTCOME", 10, 12, 3, False, "outcome", lambda row, _: (row.outcome or "–", "text"))

LIVE_COLUMNS = (
    *(CALL, AGE, TURN, WHY, STATE, STEP, WAITING, INTENT, LANGUAGE),
    *(TIER, VERSION, E2E, RECENT, ERRORS, COST, MOOD),
)
ENDED_COLUMNS = (
    *(CALL, ENDED, LENGTH, TURN, REASON, OUTCOME, STEP, INTENT, LANGUAGE),
    *(TIER, VERSION, E2E, RECENT, ERRORS, COST, MOOD),
)


class FittedCallColumns(NamedTuple):
    """A column with its width."""

    column: CallColumn
    width: int


@lru_cache(maxsize=32)
def fit_columns(columns: tuple[CallColumn, ...], width: int) -> tuple[FittedCallColumns, ...]:
    """The columns that fit in `width`, by importance; spare room widens them."""
    room = width - MARK - 1
    fitting: set[CallColumn] = set()
    for column in sorted(columns, key=lambda column: column.rank):
        if column.width + GAP > room:
            break
        fitting.add(column)
        room -= column.width + GAP
    widths = {column: column.width for column in columns if column in fitting}
    for growing in (
        widths.keys() - {CALL},
        widths.keys() & {CALL},
    ):  # ids last: names first
        while room > 0 and any(widths[column] < column.most for column in growing):
            for column in columns:
                if column in growing and room > 0 and widths[column] < column.most:
                    widths[column] += 1
                    room -= 1
    return tuple(FittedCallColumns(column, widths[column]) for column in columns if column in widths)


def columns_for(ended: bool) -> tuple[CallColumn, ...]:
    """All columns of the table."""
    return ENDED_COLUMNS if ended else LIVE_COLUMNS


def columns_of(view: View, width: int, hidden: frozenset[str] = frozenset()) -> tuple[FittedCallColumns, ...]:
    """The columns that aren't hidden and fit, in order."""
    available = columns_for(view.ended)
    return fit_columns(tuple(c for c in available if c.title not in hidden) if hidden else available, width)


def heading(fitted: Sequence[FittedCallColumns], view: View, width: int) -> Line:
    """The titles, with the sort direction on the sorted column."""
    row = Row(MARK)
    for column, size in fitted:
        end = row.width + size
        sorts = bool(column.sort) and column.sort == view.sort
        title = clip(column.title, size)
        row.to(end - cells(title) if column.right else row.width).add(title, "accent" if sorts else "faint")
        row.add("" if not sorts else "▴" if view.reverse else "▾", "accent").to(end + GAP)
    return fit(row.line(), width)


def call_line(
    call: CallRow,
    fitted: Sequence[FittedCallColumns],
    options: DisplayOptions,
    width: int,
    *,
    chosen: bool = False,
) -> Line:
    """One call: cursor, attention mark, and cells."""
    glyph, tone = ATTENTION.get(call.eyes, ("", "text"))
    row = Row().add("▸" if chosen else " ", "accent").left(MARK - 1, glyph, tone)
    for column, size in fitted:
        text, tone = column.write(call, options)
        _cell(row, text, tone, size, right=column.right)
    line = fit(row.line(), width)
    return selected(line) if chosen else line


def _cell(row: Row, text: str, tone: str, size: int, *, right: bool) -> None:
    end = row.width + size
    if "\t" in text:
        name, _, value = text.partition("\t")
        if cells(name) + cells(value) + 1 > size:  # the stage alone is better than half a provider
            name = name.partition(" ")[0]
        row.left(size - cells(value) - 1, name, tone).right(end, value, tone)
    elif right:
        row.right(end, clip(text, size), tone)
    else:
        row.left(size, text, tone)
    row.to(end + GAP)


def table(
    rows: Sequence[CallRow], view: View, options: DisplayOptions, width: int, *, cursor: str = ""
) -> list[Line]:
    """Heading and rows."""
    fitted = columns_of(view, width)
    lines = [call_line(row, fitted, options, width, chosen=row.call_id == cursor) for row in rows]
    return [heading(fitted, view, width), *lines]


def attention_first(snap: Snapshot, limit: int) -> list[CallRow]:
    """The calls that need attention, then the rest in list order, up to `limit`."""
    first = [row for row in snap.needing_eyes if row.eyes][:limit]
    known = {row.call_id for row in first}
    rest = (row for row in snap.calls.rows if row.call_id not in known and not snap.view.ended)
    return first + [row for row, _ in zip(rest, range(limit - len(first)), strict=False)]


def attention_panel(
    snap: Snapshot, options: DisplayOptions, width: int, height: int, cursor: str
) -> list[Line]:
    """The calls that need attention most, with a line for the rest."""
    rows = attention_first(snap, height - 2)
    live = snap.calls.of if snap.view.where else snap.capacity.live
    title, notes = "needs attention", [headcount(snap), f"{live:,} live"]
    room = width - len(title) - 9
    if cells(" ─ ".join(notes)) > room:  # why calls need it says more than how many are live
        notes = [_as_many(notes[0], room)]
    head = rule(title, width, *notes)
    if not rows:
        return [
            head,
            Row(MARK).add(_no_calls(snap, ended=False), "faint").line(),
        ]
    return [head, *table(rows, View(), options, width, cursor=cursor)]


def _as_many(count: str, room: int) -> str:
    """The first parts of a headcount that fit."""
    while cells(count) > room and " · " in count:
        count = count.rpartition(" · ")[0]
    return count


def calls_head(snap: Snapshot, view: View, width: int, note: str) -> Line:
    """Number of calls, filter and sort order."""
    panel = snap.calls
    kind = "ended calls" if view.ended else "live calls"
    filtered = f"{panel.total:,} of {panel.of:,} match" if panel.total != panel.of else ""
    notes = [] if view.ended else [headcount(snap)]
    return rule(kind, width, *notes, filtered, note)


def scroll_note(first: int, shown: int, total: int) -> str:
    """The scroll position: "1–40 of 412"."""
    return f"{first + 1:,}–{first + shown:,} of {total:,}" if shown else ""


def empty_line(snap: Snapshot, view: View) -> Line:
    """Why the table is empty, and what would fill it."""
    if snap.calls.error:
        return Row(MARK).add(snap.calls.error, "degraded").line()
    if view.text and snap.calls.of:
        return (
            Row(MARK)
            .add(f"no match among {snap.calls.of:,} calls: ", "muted")
            .add(view.text, "strong")
            .line()
        )
    return Row(MARK).add(_no_calls(snap, ended=view.ended), "faint").line()


def _no_calls(snap: Snapshot, *, ended: bool) -> str:
    """Why there are none."""
    if snap.verdict.severity == "catching_up":
        return "History is loading."
    kind, event = ("ended", "call.end") if ended else ("live", "call.start")
    if snap.view.where:
        return f"No {kind} calls in this segment."
    return f"No {kind} calls. A call appears when {event} arrives."
