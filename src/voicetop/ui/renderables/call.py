"""One call: its state, its turns, and its attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import NamedTuple

from voicetop.charts import blocks as bars
from voicetop.engine.snapshot import NAN, CallDetail, CallRow
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import BLANK, Line, Row, block, cells, clip, fit, rule
from voicetop.ui.links import Hyperlink, linked
from voicetop.ui.renderables import waterfall
from voicetop.ui.renderables.calls import ATTENTION
from voicetop.ui.renderables.plain_text import row_text
from voicetop.ui.renderables.turns import TurnBlock, chosen, frame_for, ladder, ladder_head, overlapping
from voicetop.ui.renderables.wrapping import wrapped
from voicetop.ui.style.display_options import DisplayOptions

SIDE = 52
SIDE_FROM = 158
"""From this width, the attributes are beside the turns."""
RICH_FROM = (120, 34)
"""From this body size, even minor events have their own lines."""


class CallScreen(NamedTuple):
    """The parts of the call screen: fixed head, navigable blocks, and attributes at the side."""

    head: list[Line]
    blocks: list[TurnBlock]
    side: list[Line]
    width: int
    """Width of the turns; the rest belongs to the side."""


def call_screen(
    detail: CallDetail,
    options: DisplayOptions,
    width: int,
    height: int,
    *,
    unfolded: frozenset[int] = frozenset(),
    links: Sequence[Hyperlink] = (),
    note: str = "",
) -> CallScreen:
    """One call laid out for a size, not yet scrolled; `note` says why it isn't complete or current."""
    beside = width >= SIDE_FROM
    side = _stacked(facts(detail, options, SIDE, links)) if beside else []
    beside = beside and len(side) <= height - 5
    own = width - SIDE - 3 if beside else width
    frame = frame_for(own, rich=width >= RICH_FROM[0] and height >= RICH_FROM[1])
    head = call_head(detail, options, width, note=note)
    head += ladder_head(detail, frame)
    blocks = ladder(detail, options, frame, unfolded)
    if not detail.turns:
        blocks.append(TurnBlock("none", (_no_turns(detail, own),)))
    if frame.wide:
        blocks.append(TurnBlock("legend", (fit(waterfall.legend(own, overlap=overlapping(detail)), own),)))
    if not beside:
        blocks += [TurnBlock(title, tuple(lines)) for title, lines in facts(detail, options, width, links)]
    return CallScreen(head, blocks, side if beside else [], own)


def without_turns(row: CallRow, options: DisplayOptions, width: int, *, note: str) -> CallScreen:
    """A call of which only the list's row is available."""
    head = call_head(CallDetail(row=row, started=NAN), options, width, note=note)
    said = [
        fit(Row(3).add(part, "muted").line(), width) for part in wrapped(row_text(row, options), width - 4)
    ]
    return CallScreen(head, [TurnBlock("row", tuple(said))], [], width)


def _no_turns(detail: CallDetail, width: int) -> Line:
    said = (
        "turns not kept" if not detail.whole else "No turns yet. A turn appears when its turn event arrives."
    )
    return fit(Row(3).add(said, "faint").line(), width)


def scrolled(made: CallScreen, height: int, width: int, first: int, cursor: int) -> list[Line]:
    """The body in exactly `height` lines: the head stays, the blocks are scrolled to line `first`."""
    lines = [
        line for i, part in enumerate(made.blocks) for line in (chosen(part) if i == cursor else part.lines)
    ]
    room = max(1, height - len(made.head))
    shown = block(lines[first : first + room], room, made.width)
    if made.side:
        side = block(made.side, room, SIDE)
        shown = [(*line, ("   ", "text"), *fact) for line, fact in zip(shown, side, strict=True)]
    return block([*made.head, *shown], height, width)


# -- the head -------------------------------------------------------------------------------------------------------


def call_head(detail: CallDetail, options: DisplayOptions, width: int, *, note: str = "") -> list[Line]:
    """Caller and state, then the main figures."""
    lines = [_title(detail.row, options, width), _one_line(detail, width)]
    if note:
        lines += [
            fit(Row(1).add(f"? {part}", "blind").line(), width) for part in wrapped(note, width - 4)[:2]
        ]
    elif not detail.whole:
        said = "incomplete: under high load only some events are kept per call; the figures count all of them"
        lines.append(fit(Row(1).add(f"? {clip(said, width - 4)}", "blind").line(), width))
    return lines


def _title(row: CallRow, options: DisplayOptions, width: int) -> Line:
    state, tone = state_text(row, options)
    room = max(10, width - cells(state) - 4)
    left = Row(1).add(clip(row.call_id, max(8, room // 2)), "strong")
    for text in (
        times.age(row.age_s),
        " × ".join(value for _, value in row.segments),
        row.caller,
        row.step,
    ):
        if text and left.width + 3 + min(cells(text), 12) <= room:
            left.add("   ").add(clip(text, room - left.width), "text")
    return fit(left.right(width - 1, clip(state, width - 12), tone).line(), width)


def state_text(row: CallRow, options: DisplayOptions) -> tuple[str, str]:
    """The call's state in words: waiting, lost, or ended with reason, outcome and time."""
    if not isnan(row.ended_at):
        failed = row.reason == "error" or row.outcome in ("no success", "failure", "failed")
        told = [
            f"ended {options.clock(row.ended_at)}",
            row.reason.replace("_", " "),
            row.outcome.replace("_", " "),
        ]
        return (
            f"{'▲' if failed else '·'} {' · '.join(t for t in told if t)}",
            "degraded" if failed else "muted",
        )
    glyph, tone = ATTENTION.get(row.eyes, ("●", "ok"))
    if row.state == "lost":
        return ("? lost: no events for a long time, and no end", "blind")
    if not isnan(row.unknown_since):
        return (f"? {labels.unknown_replies(1, f'since {options.clock(row.unknown_since)}')}", "blind")
    if not isnan(row.waiting_s):
        stage = " ".join(part for part in (labels.stage(row.stage) or "reply", row.provider) if part)
        return (f"{glyph} waiting for {stage} {times.seconds(row.waiting_s)}", tone if row.eyes else "text")
    return (f"{glyph} {row.eyes or row.state}", tone)


def _one_line(detail: CallDetail, width: int) -> Line:
    """Turns, errors, cost and frustration in one line."""
    row = detail.row
    out = Row(1).add(numbers.counted(len(detail.turns) or max(0, row.turn), "turn"), "muted")
    out.add(" · ", "faint").add(
        f"{'▲ ' if row.errors else ''}{numbers.counted(row.errors, 'error')}",
        "degraded" if row.errors else "muted",
    )
    cost = f"{'~' if row.estimated else ''}{numbers.dollars(row.cost_usd)}"
    out.add(" · ", "faint").add(f"cost {cost}", "muted")
    high = row.eyes == "frustrated"
    mood = "–" if isnan(row.mood) else f"{row.mood:.2f} from {row.mood_of} of 5 signals"
    out.add(" · ", "faint").add(f"{'▲ ' if high else ''}frustration {mood}", "degraded" if high else "muted")
    if detail.trace_id and width - out.width > 24:
        out.add(" · ", "faint").add(clip(f"trace {detail.trace_id}", width - out.width - 2), "muted")
    return fit(out.line(), width)


# -- the facts ------------------------------------------------------------------------------------------------------


def facts(
    detail: CallDetail, options: DisplayOptions, width: int, links: Sequence[Hyperlink]
) -> Iterator[tuple[str, list[Line]]]:
    """The call's attributes, by section."""
    for title, lines in (
        ("attributes", list(_segments(detail, options, width))),
        ("cost", list(_cost(detail, options, width))),
        ("frustration", list(_signals(detail, options, width))),
        ("evaluations", list(_opinions(detail, width))),
        ("about", list(_about(detail, options, width, links))),
    ):
        yield (
            title,
            [fit(rule(title, width), width), *(fit(line, width) for line in lines), fit(BLANK, width)],
        )


def _stacked(sections: Iterator[tuple[str, list[Line]]]) -> list[Line]:
    return [line for _, section in sections for line in section][:-1]


NAME = 14


def _fact(name: str, value: str, note: str, width: int, tone: str = "text") -> Line:
    row = Row(2).left(NAME, name, "muted").add(" ")
    room = width - row.width - cells(note) - 2
    return row.add(clip(value or "–", max(4, room)), tone).right(width - 1, note, "faint").line()


def _segments(detail: CallDetail, options: DisplayOptions, width: int) -> Iterator[Line]:
    """Every segment value, and when it became known if that was late: before, the call counted elsewhere."""
    for part in sorted(detail.segments, key=lambda part: part.known_at):
        after = part.known_at - detail.started
        when = "from the start" if after < 1 else f"{options.clock(part.known_at)}, after {times.span(after)}"
        yield _fact(part.name, part.value, when, width)
    if not detail.segments:
        yield Row(2).add("(unset) needs segments in call.start or call.update", "faint").line()


def _cost(detail: CallDetail, options: DisplayOptions, width: int) -> Iterator[Line]:
    """Costs, highest first; a name is a component, optionally with provider and model."""
    total = sum(value for _, value in detail.spent)
    for name, value in sorted(detail.spent, key=lambda part: -part[1]):
        component, _, model = name.partition("/")
        share = value / total if total else 0.0
        row = (
            Row(2)
            .left(NAME, labels.stage(component), "muted")
            .add(" ")
            .right(NAME + 12, numbers.dollars(value))
        )
        row.right(NAME + 21, numbers.percent(share), "muted").add("  ")
        size = max(0, min(16, width - row.width - 2))
        row.left(size, bars.strokes(share, size, ascii_only=options.ascii), labels.stage_kind(component))
        room = width - row.width - 4
        yield row.add(f"  {clip(model, room)}" if room > 4 else "", "faint").line()
    if not detail.spent:
        yield Row(2).add("no cost yet; needs usage events", "faint").line()


def _signals(detail: CallDetail, options: DisplayOptions, width: int) -> Iterator[Line]:
    """Each signal (0 to 1) with its weight; the score is the weighted mean of the available ones."""
    known = dict(detail.signals)
    total = sum(weight for name, weight in detail.weights if name in known)
    for name, weight in detail.weights:
        row = Row(2).left(NAME, name, "muted").add(" ")
        if name not in known:
            yield row.add("–", "faint").to(NAME + 8).add("(unset)", "faint").line()
            continue
        row.add(f"{known[name]:.2f}", "text").add(f" × {weight:.2f}", "muted")
        row.to(NAME + 18).add(f"+{known[name] * weight / total if total else 0:.2f}", "strong").add("  ")
        yield row.add(
            bars.strokes(known[name], max(0, min(20, width - row.width - 2)), ascii_only=options.ascii), "bar"
        ).line()
    if total and not isnan(detail.row.mood):
        said = f"score {detail.row.mood:.2f} = weighted mean of {len(known)} of {len(detail.weights)} signals"
        yield Row(2).add(clip(said, width - 3), "muted").line()


def _opinions(detail: CallDetail, width: int) -> Iterator[Line]:
    for who, said in detail.opinions:
        first, *rest = wrapped(said or "unknown", max(10, width - NAME - 4))
        yield Row(2).left(NAME, who, "muted").add(" ").add(first).line()
        for part in rest:
            yield Row(NAME + 3).add(part).line()
    if not detail.opinions:
        yield Row(2).add("no results yet; needs call.outcome events", "faint").line()


def _about(
    detail: CallDetail, options: DisplayOptions, width: int, links: Sequence[Hyperlink]
) -> Iterator[Line]:
    row = detail.row
    yield _fact("started", options.clock(detail.started), options.zone(detail.started), width)
    if not isnan(row.ended_at):
        yield _fact(
            "ended", f"{options.clock(row.ended_at)} {row.reason.replace('_', ' ')}", row.outcome, width
        )
    for name, value in (
        ("call", row.call_id),
        ("caller", row.caller),
        ("source", detail.source),
        ("direction", detail.direction),
        ("platform", detail.platform),
        ("trace", detail.trace_id),
    ):
        if value:
            yield _fact(name, value, "", width)
    for link in links:
        out = Row(2).left(NAME, f"{link.name} link", "muted").add(" ")
        yield out.add(clip(link.url, width - out.width - 2), linked("key", link.url)).line()
