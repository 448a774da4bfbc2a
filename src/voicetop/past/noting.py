"""What a person notes while looking at a past: on the screen at once, in the recording shortly after.

A replay is given one (`Player(operate=noting)`); its sessions show `noting.acts` (`Session.noted`), whatever moment
they stand at. Writing has a thread of its own, since the end of a day's recording takes a moment to be found.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from voicetop.engine.snapshot import NAN
from voicetop.errors import VoicetopError
from voicetop.recording.notes import Notebook
from voicetop.sources.acts import author, operator_event
from voicetop.wire.events import NOTING, Operator


class Noting:
    """Keeps notes and bookmarks with a recording (`past.player.Operate`).

    `by` is who notes; `told` is called, on the writing thread, whenever there is one more. `problems` says in a line
    each what could not be kept.
    """

    def __init__(self, notebook: Notebook, by: str = "", told: Callable[[], None] = lambda: None) -> None:
        self.problems: list[str] = []
        self._notebook = notebook
        self._by = author(by)
        self._told = told
        self._lock = threading.Lock()
        self._acts: list[Operator] | None = None
        self._writing = ThreadPoolExecutor(1, "voicetop notes")

    @property
    def acts(self) -> Sequence[Operator]:
        """All that was noted so far, about any moment. Reads the recording's notes when it is first asked."""
        with self._lock:
            if self._acts is None:
                self._acts = self._kept()
            return tuple(self._acts)

    def __call__(
        self,
        act: str,
        *,
        target: str = "",
        text: str = "",
        until: float = NAN,
        at: float = NAN,
        call_id: str = "",
    ) -> str:
        """Keep it, about the moment `at` (stamp time); empty where that is under way, else why it can't be."""
        if act not in NOTING:
            return f"{act} is for a live feed: a recording takes notes and bookmarks"
        if at != at:
            return "there is no moment yet to note something about"
        try:
            event = operator_event(
                act, by=self._by, ts=at, target=target, text=text, until=until, call_id=call_id
            )
        except VoicetopError as error:
            return str(error)
        with self._lock:
            self._acts = [*(self._kept() if self._acts is None else self._acts), event]
        self._writing.submit(self._write, event)
        return ""

    def close(self) -> None:
        """Wait until all of it is written."""
        self._writing.shutdown()

    def _write(self, event: Operator) -> None:
        try:
            self._notebook.add(event)
        except VoicetopError as error:
            self.problems.append(f"the {event.act} is not kept: {error}")
        self._told()

    def _kept(self) -> list[Operator]:
        try:
            return [noted.act for noted in self._notebook.notes()]
        except VoicetopError as error:
            self.problems.append(str(error))
            return []
