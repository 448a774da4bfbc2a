"""Events still to be sent, events sent lately, and the live calls. No I/O.

The agent's threads put events in, the link (`link.py`) takes frames out. Memory is bounded twice: at most `limit`
events wait, and at most `limit` sent ones are kept for a resend; beyond that the oldest are dropped and counted.

An event is encoded when it is taken, in the link's thread: putting it in costs the agent a lock and an append.
"""

from __future__ import annotations

import itertools
import math
import secrets
import threading
from collections import deque
from typing import Any

import msgspec
from msgspec import Struct, structs

from voicetop.wire.events import CallEnd, CallStart, CallUpdate, Event, SourceStatus

KEEP_S = 10.0
"""Events sent this recently are sent again after a reconnect, acknowledged or not: a hub may die with them unread."""

FRAME_EVENTS = 500
FRAME_BYTES = 256 * 1024
MAX_LIVE_CALLS = 10_000

_encode = msgspec.json.Encoder().encode


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
        self.dropped = 0
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque()
        self._sent: deque[_Sent] = deque()
        self._sent_count = 0
        self._acknowledged = 0
        self._live: dict[str, _LiveCall] = {}
        self._asleep = False
        self._prefix = secrets.token_hex(6)
        self._ids = itertools.count(1)

    # Called by the agent's threads.

    def put(self, event: Event) -> bool:
        """Queue `event`; drops the oldest if the queue is full. True: the link is asleep, wake it."""
        with self._lock:
            waiting = self._waiting
            if len(waiting) >= self.limit:
                waiting.popleft()
                self.dropped += 1
            waiting.append(event)
            if type(event) in _CALL_KINDS:
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
    def queued(self) -> int:
        return len(self._waiting)

    @property
    def live_calls(self) -> int:
        return len(self._live)

    @property
    def unacknowledged(self) -> int:
        return self._sent_count - self._acknowledged

    @property
    def is_done(self) -> bool:
        """Nothing is waiting, and everything sent was read."""
        return not self._waiting and not self.unacknowledged

    def sleep_if_empty(self) -> bool:
        """True if nothing is waiting; the next `put` then asks to wake the link."""
        with self._lock:
            self._asleep = not self._waiting
            return self._asleep

    def stay_awake(self) -> None:
        """While a connection is down there is nobody to wake: events only gather."""
        with self._lock:
            self._asleep = False

    def next_frame(self, now: float) -> bytes:
        """The next waiting events as one array frame, kept for a resend; empty if none are waiting."""
        payloads: list[bytes] = []
        size = 0
        while len(payloads) < FRAME_EVENTS and size < FRAME_BYTES:
            with self._lock:
                if not self._waiting:
                    break
                event = self._waiting.popleft()
            payload = self._payload(event)
            if payload:
                payloads.append(payload)
                size += len(payload)
                self._remember(payload, now)
        return as_frame(payloads)

    def _payload(self, event: Event) -> bytes:
        try:
            return encode_event(self._with_id_and_source(event))
        except Exception:  # noqa: BLE001 - no argument may stop the link or the call
            self.dropped += 1
            return b""

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
        self._sent.append(_Sent(self._sent_count, now, payload))
        if len(self._sent) > self.limit:
            lost = self._sent.popleft()
            self.dropped += lost.number > self._acknowledged

    def sent_mark(self) -> int:
        """A mark for `acknowledge`: everything taken so far."""
        return self._sent_count

    def acknowledge(self, mark: int, now: float) -> None:
        """The hub has read everything up to `mark`; forgets those that are also old."""
        self._acknowledged = max(self._acknowledged, mark)
        while self._sent and self._sent[0].number <= mark and self._sent[0].at < now - KEEP_S:
            self._sent.popleft()

    def resend(self) -> list[bytes]:
        """Frames sent lately or never acknowledged: the same bytes, so that a hub recognises repeats."""
        payloads = [sent.payload for sent in self._sent]
        return [as_frame(payloads[at : at + FRAME_EVENTS]) for at in range(0, len(payloads), FRAME_EVENTS)]

    def announce(self) -> list[bytes]:
        """Frames that announce every live call again: its start, with its current segments."""
        with self._lock:
            calls = list(self._live.values())
        payloads = [self._payload(event) for live in calls for event in self._announcement_of(live)]
        return [as_frame(payloads[at : at + FRAME_EVENTS]) for at in range(0, len(payloads), FRAME_EVENTS)]

    def _announcement_of(self, live: _LiveCall) -> list[Event]:
        segments = {name: value for name, value in live.segments.items() if value is not None}
        start = structs.replace(live.start, event_id=self._new_id(), segments=segments)
        if not live.state:
            return [start]
        return [start, CallUpdate(call_id=start.call_id, ts=start.ts, state=live.state)]

    def status(self, ts: float, clock_offset_ms: float) -> bytes:
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
            )
        )


_CALL_KINDS = frozenset({CallStart, CallUpdate, CallEnd})


def as_frame(payloads: list[bytes]) -> bytes:
    """Encoded events as one array frame; empty for none."""
    return b"[" + b",".join(payloads) + b"]" if payloads else b""


def encode_event(event: Event) -> bytes:
    """JSON of one event. NaN means unknown and is left out, however it came about.

    A NaN that is the field's default is not written anyway; one that was computed would be written as null,
    which is not a number.
    """
    payload = _encode(event)
    return _encode(_without_nans(event)) if b":null" in payload else payload


def _without_nans(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    if isinstance(latency := fields.get("latency"), dict):
        fields["latency"] = {name: value for name, value in latency.items() if _is_known(value)}
    return {name: value for name, value in fields.items() if _is_known(value)}


def _is_known(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
