"""What is still to be sent, what was sent lately, and which calls are live. No I/O.

The agent's threads put events in, the link (`link.py`) takes frames out. Memory is bounded twice: at most `limit`
events wait, and at most `limit` that were sent stay for a resend; beyond that the oldest go, and are counted.

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
"""What was sent this lately is sent again after a reconnect, acknowledged or not: a hub may die with it unread."""

FRAME_EVENTS = 500
FRAME_BYTES = 256 * 1024
MAX_LIVE_CALLS = 10_000

_encode = msgspec.json.Encoder().encode


class _LiveCall(Struct):
    """A call that is going on: what announces it again."""

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

    # What the agent's threads call.

    def put(self, event: Event) -> bool:
        """Queue `event`; drops the oldest where the queue is full. True: the link sleeps and wants to be woken."""
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
        """Keep the table of live calls, from which they are announced again to a new hub."""
        if isinstance(event, CallStart):
            if len(self._live) >= MAX_LIVE_CALLS:
                del self._live[next(iter(self._live))]
            self._live[event.call_id] = _LiveCall(event, dict(event.segments))
        elif isinstance(event, CallEnd):
            self._live.pop(event.call_id, None)
        elif isinstance(event, CallUpdate) and (live := self._live.get(event.call_id)):
            live.segments |= event.segments
            live.state = event.state or live.state

    # What the link calls.

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
        """Nothing waits, and everything that was sent was read."""
        return not self._waiting and not self.unacknowledged

    def sleep_if_empty(self) -> bool:
        """True where nothing waits; the next `put` then asks to wake the link."""
        with self._lock:
            self._asleep = not self._waiting
            return self._asleep

    def stay_awake(self) -> None:
        """Nobody is there to be woken: while a connection is down, events only gather."""
        with self._lock:
            self._asleep = False

    def next_frame(self, now: float) -> bytes:
        """The next waiting events as one array frame, remembered for a resend; empty where nothing waits."""
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
        except Exception:  # noqa: BLE001 - whatever was handed in, the link and the call go on
            self.dropped += 1
            return b""

    def _with_id_and_source(self, event: Event) -> Event:
        """With an id, by which the hub knows a repeat, and with the source, by which it measures the clock's skew."""
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
        """A mark for `acknowledge`: everything that was taken so far."""
        return self._sent_count

    def acknowledge(self, mark: int, now: float) -> None:
        """The hub has read everything up to `mark`; what is old as well is forgotten."""
        self._acknowledged = max(self._acknowledged, mark)
        while self._sent and self._sent[0].number <= mark and self._sent[0].at < now - KEEP_S:
            self._sent.popleft()

    def resend(self) -> list[bytes]:
        """Frames of what was sent lately, or never acknowledged: the same bytes, so that a hub knows the repeats."""
        payloads = [sent.payload for sent in self._sent]
        return [as_frame(payloads[at : at + FRAME_EVENTS]) for at in range(0, len(payloads), FRAME_EVENTS)]

    def announce(self) -> list[bytes]:
        """Frames that tell a hub of every live call anew: its start, with the segments as they are now."""
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
        """How this publisher itself is doing, as a frame."""
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
    """Encoded events as one array frame; nothing for none."""
    return b"[" + b",".join(payloads) + b"]" if payloads else b""


def encode_event(event: Event) -> bytes:
    """JSON of one event. NaN means "not told" and is left out, however it came to be.

    A NaN that is the field's own default is not written anyway; one that was computed would be written as null,
    which is no number.
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
