"""The past of a fleet, in pieces: what lies behind the first thing that a console shows."""

from __future__ import annotations

from collections.abc import Iterator

from voicetop.simulator.fleet import Fleet
from voicetop.wire.events import Event


def history(fleet: Fleet, piece_s: float = 60.0) -> Iterator[list[Event]]:
    """All events up to the fleet's `start`, in time order, a piece of at most `piece_s` at a time.

    The fleet's config says how long the history is and how much of its older part is told. The calls that are live
    at `start` are the fleet's own, so that `fleet.until` goes on with them.
    """
    while fleet.now < fleet.start:
        events = fleet.until(min(fleet.now + piece_s, fleet.start))
        if events:
            yield events
