"""The background scan runs once, saves checkpoints, and its timeline is cached for the next time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from replay.replay_samples import START, sample_frames, until, write_sample
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.recording.notes import Notebook
from voicetop.replay import memory_checkpoints, seek, timeline_cache
from voicetop.replay.annotations import RecordingNotes
from voicetop.replay.memory_checkpoints import MemoryCheckpoints
from voicetop.replay.recording_set import RecordingSet
from voicetop.replay.timeline_scan import TimelineScan
from voicetop.session import Session
from voicetop.sources import Act


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "a.vtr", sample_frames(60))


def survey(path: Path, *, wait: bool = True) -> tuple[TimelineScan, RecordingSet]:
    recordings: RecordingSet = RecordingSet(path, Session, share=5.0)
    annotations = RecordingNotes(lambda: Notebook(path), author="ada")
    annotations.load()
    survey = TimelineScan(annotations=annotations)
    idle = threading.Event()
    idle.set()
    survey.begin(recordings, idle)
    if wait:
        until(lambda: survey.timeline.complete)
    return survey, recordings


def gathered(path: Path) -> Timeline:
    watched, _ = survey(path)
    watched.close()
    return watched.timeline


def test_the_scan_also_saves_checkpoints(recording: Path) -> None:
    watched, recordings = survey(recording)
    assert len(recordings.parts[0].checkpoints.saved) >= 4
    watched.close()
    assert RecordingSet(recording, Session).nearest(START + 45) >= START + 30


def test_a_recording_is_scanned_once(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, _ = survey(recording)
    until(lambda: list((Path(os.environ["XDG_STATE_HOME"]) / "voicetop" / "timelines").glob("*")))
    first = watched.timeline
    watched.close()

    def again(*_: object) -> None:
        raise AssertionError("gone through twice")

    monkeypatch.setattr(seek.Seeker, "scan", again)
    assert gathered(recording) == first


@pytest.mark.parametrize("opened", [1, 2])
def test_checkpoints_of_a_short_recording_stay_in_memory(
    recording: Path, opened: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_checkpoints, "COST", 100.0)
    for _ in range(opened - 1):
        gathered(recording)
    states, idle = MemoryCheckpoints(), threading.Event()
    recordings: RecordingSet = RecordingSet(recording, Session, share=0.0, states=states)
    watched = TimelineScan(states=states)
    idle.set()
    watched.begin(recordings, idle)
    until(lambda: watched.timeline.complete and states.nearest(START + 60))
    until(lambda: recordings.nearest(START + 60) >= START + 40)
    session = recordings.new_session()
    frames = recordings.enter(START + 45, session)
    assert session.at >= START + 30
    played = Session()
    for _, frame in frames:
        session.feed(frame)
    for frame in sample_frames(60):
        played.feed(frame)
    assert session.digest() == played.digest()
    watched.close()


def test_changed_recordings_are_scanned_again(recording: Path, tmp_path: Path) -> None:
    first = gathered(recording)
    longer = write_sample(tmp_path / "b.vtr", sample_frames(70))
    recording.write_bytes(longer.read_bytes())
    assert gathered(recording).last_at == START + 70
    assert first.last_at == START + 60


def test_a_note_needs_no_second_scan_and_is_shown(recording: Path) -> None:
    watched, recordings = survey(recording)
    key = timeline_cache.key_of(Session())
    until(lambda: timeline_cache.load(recordings, key))
    assert watched._annotations is not None
    assert watched._annotations.operate(Act("bookmark", at=START + 30)) == ""
    until(lambda: any(note.kind == "bookmark" for note in watched.timeline.notes))
    watched.close()
    recordings.refresh()
    assert timeline_cache.load(RecordingSet(recording, Session), key) is not None
    assert [note.at for note in gathered(recording).notes if note.kind == "bookmark"] == [START + 30]


def test_it_slows_down_while_another_thread_needs_the_processor(recording: Path) -> None:
    recordings: RecordingSet = RecordingSet(recording, Session)
    busy = TimelineScan()
    busy.begin(recordings, threading.Event())
    idle, _ = survey(recording)
    assert not busy.timeline.complete
    busy.close()
    idle.close()


def test_it_stops_at_once_when_closed(recording: Path) -> None:
    watched, _ = survey(recording, wait=False)
    watched.close()
    assert watched._thread is not None
    until(lambda: watched._thread and not watched._thread.is_alive())


def test_files_of_a_folder_are_one_scan_and_one_timeline(tmp_path: Path, recording: Path) -> None:
    frames, folder = list(sample_frames(60)), tmp_path / "day"
    folder.mkdir()
    for number, first in enumerate(range(0, 241, 80)):
        write_sample(folder / f"part{number}.vtr", iter(frames[first : first + 80]))
    whole, parts = gathered(recording), gathered(folder)
    assert (parts.turns, parts.errors, parts.notes) == (whole.turns, whole.errors, whole.notes)
