"""The latest batches, encoded once and shared by all consoles: a ring, bounded in bytes and events.

Each console holds only an index into it. When a slow console is overtaken by the ring's end it starts again; it never
holds more than the batch it is sending.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from operator import attrgetter

from msgspec import Struct

from voicetop.hub.privacy import without_transcripts


class BacklogEntry(Struct):
    """One batch: events `first` to `last`, sealed at `at`, and its frame."""

    first: int
    last: int
    at: float
    frame: bytes
    _stripped: bytes = b""

    @property
    def events(self) -> int:
        return self.last - self.first + 1

    def stripped(self) -> bytes:
        """The frame for clients who may not read transcripts, made once for all of them."""
        if not self._stripped:
            self._stripped = without_transcripts(self.frame)
        return self._stripped


class Backlog:
    """Entries by index: 0 is the first batch of the epoch, `end` the next one to come."""

    def __init__(self, max_bytes: int, max_events: int) -> None:
        self.end = 0
        self.bytes = 0
        self.events = 0
        self._max_bytes = max_bytes
        self._max_events = max_events
        self._entries: deque[BacklogEntry] = deque()
        self._appended = asyncio.Event()

    @property
    def start(self) -> int:
        """The index of the oldest entry."""
        return self.end - len(self._entries)

    @property
    def oldest_seq(self) -> int:
        """The first available stamp; 0 while there is none."""
        return self._entries[0].first if self._entries else 0

    def append(self, entry: BacklogEntry) -> None:
        self._entries.append(entry)
        self.end += 1
        self.bytes += len(entry.frame)
        self.events += entry.events
        while len(self._entries) > 1 and (self.bytes > self._max_bytes or self.events > self._max_events):
            evicted = self._entries.popleft()
            self.bytes -= len(evicted.frame)
            self.events -= evicted.events
        self._appended.set()
        self._appended.clear()  # wakes current waiters only

    def get(self, index: int) -> BacklogEntry | None:
        """The entry at `index`, None if it was evicted. It must have been appended already."""
        offset = index - self.start
        return self._entries[offset] if offset >= 0 else None

    async def wait_for(self, index: int) -> None:
        """Wait until there is an entry at `index`."""
        while index >= self.end:
            await self._appended.wait()

    def lag_s(self, index: int, now: float) -> float:
        """How long, in seconds, the entry at `index` has been waiting to be sent."""
        if index >= self.end:
            return 0.0
        entry = self._entries[max(0, index - self.start)]
        return max(0.0, now - entry.at)

    def index_after(self, seq: int) -> int | None:
        """The index of the entry that holds `seq` + 1; None if that was evicted or never existed."""
        newest = self._entries[-1].last if self._entries else 0
        if seq > newest or seq + 1 < max(self.oldest_seq, 1):
            return None
        return self.start + bisect_left(self._entries, seq + 1, key=attrgetter("last"))
