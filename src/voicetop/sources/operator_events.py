"""What an operator did, as an event; and the events that were sent but haven't come back yet.

A live feed sends the event to its hub (`SocketSource.act`), a recording keeps it in or beside itself
(`recording.notes.Notebook`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping

import msgspec

from voicetop.errors import UsageError
from voicetop.sources import Act
from voicetop.wire.events import Operator
from voicetop.wire.text import safe_label, safe_text
from voicetop.wire.values import MAX_LABEL, MAX_TEXT

MAX_PENDING = 100
_checker: msgspec.json.Decoder[Operator] = msgspec.json.Decoder(Operator)


def author(name: str = "", env: Mapping[str, str] = os.environ) -> str:
    """Who acts: `name` (from an option or the config), else the user of this machine."""
    name = name.strip() or env.get("USER", "") or env.get("LOGNAME", "") or "somebody"
    return safe_label(name)


def operator_event(act: Act, by: str) -> Operator:
    """`act` by `by` as an event, made safe and checked against the protocol's bounds; its `at` must be known.

    Raises UsageError if a hub would reject it, in a line that says what to do.
    """
    if len(act.text) > MAX_TEXT:
        raise UsageError(f"the note has {len(act.text):,} characters; at most {MAX_TEXT:,} are allowed")
    if max(len(act.target), len(act.call_id)) > MAX_LABEL:
        raise UsageError(f"the name has more than {MAX_LABEL} characters: shorten it")
    event = Operator(
        ts=round(act.at, 3),
        act=safe_label(act.act),
        by=safe_label(by),
        target=safe_label(act.target),
        text=safe_text(act.text),
        until=act.until,
        call_id=act.call_id,
        source="console",
        event_id=secrets.token_hex(8),
    )
    try:
        _checker.decode(msgspec.json.encode(event))
    except msgspec.MsgspecError:
        raise UsageError(f"{act.act} can't be sent: its time or its end is invalid") from None
    return event


class PendingActs:
    """Acts that were sent; each is kept until the feed returns it.

    A connection that breaks may have lost one, so they are sent again over the next; a hub drops the ones it has
    by their `event_id`.
    """

    def __init__(self) -> None:
        self._frames: dict[bytes, bytes] = {}

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self._frames.values()))

    def add(self, act: Operator) -> bytes:
        """Keep the act; returns the frame to send."""
        frame = msgspec.json.encode(act)
        self._frames[act.event_id.encode()] = frame
        if len(self._frames) > MAX_PENDING:
            del self._frames[next(iter(self._frames))]
        return frame

    def confirm(self, batch: bytes) -> None:
        """Drop the acts that `batch` contains."""
        for event_id in [known for known in self._frames if known in batch]:
            del self._frames[event_id]
