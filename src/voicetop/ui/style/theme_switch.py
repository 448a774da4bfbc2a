"""The theme that is worn: put on by name, changed by a key, and put on again when its file changes.

A theme that cannot be read is never put on: the old one stays, and a sentence says what is wrong with the file.
"""

from __future__ import annotations

from pathlib import Path

from voicetop.errors import ConfigError
from voicetop.ui.style import theme as themes
from voicetop.ui.style.theme import Colours, Theme

POLL_S = 0.5
"""How often the app asks whether the file has changed."""


class ThemeSwitch:
    """Themes for a terminal with so many colours. Raises ConfigError for a first theme that cannot be worn."""

    def __init__(self, name: str, colours: Colours = "full") -> None:
        self.colours = colours
        self.name = name
        self.theme = self._load(name)
        self._stamp = _stamp(name)

    def _load(self, name: str) -> Theme:
        theme = themes.load(name)
        return theme if self.colours == "full" else theme.limited_to(self.colours)

    def change(self) -> str:
        """Put on the next theme that can be worn; what there is to say."""
        names = themes.names()
        at = names.index(self.name) if self.name in names else -1
        wrong = ""
        for step in range(1, len(names) + 1):
            name = names[(at + step) % len(names)]
            try:
                self.theme, self.name, self._stamp = self._load(name), name, _stamp(name)
            except ConfigError as error:
                wrong = f" ({error})"
                continue
            return f"theme {name}{wrong}"
        return wrong.strip(" ()")

    def reload_if_changed(self) -> str | None:
        """Where the file has changed: put it on again, and say so or what is wrong with it; else None."""
        stamp = _stamp(self.name)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        if stamp is None:
            return f"the file of theme {self.name} is gone; the theme stays until you quit"
        try:
            self.theme = self._load(self.name)
        except ConfigError as error:
            return str(error)
        return f"theme {self.name} reloaded"


def _stamp(name: str) -> tuple[Path, int, int] | None:
    """What changes when the theme's file does: which file it is, when it was written and how long it is."""
    try:
        path = themes.find(name)
        status = path.stat()
    except (ConfigError, OSError):
        return None
    return path, status.st_mtime_ns, status.st_size
