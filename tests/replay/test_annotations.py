"""Notes made during a replay are shown at their time, and stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recording.fleet_samples import START, fleet_frames, record_fleet
from voicetop.engine.snapshot import View
from voicetop.recording.notes import Notebook
from voicetop.replay.annotations import RecordingNotes
from voicetop.replay.seek import Seeker
from voicetop.session import Session
from voicetop.sources import Act


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return record_fleet(tmp_path / "a.vtr", 12)


def noted(path: Path, *texts: str, call_id: str = "") -> RecordingNotes:
    """Notes about START + 5, made one right after the other, and kept by now."""
    annotations = RecordingNotes(lambda: Notebook(path), author="ada")
    annotations.load()
    for text in texts:
        assert annotations.operate(Act("note", text=text, at=START + 5, call_id=call_id)) == ""
    until(lambda: len(annotations.acts) + len(annotations.failures) == len(texts))
    return annotations


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def at_moment(path: Path, at: float, annotations: RecordingNotes) -> Session:
    session = Seeker(path, Session).seek(at).session
    session.noted = annotations.acts
    return session


def test_a_note_is_shown_from_its_time_on_and_is_stored(path: Path) -> None:
    annotations = noted(path, "it begins")
    before, after = (at_moment(path, START + at, annotations).snapshot(View()) for at in (4, 6))
    assert before.memos == ()
    assert [(memo.text, memo.by, memo.at) for memo in after.memos] == [("it begins", "ada", START + 5)]
    again = RecordingNotes(lambda: Notebook(path))
    again.load()
    assert [act.text for act in again.acts] == ["it begins"]


def test_a_note_that_is_also_in_the_feed_is_shown_once(path: Path) -> None:
    annotations = noted(path, "it begins")
    moment = Seeker(path, Session).seek(START + 60)
    for _, frame in moment.remaining():
        moment.session.feed(frame)
    moment.session.noted = annotations.acts
    assert len(moment.session.engine.operators) == 1
    assert len(moment.session.snapshot(View()).memos) == 1


def test_notes_in_quick_succession_are_all_stored(path: Path) -> None:
    texts = [str(number) for number in range(8)]
    annotations = noted(path, *texts)
    assert annotations.failures == []
    assert sorted(noted.act.text for noted in Notebook(path).notes()) == texts
    assert Notebook(path).sidecar_notes() == []


def test_a_note_about_a_call_is_in_its_ladder_in_a_replay(path: Path) -> None:
    session = Session()
    for frame in fleet_frames(12):
        session.feed(frame)
    call = next(call for call in session.engine.roster.live.values() if call.turns)
    session.noted = noted(path, "an echo", call_id=call.call_id).acts
    detail = session.snapshot(View(call_id=call.call_id)).detail
    assert detail is not None
    items = [*detail.before, *(item for turn in detail.turns for item in turn.items)]
    assert [(item.kind, item.text) for item in items if item.kind == "note"] == [("note", "ada: an echo")]


def test_a_note_that_cannot_be_stored_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annotations = RecordingNotes(lambda: Notebook(path), author="ada")
    assert (
        annotations.operate(Act("silence"))
        == "silence works only on a live feed: a recording takes notes and bookmarks"
    )
    assert "at most 20,000 are allowed" in annotations.operate(Act("note", text="x" * 30_000, at=START))
    path.chmod(0o400)
    path.with_name("a.vtr.notes").mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    [failure] = noted(path, "x").failures
    assert failure.startswith("cannot write notes to /proc/nowhere")
