"""Events still to be sent, events sent lately, and the live calls. No I/O.

The agent's threads put events in, the link (`link.py`) takes frames out. Memory is bounded twice: at most `limit`
events wait, and at most `limit` sent ones are kept for a resend, and not too many bytes; beyond that the oldest are
dropped and counted.

An event is encoded when it is taken, in the link's thread: putting it in costs the agent a lock and an append. The link
never takes that lock, and a thread may take it again: a signal handler may put events in and wait for the link.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, structs

from voicetop.publish.encoding import as_frame, encode_event, encode_soundly, fits, frames_of
from voicetop.wire.events import CallEnd, CallStart, CallUpdate, Event, SourceStatus
from voicetop.wire.faults import happened

KEEP_S = 10.0
"""Events sent this recently are sent again after a reconnect, acknowledged or not: a hub may die with them unread."""

MAX_LIVE_CALLS = 10_000
MAX_SENT_BYTES = 32 * 1024 * 1024
"""At most this much is kept for a resend."""

log = logging.getLogger("voicetop.publish")


class _LiveCall(Struct):
    """What it takes to announce a live call again."""

    start: CallStart
    segments: dict[str, Any]
    state: str = ""


class _Sent(Struct, frozen=True):
    number: int
    at: float
    payload: bytes


class Outbox:
    """The bounded queue between an agent and its link."""

    def __init__(self, source: str = "", limit: int = 10_000) -> None:
        self.source = source
        self.limit = max(1, limit)
        self.faults: dict[str, int] = {}
        self.last_fault = ""
        self._lock = threading.RLock()
        self._overflowed = 0
        self._lost = 0
        self._waiting: deque[Event] = deque()
        self._taken = b""
        self._sent: deque[_Sent] = deque()
        self._sent_count = 0
        self._sent_bytes = 0
        self._kept_bytes = 0
        self._acknowledged = 0
        self._acknowledged_bytes = 0
        self._live: dict[str, _LiveCall] = {}
        self._asleep = False
        self._prefix = secrets.token_hex(6)
        self._ids = itertools.count(1)

    # Called by the agent's threads.

    def put(self, event: Event) -> bool:
        """Queue `event`; drops the oldest if the queue is full. True: the link is asleep, wake it."""
        with self._lock:
            waiting = self._waiting
            if len(waiting) >= self.limit and _pop(waiting) is not None:
                self._overflowed += 1
            waiting.append(event)
            if type(event) in _CALL_KINDS:
                with contextlib.suppress(TypeError, ValueError):  # of values that `_payload` drops and names
                    self._track_call(event)
            wake = self._asleep
            self._asleep = False
        return wake

    def _track_call(self, event: Event) -> None:
        """Keep the table of live calls, from which they are announced to a new hub."""
        if isinstance(event, CallStart):
            if len(self._live) >= MAX_LIVE_CALLS:
                del self._live[next(iter(self._live))]
            self._live[event.call_id] = _LiveCall(event, dict(event.segments))
        elif isinstance(event, CallEnd):
            self._live.pop(event.call_id, None)
        elif isinstance(event, CallUpdate) and (live := self._live.get(event.call_id)):
            live.segments |= event.segments
            live.state = event.state or live.state

    # Called by the link.

    @property
    def dropped(self) -> int:
        """Events that no hub will ever see."""
        return self._overflowed + self._lost

    @property
    def queued(self) -> int:
        return len(self._waiting) + bool(self._taken)

    @property
    def undelivered(self) -> int:
        """Events that wait, or were sent and not confirmed."""
        return self.queued + self.unacknowledged

    @property
    def live_calls(self) -> int:
        return len(self._live)

    @property
    def unacknowledged(self) -> int:
        return self._sent_count - self._acknowledged

    @property
    def is_done(self) -> bool:
        """Nothing is waiting, and everything sent was read."""
        return not self.undelivered

    def sleep_if_empty(self) -> bool:
        """True if nothing is waiting; the next `put` then asks to wake the link."""
        self._asleep = True
        if self._waiting:
            self._asleep = False
        return not self._waiting

    def stay_awake(self) -> None:
        """While a connection is down there is nobody to wake: events only gather."""
        self._asleep = False

    def end(self) -> int:
        """Drop what is waiting, since nobody will take it; how many. The next `put` asks to wake the link."""
        lost = self.queued
        self._taken = b""
        self._waiting.clear()
        self._lost += lost
        self._asleep = True
        return lost

    def next_frame(self, now: float) -> bytes:
        """The next waiting events as one array frame, kept for a resend; empty if none are waiting."""
        payloads: list[bytes] = []
        size = 0
        while payload := self._take():
            if payloads and not fits(len(payloads), size, payload):
                self._taken = payload
                break
            payloads.append(payload)
            size += len(payload) + 1
            self._remember(payload, now)
        return as_frame(payloads)

    def _take(self) -> bytes:
        """The next waiting event that can be sent; empty for none."""
        payload, self._taken = self._taken, b""
        while not payload and (event := _pop(self._waiting)) is not None:
            payload = self._payload(event)
        return payload

    def _payload(self, event: Event) -> bytes:
        """The event as a hub accepts it; empty if it is none and is dropped."""
        try:
            result = encode_soundly(self._with_id_and_source(event))
        except Exception as error:  # noqa: BLE001 - no argument may stop the link or the call
            return self._lose("invalid", f"{_kind_of(event)}: {str(error)[:200]}")
        if not result.raw:
            return self._lose("refused", f"{_kind_of(event)}: {result.faults[0].why}")
        for fault in result.faults:
            self.note_fault(fault.kind, f"{_kind_of(event)}: {fault.why} ({happened(fault.kind)})")
        return result.raw

    def _lose(self, kind: str, why: str) -> bytes:
        self._lost += 1
        self.note_fault(kind, f"dropped an event: {why}")
        return b""

    def note_fault(self, kind: str, why: str) -> None:
        """Count what had to be cut or dropped, by kind; the first of each kind is logged."""
        self.last_fault = why
        self.faults[kind] = self.faults.get(kind, 0) + 1
        if self.faults[kind] == 1:
            log.warning("voicetop: %s; others like it are only counted", why)

    def _with_id_and_source(self, event: Event) -> Event:
        """The hub needs the id to recognise a repeat, and the source to measure the clock's skew."""
        if event.event_id and event.source:
            return event
        return structs.replace(
            event, event_id=event.event_id or self._new_id(), source=event.source or self.source
        )

    def _new_id(self) -> str:
        return f"{self._prefix}-{next(self._ids):x}"

    def _remember(self, payload: bytes, now: float) -> None:
        self._sent_count += 1
        self._sent_bytes += len(payload)
        self._kept_bytes += len(payload)
        self._sent.append(_Sent(self._sent_count, now, payload))
        while len(self._sent) > self.limit or self._kept_bytes > MAX_SENT_BYTES:
            self._lost += self._forget_oldest() > self._acknowledged

    def _forget_oldest(self) -> int:
        """Keep the oldest sent event no longer; its number."""
        oldest = self._sent.popleft()
        self._kept_bytes -= len(oldest.payload)
        return oldest.number

    @property
    def unacknowledged_bytes(self) -> int:
        return self._sent_bytes - self._acknowledged_bytes

    def sent_mark(self) -> tuple[int, int]:
        """A mark for `acknowledge`: everything taken so far."""
        return self._sent_count, self._sent_bytes

    def acknowledge(self, mark: tuple[int, int], now: float) -> None:
        """The hub has read everything up to `mark`; forgets those that are also old."""
        count, size = mark
        self._acknowledged = max(self._acknowledged, count)
        self._acknowledged_bytes = max(self._acknowledged_bytes, size)
        while self._sent and self._sent[0].number <= count and self._sent[0].at < now - KEEP_S:
            self._forget_oldest()

    def resend(self) -> Iterator[bytes]:
        """Frames sent lately or never acknowledged: the same bytes, so that a hub recognises repeats."""
        return frames_of([sent.payload for sent in self._sent])

    def announce(self) -> Iterator[bytes]:
        """Frames that announce every live call again: its start, with its current segments."""
        calls = list(self._live.values())
        return frames_of(self._payload(event) for live in calls for event in self._announcement_of(live))

    def _announcement_of(self, live: _LiveCall) -> list[Event]:
        segments = {name: value for name, value in live.segments.items() if value is not None}
        start = structs.replace(live.start, event_id=self._new_id(), segments=segments)
        if not live.state:
            return [start]
        return [start, CallUpdate(call_id=start.call_id, ts=start.ts, state=live.state)]

    def status(self, ts: float, clock_offset_ms: float, *, leaving: bool = False) -> bytes:
        """The publisher's own state, as a frame."""
        return encode_event(
            SourceStatus(
                ts=ts,
                event_id=self._new_id(),
                source=self.source,
                active_calls=self.live_calls,
                dropped=self.dropped,
                queue=self.queued,
                clock_offset_ms=clock_offset_ms,
                leaving=leaving,
            )
        )


_CALL_KINDS = frozenset({CallStart, CallUpdate, CallEnd})


def _pop(events: deque[Event]) -> Event | None:
    """The oldest event, unless another thread was faster."""
    try:
        return events.popleft()
    except IndexError:
        return None


def _kind_of(event: object) -> str:
    config = getattr(event, "__struct_config__", None)
    return str(getattr(config, "tag", None) or type(event).__name__)
