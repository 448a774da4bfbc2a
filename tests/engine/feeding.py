"""A feed made by hand: events become stamped wire frames, frames go into a session, and a view comes back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import CallRow, Snapshot, View
from voicetop.session import Session
from voicetop.wire.events import AnyEvent, CallEvent, CallStart, Heartbeat, Turn, TurnStart

START = 1_760_000_400.0
"""The start of a quarter of an hour, so that slots are easy to count by hand."""

Stamped: TypeAlias = tuple[float, AnyEvent]
"""(receive time, event)."""


def frame(seq: int, told: Sequence[Stamped], *, local: bool = False) -> bytes:
    """One wire frame as the hub makes it, the stamps as runs."""
    runs: list[tuple[float, int]] = []
    for at, _ in told:
        if runs and runs[-1][0] == at:
            runs[-1] = (at, runs[-1][1] + 1)
        else:
            runs.append((at, 1))
    body = {"type": "batch", "seq": seq, "at": runs, "events": [event for _, event in told], "local": local}
    return msgspec.json.encode(body)


def frames(told: Sequence[Stamped], sizes: Iterable[int], *, seq: int = 1) -> list[bytes]:
    """The same stamped events cut into frames of these sizes; what is left is one frame."""
    made: list[bytes] = []
    done = 0
    for size in (*sizes, len(told)):
        part = told[done : done + size]
        if part:
            made.append(frame(seq + done, part))
        done += len(part)
    return made


class Line:
    """A session with a hand on its feed: tell it events, let time pass, look."""

    def __init__(self, config: EngineConfig | None = None, *, at: float = START) -> None:
        self.session = Session(config)
        self.at = at
        self.beat(at)

    def fork(self) -> Line:
        """Another one with the same past."""
        line = Line(at=self.at)
        line.session = Session()
        line.session.load(self.session.checkpoint())
        return line

    def hear(self, *events: AnyEvent) -> None:
        """One frame of events, received now."""
        self.session.feed(frame(self.session.seq + 1, [(self.at, event) for event in events]))

    def tell(self, kind: type[Any], call_id: str = "", **fields: Any) -> None:
        """One event; its `ts` is now where `fields` doesn't say another."""
        fields.setdefault("ts", self.at)
        if call_id:
            assert issubclass(kind, CallEvent) or "call_id" in kind.__struct_fields__
            fields["call_id"] = call_id
        self.hear(kind(**fields))

    def begin(self, call_id: str, **segments: Any) -> None:
        """A call that starts, with its segments."""
        self.tell(CallStart, call_id, segments=segments)

    def turn(self, call_id: str, e2e_ms: float, **fields: Any) -> None:
        self.tell(Turn, call_id, e2e_ms=e2e_ms, **fields)

    def wait(self, call_id: str, turn: int = 0, **fields: Any) -> None:
        """The caller begins to wait."""
        self.tell(TurnStart, call_id, turn=turn, **fields)

    def beat(self, at: float, *, local: bool = False) -> None:
        """Time moves to `at`."""
        self.at = at
        seq = self.session.seq
        told: list[Stamped] = [(at, Heartbeat(ts=at, seq=seq, local=local))]
        self.session.feed(frame(seq + 1, told, local=local))

    def pass_(self, seconds: float, *, every: float = 1.0) -> None:
        """Time passes, a heartbeat `every` so many seconds."""
        until = self.at + seconds
        while self.at < until:
            self.beat(min(until, self.at + every))

    def see(self, **view: Any) -> Snapshot:
        return self.session.snapshot(View(**view))

    def rows(self, **view: Any) -> list[str]:
        """The ids of the listed calls."""
        return [row.call_id for row in self.see(**view).calls.rows]

    def row(self, call_id: str, *, ended: bool = False) -> CallRow:
        """One call as listed."""
        rows = self.see(ended=ended, limit=10_000).calls.rows
        return next(row for row in rows if row.call_id == call_id)


def sums(line: Line, span: str = "30m") -> dict[str, int]:
    """What the engine counts over one window, by kind, of everybody."""
    return line.session.engine.ledger.counts.sums(span, None)
