"""Plain text for copying: a call, a panel, or the status line."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan

from voicetop.engine.snapshot import CallRow
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import Line, text_of
from voicetop.ui.renderables.capacity import headcount
from voicetop.ui.renderables.header import narrowing, verdict
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.style.display_options import SIGNS, DisplayOptions

MAX_BYTES = 60_000
"""What terminals accept in one OSC 52 sequence: 80 kB in base64."""
CUT = "… (cut here)"


def status_text(scene: Scene) -> str:
    """The status in one line: the verdict with its time."""
    level, sentence = verdict(scene)
    parts = [f"{SIGNS[level].text} {sentence}"]
    snap = scene.snap
    if snap is not None:
        parts = [
            f"{snap.deployment}: {parts[0]}" if snap.deployment else parts[0],
            f"{snap.capacity.live:,} live calls",
        ]
        parts += [headcount(snap), narrowing(scene.view.where) if scene.view.where else ""]
        parts.append(f"as of {scene.options.clock(snap.at)} {scene.options.zone(snap.at)}")
    return " · ".join(part for part in parts if part)


def caption(scene: Scene) -> Line:
    """Feed and time of a picture."""
    snap, options = scene.snap, scene.options
    if snap is None:
        return ()
    parts = [snap.deployment, narrowing(scene.view.where) if scene.view.where else ""]
    parts.append(f"{times.day(snap.at, utc=options.utc)} {options.clock(snap.at)} {options.zone(snap.at)}")
    return ((" " + " · ".join(part for part in parts if part), "muted"),)


def row_text(row: CallRow, options: DisplayOptions) -> str:
    """A call in one line."""
    return " · ".join(part for part in _row_parts(row, options) if part)


def _row_parts(row: CallRow, options: DisplayOptions) -> Iterable[str]:
    yield f"call {row.call_id}"
    if isnan(row.ended_at):
        yield row.eyes or row.state
        wait = " ".join(part for part in (labels.stage(row.stage), row.provider) if part)
        if not isnan(row.unknown_since):
            yield labels.unknown_replies(1, f"since {options.clock(row.unknown_since)}")
        yield (
            "" if isnan(row.waiting_s) else f"waiting {times.seconds(row.waiting_s)} for {wait or 'a reply'}"
        )
    else:
        yield f"ended {options.clock(row.ended_at)} {options.zone(row.ended_at)} {row.reason}".rstrip()
        yield row.outcome
    yield f"age {times.age(row.age_s)}"
    yield f"turn {row.turn}" if row.turn >= 0 else ""
    yield f"step {row.step}" if row.step else ""
    yield ", ".join(f"{name}={value}" for name, value in row.segments)
    yield "" if isnan(row.e2e_ms) else f"last response {numbers.milliseconds(row.e2e_ms)}"
    yield numbers.counted(row.errors, "error") if row.errors else ""
    yield "" if isnan(row.cost_usd) else f"{'~' if row.estimated else ''}{numbers.dollars(row.cost_usd)}"
    yield "" if isnan(row.mood) else f"frustration {row.mood:.2f} ({row.mood_of}/5 signals)"


def panel_text(lines: Iterable[Line]) -> str:
    """The text of lines, without surrounding blanks."""
    shown = [text_of(line).rstrip() for line in lines]
    return "\n".join(shown).strip("\n")


def bounded(text: str, limit: int = MAX_BYTES) -> str:
    """`text` in at most `limit` bytes of UTF-8, cut at the end of a line with a note."""
    if len(text.encode()) <= limit:
        return text
    shown = text.encode()[: limit - len(CUT.encode()) - 1].decode(errors="ignore")
    head = shown.rpartition("\n")[0] or shown
    return f"{head}\n{CUT}"
