"""What is noted about a recording is in it, or beside it, and comes along wherever the recording goes."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from recording.fleet_samples import START, fleet_frames, record_fleet
from recording.recording_samples import read_all, record, welcome
from replay.test_seek import digests
from voicetop.cli import run
from voicetop.errors import RecordingError, UsageError
from voicetop.recording import Recorder, read
from voicetop.recording.index import BlockIndex, is_closed
from voicetop.recording.notes import Notebook, with_notes
from voicetop.replay.seek import Seeker
from voicetop.session import Session
from voicetop.sources import Act
from voicetop.sources.operator_events import operator_event
from voicetop.wire.events import Operator

ABOUT = START + 10.0


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return record_fleet(tmp_path_factory.mktemp("notes") / "day.vtr", 40).read_bytes()


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield
    for path in tmp_path.rglob("*"):
        path.chmod(0o700)


@pytest.fixture
def path(day: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "day.vtr"
    path.write_bytes(day)
    return path


def note(text: str = "callers wait", act: str = "note") -> Operator:
    return operator_event(Act(act, at=ABOUT, text=text), by="ada")


def play(path: Path) -> dict[float, str]:
    with read(path) as frames:
        found = digests(Session(), frames)
        assert frames.notes == []
        return found


def texts(path: Path) -> list[str]:
    return [noted.act.text for noted in Notebook(path).notes()]


def test_a_note_stands_at_the_end_of_the_recording_and_no_heartbeat_before_knows_of_it(path: Path) -> None:
    before, ended = play(path), BlockIndex(path).last_at
    assert Notebook(path).add(note(), ABOUT + 1.5) == path
    assert play(path) == before
    seq, at, local, raw = read_all(path)[0][-1]  # type: ignore[misc]
    assert (at, local, json.loads(raw)["ts"]) == (ended, True, ABOUT + 1.5)
    assert seq == max(block.last_seq for block in BlockIndex(path).blocks)
    assert not path.with_name("day.vtr.notes").exists()


def test_notes_are_read_back_by_the_moment_that_they_are_about(path: Path) -> None:
    book = Notebook(path)
    book.add(note("later"), ABOUT + 9)
    book.add(note("sooner", "bookmark"), ABOUT - 9)
    found = book.notes()
    assert [(noted.act.act, noted.act.text, noted.act.by, noted.act.ts) for noted in found] == [
        ("bookmark", "sooner", "ada", ABOUT - 9),
        ("note", "later", "ada", ABOUT + 9),
    ]
    assert book.beside() == []
    assert is_closed(path)


def test_who_seeks_into_a_noted_recording_sees_what_who_plays_it_sees(path: Path) -> None:
    Seeker(path, Session).build()
    Notebook(path).add(note())
    played, moment = play(path), Seeker(path, Session).seek(START + 30)
    assert digests(moment.session, (frame for _, frame in moment.rest())) == {
        at: digest for at, digest in played.items() if at > START + 30
    }
    assert [act.text for act in moment.session.engine.operators] == ["callers wait"]


def test_a_recorder_goes_on_behind_a_note(path: Path) -> None:
    Notebook(path).add(note())
    with Recorder(path, epoch="e1") as recorder:
        recorder.write(welcome(10**6, START + 500))
    assert texts(path) == ["callers wait"]
    assert read_all(path)[1] == []


def test_a_recording_that_may_not_be_written_has_its_notes_beside_it(path: Path) -> None:
    whole = path.read_bytes()
    path.chmod(0o400)
    beside = Notebook(path).add(note())
    assert beside == path.with_name("day.vtr.notes")
    assert path.read_bytes() == whole
    assert beside.stat().st_mode & 0o777 == 0o600
    assert texts(path) == ["callers wait"]
    line = json.loads(beside.read_text().splitlines()[1])
    assert (line["local"], line["raw"]["by"], line["at"]) == (True, "ada", BlockIndex(path).last_at)


def test_in_a_folder_that_may_not_be_written_either_they_are_in_the_state_folder(
    path: Path, tmp_path: Path
) -> None:
    path.chmod(0o400)
    tmp_path.joinpath("state").mkdir()
    tmp_path.chmod(0o500)
    place = Notebook(path).add(note())
    assert place.is_relative_to(tmp_path / "state/voicetop/notes")
    assert texts(path) == ["callers wait"]
    moved = tmp_path / "state" / "other.vtr"
    moved.write_bytes(path.read_bytes())
    assert texts(moved) == ["callers wait"]


def test_while_another_records_into_it_notes_go_beside_it(path: Path) -> None:
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert Notebook(path).add(note("one")) != path
    assert Notebook(path).add(note("two")) == path
    assert sorted(texts(path)) == ["one", "two"]


def test_a_recording_that_some_other_program_may_be_writing_is_left_alone(day: bytes, tmp_path: Path) -> None:
    path = tmp_path / "growing.vtr"
    for size in (len(day) // 2, len(day) - 3):
        path.write_bytes(day[:size])
        Notebook(path).add(note(f"at {size}"))
        assert path.stat().st_size == size
    path.write_bytes(day)
    assert texts(path) == [f"at {len(day) // 2}", f"at {len(day) - 3}"]


def test_what_comes_through_a_pipe_is_known_again_by_its_header(path: Path) -> None:
    with path.open("rb") as pipe, read(pipe) as reader:
        Notebook(reader.header).add(note())
    with path.open("rb") as pipe, read(pipe) as reader:
        assert [noted.act.text for noted in Notebook(reader.header).notes()] == ["callers wait"]
        records = [frame for _, frame in with_notes(reader)]
    assert b"callers wait" in records[-1]


def test_in_a_folder_a_note_belongs_to_the_file_of_its_moment(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    frames = list(fleet_frames(20))
    record(folder / "a-1.vtr", frames[:40])
    record(folder / "a-2.vtr", frames[40:])
    book = Notebook(folder)
    before = play(folder)
    assert book.add(note("first"), START + 3).name == "a-1.vtr.notes"
    assert book.add(note("second"), START + 15).name == "a-2.vtr.notes"
    assert [noted.act.text for noted in book.notes()] == ["first", "second"]
    assert play(folder) == before


def test_a_file_of_notes_that_is_another_recordings_is_neither_read_nor_written_to(path: Path) -> None:
    path.chmod(0o400)
    stranger = path.with_name("day.vtr.notes")
    stranger.write_text('{"voicetop":"notes","version":1,"recording":"another"}\n')
    said = stranger.read_bytes()
    assert Notebook(path).add(note()) != stranger
    assert stranger.read_bytes() == said
    assert texts(path) == ["callers wait"]


def test_a_line_that_a_crash_has_torn_costs_nothing_but_itself(path: Path) -> None:
    path.chmod(0o400)
    beside = Notebook(path).add(note("one"))
    with beside.open("a") as file:
        file.write('{"seq":7,"at":17600000')
    Notebook(path).add(note("two"))
    assert texts(path) == ["one", "two"]


def test_a_damaged_place_before_it_does_not_hide_a_note(path: Path) -> None:
    Notebook(path).add(note())
    data = bytearray(path.read_bytes())
    block = BlockIndex(path).blocks[3]
    data[block.offset + block.size // 2] ^= 0xFF
    path.write_bytes(data)
    assert texts(path) == ["callers wait"]
    Notebook(path).add(note("two"))
    assert len(texts(path)) == 2


def test_a_recording_takes_notes_and_no_other_acts(path: Path) -> None:
    with pytest.raises(
        UsageError, match="ack works only on a live feed: a recording takes notes and bookmarks"
    ):
        Notebook(path).add(note(act="ack"))


def test_where_nothing_can_be_kept_it_is_one_line(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chmod(0o400)
    path.with_name("day.vtr.notes").mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    with pytest.raises(RecordingError, match="cannot write notes to /proc/nowhere"):
        Notebook(path).add(note())
    with pytest.raises(RecordingError, match=r"cannot read .*none\.vtr: No such file"):
        Notebook(tmp_path / "none.vtr").add(note())


@pytest.mark.parametrize("beside", [True, False])
def test_notes_come_along_when_a_recording_is_exported_redacted_or_merged(
    path: Path, tmp_path: Path, *, beside: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if beside:
        path.chmod(0o400)
    Notebook(path).add(note("call +1 415 555 0100"))
    assert run(["export", str(path)]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"]["text"], last["local"]) == ("call +1 415 555 0100", True)
    assert run(["redact", str(path), "-o", str(tmp_path / "shared.vtr")]) == 0
    assert texts(tmp_path / "shared.vtr")[0].startswith("call phone-")
    other = record(tmp_path / "later.vtr", [welcome(10**6, START + 500)])
    assert run(["merge", str(path), str(other), "-o", str(tmp_path / "both.vtr")]) == 0
    assert texts(tmp_path / "both.vtr") == ["call +1 415 555 0100"]


@pytest.mark.parametrize("beside", [True, False])
def test_a_cut_takes_what_was_noted_about_its_time_and_nothing_else(
    path: Path, tmp_path: Path, *, beside: bool
) -> None:
    if beside:
        path.chmod(0o400)
    book = Notebook(path)
    book.add(note("inside"), START + 12)
    book.add(note("outside"), START + 2)
    out = tmp_path / "cut.vtr"
    words = ["cut", str(path), "--from", str(START + 8), "--to", str(START + 20), "-o"]
    assert run([*words, str(out)]) == 0
    assert texts(out) == ["inside"]
    assert read_all(out)[1] == []
    found = play(out)
    assert found == {at: digest for at, digest in play(path).items() if START + 8 < at <= START + 20}


def test_what_is_shared_has_nobody_in_its_notes(path: Path, tmp_path: Path) -> None:
    frames = list(fleet_frames(5))
    start = {"type": "call.start", "ts": START, "call_id": "c1", "caller": "Maria Lopez", "event_id": "s1"}
    from recording.recording_samples import batch

    path = record(tmp_path / "told.vtr", [*frames, batch(10**5, START + 6, start)])
    Notebook(path).add(note("Maria at maria@example.com wants her money back"), START + 6)
    told = ["cut", str(path), "--share", "-o"]
    assert run([*told, str(tmp_path / "shared.vtr")]) == 0
    [shared] = Notebook(tmp_path / "shared.vtr").notes()
    assert "aria" not in shared.act.text
    assert "wants her money back" in shared.act.text
    assert shared.act.by.startswith("name-")
    assert run([*told, str(tmp_path / "silent.vtr"), "--drop-text"]) == 0
    [silent] = Notebook(tmp_path / "silent.vtr").notes()
    assert (silent.act.text, silent.act.ts) == ("", START + 6)
