"""The hub's recording: everything it stamps, with the current state at the start of each later file.

So each file can be replayed alone, and any time in it found without the files before. The state comes from the hub's
own session, which lags a little behind the stamps: when a new file is due, frames are held until it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop.clock import Clock
from voicetop.hub.config import HubConfig
from voicetop.hub.hub_session import HubSession, JoinPoint

if TYPE_CHECKING:
    from voicetop.recording import Recorder

HOLD_S = 0.4
"""How long frames are held for a state: with the recorder's own half second, less than a second can be lost."""
PATIENCE_S = 10.0


class RecordingSink:
    """Raises RecordingError if it can't start. Later failures don't stop the feed: `report` is called with one line
    for the first, and for each file that was lost and replaced by another.
    """

    def __init__(self, config: HubConfig, epoch: str, clock: Clock, *, report: Callable[[str], None]) -> None:
        self.recorder = _recorder(config, epoch, clock)
        self._report = report
        self._failure_reported = False
        self._reported_loss = ""
        self._held: list[bytes] | None = None

    def write(self, frame: bytes) -> None:
        """Record a frame, or hold it until the state before it arrives."""
        if self._held is not None:
            self._held.append(frame)
        else:
            self._write(frame)

    def heartbeat(self, session: HubSession) -> None:
        """Call after recording a heartbeat: if the next file is due, request the state that begins it."""
        if self._held is None and self.recorder.wants_state:
            self._held = []
            request = session.latest_join_point()
            request.add_done_callback(self._begin_file)
            asyncio.get_running_loop().call_later(HOLD_S, request.cancel)

    async def close(self) -> None:
        """Write what is held and flush."""
        self._release()
        await asyncio.to_thread(self.recorder.close)

    def _begin_file(self, request: asyncio.Future[JoinPoint]) -> None:
        """The state has arrived, or took too long."""
        if self._held is not None and not request.cancelled() and request.exception() is None:
            self._write(request.result().welcome)
        self._release()

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for frame in held:
            self._write(frame)

    def _write(self, frame: bytes) -> None:
        self.recorder.write(frame)
        if self.recorder.failed and not self._failure_reported:
            self._failure_reported = True
            self._report(self.recorder.error)
        if self.recorder.loss != self._reported_loss:
            self._reported_loss = self.recorder.loss
            self._report(self._reported_loss)


def _recorder(config: HubConfig, epoch: str, clock: Clock) -> Recorder:
    from voicetop.recording import LOST_WAIT_S, Recorder  # noqa: PLC0415 - a hub that doesn't record needs no zstd
    from voicetop.recording.shards import Shards  # noqa: PLC0415

    source = config.deployment or "hub"
    if not (config.record.endswith("/") or Path(config.record).is_dir()):
        return Recorder(config.record, epoch=epoch, source=source, clock=clock, lost_wait_s=LOST_WAIT_S)
    shards = Shards(
        config.record,
        shard_s=config.record_shard_s,
        keep_s=config.record_keep_s,
        keep_bytes=config.record_keep_bytes,
        state_wait_s=PATIENCE_S,
        clock=clock,
    )
    return Recorder(
        config.record, epoch=epoch, source=source, clock=clock, shards=shards, lost_wait_s=LOST_WAIT_S
    )
