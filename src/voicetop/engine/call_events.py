"""Call events loaded lazily from a recording, which a checkpoint references instead of copying.

Events are most of a state, and the recording has them already. A call restored from such a checkpoint has
`StoredEvents`: a list of the full length that can be appended to, and is loaded on first access.
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
    """A list of events whose first `unloaded` ones are still in the recording.

    `turns` are the notes of their turns (`ledger.RECORD`), if kept: enough to move counts between cells, or to drop the
    events, without loading them.
    """

    def __init__(self, seqs: Seqs, read: Callable[[], list[AnyEvent]], turns: bytes | None = None) -> None:
        """`seqs` are the stamps of the events that `load` gives."""
        super().__init__()
        self.seqs = seqs
        self.unloaded = len(seqs)
        self.turns = turns
        self._read = read

    def __len__(self) -> int:
        return self.unloaded + super().__len__()

    def __iter__(self) -> Iterator[AnyEvent]:
        self.load()
        return super().__iter__()

    def __reversed__(self) -> Iterator[AnyEvent]:
        self.load()
        return super().__reversed__()

    def __getitem__(self, place: Any) -> Any:
        self.load()
        return super().__getitem__(place)

    def load(self) -> None:
        """Load all events."""
        if self.unloaded:
            self.unloaded, events = 0, self._read()
            super().__setitem__(slice(0, 0), events)

    def appended(self) -> list[AnyEvent]:
        """The events appended since, without loading the others."""
        return super().__getitem__(slice(None))


def turn_records(call: Call) -> tuple[bytes, list[Turn]]:
    """A call's turns: notes of the unloaded ones, and the others."""
    story, notes = call.story, b""
    events: list[AnyEvent] = story
    if isinstance(story, StoredEvents) and story.unloaded and story.turns is not None:
        notes, events = story.turns, story.appended()
    return notes, [event for event in events if type(event) is Turn]


def load_all(calls: list[Call]) -> None:
    """Load the events of these calls into plain lists, since encoders access list items directly."""
    for call in calls:
        if type(call.story) is StoredEvents:
            call.story.load()
            call.story = list(call.story)
