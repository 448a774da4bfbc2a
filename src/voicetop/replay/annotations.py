"""Notes and bookmarks about a recording, as a replay needs them: known from the start, and kept when one is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from voicetop.errors import VoicetopError
from voicetop.sources import Act, operator_events
from voicetop.wire.events import NOTING, Operator

if TYPE_CHECKING:
    from voicetop.recording.notes import Notebook


class RecordingNotes:
    """`acts` are the notes, new ones included. `failures` says, a line each, what could not be kept."""

    def __init__(self, notebook: Callable[[], Notebook], *, author: str = "") -> None:
        self.acts: list[Operator] = []
        self.failures: list[str] = []
        self.when_kept: Callable[[Operator], None] = lambda _: None
        self._notebook = notebook
        self._author = author

    def load(self) -> None:
        """Read what is there. Raises RecordingError."""
        self.acts[:] = [noted.act for noted in self._notebook().notes()]

    def operate(self, act: Act) -> str:
        """Keep what a person did, in a thread, for the file may be a large one. Empty, or why that can't be."""
        if act.act not in NOTING:
            return f"{act.act} works only on a live feed: a recording takes notes and bookmarks"
        try:
            event = operator_events.operator_event(act, by=operator_events.author(self._author))
        except (VoicetopError, ValueError) as error:
            return str(error)
        threading.Thread(target=self._keep, args=(event,), name="voicetop note").start()
        return ""

    def _keep(self, event: Operator) -> None:
        try:
            self._notebook().add(event)
        except VoicetopError as error:
            self.failures.append(str(error))
            return
        self.acts.append(event)
        self.when_kept(event)
