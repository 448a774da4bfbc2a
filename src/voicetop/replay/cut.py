"""Part of a recording as frames of its own, beginning with the state at its start."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from voicetop.replay.session_cursor import SessionCursor
from voicetop.wire.batches import split_at


def cut_frames(cursor: SessionCursor, until: float) -> Iterator[bytes]:
    """From where a cursor stands up to `until` (epoch s): first the state, as a hub welcomes a console with it."""
    if cursor.begun:
        yield msgspec.json.encode(cursor.session.welcome())
    for stamped in cursor.rest():
        if stamped[0] > until:
            yield from (frame for _, frame in split_at(stamped, until)[0])
            return
        yield stamped[1]
