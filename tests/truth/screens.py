"""What screens show: their pages painted as in a terminal, and the figures read off their text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

from truth.claims import Said
from voicetop.engine.snapshot import Series, Snapshot, View
from voicetop.session import Session
from voicetop.sources import LinkState
from voicetop.ui.actions.keymap import Keymap
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import text_of
from voicetop.ui.renderables.plots import moved
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.chart_page import PanelPage
from voicetop.ui.screens.page import Page
from voicetop.ui.style.display_options import DisplayOptions

COMPACT, WIDE = (80, 24), (200, 50)
STAGES = {"VAD": "vad", "STT": "stt", "EOU": "eou", "LLM": "llm_ttft", "tool": "tool", "TTS": "tts_ttfb"}
_VALUE = r"((?:≥ )?\$?[\d,.]+(?: m?s| %)?|too few \(n=[\d,]+\))"


NOTHING = Series(0.0, 60.0, (math.nan,))
PLOTS = {
    "latency": "P95 e2e",
    "errors": "errors",
    "success": "success",
    "abandonment": "abandonment",
    "cost": "cost",
}
"""The panels with charts, and the figure of each."""


class _Host:
    """What a page needs of the console."""

    keymap = Keymap()
    columns = HiddenColumns()
    options = DisplayOptions()
    scope = None
    link_templates = MappingProxyType[str, str]({})

    def changed(self, *, elsewhere: bool = False) -> None: ...


class Painted:
    """A page as it is painted for a view, with its `state`: what has the focus, and whether it is zoomed."""

    def __init__(
        self,
        session: Session,
        kind: Callable[[Any], Page],
        view: View,
        size: tuple[int, int],
        *,
        reading: bool = False,
        **state: Any,
    ) -> None:
        page = kind(_Host())
        for name, value in state.items():
            setattr(page, name, value)
        for _ in range(2):  # what it asks for depends on what it saw
            asked = page.view(view)
            self.snap: Snapshot = session.snapshot(asked)
            page.see(self.snap)
        if reading:  # as if v was pressed
            assert isinstance(page, PanelPage)
            page.at = moved(page.series(self.snap) or NOTHING, math.nan, 0)
        scene = Scene(snap=self.snap, link=LinkState("live"), view=asked)
        self.page = page
        *self.lines, self.foot = [text_of(line) for line in page.lines(scene, *size)]
        self.text = "\n".join(self.lines)


def figure(name: str, text: str) -> Said:
    """A figure in a panel: its value, or only its n where that is too few."""
    few = re.match(r"too few \(n=([\d,]+)\)", text)
    if few:
        yield f"n of {name}", few[1]
    else:
        yield name, text


def found(pattern: str, text: str, *names: str) -> Said:
    """The groups of the first match; nothing where there is none."""
    match = re.search(pattern, text, re.MULTILINE)
    for name, value in zip(names, match.groups() if match else (), strict=False):
        if value is not None:
            yield from figure(name, value)


def of_top(text: str) -> Said:
    """The lines of live and waiting callers."""
    yield from found(r"^ ?▸?LIVE CALLS +([\d,]+)", text, "live of all")
    yield from found(r"^ WAITING +([\d,]+)", text, "waiting")
    waiting = re.search(r"^ WAITING .*$", text, re.MULTILINE)
    if waiting:
        stuck = re.search(r"■ ([\d,]+) stuck", waiting[0])
        yield "stuck", stuck[1] if stuck else "0"
        yield from found(r"longest ([\d.]+ s)", waiting[0], "longest wait")
    yield from _unknown(text)
    yield from found(r"─ needs attention ─.* ([\d,]+) stuck", text, "stuck")
    yield from found(r"─ needs attention ─.* ([\d,]+) live ─", text, "live")


def _unknown(text: str) -> Said:
    unknown = re.search(r"([\d,]+) repl(?:y|ies) unknown since", text)
    yield "unknown", unknown[1] if unknown else "0"


def of_percentiles(text: str) -> Said:
    for name in ("P50", "P95", "P99"):
        yield from found(rf"^  {name} +{_VALUE}", text, f"{name} e2e")
    yield from found(r"─ response time ─.* n ([\d,]+)", text, "n of P50 e2e")


def of_compact(text: str) -> Said:
    """The Overview on 80×24."""
    yield from of_top(text)
    yield from of_percentiles(text)
    names = {"success": "success", "errors": "errors", "abandonment": "abandonment"}
    for title, name in (names | {"cost per call": "cost", "sentiment": "sentiment"}).items():
        yield from found(rf"^ .{title} +{_VALUE}", text, name)
        yield from found(rf"^ .{title} +.* n ([\d,]+)", text, f"n of {name}")


def of_wide(lines: list[str]) -> Said:
    """The Overview on 200×50: two large panels side by side, and five small ones below."""
    left, right = ("\n".join(line[a:b] for line in lines) for a, b in ((0, 104), (107, 200)))
    yield from of_top("\n".join(lines))
    yield from of_percentiles(left)
    for row in re.finditer(
        r"(?<=   )(VAD|STT|EOU|LLM|tool|TTS) +([\d,]+|few) +([\d,]+|few) +([\d,]+|few) ", left
    ):
        for name, value in zip(("P50", "P95", "P99"), row.groups()[1:], strict=True):
            if value != "few":
                yield f"{name} {STAGES[row[1]]}", value
    yield from found(r"─ errors, % of calls ─.* n ([\d,]+)", right, "n of errors")
    yield from found(rf"─ errors, % of calls ─.*\n  {_VALUE}", right, "errors")
    yield from _kinds(right)
    yield from found(r"([\d,]+) recovered on retry", right, "retried")
    yield from _small_panels(lines)


def _kinds(right: str) -> Said:
    for row in re.finditer(r"^  (\w+) +([a-z ]+?)  +([\d.]+ %)  [▇ ]", right, re.MULTILINE):
        yield f"errors {row[1].lower()}:{row[2].replace(' ', '_')}", row[3]


def _small_panels(lines: list[str]) -> Said:
    first = next(y for y, line in enumerate(lines) if "── task success " in line)
    panels = ["\n".join(line[x : x + 37] for line in lines[first : first + 5]) for x in range(0, 160, 40)]
    for panel, name in zip(panels, ("success", "abandonment", "cost"), strict=False):
        yield from found(rf"─ n ([\d,]+).*\n  {_VALUE}", panel, f"n of {name}", name)
    yield from found(rf"escalated {_VALUE}", panels[0], "escalation")
    yield from found(rf"─ n ([\d,]+).*\n  sentiment +{_VALUE}", panels[3], "n of sentiment", "sentiment")
    yield from found(r"interrupted +([\d.]+) per 100", panels[3], "interruptions")


def of_plain(line: str) -> Said:
    """A line of `--plain`."""
    figures = line.rpartition(" | ")[2]
    yield from found(r"\blive ([\d,]+)", figures, "live of all")
    yield from found(rf"p50 {_VALUE}", figures, "P50 e2e")
    yield from found(r"stuck ([\d,]+)/([\d,]+)", figures, "stuck", "waiting")
    yield from _unknown(figures)
    names = {
        "p95": "P95 e2e",
        "errors": "errors",
        "success": "success",
        "abandoned": "abandonment",
        "cost": "cost",
    }
    for title, name in names.items():
        yield from found(rf"{title} {_VALUE}", figures, name)
        yield from found(rf"{title} {_VALUE} n ([\d,]+)", figures, name, f"n of {name}")


def of_verdict(text: str) -> Said:
    """The figures in the verdict's sentence, of all calls."""
    yield from found(r"([\d,]+) of ([\d,]+) waiting callers stuck", text, "stuck of all", "waiting of all")
    yield from found(rf"P95 response {_VALUE}[^·]*?(?:\(n ([\d,]+)\))?", text, "P95 e2e of all")
    yield from found(rf"errors {_VALUE}", text, "errors of all")


def _table(lines: list[str], *titles: str) -> Iterator[tuple[str, dict[str, int]]]:
    """The rows of a table, each with the columns at which titles begin."""
    head = next(y for y, line in enumerate(lines) if all(title in line for title in titles))
    begin = {title: lines[head].index(title) for title in titles}
    for line in lines[head + 1 :]:
        if not line[3:].strip() or line.startswith("   No "):
            return
        yield line, begin


def of_segments(lines: list[str]) -> Iterator[tuple[str, Said]]:
    """The rows of Segments: their value, and their figures."""
    titles = (
        "VALUE",
        "CALLS",
        "P95 E2E",
        "ERRORS",
        "SUCCESS",
        "ABANDON",
        "COST",
        "SENTIMENT",
        "STUCK",
        "REST P95",
    )
    for line, at in _table(lines, *titles):
        yield line[at["VALUE"] : at["CALLS"]].strip(), _of_segment(line, at)


def _of_segment(line: str, at: dict[str, int]) -> Said:
    names = {"P95 E2E": "P95 e2e", "ERRORS": "errors", "SUCCESS": "success", "ABANDON": "abandonment"}
    for title, name in (names | {"COST": "cost", "SENTIMENT": "sentiment"}).items():
        yield from found(rf"^ *{_VALUE}", line[at[title] :], name)
    yield from found(r"([\d,]+) *$", line[: at["CALLS"] + 5], "active")
    yield from found(r"■ ([\d,]+) *$", line[: at["STUCK"] + 5], "stuck")
    yield from found(r"  ((?:≥ )?[\d,.]+ m?s|–) *$", line[: at["REST P95"] + 8], "rest P95")


def of_calls(lines: list[str]) -> Said:
    """The rows of a list of calls, each figure with the call's id."""
    for line, at in _table(
        lines, "CALL", "AGE", "TURN", "STEP", "WAITING", "INTENT", "LAST E2E", "ERR", "COST"
    ):
        call = line[at["CALL"] :].split()[0]
        hours, minutes, seconds = ([0, 0, *map(int, line[: at["AGE"] + 3].split()[-1].split(":"))])[-3:]
        yield f"age of {call}", hours * 3600.0 + minutes * 60 + seconds
        yield f"turn of {call}", line[: at["TURN"] + 4].split()[-1]
        yield f"{call} at {line[at['STEP'] : at['WAITING']].strip('– ')}", 1
        yield from found(r"([\d.]+ s|–) *$", line[: at["INTENT"]], f"wait of {call}")
        yield from found(r"  ([\d,.]+ m?s|–) *$", line[: at["LAST E2E"] + 8], f"response of {call}")
        yield from found(r" (\d+) *$", line[: at["ERR"] + 3], f"errors of {call}")
        yield from found(r" (\$[\d.]+|–) *$", line[: at["COST"] + 4], f"cost of {call}")


def of_plot(painted: Painted, name: str) -> Said:
    """The line of figures above a zoomed chart, and below it the values at a cursor: of its newest known point."""
    assert isinstance(painted.page, PanelPage)
    series = painted.page.series(painted.snap)
    if series is None or all(value != value for value in series.values):
        return
    point = f"at {moved(series, math.nan, 0):.0f}"
    rule = next(y for y, line in enumerate(painted.lines) if y >= 2 and re.match("(──|▸─) ", line))
    for text in (painted.lines[rule + 1], painted.foot):
        one = rf"^ *(?:v? ?\d\d:\d\d  )?(?:[a-zA-Z]+ )*(?:P95 )?(?:[▲▼] )?{_VALUE}(?:  | · |$)"
        yield from found(one, text, f"{name} {point}")
        yield from found(r" n ([\d,]+) (?:turns?|calls?)", text, f"n of {name} {point}")
        for more in ("P50", "P99"):
            yield from found(rf"{more} {_VALUE}", text, f"{more} e2e {point}")
