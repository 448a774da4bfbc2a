"""Timelines of recordings that were gone through before, in the state folder: a cache, never truth.

A day's recording takes minutes to go through; opened again, its timeline is there at once. An entry is named by what
it was made of: the recording's files, the engine's settings and this version. Deleting it costs nothing but time.
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

MOST = 200
VERSION = 2
_decoder = msgspec.msgpack.Decoder(Timeline)


def key_of(session: Session) -> str:
    """What decides how a timeline is computed, given a session that has seen nothing."""
    from voicetop.replay.seek import key_of as settings_of  # noqa: PLC0415 - it needs the engine

    return f"{VERSION} {settings_of(session)}"


def look_up(reel: RecordingSet, key: str) -> Timeline | None:
    """The timeline of exactly these records; None where it isn't known."""
    try:
        return _decoder.decode(_place(reel, key).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def keep(reel: RecordingSet, key: str, timeline: Timeline) -> None:
    """Keep a timeline, but for what people noted: that stands with the recording, and may still grow."""
    notes = tuple(note for note in timeline.notes if note.kind not in BY_PEOPLE)
    told = msgspec.msgpack.encode(msgspec.structs.replace(timeline, notes=notes))
    with contextlib.suppress(OSError):
        place = _place(reel, key)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = place.with_suffix(".new")
        fresh.touch(0o600)
        fresh.write_bytes(told)
        fresh.replace(place)
        _thin(place.parent)


def _place(reel: RecordingSet, key: str) -> Path:
    """A note at the end of a file is a record without a number and a time of its own: it changes nothing here."""
    files = [
        f"{identity(part.path)} {part.index.last_at} {max(block.last_seq for block in part.index.blocks)}"
        for part in reel.parts
    ]
    name = hashlib.blake2b(" ".join([key, *files]).encode(), digest_size=16).hexdigest()
    return state_dir() / "timelines" / name


def _thin(folder: Path) -> None:
    entries = sorted(folder.iterdir(), key=lambda entry: entry.stat().st_mtime)
    for entry in entries[:-MOST]:
        entry.unlink()
