"""Cut and merge: the state at every heartbeat is that of the whole recording."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from recording.fleet_samples import START, fleet_frames, record_fleet
from recording.recording_samples import batch, beat, feed, read_all, record, stamped, welcome
from replay.test_seek import digests
from voicetop.cli import run
from voicetop.errors import RecordingError
from voicetop.recording import files, read
from voicetop.recording.format import Header
from voicetop.recording.merge import Merge, write_recording
from voicetop.session import Session
from voicetop.wire.frames import Welcome


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_fleet(tmp_path_factory.mktemp("compose") / "day.vtr", 60)


@pytest.fixture(scope="module")
def played(recording: Path) -> dict[float, str]:
    return play(recording)


def play(path: Path) -> dict[float, str]:
    with read(path) as frames:
        states = digests(Session(), frames)
        assert frames.notes == []
        return states


def cut(recording: Path, out: Path, start: float | None, end: float | None, *words: str) -> Path:
    bounds = [*(["--from", f"{START + start:.3f}"] if start is not None else [])]
    bounds += ["--to", f"{START + end:.3f}"] if end is not None else []
    assert run(["cut", str(recording), *bounds, "-o", str(out), *words]) == 0
    return out


def test_a_cut_has_the_state_of_the_whole_at_every_heartbeat(
    recording: Path, played: dict[float, str], tmp_path: Path
) -> None:
    states = play(cut(recording, tmp_path / "cut.vtr", 20.1, 40.3))
    assert states == {at: digest for at, digest in played.items() if START + 20.1 < at <= START + 40.3}
    assert len(states) > 70


def test_a_cut_begins_with_the_state_and_is_readable_by_its_owner_only(
    recording: Path, tmp_path: Path
) -> None:
    path = cut(recording, tmp_path / "cut.vtr", 20.1, None)
    first = read_all(path)[0][0]
    assert isinstance(first, Welcome)
    assert first.state
    assert (first.epoch, first.deployment) == ("e1", "prod")
    assert path.stat().st_mode & 0o777 == 0o600


def test_after_cut_and_merge_every_heartbeat_is_the_same(
    recording: Path, played: dict[float, str], tmp_path: Path
) -> None:
    parts = [
        cut(recording, tmp_path / "b.vtr", 20.1, 41.0),
        cut(recording, tmp_path / "a.vtr", None, 20.1),
        cut(recording, tmp_path / "c.vtr", 35.5, None),  # overlaps with b
    ]
    out = tmp_path / "merged.vtr"
    assert run(["merge", *map(str, parts), "-o", str(out)]) == 0
    assert play(out) == played
    original = [record for record in read_all(recording)[0] if not isinstance(record, Welcome)]
    assert [record for record in read_all(out)[0] if not isinstance(record, Welcome)] == original


def test_feeds_that_do_not_overlap_stay_unchanged(tmp_path: Path) -> None:
    first = [welcome(0, START), *(beat(n, START + n) for n in range(1, 5))]
    second = [
        welcome(7, START + 10, epoch="e2", state=b"checkpoint"),
        *(beat(n, START + 2 + n) for n in range(8, 12)),
    ]
    a, b = record(tmp_path / "a.vtr", first), record(tmp_path / "b.vtr", second)
    merged = [*Merge([str(b), str(a)])]
    assert stamped(merged) == stamped([*first, *second])


def test_overlapping_feeds_become_one(tmp_path: Path) -> None:
    first = record_fleet(tmp_path / "a.vtr", 20)
    second = tmp_path / "b.vtr"
    frames = list(fleet_frames(20, epoch="e2", seed=9))
    write_recording(second, frames, Header(voicetop="recording", epoch="e2"))
    out = tmp_path / "both.vtr"
    assert run(["merge", str(first), str(second), "-o", str(out)]) == 0
    records = [record for record in read_all(out)[0] if not isinstance(record, Welcome)]
    whole = [
        record for path in (first, second) for record in read_all(path)[0] if not isinstance(record, Welcome)
    ]
    assert [record[0] for record in records] == list(range(1, len(whole) + 1))
    assert sorted(record[3] for record in records) == sorted(record[3] for record in whole)
    assert all(one[1] <= other[1] for one, other in pairwise(records))
    session = Session()
    digests(session, list(read(out)))
    assert session.epoch.startswith("merged-")


def test_the_second_state_of_overlapping_feeds_is_omitted_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, epoch in (("a", "e1"), ("b", "e2")):
        frames = [
            welcome(0, START, epoch=epoch, state=b"x"),
            *(beat(n, START + n) for n in range(1, 5)),
        ]
        record(tmp_path / f"{name}.vtr", frames)
    words = [str(tmp_path / "a.vtr"), str(tmp_path / "b.vtr")]
    assert run(["merge", *words, "-o", str(tmp_path / "both.vtr")]) == 0
    assert f"the state at the beginning of {words[1]} is omitted" in capsys.readouterr().err


def test_local_records_in_both_parts_appear_once(tmp_path: Path) -> None:
    frames = [
        welcome(0, START),
        beat(1, START + 1),
        beat(1, START + 2, local=True),
        beat(1, START + 2, local=True),
        b"nonsense",
        beat(2, START + 3),
    ]
    paths = [str(record(tmp_path / f"{name}.vtr", frames)) for name in "ab"]
    bounds = stamped([frame for frame in Merge(paths) if frame != b"nonsense"])
    assert bounds == stamped([frame for frame in frames if frame != b"nonsense"])
    assert [*Merge(paths)].count(b"nonsense") == 1


def test_a_shared_cut_holds_nothing_personal_not_even_in_its_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = {
        "type": "turn",
        "call_id": "c1",
        "ts": START,
        "user_text": "my number is 415 555 0100, says Maria Lopez",
    }
    start = {"type": "call.start", "call_id": "c1", "ts": START, "caller": "Maria Lopez"}
    frames = [welcome(0, START, state=Session().checkpoint()), batch(1, START + 1, start, text)]
    frames += [
        beat(2 + n, START + 1 + n)
        if n % 2
        else batch(2 + n, START + 1 + n, {**text, "turn": n, "event_id": f"e{n}"})
        for n in range(1, 9)
    ]
    path = record(tmp_path / "a.vtr", frames, source="ws://hub.internal")
    out = cut(path, tmp_path / "shared.vtr", 4.5, None, "--share")
    records, _ = read_all(out)
    state = records[0]
    assert isinstance(state, Welcome)
    assert state.state
    session = Session()
    session.load(state.state)
    calls = session.engine.roster.live
    assert list(calls) == ["c1"]
    with read(out) as reader:
        everything = (
            b"".join(
                frame for frame in reader if not frame.startswith(b'{"type":"welcome"')
            )  # base64 says anything
            + repr([str(call) for call in calls.values()]).encode()
        )
        assert reader.header.source == ""
    for word in (b"Maria", b"Lopez", b"555"):
        assert word not in everything
    assert "phone: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["cut", "FILE", "-o", "OUT", "--to", "2020-01-02T00:00Z"], "nothing recorded from"),
        (["cut", "FILE", "-o", "OUT", "--from", "+30s", "--to", "-1h"], "nothing recorded from"),
        (["cut", "FILE", "-o", "OUT", "--from", "noon"], "'noon' is not a time"),
        (["cut", "FILE", "-o", "OUT", "--drop-text"], "--drop-text and --fields require --share"),
        (["cut", "FILE"], "name the output: add -o OUT"),
        (["cut", "FILE", "-o", "-"], "name a file with -o"),
        (["redact", "FILE", "-o", "-"], "name a file with -o"),
        (["cut", "missing.vtr", "-o", "OUT"], "cannot read missing.vtr"),
        (["cut", "FILE", "-o", "FILE"], "already exists: give another name with -o"),
        (["merge", "FILE", "-o", "OUT"], "merge takes two recordings or more"),
        (["redact", "FILE", "-o", "FILE"], "already exists"),
        (["export", "FILE", "--format", "xml"], "--format xml"),
        (["export", "FILE", "--format", "parquet"], "parquet needs a file"),
    ],
)  # fmt: skip
def test_errors_are_one_clear_line(
    recording: Path, tmp_path: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"FILE": str(recording), "OUT": str(tmp_path / "out.vtr")}
    assert run([names.get(word, word) for word in words]) == 2
    text = capsys.readouterr().err
    assert why in text
    assert text.count("\n") == 1
    assert not (tmp_path / "out.vtr").exists()


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.RecordingFile, "append", full)
    with pytest.raises(RecordingError, match="the disk is full"):
        write_recording(tmp_path / "a.vtr", feed(5), Header(voicetop="recording"))
    assert not (tmp_path / "a.vtr").exists()


def test_a_damaged_block_is_a_gap_in_the_cut_too(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 30)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    out = cut(path, tmp_path / "cut.vtr", 5, None)
    gaps = [
        json.loads(record[3])
        for record in read_all(out)[0]
        if not isinstance(record, Welcome) and b'"gap"' in record[3]
    ]
    assert [gap["why"] for gap in gaps] == ["damaged"]
