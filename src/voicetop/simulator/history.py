"""The history of a fleet, in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from voicetop.simulator.fleet import Fleet
from voicetop.wire.events import Event


def history(fleet: Fleet, piece_s: float = 60.0) -> Iterator[list[Event]]:
    """All events up to the fleet's `start`, in time order, in pieces of at most `piece_s` seconds.

    The fleet's config says how long the history is and how much of its older part is simulated. The calls that are live
    at `start` remain the fleet's, so that `fleet.until` continues them.
    """
    while fleet.now < fleet.start:
        events = fleet.until(min(fleet.now + piece_s, fleet.start))
        if events:
            yield events
