"""What a person did, as an event; and what of it was sent but hasn't come back yet.

`operator_event` makes the event that every feed keeps: a live one sends it to its hub (`SocketSource.act`), a
recording keeps it in itself or beside itself (`recording.notes.Notebook`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping

import msgspec

from voicetop.errors import UsageError
from voicetop.sources import Act
from voicetop.wire.events import MAX_LABEL, MAX_TEXT, Operator
from voicetop.wire.text import safe_label, safe_text

MAX_PENDING = 100
_checker: msgspec.json.Decoder[Operator] = msgspec.json.Decoder(Operator)


def author(name: str = "", env: Mapping[str, str] = os.environ) -> str:
    """Who acts: what was told (an option, the config), else the user of this machine."""
    name = name.strip() or env.get("USER", "") or env.get("LOGNAME", "") or "somebody"
    return safe_label(name)


def operator_event(act: Act, by: str) -> Operator:
    """The event that `by` did `act`, made safe and checked by the protocol's bounds; its `at` has to be known.

    Raises UsageError for what no hub would take, in a line that says what to do.
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
    """Acts on their way: each is kept until the feed has brought it back.

    A connection that breaks in between may have lost one, so they are sent again over the next; a hub that has them
    already drops them by their `event_id`.
    """

    def __init__(self) -> None:
        self._frames: dict[bytes, bytes] = {}

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self._frames.values()))

    def add(self, act: Operator) -> bytes:
        """The act as the frame that is to be sent."""
        frame = msgspec.json.encode(act)
        self._frames[act.event_id.encode()] = frame
        if len(self._frames) > MAX_PENDING:
            del self._frames[next(iter(self._frames))]
        return frame

    def confirm(self, batch: bytes) -> None:
        """See which of them a batch brings."""
        for event_id in [known for known in self._frames if known in batch]:
            del self._frames[event_id]
