"""Part of a recording as frames of its own, beginning with the state at its start."""

from __future__ import annotations

from collections.abc import Iterator

from voicetop.replay.seek import SeekResult
from voicetop.wire.batches import split_at


def cut_frames(moment: SeekResult, until: float) -> Iterator[bytes]:
    """A moment and what follows on it up to `until` (epoch s): first the state, as a hub welcomes a console with it."""
    if moment.begun:
        yield moment.welcome()
    for stamped in moment.frames:
        if stamped[0] > until:
            yield from (frame for _, frame in split_at(stamped, until)[0])
            return
        yield stamped[1]
