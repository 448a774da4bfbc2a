"""The current theme: set by name, changed by a key, and reloaded when its file changes.

If a theme can't be read, the old one stays, and a message says what is wrong with the file.
"""

from __future__ import annotations

from pathlib import Path

from voicetop.errors import ConfigError
from voicetop.ui.style import theme as themes
from voicetop.ui.style.theme import Colours, Theme

POLL_S = 0.5
"""How often the app checks whether the file has changed."""


class ThemeSwitch:
    """Themes for a terminal with `colours`. Raises ConfigError if the first theme can't be loaded."""

    def __init__(self, name: str, colours: Colours = "full") -> None:
        self.colours = colours
        self.name = name
        self.theme = self._load(name)
        self._stamp = _stamp(name)

    def _load(self, name: str) -> Theme:
        theme = themes.load(name)
        return theme if self.colours == "full" else theme.limited_to(self.colours)

    def change(self) -> str:
        """Switch to the next loadable theme; returns a message."""
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
        """Reload the theme if its file has changed, and return a message; else None."""
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
    """Path, modification time and size of the theme's file, to detect changes; None if it is missing."""
    try:
        path = themes.find(name)
        status = path.stat()
    except (ConfigError, OSError):
        return None
    return path, status.st_mtime_ns, status.st_size
