"""Notes about a recording are in it or in its sidecar, and are included wherever the recording goes."""

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
    return [stored.act.text for stored in Notebook(path).notes()]


def test_a_note_is_at_the_end_and_no_earlier_heartbeat_covers_it(path: Path) -> None:
    before, ended = play(path), BlockIndex(path).last_at
    assert Notebook(path).add(note(), ABOUT + 1.5) == path
    assert play(path) == before
    seq, at, local, raw = read_all(path)[0][-1]  # type: ignore[misc]
    assert (at, local, json.loads(raw)["ts"]) == (ended, True, ABOUT + 1.5)
    assert seq == max(block.last_seq for block in BlockIndex(path).blocks)
    assert not path.with_name("day.vtr.notes").exists()


def test_notes_are_read_back_by_the_time_they_are_about(path: Path) -> None:
    book = Notebook(path)
    book.add(note("later"), ABOUT + 9)
    book.add(note("sooner", "bookmark"), ABOUT - 9)
    found = book.notes()
    assert [(stored.act.act, stored.act.text, stored.act.by, stored.act.ts) for stored in found] == [
        ("bookmark", "sooner", "ada", ABOUT - 9),
        ("note", "later", "ada", ABOUT + 9),
    ]
    assert book.sidecar_notes() == []
    assert is_closed(path)


def test_seeking_in_a_recording_with_notes_gives_what_playing_it_gives(path: Path) -> None:
    Seeker(path, Session).build()
    Notebook(path).add(note())
    played, cursor = play(path), Seeker(path, Session).seek(START + 30)
    assert digests(cursor.session, (frame for _, frame in cursor.remaining())) == {
        at: digest for at, digest in played.items() if at > START + 30
    }
    assert [act.text for act in cursor.session.engine.operators] == ["callers wait"]


def test_a_recorder_can_append_after_a_note(path: Path) -> None:
    Notebook(path).add(note())
    with Recorder(path, epoch="e1") as recorder:
        recorder.write(welcome(10**6, START + 500))
    assert texts(path) == ["callers wait"]
    assert read_all(path)[1] == []


def test_notes_of_a_read_only_recording_go_to_a_sidecar(path: Path) -> None:
    whole = path.read_bytes()
    path.chmod(0o400)
    sidecar = Notebook(path).add(note())
    assert sidecar == path.with_name("day.vtr.notes")
    assert path.read_bytes() == whole
    assert sidecar.stat().st_mode & 0o777 == 0o600
    assert texts(path) == ["callers wait"]
    line = json.loads(sidecar.read_text().splitlines()[1])
    assert (line["local"], line["raw"]["by"], line["at"]) == (True, "ada", BlockIndex(path).last_at)


def test_in_a_read_only_folder_the_sidecar_is_in_the_state_folder(path: Path, tmp_path: Path) -> None:
    path.chmod(0o400)
    tmp_path.joinpath("state").mkdir()
    tmp_path.chmod(0o500)
    place = Notebook(path).add(note())
    assert place.is_relative_to(tmp_path / "state/voicetop/notes")
    assert texts(path) == ["callers wait"]
    moved = tmp_path / "state" / "other.vtr"
    moved.write_bytes(path.read_bytes())
    assert texts(moved) == ["callers wait"]


def test_notes_go_to_a_sidecar_while_a_recorder_holds_the_file(path: Path) -> None:
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert Notebook(path).add(note("one")) != path
    assert Notebook(path).add(note("two")) == path
    assert sorted(texts(path)) == ["one", "two"]


def test_a_recording_that_may_still_be_growing_is_not_written_to(day: bytes, tmp_path: Path) -> None:
    path = tmp_path / "growing.vtr"
    for size in (len(day) // 2, len(day) - 3):
        path.write_bytes(day[:size])
        Notebook(path).add(note(f"at {size}"))
        assert path.stat().st_size == size
    path.write_bytes(day)
    assert texts(path) == [f"at {len(day) // 2}", f"at {len(day) - 3}"]


def test_a_recording_from_a_pipe_is_identified_by_its_header(path: Path) -> None:
    with path.open("rb") as pipe, read(pipe) as reader:
        Notebook(reader.header).add(note())
    with path.open("rb") as pipe, read(pipe) as reader:
        assert [stored.act.text for stored in Notebook(reader.header).notes()] == ["callers wait"]
        records = [frame for _, frame in with_notes(reader)]
    assert b"callers wait" in records[-1]


def test_in_a_folder_a_note_goes_to_the_file_that_covers_its_time(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    frames = list(fleet_frames(20))
    record(folder / "a-1.vtr", frames[:40])
    record(folder / "a-2.vtr", frames[40:])
    book = Notebook(folder)
    before = play(folder)
    assert book.add(note("first"), START + 3).name == "a-1.vtr.notes"
    assert book.add(note("second"), START + 15).name == "a-2.vtr.notes"
    assert [stored.act.text for stored in book.notes()] == ["first", "second"]
    assert play(folder) == before


def test_a_sidecar_of_another_recording_is_neither_read_nor_written(path: Path) -> None:
    path.chmod(0o400)
    foreign = path.with_name("day.vtr.notes")
    foreign.write_text('{"voicetop":"notes","version":1,"recording":"another"}\n')
    content = foreign.read_bytes()
    assert Notebook(path).add(note()) != foreign
    assert foreign.read_bytes() == content
    assert texts(path) == ["callers wait"]


def test_a_torn_line_costs_only_itself(path: Path) -> None:
    path.chmod(0o400)
    sidecar = Notebook(path).add(note("one"))
    with sidecar.open("a") as file:
        file.write('{"seq":7,"at":17600000')
    Notebook(path).add(note("two"))
    assert texts(path) == ["one", "two"]


def test_damage_before_a_note_does_not_hide_it(path: Path) -> None:
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


def test_a_note_that_cannot_be_stored_is_one_clear_line(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chmod(0o400)
    path.with_name("day.vtr.notes").mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    with pytest.raises(RecordingError, match="cannot write notes to /proc/nowhere"):
        Notebook(path).add(note())
    with pytest.raises(RecordingError, match=r"cannot read .*none\.vtr: No such file"):
        Notebook(tmp_path / "none.vtr").add(note())


@pytest.mark.parametrize("sidecar", [True, False])
def test_exports_redacted_copies_and_merges_include_notes(
    path: Path, tmp_path: Path, *, sidecar: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if sidecar:
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


@pytest.mark.parametrize("sidecar", [True, False])
def test_a_cut_includes_only_notes_about_its_time(path: Path, tmp_path: Path, *, sidecar: bool) -> None:
    if sidecar:
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


def test_notes_in_a_shared_cut_are_redacted(path: Path, tmp_path: Path) -> None:
    frames = list(fleet_frames(5))
    start = {"type": "call.start", "ts": START, "call_id": "c1", "caller": "Maria Lopez", "event_id": "s1"}
    from recording.recording_samples import batch

    path = record(tmp_path / "told.vtr", [*frames, batch(10**5, START + 6, start)])
    Notebook(path).add(note("Maria at maria@example.com wants her money back"), START + 6)
    command = ["cut", str(path), "--share", "-o"]
    assert run([*command, str(tmp_path / "shared.vtr")]) == 0
    [shared] = Notebook(tmp_path / "shared.vtr").notes()
    assert "aria" not in shared.act.text
    assert "wants her money back" in shared.act.text
    assert shared.act.by.startswith("name-")
    assert run([*command, str(tmp_path / "silent.vtr"), "--drop-text"]) == 0
    [silent] = Notebook(tmp_path / "silent.vtr").notes()
    assert (silent.act.text, silent.act.ts) == ("", START + 6)
