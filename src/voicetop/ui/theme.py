"""Themes: what each semantic tone looks like, out of TOML files (`themes/voicetop.toml` explains their form).

A theme need only say what it changes; the rest comes from the standard one. On 16 colours its `[ansi]` table counts,
and with NO_COLOR nothing but weight is left.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rich.errors import StyleSyntaxError
from rich.style import Style

from voicetop.errors import ConfigError
from voicetop.locations import shipped_themes, theme_dirs
from voicetop.ui.lines import SELECTED

STANDARD = "voicetop"
GROUNDS = ("background", "selection")
Colours: TypeAlias = Literal["full", "16", "none"]
"""How many colours there are: enough for the theme's own, the terminal's 16, or none at all."""


class Theme:
    """The tones of one theme. `style(tone)` is what a span is painted with."""

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
        """The style of a tone; one ending in "+" stands on the selection."""
        style = self._styles.get(tone)
        if style is None:
            style = self._styles[tone] = self._make(tone)
        return style

    def limited_to(self, colours: Colours) -> Theme:
        """The same theme for a terminal with so many colours."""
        theme = Theme(self.name, self.tones, self.ansi, dark=self.dark)
        theme.colours = colours
        return theme

    def _make(self, tone: str) -> Style:
        name = tone.removesuffix(SELECTED)
        chosen = self.ansi if self.colours == "16" else self.tones
        style = Style.parse(chosen.get(name, chosen["text"]))
        if self.colours == "none":
            style = style.without_color
        ground = chosen["selection" if tone.endswith(SELECTED) else "background"]
        if ground != "default" and self.colours != "none":
            return Style.parse(f"on {ground}") + style
        return style + Style(reverse=not style.reverse) if tone.endswith(SELECTED) else style


def names() -> list[str]:
    """The themes there are, a person's own among them; the standard one first."""
    found = {path.stem for folder in theme_dirs() for path in folder.glob("*.toml")}
    return [STANDARD, *sorted(found - {STANDARD})]


def load(name: str) -> Theme:
    """A theme by its name, a person's own before a shipped one. Raises ConfigError, naming the nearest there is."""
    for folder in theme_dirs():
        path = folder / f"{name}.toml"
        if path.is_file():
            return read(path)
    near = difflib.get_close_matches(name, names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"theme {name!r} isn't one of {', '.join(names())}{hint}")


def read(path: Path) -> Theme:
    """A theme from a file; what it leaves out is the standard theme's. Raises ConfigError, naming file and tone."""
    raw = _toml(path)
    home = shipped_themes() / f"{STANDARD}.toml"
    standard = raw if path == home else _toml(home)
    known = standard["tones"]
    for table in ("tones", "ansi"):
        for tone, words in raw.get(table, {}).items():
            _check(path, table, tone, words, known)
    tones = {**known, **raw.get("tones", {})}
    ansi = {**standard["ansi"], **raw.get("ansi", {})}
    return Theme(str(raw.get("name", path.stem)), tones, ansi, dark=bool(raw.get("dark", True)))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _check(path: Path, table: str, tone: str, words: object, known: Mapping[str, str]) -> None:
    if tone not in known:
        near = difflib.get_close_matches(tone, known, n=1)
        raise ConfigError(
            f"{path}: [{table}] {tone}: no such tone" + (f"; did you mean {near[0]!r}?" if near else "")
        )
    try:
        style = Style.parse(str(words))
    except StyleSyntaxError as error:
        raise ConfigError(f"{path}: [{table}] {tone}: {words!r} is no colour or style") from error
    if tone in GROUNDS and (style.bold is not None or style.bgcolor is not None):
        raise ConfigError(f"{path}: [{table}] {tone}: a colour alone, as in '#101418' or 'default'")
