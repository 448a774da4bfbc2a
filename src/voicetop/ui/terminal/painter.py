"""Differential painting: remembers the terminal's content cell by cell, and sends only differences.

Textual's compositor repaints a changed region from its left edge and repeats all colours in every segment. Over SSH
that is most of the traffic, so every update is reduced to the smallest set of runs: one cursor move per run, colours
only where they change. An update may also be dropped (on a slow terminal): repainting everything later transmits only
what really changed.
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
"""The characters of a line by cell; a wide character is followed by an empty string."""

JOIN = 4
"""Runs closer than this many cells are joined: a cursor move costs as much."""

PLAIN = Style()


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
        self._rows: dict[int, tuple[Chars, list[Style]]] = {}

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
            chars, styles = _cells(strips)
            at = -1
            for start, stop in self._missing_runs(y, x, chars, styles):
                pen.move(y, x + start, start - at if at >= 0 else 0)
                pen.write(chars, styles, start, stop)
                at = stop if isinstance(chars, str) else -1
        if not pen.parts:
            return None
        pen.close()
        return FrameUpdate("".join([*pen.parts, "\x1b[m"]))

    def _missing_runs(self, y: int, x: int, chars: Chars, styles: list[Style]) -> list[tuple[int, int]]:
        """The runs of a painted piece that the terminal lacks; marks them as sent."""
        end = x + len(styles)
        old_chars, old_styles = self._rows.get(y, ("", []))
        if end > len(old_styles) or (x == 0 and end < len(old_styles)):
            if x == 0:
                self._rows[y] = (chars, styles)
            return [(0, len(styles))]
        before, worn_styles = old_chars[x:end], old_styles[x:end]
        if before == chars and worn_styles == styles:
            return []
        self._rows[y] = (_spliced(old_chars, x, end, chars), old_styles[:x] + styles + old_styles[end:])
        return _runs(before, worn_styles, chars, styles)


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


def _runs(old: Chars, worn_styles: list[Style], new: Chars, styles: list[Style]) -> list[tuple[int, int]]:
    """The runs of differing cells, close ones joined; wide characters are never split."""
    runs: list[tuple[int, int]] = []
    start = last = -1
    for i, (a, b, c, d) in enumerate(zip(old, new, worn_styles, styles, strict=True)):
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

    def move(self, y: int, x: int, onward: int) -> None:
        """Move to a cell, by `onward` cells from the end of the last run, or absolutely if `onward` is 0.

        Terminals disagree about the width of many characters, so lines with wide ones use absolute positions.
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
