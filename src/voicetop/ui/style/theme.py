"""Themes: what each semantic tone looks like, out of TOML files (`themes/voicetop.toml` explains their form).

A theme need only say what it changes; the rest comes from the standard one. On 16 colours its `[ansi]` table counts,
and with NO_COLOR nothing but weight is left.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rich.errors import StyleSyntaxError
from rich.style import Style

from voicetop.errors import ConfigError, line_of
from voicetop.locations import shipped_themes, theme_dirs
from voicetop.ui.lines import LINK, SELECTED

STANDARD = "voicetop"
GROUNDS = ("background", "selection")
Colours: TypeAlias = Literal["full", "16", "none"]
"""How many colours there are: enough for the theme's own, the terminal's 16, or none at all."""

KINDS: dict[str, type] = {"name": str, "dark": bool, "tones": dict, "ansi": dict}
PLAINLY = {str: "text", bool: "true or false", dict: "a table"}


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
        if style is None and LINK in tone:  # not remembered: there are as many as there are calls
            name, _, url = tone.partition(LINK)
            return self.style(name) + Style(link=url)
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


def find(name: str) -> Path:
    """The file of a theme, a person's own before a shipped one. Raises ConfigError, naming the nearest there is."""
    for folder in theme_dirs():
        path = folder / f"{name}.toml"
        if path.is_file():
            return path
    near = difflib.get_close_matches(name, names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"theme {name!r} isn't one of {', '.join(names())}{hint}")


def load(name: str) -> Theme:
    """A theme by its name. Raises ConfigError."""
    return read(find(name))


def read(path: Path) -> Theme:
    """A theme from a file; what it leaves out is the standard theme's. Raises ConfigError, naming line and tone."""
    text, raw = _toml(path)
    home = shipped_themes() / f"{STANDARD}.toml"
    standard = raw if path == home else _toml(home)[1]
    checks = _Checks(path, text, standard["tones"])
    checks.theme(raw)
    tones = {**standard["tones"], **raw.get("tones", {})}
    ansi = {**standard["ansi"], **raw.get("ansi", {})}
    return Theme(path.stem, tones, ansi, dark=raw.get("dark", True))


def _toml(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


class _Checks:
    """What can be wrong with a theme file, each with its line."""

    def __init__(self, path: Path, text: str, known: Mapping[str, str]) -> None:
        self.path = path
        self.text = text
        self.known = known

    def theme(self, raw: Mapping[str, Any]) -> None:
        for key, value in raw.items():
            if key not in KINDS:
                raise self._error((), key, f"no such key{_near(key, KINDS)}")
            if not isinstance(value, KINDS[key]):
                raise self._error((), key, "has to be " + PLAINLY[KINDS[key]])
        for table in ("tones", "ansi"):
            for tone, words in raw.get(table, {}).items():
                self._tone(table, tone, words)

    def _tone(self, table: str, tone: str, words: object) -> None:
        if tone not in self.known:
            raise self._error((table,), tone, f"no such tone{_near(tone, self.known)}")
        try:
            style = Style.parse(str(words))
        except StyleSyntaxError:
            raise self._error((table,), tone, f"{words!r} is no colour or style") from None
        if tone in GROUNDS and (style.bold is not None or style.bgcolor is not None):
            raise self._error((table,), tone, "a colour alone, as in '#101418' or 'default'")

    def _error(self, path: tuple[str, ...], key: str, why: str) -> ConfigError:
        line = line_of(self.text, path, key)
        place = f"{self.path}, line {line}" if line else str(self.path)
        return ConfigError(f"{place}: {'.'.join((*path, key))!r}: {why}")


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, [*known], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
