"""Caches timelines of recordings scanned before, in the state folder.

Scanning a day's recording takes minutes; opened again, its timeline is available at once. An entry is keyed by the
recording's files, the engine's settings and this version. Deleting it costs nothing but time.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from voicetop.engine.snapshot.timeline import Timeline
from voicetop.locations import state_dir
from voicetop.recording.files import identity
from voicetop.views.timeline_builder import BY_PEOPLE

if TYPE_CHECKING:
    from voicetop.replay.recording_set import RecordingSet
    from voicetop.session import Session

MAX_ENTRIES = 200
VERSION = 3
_decoder = msgspec.msgpack.Decoder(Timeline)


def key_of(session: Session) -> str:
    """A key of everything that determines how a timeline is computed, given an empty session."""
    from voicetop.replay.seek import key_of as settings_of  # noqa: PLC0415 - it needs the engine

    return f"{VERSION} {settings_of(session)}"


def load(recordings: RecordingSet, key: str) -> Timeline | None:
    """The timeline of exactly these records; None if it isn't cached."""
    try:
        return _decoder.decode(_entry(recordings, key).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def store(recordings: RecordingSet, key: str, timeline: Timeline) -> None:
    """Cache a timeline without operators' notes, which are stored with the recording and may change."""
    notes = tuple(note for note in timeline.notes if note.kind not in BY_PEOPLE)
    data = msgspec.msgpack.encode(msgspec.structs.replace(timeline, notes=notes))
    with contextlib.suppress(OSError):
        place = _entry(recordings, key)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = place.with_suffix(".new")
        temporary.touch(0o600)
        temporary.write_bytes(data)
        temporary.replace(place)
        _evict(place.parent)


def _entry(recordings: RecordingSet, key: str) -> Path:
    """The path of a cache entry. A note appended to a file has no seq or stamp of its own: it keeps the key."""
    files = [
        f"{identity(part.path)} {part.index.last_at} {max(block.last_seq for block in part.index.blocks)}"
        for part in recordings.parts
    ]
    name = hashlib.blake2b(" ".join([key, *files]).encode(), digest_size=16).hexdigest()
    return state_dir() / "timelines" / name


def _evict(folder: Path) -> None:
    entries = sorted(folder.iterdir(), key=lambda entry: entry.stat().st_mtime)
    for entry in entries[:-MAX_ENTRIES]:
        entry.unlink()
