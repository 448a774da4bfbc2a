"""A call's events: loaded lazily from a recording, which a checkpoint references instead of copying; turns as amended.

Events are most of a state, and the recording has them already. A call restored from such a checkpoint has
`StoredEvents`: a list of the full length that can be appended to, and is loaded on first access.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, cast

import numpy as np
from msgspec.structs import asdict, force_setattr, replace
from numpy.typing import NDArray

from voicetop.engine.calls import Call
from voicetop.formatting.numbers import known
from voicetop.wire.events import AnyEvent, Durations, Turn
from voicetop.wire.repair import has_absurd_stage
from voicetop.wire.values import MAX_RESPONSE_MS

Seqs: TypeAlias = NDArray[np.int64]

MAX_SEARCHED = 2_000
"""Maximum number of events of a call that are searched for a turn that is told again."""

MAX_AMENDED = 1_000
"""Maximum number of calls whose last amended turn is kept at hand."""


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
            leave_out_absurd(event for event in events if type(event) is Turn and has_absurd_stage(event))
            super().__setitem__(slice(0, 0), events)

    def appended(self) -> list[AnyEvent]:
        """The events appended since, without loading the others."""
        return super().__getitem__(slice(None))


def leave_out_absurd(turns: Iterable[Turn]) -> None:
    """Take absurd stage times out of turns, so that no screen shows them."""
    for turn in turns:
        if turn.latency is not None:
            told = {name: ms for name, ms in asdict(turn.latency).items() if 0 <= ms <= MAX_RESPONSE_MS}
            force_setattr(turn, "latency", Durations(**told))


def turn_records(call: Call) -> tuple[bytes, list[Turn]]:
    """A call's turns as amended: notes of the unloaded ones, and the others."""
    story = call.story
    if isinstance(story, StoredEvents) and story.unloaded and story.turns is not None:
        return story.turns, [event for event in story.appended() if type(event) is Turn]
    return b"", [event for event in told_events(call) if type(event) is Turn]


# -- turns that were told more than once ---------------------------------------------------------------------------


def told_events(call: Call) -> list[AnyEvent]:
    """A call's events, each turn once and as amended."""
    return merged(call.story, call.amendments)


def merged(story: list[AnyEvent], amendments: Iterable[tuple[int, int]]) -> list[AnyEvent]:
    """The first events of a call, each turn once, with those `amendments` (`Call.amendments`) that are among them."""
    if not amendments:
        return story
    events: list[AnyEvent | None] = list(story)
    for position, place in amendments:
        if position < len(events):
            turn, by = events[place], events[position]
            events[position] = None
            if type(turn) is Turn and type(by) is Turn:
                events[place] = amended(turn, by)
    return [event for event in events if event is not None]


def place_of(call: Call, index: int, until: float = 0.0) -> int:
    """The position in `story` of the latest turn with that number, -1 if it isn't there.

    `until`: of those no later than that (epoch s). Searched among the last `MAX_SEARCHED` events.
    """
    story = call.story
    if not until and call.amendments:  # told once more, as word by word
        position, place = call.amendments[-1]
        turn = cast("Turn", story[place])
        if position == len(story) - 1 and turn.turn == index and turn.ts > call.numbered_from:
            return place
    amending = {position for position, _ in call.amendments[-MAX_SEARCHED:]}
    for position in range(len(story) - 1, max(-1, len(story) - 1 - MAX_SEARCHED), -1):
        event = story[position]
        if type(event) is Turn and event.turn == index and position not in amending:
            if until and event.ts > until:
                continue
            return position
    return -1


def amended_turn(call: Call, place: int) -> Turn:
    """The turn at that position of `story`, as amended so far."""
    turn = cast("Turn", call.story[place])
    for position, of in call.amendments:
        if of == place:
            turn = amended(turn, cast("Turn", call.story[position]))
    return turn


class AmendedTurns:
    """The turn of each call that was amended last, as amended so far; not part of the state.

    One that is told word by word would take ever longer if all that was told of it were read again each time.
    """

    def __init__(self) -> None:
        self._turns: dict[str, tuple[Any, int, Turn]] = {}

    def keep(self, call: Call, place: int, turn: Turn) -> None:
        """Keep the turn at that position of `story`, as amended by all `amendments`."""
        if len(self._turns) >= MAX_AMENDED:
            self._turns.clear()
        self._turns[call.call_id] = call.story[place], len(call.amendments), turn

    def turn(self, call: Call, place: int) -> Turn:
        """The turn at that position of `story`, as amended so far."""
        told, count, turn = self._turns.get(call.call_id, _NONE)
        if told is call.story[place] and count == len(call.amendments):
            return turn
        return amended_turn(call, place)


def amended(turn: Turn, by: Turn) -> Turn:
    """A turn with what `by` tells of it; it stays at its time."""
    told = {
        name: value
        for name in _AMENDABLE
        if (known(value) if isinstance(value := getattr(by, name), float) else value)
    }
    if by.status != "ok":
        told["status"] = by.status
    elif known(by.e2e_ms) and turn.status in NO_REPLY:
        told["status"] = "ok"
    if turn.latency is not None and by.latency is not None:
        told["latency"] = _amended_stages(turn.latency, by.latency)
    return replace(turn, **told)


_NONE: tuple[Any, int, Turn] = (None, -1, Turn(ts=0.0, call_id=""))

NO_REPLY = ("no_reply", "cancelled", "noise")
"""States of a turn that a reply which comes after all disproves."""

_AMENDABLE = (
    "e2e_ms", "measured_from", "latency", "additive", "interrupted", "user_text", "agent_text", "confidence", "step",
    "trace_id", "span_id",
)  # fmt: skip


def _amended_stages(stages: Durations, by: Durations) -> Durations:
    values = {name: value for name in by.__struct_fields__ if known(value := getattr(by, name))}
    return replace(stages, **values)


def load_all(calls: list[Call]) -> None:
    """Load the events of these calls into plain lists, since encoders access list items directly."""
    for call in calls:
        if type(call.story) is StoredEvents:
            call.story.load()
            call.story = list(call.story)
