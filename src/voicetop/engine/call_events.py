"""Stories that stand in a recording: a checkpoint names their events instead of telling them again.

What was said is most of a state, and all of it is in the recording already. A call that comes back from such a
checkpoint has an `StoredEvents` story: as long as the true one, told on like it, and read when somebody looks into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.calls import Call
from voicetop.wire.events import AnyEvent, Turn

Seqs: TypeAlias = NDArray[np.int64]


class StoredEvents(list[AnyEvent]):
    """A story of which the first `unread` events are elsewhere; what is told from now on is appended as ever.

    `turns` is what a call would note of the turns among them (`ledger.RECORD`), where that was kept: who only moves
    counts from cell to cell, or cuts the story, need not read it.
    """

    def __init__(self, seqs: Seqs, read: Callable[[], list[AnyEvent]], turns: bytes | None = None) -> None:
        """`seqs` are the stamps of the events that `read` gives."""
        super().__init__()
        self.seqs = seqs
        self.unread = len(seqs)
        self.turns = turns
        self._read = read

    def __len__(self) -> int:
        return self.unread + super().__len__()

    def __iter__(self) -> Iterator[AnyEvent]:
        self.read()
        return super().__iter__()

    def __reversed__(self) -> Iterator[AnyEvent]:
        self.read()
        return super().__reversed__()

    def __getitem__(self, place: Any) -> Any:
        self.read()
        return super().__getitem__(place)

    def read(self) -> None:
        """Have all of it here."""
        if self.unread:
            self.unread, told = 0, self._read()
            super().__setitem__(slice(0, 0), told)

    def since(self) -> list[AnyEvent]:
        """What was told since, without reading what is elsewhere."""
        return super().__getitem__(slice(None))


def noted_turns(call: Call) -> tuple[bytes, list[Turn]]:
    """The turns of a story: those that are known as notes alone, and the others as they are."""
    story, notes = call.story, b""
    told: list[AnyEvent] = story
    if isinstance(story, StoredEvents) and story.unread and story.turns is not None:
        notes, told = story.turns, story.since()
    return notes, [event for event in told if type(event) is Turn]


def read_all(calls: list[Call]) -> None:
    """Have the stories of these calls here, as plain lists: who encodes a list looks into it without asking."""
    for call in calls:
        if type(call.story) is StoredEvents:
            call.story.read()
            call.story = list(call.story)
