"""A recording as a source: the very frames, paced by their stamps and by nothing else.

A thread reads ahead a little, so that unpacking overlaps with folding, and so that a quiet pipe holds nobody up.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from voicetop.clock import Clock, WallClock
from voicetop.errors import RecordingError
from voicetop.recording import Reader
from voicetop.sources import LinkState

READ_AHEAD = 16
STEP_S = 0.02
LONGEST_WAIT_S = 5.0
SKIPPED_WAIT_S = 1.0


class ReplaySource:
    """Yields the frames of a recording at `speed` times their pace; `math.inf` as fast as they are taken.

    The file is opened at once. Raises RecordingError where it is no recording. When it is at its end, `link` is
    "ended" and its `why` says what could not be read, if anything.
    """

    def __init__(
        self,
        recording: str | os.PathLike[str] | BinaryIO,
        *,
        speed: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        span_s = STEP_S * max(1.0, speed)
        self._reader = Reader(recording, span_s=span_s)
        self._pace = Pace(clock or WallClock(), speed)
        self._link = LinkState(phase="connecting", where=self._reader.name)

    @property
    def link(self) -> LinkState:
        return self._link

    @property
    def notes(self) -> list[str]:
        """What could not be read so far."""
        return self._reader.notes

    async def frames(self) -> AsyncIterator[bytes]:
        """The frames, once. Raises RecordingError where a part of the file is of a later version."""
        self._link = LinkState(phase="live", where=self._reader.name)
        ahead = _ReadAhead(self._reader)
        try:
            while (item := await ahead.get()) is not None:
                at, frame = item
                await self._pace.wait(at)
                yield frame
        finally:
            ahead.stop()
            self._link = LinkState(phase="ended", where=self._reader.name, why="; ".join(self.notes))

    def close(self) -> None:
        """Close a recording whose frames were never asked for; after `frames` it is closed already."""
        self._reader.close()


class Pace:
    """Waits so that stamps pass at `speed` seconds a second.

    A recorder writes heartbeats four times a second, so stamps further apart than 5 s mean that it was off: such a
    pause counts as 1 s. Stamps that step back (two recordings in one file) are not waited for either.
    """

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self._speed = speed
        self._last = math.nan
        self._due = math.nan

    async def wait(self, at: float) -> None:
        if math.isinf(self._speed):
            return
        now = self._clock.monotonic()
        passed = at - self._last
        if math.isnan(passed):
            self._due = now
        elif passed > LONGEST_WAIT_S:
            self._due += SKIPPED_WAIT_S / self._speed
        else:
            self._due += max(0.0, passed) / self._speed
        self._last = at
        if self._due > now:
            await self._clock.sleep(self._due - now)


class _ReadAhead:
    """A thread that reads up to `READ_AHEAD` frames before they are asked for; an error arrives where it happened."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[tuple[float, bytes] | RecordingError | None] = asyncio.Queue()
        self._room = threading.Semaphore(READ_AHEAD)
        self._stopped = False
        threading.Thread(target=self._run, name="voicetop-replay", daemon=True).start()

    async def get(self) -> tuple[float, bytes] | None:
        item = await self._items.get()
        self._room.release()
        if isinstance(item, RecordingError):
            raise item
        return item

    def stop(self) -> None:
        self._stopped = True
        self._room.release()

    def _run(self) -> None:
        try:
            for item in self._reader.stamped():
                self._room.acquire()
                if self._stopped:
                    return
                self._hand_over(item)
            self._hand_over(None)
        except RecordingError as error:
            self._hand_over(error)
        except OSError as error:
            self._hand_over(RecordingError(f"cannot read on in {self._reader.name}: {error.strerror}"))
        finally:
            self._reader.close()

    def _hand_over(self, item: tuple[float, bytes] | RecordingError | None) -> None:
        put: Callable[[tuple[float, bytes] | RecordingError | None], None] = self._items.put_nowait
        try:
            self._loop.call_soon_threadsafe(put, item)
        except RuntimeError:  # the loop has ended, nobody listens any more
            self._stopped = True
