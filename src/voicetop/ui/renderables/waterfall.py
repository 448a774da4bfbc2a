"""The stages of one turn as a bar, on the same scale for all turns of a call.

Each stage has a texture of its own, so that the bar can be read without colours. What goes beyond the scale ends in an
arrow; the figure beside it says how far.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from statistics import median

from voicetop.charts.scale import round_up, ticks
from voicetop.engine.snapshot import TurnRow
from voicetop.formatting import labels, numbers
from voicetop.ui.lines import Line, Row, cells, fit

TEXTURES = {"stt": "▓", "eou": "▒", "llm": "█", "tool": "▞", "tts": "░", "other": "╌"}
LEGEND = ("stt", "eou", "llm", "tool", "tts", "other")

LEAST_MS = 2_000.0
FAR = 5.0
"""A turn of more than so many times the median goes beyond the scale, so that the others can still be read."""


def top(turns: Sequence[TurnRow]) -> float:
    """The end of the scale in ms, at a round figure. A wait that goes on doesn't move it: it grows towards it."""
    told = [length(turn) for turn in turns if length(turn) > 0]
    if not told:
        return 10_000.0 if any(not isnan(turn.waiting_s) for turn in turns) else LEAST_MS
    return max(LEAST_MS, round_up(min(max(told), FAR * median(told))))


def length(turn: TurnRow) -> float:
    """How long the caller waited for this answer in ms, or how long its stages took; 0 where neither is told."""
    if not isnan(turn.e2e_ms):
        return turn.e2e_ms
    spans = [ms for _, ms in turn.stages if not isnan(ms)]
    return (sum(spans) if turn.additive else max(spans, default=0.0)) if spans else 0.0


def bar(turn: TurnRow, scale: float, width: int) -> Line:
    """The waterfall of one turn in exactly `width` cells."""
    if width <= 0:
        return ()
    if not isnan(turn.waiting_s):
        return _waiting(turn, scale, width)
    if not turn.stages:
        return _whole(turn, scale, width)
    return _following(turn, scale, width) if turn.additive else _overlapping(turn, scale, width)


def place(ms: float, scale: float, width: int) -> int:
    """The cell of a time within the turn."""
    return min(width, max(0, round(ms / scale * width)))


def _following(turn: TurnRow, scale: float, width: int) -> Line:
    """Stages that sum to the whole, one after the other; what they leave unexplained is dotted."""
    row = Row()
    passed = 0.0
    for stage, ms in turn.stages:
        start, end = place(passed, scale, width), place(passed + ms, scale, width)
        passed += ms
        row.put(_piece(stage, max(end, start + (1 if ms > 0 else 0)) - row.width))
        if row.width >= width:
            break
    rest = place(length(turn), scale, width) - row.width
    row.add("·" * rest, "faint")
    return _ended(row, length(turn), scale, width)


def _piece(stage: str, size: int) -> Line:
    """A stretch of one stage, with its name where there is room for it."""
    if size <= 0:
        return ()
    kind, name = labels.stage_kind(stage), labels.short_stage(stage)
    texture = TEXTURES[kind]
    if size < cells(name) + 2:
        return ((texture * size, kind),)
    before = (size - cells(name)) // 2
    return ((texture * before + name + texture * (size - before - cells(name)), kind),)


def _overlapping(turn: TurnRow, scale: float, width: int) -> Line:
    """Stages that ran beside each other, all from the start: how long each took is known, when it began isn't."""
    row = Row()
    for stage, ms in sorted(turn.stages, key=lambda part: part[1]):
        size = place(ms, scale, width) - row.width
        row.add("━" * size, labels.stage_kind(stage))
    rest = place(length(turn), scale, width) - row.width
    return _ended(row.add("·" * rest, "faint"), length(turn), scale, width)


def _whole(turn: TurnRow, scale: float, width: int) -> Line:
    """A turn without stages: only its length."""
    ms = length(turn)
    return _ended(Row().add("·" * place(ms, scale, width), "muted"), ms, scale, width)


def _waiting(turn: TurnRow, scale: float, width: int) -> Line:
    """A wait that goes on, in the texture of the stage that it is stuck in."""
    ms = turn.waiting_s * 1000
    name = labels.short_stage(turn.stage) if turn.stage else ""
    size = max(1, place(ms, scale, width) - 1)
    texture = TEXTURES[labels.stage_kind(turn.stage)] if turn.stage else "·"
    if name and size >= cells(name) + 2:
        before = (size - cells(name)) // 2
        text = texture * before + name + texture * (size - before - cells(name))
    else:
        text = texture * size
    return fit(Row().add(text + "▶", "down").line(), width)


def _ended(row: Row, ms: float, scale: float, width: int) -> Line:
    """The bar in its width; an arrow where it goes on beyond the scale."""
    line = row.line()
    if ms <= scale:
        return fit(line, width)
    spans = list(fit(line, width))
    text, tone = spans[-1]
    spans[-1] = (text[:-1], tone)
    return (*spans, ("▶", "degraded"))


def axis(scale: float, width: int) -> Line:
    """The scale itself: 0 ── 2 s ── 4 s, each figure ending where it stands."""
    row = Row().add("0", "muted")
    marks = ticks(scale, 3 if width < 40 else 7)
    for mark in marks:
        said = f" {numbers.axis_ms(mark)}"
        end = place(mark, scale, width)
        if end - row.width < cells(said) + 2:
            continue
        row.add("─" * (end - row.width - cells(said)), "rule").add(said, "muted").add(" " * (end < width))
    return fit(row.add("─" * (width - row.width), "rule").line(), width)


def legend(width: int, *, overlap: bool) -> Line:
    """What the textures mean; where stages overlap it says so."""
    row = Row(3)
    for kind in LEGEND:
        row.add(TEXTURES[kind] * 2, kind).add(f" {labels.short_stage(kind)}  ", "muted")
    row.add("▶", "degraded").add(" pending  ", "muted")
    if overlap:
        row.add("━━", "muted").add(" stages overlap, each drawn from 0", "muted")
    return fit(row.line(), width)
