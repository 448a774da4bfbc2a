"""Notes and bookmarks about a recording for a replay: loads them at the start and stores new ones."""

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
    """`acts` holds all notes, including new ones. `failures` has one line for each that could not be stored."""

    def __init__(self, notebook: Callable[[], Notebook], *, author: str = "") -> None:
        self.acts: list[Operator] = []
        self.failures: list[str] = []
        self.on_added: Callable[[Operator], None] = lambda _: None
        self._notebook = notebook
        self._author = author

    def load(self) -> None:
        """Read the stored notes. Raises RecordingError."""
        self.acts[:] = [noted.act for noted in self._notebook().notes()]

    def operate(self, act: Act) -> str:
        """Store an operator's act, in a thread since the file may be large. Returns "" or why it can't be done."""
        if act.act not in NOTING:
            return f"{act.act} works only on a live feed: a recording takes notes and bookmarks"
        try:
            event = operator_events.operator_event(act, by=operator_events.author(self._author))
        except (VoicetopError, ValueError) as error:
            return str(error)
        threading.Thread(target=self._store, args=(event,), name="voicetop note").start()
        return ""

    def _store(self, event: Operator) -> None:
        try:
            self._notebook().add(event)
        except VoicetopError as error:
            self.failures.append(str(error))
            return
        self.acts.append(event)
        self.on_added(event)
