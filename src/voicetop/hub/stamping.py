"""Stamps: every event gets its number and receive time here, once and for all.

Events are coalesced into batches and encoded once; the bytes that a publisher sent pass through unchanged.
"""

from __future__ import annotations

import math
import secrets

import msgspec

from voicetop.clock import Clock
from voicetop.hub.backlog import BacklogEntry
from voicetop.wire.frames import MAX_EVENT_BYTES

MAX_BATCH_BYTES = MAX_EVENT_BYTES
"""A console that doesn't read pins one or two batches of this size."""

SLEW_RATE = 0.5
"""Speed of stamped time, relative to real time, while the machine's clock is behind the last stamp."""


class Stamper:
    """Numbers from 1 within an epoch, and times in whole milliseconds that never decrease."""

    def __init__(self, clock: Clock, epoch: str = "") -> None:
        self.epoch = epoch or secrets.token_hex(8)
        self.seq = 0
        self._clock = clock
        self._time = clock.time()
        self._read_at = clock.monotonic()

    def now(self) -> float:
        """The receive time for what arrives now, epoch seconds.

        When the machine's clock is set back, stamped time can't follow, and stopping for an hour would be worse than
        being an hour off: it runs at half speed until the clock has caught up.
        """
        read_at = self._clock.monotonic()
        self._time = max(self._clock.time(), self._time + (read_at - self._read_at) * SLEW_RATE)
        self._read_at = read_at
        return math.floor(self._time * 1000) / 1000

    def allocate(self, count: int) -> int:
        """Reserve `count` numbers and return the first."""
        first = self.seq + 1
        self.seq += count
        return first


class OpenBatch:
    """The batch being filled. `add` takes events as JSON text, joined by commas."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.first = 0
        self.events = 0
        self.size = 0
        self._pieces: list[bytes] = []
        self._runs: list[tuple[float, int]] = []

    def add(self, first: int, piece: bytes, count: int, at: float) -> None:
        if not self.events:
            self.first = first
        self.events += count
        self.size += len(piece) + 1
        self._pieces.append(piece)
        if self._runs and self._runs[-1][0] == at:
            count += self._runs.pop()[1]
        self._runs.append((at, count))

    def has_room_for(self, size: int) -> bool:
        return not self.events or self.size + size <= MAX_BATCH_BYTES

    def seal(self) -> BacklogEntry:
        """The batch as one encoded frame for all consoles; begins the next."""
        runs = msgspec.json.encode(self._runs)
        frame = b'{"type":"batch","seq":%d,"at":%b,"events":[%b]}' % (
            self.first,
            runs,
            b",".join(self._pieces),
        )
        entry = BacklogEntry(self.first, self.first + self.events - 1, self._runs[-1][0], frame)
        self._reset()
        return entry
