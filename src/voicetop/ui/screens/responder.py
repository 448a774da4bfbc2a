"""What the pages of alerts may ask of the console, besides what every page may."""

from __future__ import annotations

from typing import Protocol

from voicetop.alerts.runbooks import Runbook, RunbookLink
from voicetop.engine.snapshot import Where
from voicetop.sources import Act
from voicetop.ui.screens.page import Host


class Responder(Host, Protocol):
    """A console that sends what people do, finds runbooks and leads where their steps say."""

    @property
    def utc(self) -> bool:
        """Whether times are typed and shown in UTC."""

    def operate(self, act: Act, *, said: str) -> None:
        """Send an act, and say `said`, or why it can't be sent."""

    def note(self) -> None:
        """Ask for a note on this moment."""

    def runbook(self, name: str, family: str = "") -> Runbook:
        """The runbook of that name, or one that says that there is none."""

    def enter(self, door: RunbookLink, where: Where) -> None:
        """Go where a step of a runbook leads, for the segment that the incident is about."""

    def narrow_to(self, where: Where) -> None:
        """Show every screen for this segment only."""
