"""How the console looks: the theme, changed by a key or by its file, and the clock."""

from __future__ import annotations

from dataclasses import replace

from voicetop.ui.actions.registry import Handlers
from voicetop.ui.screens.page import Host
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.style.theme import Theme
from voicetop.ui.style.theme_switch import ThemeSwitch
from voicetop.ui.terminal.line_view import Ink, LineView


class Appearance:
    """Theme and clock of one console; `sheet` is what is painted in the theme."""

    def __init__(self, host: Host, themes: ThemeSwitch, options: DisplayOptions, sheet: LineView) -> None:
        self.options = options
        self._host = host
        self._themes = themes
        self._sheet = sheet

    @property
    def theme(self) -> Theme:
        return self._themes.theme

    def handlers(self) -> Handlers:
        return {"theme": self._next_theme, "zone": self._switch_zone}

    def _next_theme(self) -> None:
        self._apply(self._themes.change())

    def check_theme_file(self) -> None:
        """A theme that is being written is applied as it is saved."""
        said = self._themes.look_again()
        if said is not None:
            self._apply(said)

    def _apply(self, said: str) -> None:
        self._sheet.wear(Ink(self.theme, ascii_only=self.options.ascii))
        self._host.say(said)

    def _switch_zone(self) -> None:
        self.options = replace(self.options, utc=not self.options.utc)
        self._host.say("times in UTC" if self.options.utc else "times in local time")
