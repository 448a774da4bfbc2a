"""Renders lines as SVG that looks the same everywhere, for saved pictures and the documentation.

Bars, lines and dots are drawn as shapes, since fonts differ in them and most lack some; words are positioned one by
one, so that no font shifts a column. Every text is cleaned and escaped, and the SVG contains no links.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import NamedTuple

from rich.style import Style

from voicetop.ui.lines import Line, cells
from voicetop.ui.style.display_options import line_to_ascii
from voicetop.ui.style.theme import Theme
from voicetop.wire.text import safe_text

W, H = 8.4, 18.0
"""Size of a cell in pixels; the font size is W / 0.6, the ratio of most monospace fonts."""
PAD = 14.0
BASELINE = 13.2
DOT = 0.95
"""A braille dot's radius."""
FONTS = "'Fira Code', 'JetBrains Mono', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SHADES = {"░": 0.22, "▒": 0.45, "▓": 0.7}
LOWER = "▁▂▃▄▅▆▇█"
LEFT = "▏▎▍▌▋▊▉"


DARK, LIGHT = ("#101418", "#e6e6e6"), ("#ffffff", "#1a1a1a")
"""Background and text colours, if the theme leaves them to the terminal."""


class Cell(NamedTuple):
    """One character and its colours; a wide character is followed by an empty cell."""

    char: str
    fore: str
    back: str
    bold: bool


def picture(lines: Iterable[Line], theme: Theme, *, title: str = "", ascii_only: bool = False) -> str:
    """Lines as SVG, in this theme with full colours."""
    full = theme.limited_to("full")
    return svg([list(_cells(line, full, ascii_only=ascii_only)) for line in lines], title)


def _cells(line: Line, theme: Theme, *, ascii_only: bool) -> Iterator[Cell]:
    line = tuple((safe_text(text), tone) for text, tone in line)
    for text, tone in line_to_ascii(line) if ascii_only else line:
        fore, back, bold = _colours(theme.style(tone), theme)
        for char in _characters(text):
            yield Cell(char, fore, back, bold)
            for _ in range(cells(char) - 1):
                yield Cell("", fore, back, bold)


def _characters(text: str) -> Iterable[str]:
    """Characters together with their combining marks."""
    if text.isascii():
        return text
    clusters: list[str] = []
    for char in text:
        if clusters and not cells(char):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _colours(style: Style, theme: Theme) -> tuple[str, str, bool]:
    ground, ink = DARK if theme.dark else LIGHT
    fore, back = style.color, style.bgcolor
    if fore is not None and not fore.is_default:
        ink = fore.get_truecolor().hex
    if back is not None and not back.is_default:
        ground = back.get_truecolor().hex
    return (ground, ink, bool(style.bold)) if style.reverse else (ink, ground, bool(style.bold))


def svg(lines: list[list[Cell]], title: str = "") -> str:
    """The SVG document; its frame has the most common background colour."""
    grounds = Counter(cell.back for line in lines for cell in line)
    ground = max(grounds, key=grounds.__getitem__, default=DARK[0])
    width, height = 2 * PAD + W * max(map(len, lines), default=0), 2 * PAD + H * len(lines)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="{FONTS}" font-size="{W / 0.6:g}" xml:space="preserve">'
    )
    parts = [
        opening,
        *([f"<title>{escape(safe_text(title), quote=False)}</title>"] if title else []),
        f'<rect width="{width:g}" height="{height:g}" rx="9" fill="{ground}"/>',
        *_grounds(lines, ground),
        *_shapes(lines),
        *_texts(lines),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _grounds(lines: list[list[Cell]], ground: str) -> Iterator[str]:
    for row, line in enumerate(lines):
        column = 0
        for back, run in groupby(line, key=lambda cell: cell.back):
            width = len(list(run))
            if back != ground:
                x, y = PAD + column * W, PAD + row * H
                yield f'<rect x="{x:g}" y="{y:g}" width="{width * W:g}" height="{H:g}" fill="{back}"/>'
            column += width


def _shapes(lines: list[list[Cell]]) -> Iterator[str]:
    """One path per colour and kind of shape."""
    paths: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            for kind, path in _shapes_of(cell.char, PAD + column * W, PAD + row * H):
                paths[kind, cell.fore].append(path)
    for (kind, colour), parts in paths.items():
        yield f'<path {kind.format(colour)} d="{"".join(parts)}"/>'


FILLED = 'fill="{0}"'
DOTS = 'stroke="{0}" stroke-width="' + f"{2 * DOT:g}" + '" stroke-linecap="round"'
THIN = 'stroke="{0}" stroke-width="1" fill="none"'
THICK = 'stroke="{0}" stroke-width="2.6" fill="none"'
STROKES = {
    "─": (THIN, ("h",)),
    "│": (THIN, ("v",)),
    "┤": (THIN, ("l", "v")),
    "┬": (THIN, ("h", "d")),
    "└": (THIN, ("u", "r")),
    "┄": (THIN, ("-",)),
    "━": (THICK, ("h",)),
    "╌": (THICK, ("-",)),
}


MARKS = {
    "●": (-3.4, 0.0, "a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z"),
    "▲": (0.0, -4.0, "l4.2 7.6h-8.4z"),
    "▼": (0.0, 4.0, "l4.2 -7.6h-8.4z"),
    "▾": (0.0, 3.0, "l3 -5h-6z"),
    "▸": (3.0, 0.0, "l-5.6 3.6v-7.2z"),
}
"""Start of a mark's outline, relative to the middle of its cell, and the rest of its path."""


def _shapes_of(char: str, x: float, y: float) -> Iterator[tuple[str, str]]:
    """(paint attributes, path) of each shape of a character in the cell at (x, y)."""
    middle_x, middle_y = x + W / 2, y + H / 2
    if len(char) != 1:
        return
    if box := _box_of(char):
        left, top, width, height = box
        opacity = f' opacity="{SHADES[char]}"' if char in SHADES else ""
        yield FILLED + opacity, _box(x + left, y + top, width, height)
    elif "\u2800" < char <= "\u28ff":
        for dot_x, dot_y in _dots(ord(char) - 0x2800):
            yield DOTS, f"M{x + W * dot_x:g} {y + H * dot_y:g}h0"
    elif char == "═":
        yield THIN, f"M{x:g} {middle_y - 1.5:g}h{W:g}M{x:g} {middle_y + 1.5:g}h{W:g}"
    elif char in STROKES:
        kind, strokes = STROKES[char]
        yield kind, "".join(_stroke(stroke, x, y) for stroke in strokes)
    elif char in MARKS:
        right, down, outline = MARKS[char]
        yield FILLED, f"M{middle_x + right:g} {middle_y + down:g}{outline}"


def _box_of(char: str) -> tuple[float, float, float, float] | None:
    """Left, top, width and height of a block character in its cell; None for others."""
    if char in LOWER:
        height = H * (LOWER.index(char) + 1) / 8
        return 0.0, H - height, W, height
    if char in LEFT:
        return 0.0, 0.0, W * (LEFT.index(char) + 1) / 8, H
    if char == "■":
        return W / 2 - 3.3, H / 2 - 3.3, 6.6, 6.6
    return (0.0, 0.0, W, H) if char in SHADES else None


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.5g} {y:.5g}h{width:.4g}v{height:.4g}h{-width:.4g}z"


def _stroke(stroke: str, x: float, y: float) -> str:
    middle_x, middle_y = x + W / 2, y + H / 2
    return {
        "h": f"M{x:g} {middle_y:g}h{W:g}",
        "v": f"M{middle_x:g} {y:g}v{H:g}",
        "l": f"M{x:g} {middle_y:g}h{W / 2:g}",
        "r": f"M{middle_x:g} {middle_y:g}h{W / 2:g}",
        "u": f"M{middle_x:g} {y:g}v{H / 2:g}",
        "d": f"M{middle_x:g} {middle_y:g}v{H / 2:g}",
        "-": f"M{x + 0.8:g} {middle_y:g}h2.4M{x + 5:g} {middle_y:g}h2.4",
    }[stroke]


def _dots(bits: int) -> Iterator[tuple[float, float]]:
    """The dots of a braille pattern, in cells: bits 0 to 2 and 6 are the left column, from the top."""
    for bit, (column, row) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
        if bits >> bit & 1:
            yield 0.27 + 0.46 * column, (2 * row + 1) / 8


def _texts(lines: list[list[Cell]]) -> Iterator[str]:
    """One text element per word."""
    for row, line in enumerate(lines):
        y = PAD + row * H + BASELINE
        words = groupby(enumerate(line), key=lambda place: (_is_text(place[1].char), *place[1][1:]))
        for (is_text, fore, _, bold), places in words:
            if is_text:
                run = list(places)
                word = escape("".join(cell.char for _, cell in run), quote=False)
                weight = ' font-weight="600"' if bold else ""
                yield (
                    f'<text x="{PAD + run[0][0] * W:g}" y="{y:g}" fill="{fore}"{weight} '
                    f'textLength="{len(run) * W:g}">{word}</text>'
                )


def _is_text(char: str) -> bool:
    return not char.isspace() and next(_shapes_of(char, 0.0, 0.0), None) is None and char != "\u2800"
