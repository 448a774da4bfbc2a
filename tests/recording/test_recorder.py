from __future__ import annotations

import base64
import itertools
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from recording.recording_samples import batch, beat, feed, read_all, record, split_blocks, stamped, welcome
from voicetop.clock import ManualClock
from voicetop.engine import checkpoint
from voicetop.errors import RecordingError
from voicetop.recording import Recorder, files, read
from voicetop.recording.index import BlockIndex
from voicetop.recording.shards import Shards
from voicetop.replay.recording_set import begins_with_state
from voicetop.session import Session
from voicetop.wire.codec import Batch, Beat, Codec, Step, WireStats
from voicetop.wire.frames import RawBatch, Welcome

START = 1_760_000_000.0


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition, at most `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
RAW_EVENTS = st.builds(
    lambda value, ascii_only, gaps: json.dumps(
        value, ensure_ascii=ascii_only, separators=(", ", ": ") if gaps else (",", ":")
    ).encode("utf-8", "surrogatepass"),
    JSON_VALUES,
    st.booleans(),
    st.booleans(),
)


@st.composite
def feeds(draw: st.DrawFn) -> list[bytes]:
    """Frames in the order of their stamps: batches of any size, local ones, welcomes of new epochs, holes in seq."""
    at, seq, frames = 1_760_000_000.0, 0, []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["batch", "batch", "local", "welcome"]))
        if kind == "welcome":
            seq = draw(st.integers(0, 2**40))
            state = draw(st.binary(max_size=50))
            frames.append(
                msgspec.json.encode(
                    Welcome(epoch=draw(st.sampled_from("ab")), seq=seq, at=at, deployment="prod", state=state)
                )
            )
            continue
        raws = [
            Raw(raw) for raw in draw(st.lists(RAW_EVENTS, min_size=1, max_size=600 if kind == "batch" else 2))
        ]
        runs: list[tuple[float, int]] = []
        left = len(raws)
        while left:
            at += draw(st.sampled_from([0.0, 0.001, 0.25, 3.7]))
            runs.append((at, draw(st.integers(1, left))))
            left -= runs[-1][1]
        first = seq if kind == "local" else seq + 1 + draw(st.sampled_from([0, 0, 0, 5]))
        frames.append(msgspec.json.encode(RawBatch(seq=first, at=runs, events=raws, local=kind == "local")))
        seq = first if kind == "local" else first + len(raws) - 1
    return frames


@given(frames=feeds())
@settings(max_examples=60, deadline=None)
def test_reading_yields_the_stamped_records_whatever_the_batching(
    frames: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = record(tmp_path_factory.mktemp("any") / "a.vtr", frames, flush_s=0.001)
    records, notes = read_all(path)
    assert records == stamped(frames)
    assert notes == []


def test_the_codec_decodes_a_recording_to_the_same_steps(tmp_path: Path) -> None:
    frames = [
        beat(0, 1.0),
        *feed(20),
        batch(500, 1_760_000_009.0, {"type": "new.kind"}, {"type": "turn", "turn": "x"}),
    ]
    frames.append(
        b'{"type":"batch","seq":600,"at":[[1760000010.0,1],[1760000011.0,9]],"events":[{"type":"heartbeat","seq":1},{"type":"heartbeat","seq":2}]}'
    )
    live, replayed = Codec(), Codec()
    expected = [step for frame in frames for step in live.decode(frame)]
    path = record(tmp_path / "a.vtr", frames)
    with read(path) as reader:
        steps_read = [step for frame in reader for step in replayed.decode(frame)]
    flat = [_flat(steps) for steps in (expected, steps_read)]
    assert flat[0] == flat[1]
    assert live.stats.events == replayed.stats.events
    assert live.stats.unknown_types == replayed.stats.unknown_types
    assert live.stats.faults == replayed.stats.faults


def _flat(steps: Sequence[Step]) -> list[str]:
    flat: list[str] = []
    for step in steps:
        if isinstance(step, Batch):
            flat += [f"{at} {event}" for at, event in zip(step.at, step.events, strict=True)]
        else:
            flat.append(str(step))
    return flat


def test_line_ends_between_tokens_become_spaces_so_that_a_record_is_a_line(tmp_path: Path) -> None:
    frame = b'{"type":"batch",\n"seq":1,"at":[[1.0,1]],"events":[{"type":\r\n "heartbeat"}]}'
    path = record(tmp_path / "a.vtr", [frame])
    assert read_all(path)[0] == [(1, 1.0, False, b'{"type":   "heartbeat"}')]


@pytest.mark.skipif(not (which("zstdcat") and which("jq")), reason="needs zstdcat and jq")
def test_zstdcat_and_jq_read_every_line(tmp_path: Path) -> None:
    frames = [*feed(3), beat(15, 1_760_000_003.0, local=True)]
    path = record(tmp_path / "a.vtr", frames, source="ws://hub")
    record(path, [beat(16, 1_760_000_004.0)])
    text = subprocess.run(["zstdcat", path], capture_output=True, check=True).stdout
    lines = subprocess.run(["jq", "-c", "."], input=text, capture_output=True, check=True).stdout.splitlines()
    first, hello, *records = [json.loads(line) for line in lines]
    assert first == {
        "voicetop": "recording", "version": 1, "protocol": 1, "epoch": "e1", "source": "ws://hub", "at": first["at"]
    }  # fmt: skip
    assert (hello["type"], hello["epoch"], hello["seq"]) == ("welcome", "e1", 0)
    assert base64.b64decode(hello["state"]) == b"checkpoint"
    assert [record["seq"] for record in records[:15]] == list(range(1, 16))
    assert records[0].keys() == {"seq", "at", "raw"}
    assert records[15]["local"] is True
    assert records[16]["voicetop"] == "recording"
    assert len(lines) == 2 + 15 + 1 + 1 + 1


@pytest.mark.skipif(not which("zstd"), reason="needs zstd")
def test_every_block_carries_a_checksum(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(3))
    listed = subprocess.run(["zstd", "-lv", path], capture_output=True, check=True, text=True)
    assert "XXH64" in listed.stdout + listed.stderr
    assert subprocess.run(["zstd", "-t", "-q", path], check=False).returncode == 0


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = record(tmp_path / "a.vtr", [])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_writer_is_refused_with_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    with Recorder(path), pytest.raises(RecordingError) as refused:
        Recorder(path)
    assert str(refused.value) == f"{path} is being written by another recorder: record to another file"
    Recorder(path).close()


def test_a_recorder_appends_after_the_last_block_of_a_file(tmp_path: Path) -> None:
    frames = feed(6)
    path = record(tmp_path / "a.vtr", frames[:3])
    record(path, frames[3:])
    assert read_all(path) == (stamped(frames), [])


def test_a_torn_tail_is_cut_off_before_appending(tmp_path: Path) -> None:
    first, second, third = [welcome(0)], [beat(1, 1.25)], [beat(2, 1.5)]
    path = record(tmp_path / "a.vtr", first)
    whole = path.read_bytes()
    torn = split_blocks(record(tmp_path / "b.vtr", second).read_bytes())[-1]
    for cut in range(len(torn)):
        path.write_bytes(whole + torn[:cut])
        record(path, third)
        assert path.read_bytes().startswith(whole)
        assert read_all(path) == (stamped(first + third), [])


def test_readable_blocks_after_a_damaged_one_are_never_cut_off(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", [welcome(0)])
    for seq in (1, 2, 3):
        record(path, [beat(seq, float(seq))])
    data = bytearray(path.read_bytes())
    data[data.index(split_blocks(bytes(data))[3])] ^= 0xFF
    path.write_bytes(data)
    record(path, [beat(4, 4.0)])
    assert path.read_bytes().startswith(data)


@pytest.mark.parametrize(
    "content", [b"my only copy of the thesis\n" * 100, b"\x28\xb5\x2f\xfd and so on", b"\0"]
)
def test_a_file_that_is_not_a_recording_stays_unchanged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"thesis\.txt is not a recording.*; record to another file"):
        Recorder(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", [".", "missing/a.vtr"])
def test_a_path_that_cannot_be_written_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="cannot record to"):
        Recorder(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_full_from_the_start_is_one_clear_line() -> None:
    with pytest.raises(RecordingError, match="cannot record to /dev/full: the disk is full"):
        Recorder("/dev/full")


FILL_UP = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
from recording.recording_samples import feed
from voicetop.recording import Recorder
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
recorder = Recorder(sys.argv[1], flush_s=0.01)
frames = feed(400)
for frame in frames:
    recorder.write(frame)
    time.sleep(0.002)
    if recorder.failed:
        break
recorder.write(frames[-1])
print(recorder.stopped, recorder.error)
recorder.close()
"""


def test_a_full_disk_stops_the_recording_loudly_at_a_whole_block(tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    tests = str(Path(__file__).parent.parent)
    ran = subprocess.run(
        [sys.executable, "-c", FILL_UP, path, tests], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith(f"True recording to {path} stopped: the file has reached the size limit")
    assert "it ends at 2025-10-09T" in ran.stdout
    records, notes = read_all(path)
    assert notes == []
    assert records == stamped(feed(400))[: len(records)]
    assert 15_000 < path.stat().st_size <= 20_000


def delete(path: Path) -> None:
    path.unlink()


def delete_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move(path: Path) -> None:
    path.rename(path.with_name("moved.vtr"))


def put_a_foreign_file_there(path: Path) -> None:
    path.unlink()
    path.write_text("not a recording\n")


def empty(path: Path) -> None:
    os.truncate(path, 0)


def truncate_in_a_block(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


LOSSES: dict[Callable[[Path], None], str] = {
    delete: "was deleted with all its records",
    delete_the_folder: "was deleted with all its records",
    move: "was moved away",
    put_a_foreign_file_there: "was replaced by another file",
    empty: "was truncated by another program",
    truncate_in_a_block: "was truncated by another program",
}


@pytest.mark.parametrize("sharded", [True, False])
@pytest.mark.parametrize("lose", LOSSES)
def test_a_file_that_goes_away_is_followed_by_one_that_stands_alone(
    tmp_path: Path, lose: Callable[[Path], None], sharded: bool
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    shards = Shards(folder) if sharded else None
    beats = itertools.count(1)

    def after_a_beat(true: object) -> object:
        number = next(beats)
        recorder.write(beat(number, START + number / 4))
        return true

    with Recorder(
        folder if sharded else folder / "a.vtr", epoch="e1", shards=shards, flush_s=0.01, lost_wait_s=1e9
    ) as recorder:
        recorder.write(welcome(0, START))
        after_a_beat(None)
        until(lambda: recorder.events > 0)
        [first] = folder.glob("*.vtr")
        lose(first)
        until(lambda: after_a_beat(recorder.wants_state))
        assert recorder.lost_file == f"{first} {LOSSES[lose]}"
        assert recorder.loss == ""
        state_at = next(beats)
        recorder.write(welcome(state_at, START + state_at / 4, state=b"state"))
        until(lambda: after_a_beat(recorder.loss))
        after_a_beat(None)
        assert recorder.lost_file == ""
        assert not recorder.wants_state
    assert recorder.error == ""
    continued = Path(recorder.loss.rpartition(" the recording continues in ")[2])
    assert recorder.loss.startswith(f"{first} {LOSSES[lose]}: from 2025-10-09T")
    index = BlockIndex(continued)
    assert index.last_at == START + (next(beats) - 1) / 4
    records, notes = read_all(continued)
    states = [record for record in records if isinstance(record, Welcome)]
    assert (notes, states[-1].state) == ([], b"state")
    if lose is not truncate_in_a_block or sharded:
        assert records[0] == states[0]
        assert begins_with_state(index)
    if lose is move:
        assert read_all(first.with_name("moved.vtr"))[1] == []
        assert BlockIndex(first.with_name("moved.vtr")).last_at == START + (state_at - 1) / 4, (
            "nothing is lost"
        )
    if lose is put_a_foreign_file_there:
        assert first.read_text() == "not a recording\n"


def test_without_anybody_who_has_a_state_the_next_file_begins_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    with Recorder(path, epoch="e1", flush_s=0.01) as recorder:
        recorder.write(welcome(0, START))
        recorder.write(beat(1, START))
        until(lambda: recorder.events > 0)
        path.unlink()
        for number in itertools.count(2):
            recorder.write(beat(number, START + number))
            if recorder.loss:
                break
            time.sleep(0.01)
        recorder.write(beat(number + 1, START + number + 1))
    records, notes = read_all(path)
    assert notes == []
    assert isinstance(records[0], Welcome)
    assert records[-1][0] == number + 1  # type: ignore[index]


def test_a_folder_that_was_deleted_is_locked_again(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    with Recorder(folder, epoch="e1", shards=Shards(folder), flush_s=0.01) as recorder:
        shutil.rmtree(folder)
        for number in itertools.count(1):
            recorder.write(beat(number, START + number))
            if recorder.loss:
                break
            time.sleep(0.01)
        with pytest.raises(RecordingError, match="is being written by another recorder"):
            Shards(folder).open(START)


def test_a_folder_that_is_now_a_file_stops_the_recording_loudly(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    with Recorder(folder, epoch="e1", shards=Shards(folder), flush_s=0.01) as recorder:
        shutil.rmtree(folder)
        folder.write_text("another program's\n")
        for number in itertools.count(1):
            recorder.write(beat(number, START + number))
            if recorder.stopped or number > 5_000:
                break
            time.sleep(0.01)
    assert f"cannot record to {folder}: File exists" in recorder.error
    assert folder.read_text() == "another program's\n"


def test_a_disk_slower_than_the_feed_is_reported_and_leaves_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, hangs = tmp_path / "a.vtr", threading.Event()
    written = files.RecordingFile.append
    recorder = Recorder(path, flush_s=0.001, queue_bytes=3000)
    monkeypatch.setattr(
        files.RecordingFile, "append", lambda self, block: (hangs.wait(20), written(self, block))[1]
    )
    frames = feed(30)
    for frame in frames:
        recorder.write(frame)
    lost = recorder.lost_frames
    assert recorder.failed
    assert f"too slow: {lost} frames were not recorded" in recorder.error
    hangs.set()
    _wait_until(lambda: recorder._put_bytes == recorder._writer.processed_bytes)
    recorder.write(beat(151, 1_760_000_004.0))
    recorder.close()
    records, _ = read_all(path)
    kept = stamped(frames[: len(frames) - lost])
    gap = json.loads(records[-2][3])  # type: ignore[index]
    assert records[:-2] == kept
    assert (gap["type"], gap["from_seq"], gap["to_seq"], gap["why"]) == ("gap", len(kept), 150, "recorder")
    assert records[-1][0] == 151  # type: ignore[index]


def _wait_until(condition: object) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.002)
    assert condition()  # type: ignore[operator]


def test_a_block_is_written_half_a_second_after_its_first_record_though_nothing_follows(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.vtr"
    with Recorder(path, flush_s=0.05) as recorder:
        recorder.write(beat(1, 1.0))
        _wait_until(lambda: recorder.events == 1)
        assert read_all(path)[0] == stamped([beat(1, 1.0)])


def test_frames_that_the_codec_rejects_are_recorded_unchanged(tmp_path: Path) -> None:
    large = b'{"type":"batch","seq":2,"at":[[1.0,1]],"events":[{"x":"' + b"x" * 5_000_000 + b'"}]}'
    in_text = b'{"type":"batch","seq":2,"at":[[1.0,1]],"events":[{"x":"a\nb"}]}'
    far = b'{"type":"batch","seq":1180591620717411303424,"at":[[1.0,1]],"events":[{}]}'
    gap = b'{"type":"gap","ts":2.0,"from_seq":2,"to_seq":9,"why":"evicted"}'
    odd = [
        b"nonsense",
        b'{"type":"batch"}',
        b"[" * 100_000,
        b"\xff",
        b'{"type":"\xff"}',
        large,
        in_text,
        far,
        gap,
    ]
    path = tmp_path / "a.vtr"
    with Recorder(path) as recorder:
        for frame in [beat(1, 1.0), *odd]:
            recorder.write(frame)
    assert recorder.undecodable == len(odd)
    assert recorder.error == ""
    with read(path) as reader:
        assert list(reader)[1:] == odd
        assert reader.notes == []


def test_a_session_comes_to_the_same_state_from_a_recording_at_every_heartbeat(tmp_path: Path) -> None:
    frames = [welcome(0)]
    for number, frame in enumerate(feed(200)[1:]):
        frames.append(frame)
        if number % 3 == 0:
            frames.append(beat(number * 5 + 5, 1_760_000_000.0 + number / 10, local=number % 2 == 0))
        if number % 50 == 49:
            frames.append(b"nonsense")
            frames.append(b'{"type":"batch","seq":1,"at":[],"events":["x",{"type":"turn","turn":"x"}]}')
    path = record(tmp_path / "a.vtr", frames, flush_s=0.001)
    with read(path) as reader:
        assert digests(list(reader)) == digests(frames)


def digests(frames: list[bytes]) -> list[str]:
    """The engine's state at every heartbeat, and at the end the whole session's.

    The codec counts a frame before its steps are folded, so the session's own digest may only be compared between
    frames, not at a heartbeat in the middle of one.
    """
    session = Session()
    seen: list[str] = []

    def look(_: Beat) -> None:
        state = checkpoint.state_of(session.engine, 0, "", WireStats(), ([], []))
        seen.append(checkpoint.digest(state))

    session.on_beat.append(look)
    for frame in frames:
        session.feed(frame)
    assert len(seen) > 50
    return [*seen, session.digest()]


def test_a_clock_that_steps_back_changes_no_record(tmp_path: Path) -> None:
    clock, path = ManualClock(1000.0), tmp_path / "a.vtr"
    frames = feed(4)
    with Recorder(path, clock=clock) as recorder:
        for frame in frames:
            clock.now -= 100
            recorder.write(frame)
    assert read_all(path) == (stamped(frames), [])


def test_writing_after_closing_is_counted_as_lost(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.vtr")
    recorder.close()
    recorder.close()
    recorder.write(beat(1, 1.0))
    assert recorder.lost_frames == 1


def test_recording_costs_bounded_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    frames = feed(200, each=100)
    with Recorder(tmp_path / "a.vtr", queue_bytes=4_000_000) as recorder:
        for frame in frames * 10:
            recorder.write(frame)
            _wait_until(lambda: recorder._put_bytes - recorder._writer.processed_bytes < 2_000_000)
    assert recorder.events == 200_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
