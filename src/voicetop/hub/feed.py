"""The feed itself, without the network: valid input is stamped, batched, folded, recorded and offered to consoles."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from voicetop import __version__
from voicetop.clock import Clock
from voicetop.hub.backlog import Backlog, BacklogEntry
from voicetop.hub.config import HubConfig
from voicetop.hub.hub_session import HubSession
from voicetop.hub.recording_sink import RecordingSink
from voicetop.hub.stamping import OpenBatch, Stamper
from voicetop.hub.validation import Sender, Validator
from voicetop.wire.events import AnyEvent, Capacity, Heartbeat, Operator
from voicetop.wire.field_rules import Fault
from voicetop.wire.frames import Welcome
from voicetop.wire.text import safe_label, safe_text

if TYPE_CHECKING:
    from voicetop.session import Session

RATE_HEARTBEATS = 21
STATE_TTL_S = 5.0


class Audience:
    """Consoles with the same read access: the frames they get, and a session that has read no more than they have."""

    def __init__(self, session: HubSession, *, transcripts: bool) -> None:
        self.session = session
        self.transcripts = transcripts

    def frame(self, entry: BacklogEntry) -> bytes:
        return entry.frame if self.transcripts else entry.stripped()


class Feed:
    """One epoch: from the hub's start to its end."""

    def __init__(
        self,
        config: HubConfig,
        clock: Clock,
        new_session: Callable[[], Session],
        log: Callable[[str], None],
    ) -> None:
        self.stamper = Stamper(clock, config.epoch)
        self.validator = Validator()
        self.backlog = Backlog(config.backlog_bytes, config.backlog_events)
        self.sink = (
            RecordingSink(config, self.stamper.epoch, clock, report=self._report_recording_trouble)
            if config.record
            else None
        )
        self._config = config
        self._clock = clock
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._batch = OpenBatch()
        self._has_events = asyncio.Event()
        self._event_counts: deque[int] = deque([0], maxlen=RATE_HEARTBEATS)
        self.everybody = Audience(self._hub_session(new_session()), transcripts=True)
        self.viewers = self.everybody
        if not config.transcripts_for_viewers:
            self.viewers = Audience(self._hub_session(new_session()), transcripts=False)
        self._open_epoch()

    @property
    def audiences(self) -> set[Audience]:
        return {self.everybody, self.viewers}

    @property
    def events_per_s(self) -> float:
        """Accepted events per second, over the last 5 s."""
        counts, spans = self._event_counts, len(self._event_counts) - 1
        return (counts[-1] - counts[0]) / (spans * self._config.heartbeat_s) if spans else 0.0

    async def receive(self, frame: bytes, sender: Sender) -> None:
        """Validate and stamp what a client sent; others get their turn meanwhile if it takes long."""
        at = self.stamper.now()
        for number, part in enumerate(self.validator.admit(frame, sender, at), 1):
            if number > 1:
                await asyncio.sleep(0)
                at = self.stamper.now()
            self._add(part.text, part.count, at)

    async def without_calls(self, sources: set[str]) -> list[str]:
        """Those of these sources that have no live calls and haven't said goodbye themselves."""
        self.seal()
        return await self.everybody.session.without_calls(sources)

    def emit(self, event: AnyEvent) -> None:
        """Stamp an event of the hub's own."""
        self._add(msgspec.json.encode(event), 1, self.stamper.now())

    def heartbeat(self) -> None:
        """Stamp a heartbeat, and send it at once with everything before it."""
        at = self.stamper.now()
        self._tell_repairs(at)
        self._add(msgspec.json.encode(Heartbeat(ts=at, seq=self.stamper.seq)), 1, at)
        self.seal()
        if self.sink:
            self.sink.heartbeat(self.everybody.session)
        self._event_counts.append(self.validator.events)
        for audience in self.audiences:
            audience.session.drop_unused(STATE_TTL_S)

    def seal(self) -> None:
        """End the open batch, if any, and deliver it to everybody."""
        self._has_events.clear()
        if not self._batch.events:
            return
        entry = self._batch.seal()
        for audience in self.audiences:
            audience.session.feed(audience.frame(entry), entry.last, entry.at)
        if self.sink:
            self.sink.write(entry.frame)
        self.backlog.append(entry)

    async def keep_up(self) -> None:
        """Backpressure for publishers: wait until the hub's own session is not too far behind."""
        for audience in self.audiences:
            await audience.session.keep_up()

    async def run_batches(self) -> None:
        """Let events gather for a moment after the first, then send them together."""
        while True:
            await self._has_events.wait()
            await self._clock.sleep(self._config.coalesce_s)
            self.seal()

    async def run_heartbeats(self) -> None:
        """Send heartbeats on a steady grid; those that an overloaded machine missed are skipped."""
        due = self._clock.monotonic()
        while True:
            self.heartbeat()
            now = self._clock.monotonic()
            due = max(due + self._config.heartbeat_s, now)
            await self._clock.sleep(due - now)

    def refuse(self, why: str, sender: Sender) -> None:
        """Tell of something of a publisher that could not be read at all."""
        part = self.validator.refuse(why, sender, self.stamper.now())
        self._add(part.text, part.count, self.stamper.now())

    def note_faults(self, faults: Iterable[Fault], source: str) -> None:
        """Count what is wrong with something that isn't an event."""
        self.validator.note(faults, safe_label(source), self.stamper.now())

    def _tell_repairs(self, at: float) -> None:
        for part in self.validator.repaired(at):
            self._add(part.text, part.count, at)

    def end(self) -> None:
        """Deliver what is left: the open batch, and what was repaired since the last heartbeat."""
        self._tell_repairs(self.stamper.now())
        self.seal()

    async def close(self) -> None:
        """Send what is left, let the sessions finish, flush the recording."""
        self.end()
        for audience in self.audiences:
            await audience.session.close()
        if self.sink:
            await self.sink.close()

    def welcome(self, seq: int, at: float, state: bytes = b"") -> bytes:
        """The frame that begins a console's feed after `seq`."""
        return msgspec.json.encode(
            Welcome(
                epoch=self.stamper.epoch,
                seq=seq,
                oldest_seq=self.backlog.oldest_seq,
                at=at,
                server=f"voicetop {__version__}",
                deployment=self._config.deployment,
                state=state,
            )
        )

    def _add(self, text: bytes, count: int, at: float) -> None:
        if not self._batch.has_room_for(len(text)):
            self.seal()
        self._batch.add(self.stamper.allocate(count), text, count, at)
        self._has_events.set()

    def _report_recording_trouble(self, why: str) -> None:
        """Trouble with the recording doesn't stop the feed: log it and tell all consoles."""
        self._log(why)
        at = self.stamper.now()
        self._loop.call_soon(self.emit, Operator(ts=at, act="note", by="hub", text=safe_text(why)))

    def _hub_session(self, session: Session) -> HubSession:
        return HubSession(session, encode=self.welcome, log=self._log)

    def _open_epoch(self) -> None:
        """Begin the epoch for the sessions and the recording, as for a console that connects at the start."""
        at = self.stamper.now()
        welcome = self.welcome(0, at)
        for audience in self.audiences:
            audience.session.open(welcome)
        if self.sink:
            self.sink.write(welcome)
        if self._config.capacity:
            self.emit(Capacity(ts=at, limit=self._config.capacity, source="hub"))
