"""States of a recording held in memory while it is open: what makes a short one, too small for checkpoints, quick.

The survey leaves them as it goes through; a player enters at the nearest, from here or from the checkpoints beside the
file, whichever is later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from voicetop.clock import Clock, WallClock
from voicetop.wire.frames import Welcome

if TYPE_CHECKING:
    from voicetop.replay.recording_set import KeptCheckpoint, RecordingSet
    from voicetop.session import Session

BUDGET = 48 * 1024 * 1024
APART_S = 10.0
COST = 0.3
"""How much of the survey's time may go into states."""

_welcome_decoder = msgspec.msgpack.Decoder(Welcome)


class MemoryCheckpoints:
    """A `recording_set.CheckpointSource`. `look` is called at heartbeats of a session that goes through `reel`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or WallClock()
        self._kept: list[KeptCheckpoint] = []
        self._states: dict[str, bytes] = {}
        self._until = 0.0
        self._not_before = 0.0

    def nearest(self, at: float) -> KeptCheckpoint | None:
        """The last one by `at`."""
        return next((kept for kept in reversed(self._kept) if kept.until <= at), None)

    def load(self, kept: KeptCheckpoint) -> bytes | None:
        """Its welcome frame."""
        state = self._states.get(kept.name)
        return msgspec.json.encode(_welcome_decoder.decode(state)) if state else None

    def look(self, reel: RecordingSet, session: Session) -> None:
        """A heartbeat was folded: now and then keep the state behind it, where no checkpoint is near."""
        at, began = session.at, self._clock.monotonic()
        if at < self._until + APART_S or began < self._not_before or session.engine.feed.local:
            return
        self._until = at
        if at - reel.nearest(at) >= APART_S:
            self._keep(reel, session, at)
        now = self._clock.monotonic()
        self._not_before = now + (now - began) / COST

    def _keep(self, reel: RecordingSet, session: Session, at: float) -> None:
        from voicetop.replay.live_checkpoints import place_behind  # noqa: PLC0415 - behind the first frame
        from voicetop.replay.recording_set import KeptCheckpoint  # noqa: PLC0415

        for part in reel.parts:
            for block in part.index.blocks[max(0, part.index.first_after(at - 1.0) - 1) :]:
                if block.first_at > at:
                    break
                if not block.first_seq <= session.seq <= block.last_seq or block.last_at < at:
                    continue
                place = place_behind(part.path, block, session.seq)
                if place is not None:
                    kept = KeptCheckpoint(at, part.path, place, session.epoch, f"{at}")
                    self._add(kept, session.welcome())
                    return

    def _add(self, kept: KeptCheckpoint, welcome: Welcome) -> None:
        from voicetop.replay.live_checkpoints import least_missed  # noqa: PLC0415

        self._states[kept.name] = msgspec.msgpack.encode(welcome)
        self._kept = [*self._kept, kept]
        while sum(map(len, self._states.values())) > BUDGET and len(self._kept) > 2:
            gone = least_missed(self._kept)
            self._kept = [other for other in self._kept if other is not gone]
            del self._states[gone.name]
