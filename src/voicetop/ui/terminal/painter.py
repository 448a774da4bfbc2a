"""The paint path: what the terminal shows is remembered, cell by cell, and only what differs is sent.

Textual's compositor repaints a changed region from its left edge and names all colours of every segment. Over SSH that
is most of the traffic, so every update passes here on its way to the driver and leaves as the smallest set of runs:
one cursor move a run, colours only where they change. Since nothing is sent twice, an update may also be dropped (the
terminal is slow) and be made good later by painting everything: it costs only what really changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._cells import cell_len
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

Chars: TypeAlias = str | list[str]
"""The characters of a line by cell; after a wide one comes an empty string."""

JOIN = 4
"""Runs nearer than so many cells are sent as one: a cursor move costs as much."""

PLAIN = Style()


class FrameUpdate(CompositorUpdate):
    """Bytes that are ready to be sent."""

    def __init__(self, data: str) -> None:
        self.data = data

    def render_segments(self, console: Console) -> str:  # noqa: ARG002 - the compositor's interface
        return self.data


class Painter:
    """Remembers one terminal. `update` turns what the compositor made into what the terminal lacks."""

    def __init__(self, colours: ColorSystem | None, *, links: bool = True) -> None:
        self.colours = colours
        self.links = links
        self.owes = False
        self._rows: dict[int, tuple[Chars, list[Style]]] = {}

    @property
    def blank(self) -> bool:
        """Nothing is known of what the terminal shows."""
        return not self._rows

    def forget(self) -> None:
        """The terminal was cleared, resized or written to by others: the next frame is sent whole."""
        self._rows.clear()

    def update(self, made: CompositorUpdate, most: int | None = None) -> FrameUpdate | None:
        """What brings the terminal up to date, in about `most` bytes; None where it already is.

        `owes` then says whether lines were left out: they are not remembered, and come with an update that has them
        again. The upper lines, the verdict among them, go first.
        """
        pen = _Pen(self.colours, links=self.links)
        self.owes = False
        for y, x, strips in _pieces(made):
            if most is not None and pen.size > most:
                self.owes = True
                break
            chars, styles = _cells(strips)
            at = -1
            for start, stop in self._lacking(y, x, chars, styles):
                pen.move(y, x + start, start - at if at >= 0 else 0)
                pen.write(chars, styles, start, stop)
                at = stop if isinstance(chars, str) else -1
        if not pen.parts:
            return None
        pen.close()
        return FrameUpdate("".join([*pen.parts, "\x1b[m"]))

    def _lacking(self, y: int, x: int, chars: Chars, styles: list[Style]) -> list[tuple[int, int]]:
        """The runs of a painted piece that the terminal lacks; from now on it has them."""
        end = x + len(styles)
        old_chars, old_styles = self._rows.get(y, ("", []))
        if end > len(old_styles) or (x == 0 and end < len(old_styles)):
            if x == 0:
                self._rows[y] = (chars, styles)
            return [(0, len(styles))]
        before, worn = old_chars[x:end], old_styles[x:end]
        if before == chars and worn == styles:
            return []
        self._rows[y] = (_spliced(old_chars, x, end, chars), old_styles[:x] + styles + old_styles[end:])
        return _runs(before, worn, chars, styles)


def _pieces(made: CompositorUpdate) -> Iterable[tuple[int, int, list[Strip]]]:
    """(y, x, strips) of what the compositor has painted anew."""
    if isinstance(made, LayoutUpdate):
        for y, strips in enumerate(made.strips, made.region.y):
            yield y, made.region.x, list(strips)
    elif isinstance(made, ChopsUpdate):
        spans: dict[int, list[tuple[int, int]]] = {}
        for y, left, right in made.spans:
            spans.setdefault(y, []).append((left, right))
        for y, dirty in spans.items():
            for end, (x, strip) in zip(made.chop_ends[y], made.chops[y].items(), strict=False):
                if strip is not None and any(x < right and end > left for left, right in dirty):
                    yield y, x, [strip]


def _cells(strips: list[Strip]) -> tuple[Chars, list[Style]]:
    """Characters and styles by cell."""
    segments = [segment for strip in strips for segment in strip]
    text = "".join(segment.text for segment in segments)
    if cell_len(text) == len(text):
        styles: list[Style] = []
        for segment in segments:
            styles += [segment.style or PLAIN] * len(segment.text)
        return text, styles
    return _wide_cells(segments)


def _wide_cells(segments: list[Segment]) -> tuple[list[str], list[Style]]:
    chars: list[str] = []
    styles: list[Style] = []
    for text, style, _ in segments:
        for char in text:
            width = cell_len(char)
            if width == 0 and chars:  # a combining mark belongs to the cell before it
                chars[-1 if chars[-1] else -2] += char
                continue
            chars += [char, *[""] * (width - 1)]
            styles += [style or PLAIN] * width
    return chars, styles


def _spliced(old: Chars, x: int, end: int, new: Chars) -> Chars:
    if isinstance(old, str) and isinstance(new, str):
        return old[:x] + new + old[end:]
    return [*old[:x], *new, *old[end:]]


def _runs(old: Chars, worn: list[Style], new: Chars, styles: list[Style]) -> list[tuple[int, int]]:
    """The stretches of cells that differ, near ones joined; a wide character is never cut in two."""
    runs: list[tuple[int, int]] = []
    start = last = -1
    for i, (a, b, c, d) in enumerate(zip(old, new, worn, styles, strict=True)):
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
    """Writes runs, and knows which style the terminal writes in now."""

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
        """Nothing that is written from now on leads anywhere."""
        self._lead("")

    def _lead(self, url: str) -> None:
        """What follows leads to `url` (OSC 8)."""
        if self.links and url != self._link:
            self.parts.append(f"\x1b]8;;{url}\x1b\\")
            self._link = url

    def move(self, y: int, x: int, onward: int) -> None:
        """To a cell: `onward` cells from where the last run ended, where that is known.

        Terminals disagree about the width of many characters, so on a line that holds one every place is absolute.
        """
        self.parts.append(f"\x1b[{onward}C" if onward else f"\x1b[{y + 1};{x + 1}H")

    def write(self, chars: Chars, styles: list[Style], start: int, stop: int) -> None:
        """The cells start … stop."""
        i = start
        while i < stop:
            style = styles[i]
            j = i + 1
            while j < stop and (styles[j] is style or styles[j] == style):
                j += 1
            if style is not self._style:
                self.parts.append(_change(self._style, style, self.colours))
                self._style = style
                self._lead(style.link or "")
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
    """(background, foreground, weight) as parameters of SGR (ECMA-48, 8.3.117); empty is the terminal's own."""
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
