"""Differential painting: remembers the terminal's content cell by cell, and sends only differences.

Textual's compositor repaints a changed region from its left edge and repeats all colours in every segment. Over SSH
that is most of the traffic, so every update is reduced to the smallest set of runs: one cursor move per run, colours
only where they change. An update may also be dropped (on a slow terminal): repainting everything later transmits only
what really changed.

Terminals disagree about the width of some characters. What follows those in a row is placed by an absolute move, their
cells are blanked first, and a change of them sends the whole row: neither another width nor what was there before
shifts or covers a figure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from voicetop.ui.terminal.cells import Cells, Chars, any_unsure, cells_of, ending, unsure_runs

JOIN = 4
"""Runs closer than this many cells are joined: a cursor move costs as much."""


class FrameUpdate(CompositorUpdate):
    """An update rendered as terminal output."""

    def __init__(self, data: str) -> None:
        self.data = data

    def render_segments(self, console: Console) -> str:  # noqa: ARG002 - the compositor's interface
        return self.data


class Painter:
    """The known content of one terminal. `update` reduces a compositor update to what the terminal lacks."""

    def __init__(self, colours: ColorSystem | None, *, links: bool = True) -> None:
        self.colours = colours
        self.links = links
        self.pending = False
        self._rows: dict[int, Cells] = {}

    @property
    def blank(self) -> bool:
        """Whether the terminal's content is unknown."""
        return not self._rows

    def forget(self) -> None:
        """Forget the content after a clear, a resize or foreign output: the next frame is sent whole."""
        self._rows.clear()

    def update(self, painted: CompositorUpdate, max_bytes: int | None = None) -> FrameUpdate | None:
        """The output that brings the terminal up to date, about `max_bytes` bytes; None if it already is.

        `pending` is set if lines were left out; they are sent when an update contains them again. Upper lines, with the
        verdict, go first.
        """
        pen = _Pen(self.colours, links=self.links)
        self.pending = False
        for y, x, strips in _pieces(painted):
            if max_bytes is not None and pen.size > max_bytes:
                self.pending = True
                break
            self._send(y, x, cells_of(strips), pen)
        if not pen.parts:
            return None
        pen.close()
        return FrameUpdate("".join([*pen.parts, "\x1b[m"]))

    def _send(self, y: int, x: int, piece: Cells, pen: _Pen) -> None:
        """Write what the terminal lacks of a painted piece, and remember it."""
        old, end = self._rows.get(y), x + len(piece.styles)
        if old is None or end > len(old.styles) or (x == 0 and end < len(old.styles)):
            if x == 0:
                self._rows[y] = piece
            pen.runs(y, x, piece, [(0, len(piece.styles))])
            return
        before = old.part(x, end)
        if before == piece:
            return
        row = self._rows[y] = old.replaced(x, piece)
        runs = _runs(before, piece)
        if any_unsure(before, runs) or any_unsure(piece, runs):
            pen.runs(y, 0, row, [(0, len(row.styles))])
        else:
            pen.runs(y, x, piece, runs)


def _pieces(painted: CompositorUpdate) -> Iterable[tuple[int, int, list[Strip]]]:
    """(y, x, strips) of each repainted piece."""
    if isinstance(painted, LayoutUpdate):
        for y, strips in enumerate(painted.strips, painted.region.y):
            yield y, painted.region.x, list(strips)
    elif isinstance(painted, ChopsUpdate):
        spans: dict[int, list[tuple[int, int]]] = {}
        for y, left, right in painted.spans:
            spans.setdefault(y, []).append((left, right))
        for y, dirty in spans.items():
            for end, (x, strip) in zip(painted.chop_ends[y], painted.chops[y].items(), strict=False):
                if strip is not None and any(x < right and end > left for left, right in dirty):
                    yield y, x, [strip]


def _runs(before: Cells, after: Cells) -> list[tuple[int, int]]:
    """The runs of differing cells, close ones joined; wide characters are never split."""
    old, new = before.chars, after.chars
    runs: list[tuple[int, int]] = []
    start = last = -1
    for i, (a, b, c, d) in enumerate(zip(old, new, before.styles, after.styles, strict=True)):
        if a == b and (c is d or c == d):
            continue
        if start >= 0 and i - last > JOIN:
            runs.append((start, last + 1))
            start = i
        elif start < 0:
            start = i
        last = i
    if start >= 0:
        runs.append((start, last + 1))
    return runs if isinstance(new, str) and isinstance(old, str) else [_whole(run, old, new) for run in runs]


def _whole(run: tuple[int, int], old: Chars, new: Chars) -> tuple[int, int]:
    start, end = run
    while start > 0 and (not new[start] or not old[start]):
        start -= 1
    while end < len(new) and (not new[end] or not old[end]):
        end += 1
    return start, end


class _Pen:
    """Writes runs, and tracks the terminal's current style."""

    def __init__(self, colours: ColorSystem | None, *, links: bool) -> None:
        self.colours = colours
        self.links = links
        self.parts: list[str] = []
        self._style: Style | None = None
        self._link = ""
        self._counted = 0
        self._size = 0

    @property
    def size(self) -> int:
        """Characters written so far."""
        self._size += sum(map(len, self.parts[self._counted :]))
        self._counted = len(self.parts)
        return self._size

    def close(self) -> None:
        """End an open hyperlink."""
        self._link_to("")

    def _link_to(self, url: str) -> None:
        """Link the following text to `url` (OSC 8); "" ends the link."""
        if self.links and url != self._link:
            self.parts.append(f"\x1b]8;;{url}\x1b\\")
            self._link = url

    def runs(self, y: int, left: int, cells: Cells, runs: Iterable[tuple[int, int]]) -> None:
        """Parts of a row whose first cell is `left`."""
        at = -1
        for start, stop in runs:
            self._move(y, left + start, start - at if at >= 0 else 0)
            self._write(y, left, cells, start, stop)
            at = stop if isinstance(cells.chars, str) else -1

    def _move(self, y: int, x: int, onward: int = 0) -> None:
        """Move to a cell, by `onward` cells from the end of the last run, or absolutely if `onward` is 0."""
        self.parts.append(f"\x1b[{onward}C" if onward else f"\x1b[{y + 1};{x + 1}H")

    def _write(self, y: int, left: int, cells: Cells, start: int, stop: int) -> None:
        """The cells start … stop. Unsure words are written over blanks and may take as many of these as they need."""
        at = start
        for first, end, limit in unsure_runs(cells, start, stop):
            self._write_sure(cells, at, first)
            self._write_sure(Cells(" " * len(cells.chars), cells.styles), first, limit)
            self._move(y, left + first)
            self._write_sure(cells, first, end)
            self.parts.append(ending("".join(cells.chars[first:end])))
            self._move(y, left + limit)
            at = limit
        self._write_sure(cells, at, stop)

    def _write_sure(self, cells: Cells, start: int, stop: int) -> None:
        chars, styles = cells
        i = start
        while i < stop:
            style = styles[i]
            j = i + 1
            while j < stop and (styles[j] is style or styles[j] == style):
                j += 1
            if style is not self._style:
                self.parts.append(_change(self._style, style, self.colours))
                self._style = style
                self._link_to(style.link or "")
            self.parts.append("".join(chars[i:j]))
            i = j


@lru_cache(maxsize=4096)
def _change(before: Style | None, after: Style, colours: ColorSystem | None) -> str:
    if before == after:
        return ""
    ground, ink, weight = _codes(after, colours)
    whole = ";".join(part for part in ("0", weight, ink, ground) if part)
    if before is None:
        return f"\x1b[{whole}m"
    old_ground, old_ink, old_weight = _codes(before, colours)
    if weight != old_weight and old_weight:
        return f"\x1b[{whole}m"
    codes = [weight] if weight != old_weight else []
    codes += [ink or "39"] if ink != old_ink else []
    codes += [ground or "49"] if ground != old_ground else []
    return f"\x1b[{';'.join(codes)}m" if codes else ""


@lru_cache(maxsize=1024)
def _codes(style: Style, colours: ColorSystem | None) -> tuple[str, str, str]:
    """(background, foreground, weight) as SGR parameters (ECMA-48, 8.3.117); empty is the terminal's default."""
    ground = ink = ""
    if colours is not None:
        if style.bgcolor is not None and not style.bgcolor.is_default:
            ground = ";".join(style.bgcolor.downgrade(colours).get_ansi_codes(foreground=False))
        if style.color is not None and not style.color.is_default:
            ink = ";".join(style.color.downgrade(colours).get_ansi_codes(foreground=True))
    flags = (
        ("1", style.bold),
        ("2", style.dim),
        ("3", style.italic),
        ("4", style.underline),
        ("7", style.reverse),
    )
    return ground, ink, ";".join(code for code, on in flags if on)
