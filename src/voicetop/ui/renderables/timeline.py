"""The timeline below screens of the past and of replays: what happened when, and the viewed time.

One line shows the verdict with notable events over it, another the traffic with the viewed time. Tall screens add a
line of final errors, and one with the previous and next event; otherwise errors appear in the first line where nothing
worse does. Columns are whole time steps, so that a growing strip stays stable: only its last column changes, until the
whole strip is rescaled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import ceil, floor, inf, isnan, log
from typing import NamedTuple

from voicetop.charts.blocks import LEVELS, spark
from voicetop.charts.scale import ceiling
from voicetop.engine.snapshot import NAN, Severity
from voicetop.engine.snapshot.timeline import GRAVITY, Note, Timeline
from voicetop.formatting import numbers, times
from voicetop.ui.lines import SELECTED, Line, Row, Span, cells, clip, fit
from voicetop.ui.style.display_options import SIGNS, DisplayOptions

GROWTH = 1.08
"""Factor by which the time step grows when a strip becomes too long."""
BURST = 8.0
"""A column of more than so many times the usual one is full and doesn't set the scale: a publisher that tells hours of
history within seconds would flatten all that came after."""
FULL_SHARE = 0.1
"""The share of failed replies that fills a column, unless the maximum is higher."""
ROOMY = 4
"""The number of lines at which errors get their own."""
LEFT = 8
"""The first column, after the labels."""
LABEL = 8
"""Maximum width of a marker's name."""

KINDS: Mapping[str, tuple[str, str, str, int]] = {
    "trouble": ("", "trouble", "", 0),
    "alert": ("", "alert", "", 0),
    "security": ("§", "security", "down", 3),
    "bookmark": ("◆", "bookmark", "accent", 4),
    "note": ("◇", "note", "accent", 5),
    "marker": ("▼", "marker", "marker", 6),
    "gap": ("×", "gap", "muted", 7),
    "cleared": ("●", "cleared", "ok", 8),
    "resolved": ("●", "resolved", "ok", 8),
}
"""Glyph, word, tone and rank within a column. Troubles and alerts use those of their severity."""
STRETCHES: Mapping[Severity, Span] = {
    "recovering": ("═", "recovering"),
    "degraded": ("━", "degraded"),
    "blind": ("░", "blind"),
    "down": ("█", "down"),
}
"""The fill of a column while something was wrong, distinguishable without colours and in ASCII."""
BAD = ("down", "blind", "degraded")
UNKNOWN = ("·", "event", "muted", 9)


class Track(NamedTuple):
    """`width` columns of `step` seconds from `start`; data exists from `first` to `last`."""

    start: float
    step: float
    width: int
    first: float
    last: float

    def column(self, at: float) -> int:
        """The column of a time, clamped to the strip."""
        if isnan(at):
            return 0
        return int(min(max((at - self.start) / self.step, 0), self.width - 1))

    def moment(self, column: int) -> float:
        """The time in the middle of a column, clamped to the data."""
        return min(max(self.start + (column + 0.5) * self.step, self.first), self.last)


def track_of(line: Timeline, width: int) -> Track:
    """The track of a timeline in `width` columns."""
    width = max(1, width)
    first, last = (
        (0.0, 1.0) if isnan(line.first_at) else (line.first_at, max(line.last_at, line.first_at + 1))
    )
    step = GROWTH ** ceil(log((last - first) / width, GROWTH))
    while floor(last / step) - floor(first / step) >= width > 1:
        step *= GROWTH
    return Track(floor(first / step) * step, step, width, first, last)


def scanned_until(line: Timeline) -> float:
    """The time up to which a recording has been scanned."""
    return line.last_at if line.complete or isnan(line.start) else line.start + len(line.turns) * line.step


class Drawn(NamedTuple):
    """A timeline in columns: what is costly to gather and stays the same as long as it does.

    `traffic` is the share of a round figure above the busiest column (NaN: nothing known), `errors` how full the
    column is of them, `gravity` the worst that the verdict was in it (a place in `GRAVITY`), and `notes` what happened
    in a column, the most grave first.
    """

    line: Timeline
    track: Track
    traffic: tuple[float, ...]
    errors: tuple[float, ...]
    gravity: tuple[int, ...]
    notes: Mapping[int, tuple[Note, ...]]


def drawn(line: Timeline, width: int) -> Drawn:
    """A timeline in `width` columns."""
    track = track_of(line, width)
    turns, errors = _rates(line, line.turns, track), _rates(line, line.errors, track)
    known = sorted(rate for rate in turns if rate > 0)
    most = ceiling(tuple(rate for rate in known if rate <= BURST * known[len(known) // 2]))
    shares = [_share(bad, good) for bad, good in zip(errors, turns, strict=True)]
    full = max([FULL_SHARE, *shares])
    notes: dict[int, list[Note]] = {}
    for note in line.notes:
        notes.setdefault(track.column(note.at), []).append(note)
    return Drawn(
        line,
        track,
        tuple(min(value / most, 1.0) for value in turns),
        tuple(share / full for share in shares),
        tuple(_worst(line, track)),
        {column: tuple(sorted(some, key=_rank)) for column, some in notes.items()},
    )


def _rates(line: Timeline, counts: Sequence[int], track: Track) -> list[float]:
    """The mean count per slot in each column; NaN without slots."""
    if not counts:
        return [NAN] * track.width
    sums = [0, *accumulate(counts)]
    rates = []
    for column in range(track.width):
        begin = (track.start + column * track.step - line.start) / line.step
        low = min(max(0, floor(begin + 1e-9)), len(counts))
        high = min(max(low + 1, ceil(begin + track.step / line.step - 1e-9)), len(counts))
        known = high > low and begin + track.step / line.step > 0
        rates.append((sums[high] - sums[low]) / (high - low) if known else NAN)
    return rates


def _worst(line: Timeline, track: Track) -> list[int]:
    """The worst verdict in each column; 0 if unknown."""
    worst = [0] * track.width
    for index, bad in enumerate(line.gravity):
        if bad:
            begin = line.start + index * line.step
            for column in range(track.column(begin), track.column(begin + line.step - 1e-6) + 1):
                worst[column] = max(worst[column], bad)
    return worst


def _share(errors: float, turns: float) -> float:
    whole = errors + turns
    return errors / whole if whole > 0 else 0.0


def _rank(note: Note) -> int:
    if note.kind in ("trouble", "alert"):
        return BAD.index(note.severity) if note.severity in BAD else 2
    return KINDS.get(note.kind, UNKNOWN)[3]


def sign(note: Note) -> Span:
    """Glyph and tone of a notable event."""
    if note.kind in ("trouble", "alert"):
        level = note.severity if note.severity in BAD else "degraded"
        return SIGNS[level].glyph, SIGNS[level].tone
    glyph, _, tone, _ = KINDS.get(note.kind, UNKNOWN)
    return glyph, tone


def note_text(note: Note, options: DisplayOptions) -> str:
    """A notable event in a line, as in "▲ trouble 14:01:10 · P95 2.4× normal"."""
    word = KINDS.get(note.kind, UNKNOWN)[1]
    parts = (
        f"{sign(note)[0]} {word} {options.clock(note.at)}",
        note.label,
        f"by {note.by}" if note.by else "",
    )
    return " · ".join(part for part in parts if part)


def ends(track: Track, options: DisplayOptions) -> tuple[str, str]:
    """The texts after the two lines: start and end."""
    return (
        f" from {_axis_clock(track.first, track, options)} ",
        f" to   {_axis_clock(track.last, track, options)} ",
    )


def _axis_clock(at: float, track: Track, options: DisplayOptions) -> str:
    if at <= 86_400:
        return numbers.DASH
    clock = options.clock(at, seconds=track.step * track.width < 1200)
    one_day = times.day(track.first, utc=options.utc) == times.day(track.last, utc=options.utc)
    return clock if one_day else f"{times.day(at, utc=options.utc)[5:]} {clock}"


def room_for(line: Timeline, options: DisplayOptions, width: int) -> int:
    """The number of columns in a line of `width`."""
    end = max(map(cells, ends(track_of(line, max(1, width - 24)), options)))
    return max(1, width - LEFT - end)


def strip_lines(made: Drawn, options: DisplayOptions, width: int, *, at: float, rows: int) -> list[Line]:
    """The strip in `rows` lines, 1 to 4; `at` is the viewed time."""
    begin, end = ends(made.track, options)
    here = -1 if isnan(at) else made.track.column(at)
    upper = Row().left(LEFT, " status", "faint").put(_events(made, here, options, alone=rows < ROOMY))
    errors = Row().left(LEFT, " errors", "faint").put(_error_bars(made, options))
    lower = Row().left(LEFT, " turns", "faint").put(_traffic(made, here, options))
    whole = [
        upper.add(begin, "muted").line(),
        errors.line(),
        lower.add(end, "muted").line(),
        _around(made.line, at, options, width),
    ]
    lines = whole if rows >= ROOMY else [whole[0], whole[2]][:rows]
    return [fit(made_line, width) for made_line in lines]


def _events(made: Drawn, here: int, options: DisplayOptions, *, alone: bool) -> Line:
    """Notable events over the verdict; `alone`, with the errors of calm times too."""
    spans = [
        _stretch(bad, bar if alone else ("─", "rule"), known)
        for bad, bar, known in zip(made.gravity, _error_bars(made, options), made.traffic, strict=True)
    ]
    for column, notes in made.notes.items():
        spans[column] = sign(notes[0])
        if notes[0].kind == "marker":
            _name(spans, column, notes[0].label, made.notes)
    if here >= 0:
        text, tone = spans[here]
        spans[here] = (text, tone + SELECTED)
    return tuple(spans)


def _stretch(bad: int, calm: Span, known: float) -> Span:
    """A column of the first line: the verdict, or `calm` while all is well."""
    return (" ", "text") if isnan(known) else STRETCHES.get(GRAVITY[bad], calm)


def _error_bars(made: Drawn, options: DisplayOptions) -> Line:
    return tuple(
        _error_cell(value, known, options) for value, known in zip(made.errors, made.traffic, strict=True)
    )


def _error_cell(value: float, known: float, options: DisplayOptions) -> Span:
    """Errors as a bar; a digit in ASCII."""
    if isnan(known):
        return " ", "text"
    level = int(value * (len(LEVELS) - 1) + 0.5)
    if not level:
        return "─", "rule"
    return (str(max(1, min(9, round(value * 9)))) if options.ascii else LEVELS[level]), "threshold"


def _name(spans: list[Span], column: int, label: str, notes: Mapping[int, object]) -> None:
    """Write a marker's name after its glyph, if there is room."""
    free = 0
    while free < LABEL and column + free + 1 < len(spans) and column + free + 1 not in notes:
        free += 1
    text = clip(label.removeprefix("deploy "), free)  # what the sign itself says needs no room
    if free >= 2 and len(text) == cells(text):  # a cell a character: what is wider would move all behind it
        for index, char in enumerate(text):
            spans[column + 1 + index] = (char, "marker")


def _traffic(made: Drawn, here: int, options: DisplayOptions) -> Line:
    """The traffic, and the viewed time."""
    text = spark(made.traffic, 1.0, ascii_only=options.ascii)
    if here < 0:
        return ((text, "chart"),)
    return ((text[:here], "chart"), ("┃", "strong" + SELECTED), (text[here + 1 :], "chart"))


def _around(line: Timeline, at: float, options: DisplayOptions, width: int) -> Line:
    """The previous and the next event."""
    before, after = beside(line.notes, at)
    if before is None and after is None:
        return Row(1).add("no notable event" if line.complete else "no notable event so far", "faint").line()
    half = (width - 4) // 2
    row = Row(1)
    for note, lead, end in ((before, "‹ ", half), (after, "› ", width - 1)):
        if note is not None:
            row.add(lead, "faint").add(clip(note_text(note, options), end - row.width - 2), sign(note)[1]).to(
                end
            )
        row.to(end)
    return row.line()


def beside(notes: Sequence[Note], at: float) -> tuple[Note | None, Note | None]:
    """The last notable event up to a time, and the first after it."""
    before = max((note for note in notes if note.at <= at), key=lambda note: note.at, default=None)
    after = min((note for note in notes if note.at > at), key=lambda note: note.at, default=None)
    return before, after


def time_under(made: Drawn, column: int) -> tuple[float, Note | None]:
    """The time of a column, or of its event if it has one."""
    if not 0 <= column < made.track.width:
        return -inf, None
    notes = made.notes.get(column)
    return (notes[0].at, notes[0]) if notes else (made.track.moment(column), None)
