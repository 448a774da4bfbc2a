"""Checkpoints held in memory while a recording is open: make seeking fast in one too small for checkpoint files.

The timeline scan adds them; a player enters at the nearest of these or of the checkpoint files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from voicetop.clock import Clock, WallClock
from voicetop.wire.frames import Welcome

if TYPE_CHECKING:
    from voicetop.replay.recording_set import ExternalCheckpoint, RecordingSet
    from voicetop.session import Session

BUDGET = 48 * 1024 * 1024
APART_S = 10.0
COST = 0.3
"""The share of the scan's time that may go into checkpoints."""

_welcome_decoder = msgspec.msgpack.Decoder(Welcome)


class MemoryCheckpoints:
    """A `recording_set.CheckpointSource`. Call `on_heartbeat` at the heartbeats of the session that scans."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or WallClock()
        self._checkpoints: list[ExternalCheckpoint] = []
        self._states: dict[str, bytes] = {}
        self._until = 0.0
        self._not_before = 0.0

    def nearest(self, at: float) -> ExternalCheckpoint | None:
        """The last checkpoint at or before `at`."""
        return next(
            (checkpoint for checkpoint in reversed(self._checkpoints) if checkpoint.until <= at), None
        )

    def load(self, checkpoint: ExternalCheckpoint) -> bytes | None:
        """Its welcome frame."""
        state = self._states.get(checkpoint.name)
        return msgspec.json.encode(_welcome_decoder.decode(state)) if state else None

    def on_heartbeat(self, recordings: RecordingSet, session: Session) -> None:
        """After a folded heartbeat: save the state from time to time, unless a checkpoint is near."""
        at, began = session.at, self._clock.monotonic()
        if at < self._until + APART_S or began < self._not_before or session.engine.feed.local:
            return
        self._until = at
        if at - recordings.nearest(at) >= APART_S:
            self._save(recordings, session, at)
        now = self._clock.monotonic()
        self._not_before = now + (now - began) / COST

    def _save(self, recordings: RecordingSet, session: Session, at: float) -> None:
        from voicetop.replay.live_checkpoints import place_after  # noqa: PLC0415 - behind the first frame
        from voicetop.replay.recording_set import ExternalCheckpoint  # noqa: PLC0415

        for part in recordings.parts:
            for block in part.index.blocks[max(0, part.index.first_after(at - 1.0) - 1) :]:
                if block.first_at > at:
                    break
                if not block.first_seq <= session.seq <= block.last_seq or block.last_at < at:
                    continue
                place = place_after(part.path, block, session.seq)
                if place is not None:
                    checkpoint = ExternalCheckpoint(at, part.path, place, session.epoch, f"{at}")
                    self._add(checkpoint, session.welcome())
                    return

    def _add(self, checkpoint: ExternalCheckpoint, welcome: Welcome) -> None:
        from voicetop.replay.live_checkpoints import most_redundant  # noqa: PLC0415

        self._states[checkpoint.name] = msgspec.msgpack.encode(welcome)
        self._checkpoints = [*self._checkpoints, checkpoint]
        while sum(map(len, self._states.values())) > BUDGET and len(self._checkpoints) > 2:
            gone = most_redundant(self._checkpoints)
            self._checkpoints = [other for other in self._checkpoints if other is not gone]
            del self._states[gone.name]
