"""The console's appearance: theme and time zone."""

from __future__ import annotations

from dataclasses import replace

from voicetop.ui.actions.registry import Handlers
from voicetop.ui.screens.page import Host
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.style.theme import Theme
from voicetop.ui.style.theme_switch import ThemeSwitch
from voicetop.ui.terminal.line_view import Ink, LineView


class Appearance:
    """Theme and time zone of one console; `sheet` is painted in the theme."""

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
        """Apply the theme's file again after it was edited."""
        message = self._themes.reload_if_changed()
        if message is not None:
            self._apply(message)

    def _apply(self, message: str) -> None:
        self._sheet.set_ink(Ink(self.theme, ascii_only=self.options.ascii))
        self._host.say(message)

    def _switch_zone(self) -> None:
        self.options = replace(self.options, utc=not self.options.utc)
        self._host.say("times in UTC" if self.options.utc else "times in local time")
