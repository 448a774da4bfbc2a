"""The turns of a call: what was said, where the time went, and what happened.

A rung is a block of lines; the cursor stands on one of them. Folded, it shows a line for each speaker, with what went
wrong in full; unfolded, every word, every stage on a line of its own, and all that the feed told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from math import isnan
from typing import NamedTuple

from voicetop.engine.snapshot import CallDetail, CallEventItem, TurnRow
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import Line, Row, cells, clip, fit, rule, selected
from voicetop.ui.renderables import waterfall
from voicetop.ui.renderables.wrapping import wrapped
from voicetop.ui.style.display_options import DisplayOptions

MARK = 2
ROLE = 7
E2E = 9
CLOCKS_FROM = 100
"""From this width, each event's time fits beside the turns."""
ALWAYS = ("tool", "error", "retry", "barge-in", "outcome", "end", "note")
"""The events that a folded turn shows too."""
STATUS = {
    "failed": ("■ failed", "down"),
    "no_reply": ("■ no reply", "down"),
    "noise": ("· noise", "muted"),
    "unknown": ("? unknown", "blind"),
    "cancelled": ("▲ interrupted", "degraded"),
}


class TurnBlock(NamedTuple):
    """Lines that the cursor selects as one; `turn` is the turn's index, -1 for other blocks."""

    key: str
    lines: tuple[Line, ...]
    turn: int = -1


class TurnFrame(NamedTuple):
    """How the ladder's columns are dealt out in a width: where words begin, where figures end, the waterfall.

    `rich` has room for the small events (audio, steps, segments) on folded rungs too.
    """

    width: int
    said: int
    bars: int
    rich: bool

    @property
    def wide(self) -> int:
        """Width of the waterfall."""
        return max(0, self.width - self.bars)


def frame_for(width: int, *, rich: bool = False) -> TurnFrame:
    """The columns: the waterfall gets about a third, and goes where there is no room for it.

    >>> frame_for(80).wide, frame_for(120).wide
    (24, 40)
    """
    said = MARK + 3 + 1 + 8 + (3 if width >= CLOCKS_FROM else 1) + ROLE
    wide = 0 if width < 60 else min(72, max(20, width * 30 // 100 if width < 100 else width // 3))
    return TurnFrame(width, min(said, width // 2), width - wide, rich)


def ladder(
    detail: CallDetail, options: DisplayOptions, frame: TurnFrame, unfolded: frozenset[int]
) -> list[TurnBlock]:
    """All turns, preceded by the events before the first one."""
    scale = waterfall.top(detail.turns)
    blocks = []
    before = [item for item in detail.before if frame.rich or item.kind in ALWAYS]
    if before:
        lines = tuple(_items(before, options, frame, full=False))
        blocks.append(TurnBlock("before", lines))
    for turn in detail.turns:
        lines = _rung(turn, options, frame, scale, turn.index in unfolded)
        blocks.append(TurnBlock(f"turn {turn.index}", lines, turn.index))
    return blocks


def ladder_head(detail: CallDetail, frame: TurnFrame) -> list[Line]:
    """The rule with the scale of the waterfall."""
    scale = waterfall.top(detail.turns)
    if not frame.wide:
        return [rule("turns", frame.width, f"{len(detail.turns)}")]
    left = rule("turns", frame.bars - 1, f"{len(detail.turns)}")
    return [(*left, (" ", "text"), *waterfall.axis(scale, frame.wide))]


def overlapping(detail: CallDetail) -> bool:
    """Whether stages of some turns overlap."""
    return any(turn.stages and not turn.additive for turn in detail.turns)


def chosen(block: TurnBlock) -> list[Line]:
    """A block with the cursor on it."""
    first, *rest = block.lines
    marked = (("▸", "accent"), *_without_first_cell(first))
    return [selected(marked), *rest]


def _without_first_cell(line: Line) -> Line:
    (text, tone), *rest = line
    return ((text[1:], tone), *rest) if text[1:] else tuple(rest)


@lru_cache(maxsize=1024)
def _rung(
    turn: TurnRow, options: DisplayOptions, frame: TurnFrame, scale: float, full: bool
) -> tuple[Line, ...]:
    """The lines of a turn, cached: in a long call only the last turn changes between frames."""
    return tuple(_rung_lines(turn, options, frame, scale, full=full))


def _rung_lines(
    turn: TurnRow, options: DisplayOptions, frame: TurnFrame, scale: float, *, full: bool
) -> Iterator[Line]:
    head = Row(MARK).right(MARK + 3, str(turn.index) if turn.index >= 0 else numbers.DASH, "muted").add(" ")
    head.add(options.clock(turn.at), "text").add(" ")
    words = full or frame.rich
    yield from _caller(turn, head, frame, full=words)
    if isnan(turn.waiting_s):
        yield from _agent(turn, frame, scale, full=words)
    yield from _items(
        [i for i in turn.items if full or frame.rich or i.kind in ALWAYS], options, frame, full=full
    )
    if not isnan(turn.waiting_s):
        yield _stuck(turn, frame, scale)
    if full:
        yield from _stages(turn, frame, scale)


def _caller(turn: TurnRow, head: Row, frame: TurnFrame, *, full: bool) -> Iterator[Line]:
    """The caller's words over the whole width, with the step."""
    note = turn.step if cells(turn.step) <= 24 else clip(turn.step, 24)
    row = head.to(frame.said - ROLE).left(ROLE, "caller", "muted")
    yield from _speech(
        row, turn.user_text, frame, frame.width - frame.said - cells(note) - 3, full=full, note=note
    )


def _agent(turn: TurnRow, frame: TurnFrame, scale: float, *, full: bool) -> Iterator[Line]:
    """The agent's answer, its latency and its stages."""
    row = Row(frame.said - ROLE).left(ROLE, "agent", "key")
    said, tone = _verdict(turn)
    room = frame.bars - frame.said - max(E2E, cells(said) + 2)
    first, *rest = list(_speech(row, turn.agent_text, frame, room, full=full))
    line = Row().put(fit(first, frame.bars - cells(said) - 1)).add(said, tone).add(" ")
    yield fit(line.put(waterfall.bar(turn, scale, frame.wide)).line(), frame.width)
    yield from rest


def _verdict(turn: TurnRow) -> tuple[str, str]:
    """The answer's latency, or why there is none."""
    told = "" if isnan(turn.e2e_ms) else numbers.milliseconds(turn.e2e_ms)
    word, tone = STATUS.get(turn.status, ("" if turn.status == "ok" else turn.status, "degraded"))
    if not word:
        return (told, "strong") if told else ("–", "faint")
    return f"{word} {told}".rstrip(), tone


def _speech(
    row: Row, text: str, frame: TurnFrame, room: int, *, full: bool, note: str = ""
) -> Iterator[Line]:
    """Speech beside its speaker, clipped or in full."""
    parts = wrapped(text, max(4, room)) if full and text else [clip(text, max(0, room))]
    row.add(parts[0] or "–", "text" if text else "faint")
    yield fit(row.right(frame.width - 1, note, "faint").line() if note else row.line(), frame.width)
    for part in parts[1:]:
        yield fit(Row(frame.said).add(part).line(), frame.width)


def _stuck(turn: TurnRow, frame: TurnFrame, scale: float) -> Line:
    """A pending answer."""
    stage = labels.stage(turn.stage) or "reply"
    row = Row(frame.said - ROLE - 2).add("■ ", "down").left(ROLE, "waits", "down")
    row.add(clip(f"for {stage} {times.seconds(turn.waiting_s)}", frame.bars - frame.said - 1), "down")
    return fit(row.to(frame.bars).put(waterfall.bar(turn, scale, frame.wide)).line(), frame.width)


# -- what happened beside the words -------------------------------------------------------------------------------


def _items(
    items: Sequence[CallEventItem], options: DisplayOptions, frame: TurnFrame, *, full: bool
) -> Iterator[Line]:
    """The turn's events; repeated ones become one line with a count."""
    for _, same in groupby(_finished(items), key=lambda item: (item.kind, item.text, item.detail)):
        found = list(same)
        yield from _item(found[0], len(found), options, frame, full=full)


def _finished(items: Sequence[CallEventItem]) -> list[CallEventItem]:
    """The events without the starts of tools that also have an end."""
    ended = {item.text.partition(" ")[0] for item in items if item.kind == "tool" and not _begins(item)}
    return [item for item in items if not (_begins(item) and item.text.partition(" ")[0] in ended)]


def _begins(item: CallEventItem) -> bool:
    return item.kind == "tool" and item.text.endswith(" start")


def item_tone(item: CallEventItem) -> str:
    """The tone of an event: errors are red, retries and interruptions amber."""
    if item.bad:
        return "down"
    return {"retry": "degraded", "barge-in": "degraded", "tool": "tool", "note": "strong"}.get(
        item.kind, "muted"
    )


def _item(
    item: CallEventItem, repeated: int, options: DisplayOptions, frame: TurnFrame, *, full: bool
) -> Iterator[Line]:
    tone = item_tone(item)
    glyph = "■" if item.bad else "▲" if tone == "degraded" else " "
    row = Row(MARK + 4)
    if frame.width >= CLOCKS_FROM and (full or frame.rich):
        row.add(options.clock(item.at), "faint")
    row.to(frame.said - ROLE - 2).add(f"{glyph} ", tone)
    row.left(ROLE, SHORT.get(item.kind, item.kind), tone).to(frame.said)
    words = [*item_words(item, repeated), *([item.detail] if item.detail else [])]
    room = max(4, frame.width - frame.said - 1)
    text = " · ".join(words)
    parts = wrapped(text, room) if full or (item.bad and cells(text) < room * 2) else [clip(text, room)]
    ink = tone if item.bad or tone == "degraded" else "text" if item.kind in ("tool", "note") else "muted"
    yield fit(row.add(parts[0], ink).line(), frame.width)
    for part in parts[1:]:
        yield fit(Row(frame.said).add(part, ink).line(), frame.width)


SHORT = {"barge-in": "cut in", "segments": "known", "service": "serves", "outcome": "result"}


def item_words(item: CallEventItem, repeated: int = 1) -> list[str]:
    """An event in words, without its detail."""
    text = f"{item.text} ×{repeated}" if repeated > 1 else item.text
    if isnan(item.ms):
        return [text]
    if item.kind == "barge-in":
        return [f"{text} {times.seconds(item.ms / 1000)} into the reply"]
    return [f"{text} {numbers.milliseconds(item.ms)}"]


# -- the stages one by one ----------------------------------------------------------------------------------------


def _stages(turn: TurnRow, frame: TurnFrame, scale: float) -> Iterator[Line]:
    """Each stage on its own line, at its position on the scale."""
    passed = 0.0
    for stage, ms in turn.stages:
        row = Row(frame.said).add(f"{labels.stage(stage):<12}", labels.stage_kind(stage))
        row.right(frame.said + 22, numbers.milliseconds(ms), "text").to(frame.bars)
        start = waterfall.place(passed if turn.additive else 0.0, scale, frame.wide)
        end = waterfall.place((passed if turn.additive else 0.0) + ms, scale, frame.wide)
        row.add(" " * start).add(
            _mark(stage, turn) * min(max(1, end - start), frame.wide - start), labels.stage_kind(stage)
        )
        passed += ms
        yield fit(row.line(), frame.width)
    told = list(_measured(turn))
    if told:
        yield fit(
            Row(frame.said).add(clip(" · ".join(told), frame.width - frame.said), "faint").line(), frame.width
        )


def _mark(stage: str, turn: TurnRow) -> str:
    return waterfall.TEXTURES[labels.stage_kind(stage)] if turn.additive else "━"


def _measured(turn: TurnRow) -> Iterable[str]:
    if turn.stages and not turn.additive:
        yield "stages overlap; their start times are unknown"
    if turn.measured_from:
        yield f"measured from {labels.words(turn.measured_from)}"
    if not isnan(turn.confidence):
        yield f"STT confidence {turn.confidence:.2f}"
