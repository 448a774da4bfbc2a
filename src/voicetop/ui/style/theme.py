"""Themes: the style of each semantic tone, from TOML files (`themes/voicetop.toml` documents the format).

A theme only lists its changes to the standard one. With 16 colours the `[ansi]` table applies, and with NO_COLOR only
weight is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from rich.errors import StyleSyntaxError
from rich.style import Style

from voicetop.errors import ConfigError, nearest
from voicetop.locations import shipped_themes, theme_dirs
from voicetop.toml_reader import TomlFile, TomlTable, read_text
from voicetop.ui.lines import LINK, SELECTED

STANDARD = "voicetop"
GROUNDS = ("background", "selection")
Colours: TypeAlias = Literal["full", "16", "none"]
"""The terminal's colours: enough for the theme's, 16, or none."""


class Theme:
    """The tones of one theme. `style(tone)` is the style of a span."""

    def __init__(
        self, name: str, tones: Mapping[str, str], ansi: Mapping[str, str], *, dark: bool = True
    ) -> None:
        self.name = name
        self.dark = dark
        self.tones = dict(tones)
        self.ansi = dict(ansi)
        self.colours: Colours = "full"
        self._styles: dict[str, Style] = {}

    def style(self, tone: str) -> Style:
        """The style of a tone; a trailing "+" puts it on the selection's background."""
        style = self._styles.get(tone)
        if style is None and LINK in tone:  # not cached: there is one per call
            name, _, url = tone.partition(LINK)
            return self.style(name) + Style(link=url)
        if style is None:
            style = self._styles[tone] = self._make(tone)
        return style

    def limited_to(self, colours: Colours) -> Theme:
        """The same theme for a terminal with `colours`."""
        theme = Theme(self.name, self.tones, self.ansi, dark=self.dark)
        theme.colours = colours
        return theme

    def _make(self, tone: str) -> Style:
        name = tone.removesuffix(SELECTED)
        styles = self.ansi if self.colours == "16" else self.tones
        style = Style.parse(styles.get(name, styles["text"]))
        if self.colours == "none":
            style = style.without_color
        ground = styles["selection" if tone.endswith(SELECTED) else "background"]
        if ground != "default" and self.colours != "none":
            return Style.parse(f"on {ground}") + style
        return style + Style(reverse=not style.reverse) if tone.endswith(SELECTED) else style


def names() -> list[str]:
    """All themes, including the user's own; the standard one first."""
    available = {path.stem for folder in theme_dirs() for path in folder.glob("*.toml")}
    return [STANDARD, *sorted(available - {STANDARD})]


def find(name: str) -> Path:
    """The file of a theme, the user's own before a shipped one. Raises ConfigError, with the closest name."""
    for folder in theme_dirs():
        path = folder / f"{name}.toml"
        if path.is_file():
            return path
    raise ConfigError(f"unknown theme {name!r}{nearest(name, names())}")


def load(name: str) -> Theme:
    """A theme by its name. Raises ConfigError."""
    return read(find(name))


def read(path: Path) -> Theme:
    """A theme from a file, completed by the standard theme. Raises ConfigError, naming line and tone."""
    home = shipped_themes() / f"{STANDARD}.toml"
    standard = TomlFile(read_text(home, "the theme"), str(home)).root.values
    file = TomlFile(read_text(path, "the theme"), str(path))
    file.root.only(("name", "dark", "tones", "ansi"))
    file.root.value("name", str, "")
    dark = file.root.value("dark", bool, default=True)
    tones, ansi = (_tones(file.root.table(name, f"[{name}]"), standard[name]) for name in ("tones", "ansi"))
    if file.mistakes:
        raise file.mistakes[0]
    return Theme(path.stem, tones, ansi, dark=dark)


def _tones(table: TomlTable, standard: Mapping[str, str]) -> dict[str, str]:
    """The standard tones, overridden by those of a theme's table."""
    table.only(standard, "tone")
    read = {tone: table.value(tone, str, "") for tone in table.values if tone in standard}
    for tone, words in read.items():
        try:
            style = Style.parse(words)
        except StyleSyntaxError:
            table.wrong(tone, f"has to be a colour or style, not {words!r}")
            continue
        if tone in GROUNDS and (style.bold is not None or style.bgcolor is not None):
            table.wrong(tone, "has to be a plain colour, like '#101418' or 'default'")
    return {**standard, **read}
