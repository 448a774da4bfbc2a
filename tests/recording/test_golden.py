"""Recordings written by earlier versions stay readable for ever. Never regenerate these files: add others.

version-1.vtr          as first released: blocks only
version-1-indexed.vtr  the same feed with index frames and a seek table
version-1-noted.vtr    the same with two notes at its end, and another in its sidecar version-1-noted.vtr.notes
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from recording.recording_samples import stamped
from voicetop.recording import read
from voicetop.recording.index import BlockIndex
from voicetop.recording.notes import Notebook
from voicetop.session import Session

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["version-1.vtr", "version-1-indexed.vtr"]
CONTENT = "287f9d999117b4d6ab78c785901d491c9ce3e571f6e4d64ff773a9b7941fb5b9"
LAST_SEQ = 439


@pytest.mark.parametrize("name", NAMES)
def test_a_version_1_file_still_decodes_record_by_record(name: str) -> None:
    with read(GOLDEN / name) as reader:
        frames = list(reader)
        assert reader.notes == []
    frames.remove(b"nonsense")
    records = stamped(frames)
    assert len(records) == 442
    assert records[-1][:3] == (LAST_SEQ, 1_760_000_060.0, False)  # type: ignore[index]
    assert hashlib.sha256(repr(records).encode()).hexdigest() == CONTENT


@pytest.mark.parametrize("name", NAMES)
def test_a_session_folds_it(name: str) -> None:
    session = Session()
    with read(GOLDEN / name) as frames:
        for frame in frames:
            session.feed(frame)
        assert (frames.header.version, frames.header.source) == (1, "ws://hub:8377")
    assert (session.epoch, session.deployment, session.seq) == ("golden", "prod", LAST_SEQ)
    assert session.codec.stats.malformed == 1
    assert session.codec.stats.unknown_types == {"new.kind": 1}
    assert session.at == 1_760_000_060.0


@pytest.mark.parametrize("name", NAMES)
def test_times_are_located_in_it(name: str) -> None:
    index = BlockIndex(GOLDEN / name)
    assert (index.first_at, index.last_at) == (1_760_000_000.0, 1_760_000_060.0)
    block = index.blocks[index.first_after(1_760_000_030.0)]
    assert block.first_at <= 1_760_000_030.25 <= block.last_at


def test_version_1_notes_still_decode() -> None:
    notes = Notebook(GOLDEN / "version-1-noted.vtr").notes()
    assert [(note.act.ts, note.act.act, note.act.text, note.act.call_id) for note in notes] == [
        (1_760_000_010.0, "note", "before all that", ""),
        (1_760_000_020.0, "bookmark", "it begins", ""),
        (1_760_000_030.5, "note", "an echo", "c1"),
    ]
    assert {(note.act.by, note.at, note.seq) for note in notes} == {("ada", 1_760_000_060.0, LAST_SEQ)}
    with read(GOLDEN / "version-1-noted.vtr") as reader:
        records = stamped([frame for frame in reader if frame != b"nonsense"])
    assert hashlib.sha256(repr(records[:-2]).encode()).hexdigest() == CONTENT
