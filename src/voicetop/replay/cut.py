"""Cuts a part out of a recording: frames that begin with the state at its start."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from voicetop.replay.session_cursor import SessionCursor
from voicetop.wire.batches import split_at


def cut_frames(cursor: SessionCursor, until: float) -> Iterator[bytes]:
    """The frames from the cursor's position to `until` (epoch s), after a welcome with the state there."""
    if cursor.has_state:
        yield msgspec.json.encode(cursor.session.welcome())
    for stamped in cursor.remaining():
        if stamped[0] > until:
            yield from (frame for _, frame in split_at(stamped, until)[0])
            return
        yield stamped[1]
