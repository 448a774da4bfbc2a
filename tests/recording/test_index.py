"""The index locates times; without it, or with a wrong one, results are the same, only slower."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from shutil import which

import pytest

from recording.recording_samples import beat, feed, read_all, record, record_in_blocks, stamped, welcome
from voicetop.clock import ManualClock
from voicetop.recording import Recorder
from voicetop.recording.compression import get_frame_size, is_skippable
from voicetop.recording.index import INDEX_MAGIC, STATE, TABLE_MAGIC, BlockIndex

START = 1_760_000_000.0


def record_blocks(path: Path, frames: list[bytes]) -> Path:
    """A recording with a block a frame."""
    clock = ManualClock(START)
    with Recorder(path, epoch="e1", clock=clock, flush_s=0.0) as recorder:
        for frame in frames:
            recorder.write(frame)
    return path


def without_index(data: bytes) -> bytes:
    """The same file from before there was an index."""
    blocks = []
    while data:
        size = get_frame_size(data)
        if not is_skippable(data[:4]):
            blocks.append(data[:size])
        data = data[size:]
    return b"".join(blocks)


def test_the_index_gives_the_first_and_last_stamp_of_every_block(tmp_path: Path) -> None:
    path = record_blocks(tmp_path / "a.vtr", feed(300))
    index = BlockIndex(path)
    assert len(index.blocks) == 302
    assert [(block.first_seq, block.last_seq) for block in index.blocks[2:5]] == [(1, 5), (6, 10), (11, 15)]
    assert index.blocks[3].first_at == pytest.approx(START + 0.1, abs=1e-6)
    assert index.blocks[1].marks == STATE
    assert not any(block.marks for block in index.blocks[2:])
    assert index.first_at == START
    assert index.last_at == pytest.approx(START + 29.9, abs=1e-5)
    assert index.blocks[index.first_after(START + 14.95)].first_seq == 751


def test_a_file_without_an_index_is_indexed_from_its_blocks(tmp_path: Path) -> None:
    path = record_blocks(tmp_path / "a.vtr", feed(300))
    plain = tmp_path / "plain.vtr"
    plain.write_bytes(without_index(path.read_bytes()))
    indexed, scanned = BlockIndex(path), BlockIndex(plain)
    assert [(b.size, b.first_seq, b.marks) for b in indexed.blocks] == [
        (b.size, b.first_seq, b.marks) for b in scanned.blocks
    ]
    for at in (START - 1, START, START + 3.05, START + 29.9, START + 99):
        assert scanned.first_after(at) <= indexed.first_after(at) <= scanned.first_after(at) + 1


def test_a_file_cut_at_any_byte_of_its_index_gives_the_same_blocks(tmp_path: Path) -> None:
    path = record_blocks(tmp_path / "a.vtr", feed(140))
    whole, data, cut = BlockIndex(path), path.read_bytes(), tmp_path / "cut.vtr"
    table = data.rindex(TABLE_MAGIC)
    last_index = data.rindex(INDEX_MAGIC, 0, table)
    for end in [*range(last_index, last_index + 40), *range(table - 4, table + 30), len(data) - 1]:
        cut.write_bytes(data[:end])
        index = BlockIndex(cut)
        assert [block.size for block in index.blocks] == [block.size for block in whole.blocks]
        assert index.first_after(START + 13.55) in (
            whole.first_after(START + 13.55),
            whole.first_after(START + 13.55) - 1,
        )
        records, _ = read_all(cut)
        assert records == stamped(feed(140))


def test_a_wrong_index_is_ignored(tmp_path: Path) -> None:
    path = record_blocks(tmp_path / "a.vtr", feed(50))
    right = [block.offset for block in BlockIndex(path).blocks]
    data = path.read_bytes()
    for place in (data.rindex(INDEX_MAGIC) + 20, data.rindex(TABLE_MAGIC) + 9, len(data) - 6):
        wrong = bytearray(data)
        wrong[place] ^= 0x55
        path.write_bytes(wrong)
        assert [block.offset for block in BlockIndex(path).blocks] == right


def test_recordings_joined_by_cat_keep_their_index(tmp_path: Path) -> None:
    frames = feed(40)
    first, second = (
        record_blocks(tmp_path / "a.vtr", frames[:21]),
        record_blocks(tmp_path / "b.vtr", frames[21:]),
    )
    both = tmp_path / "both.vtr"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    index = BlockIndex(both)
    assert [block.first_seq for block in index.blocks if block.first_seq > 0] == list(range(1, 200, 5))
    assert index.blocks[index.first_after(START + 3.05)].first_seq == 156


def test_a_recorder_that_appends_to_a_file_indexes_all_of_it(tmp_path: Path) -> None:
    frames = feed(20)
    path = record_blocks(tmp_path / "a.vtr", frames[:11])
    path.write_bytes(path.read_bytes()[:-5])  # as if it had been killed while it wrote the table
    record_blocks(path, frames[11:])
    data = path.read_bytes()
    assert _table(data) == _frames(data)
    assert read_all(path) == (stamped(frames), [])


def _table(data: bytes) -> list[tuple[int, int]]:
    count, _, magic = struct.unpack("<IBI", data[-9:])
    assert magic == 0x8F92EAB1
    return list(struct.iter_unpack("<II", data[-9 - 8 * count : -9]))


def _frames(data: bytes) -> list[tuple[int, int]]:
    """(packed, unpacked) size of every frame but the last, which is the table."""
    from voicetop.recording.compression import ZstdDecompressor

    frames = []
    while data:
        size = get_frame_size(data)
        text = b"" if is_skippable(data[:4]) else ZstdDecompressor().decompress(data[:size])
        frames.append((size, len(text)))
        data = data[size:]
    return frames[:-1]


def test_the_seek_table_is_that_of_the_zstd_seekable_format(tmp_path: Path) -> None:
    path = record_blocks(tmp_path / "a.vtr", feed(300))
    assert _table(path.read_bytes()) == _frames(path.read_bytes())


@pytest.mark.skipif(not which("zstd"), reason="needs zstd")
def test_zstd_tools_skip_the_index(tmp_path: Path) -> None:
    path = record_blocks(tmp_path / "a.vtr", feed(200))
    done = subprocess.run(["zstd", "-t", "-q", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_index_grows_with_its_file(tmp_path: Path) -> None:
    frames = feed(20)
    path = record_blocks(tmp_path / "a.vtr", frames[:11])
    index = BlockIndex(path)
    before = index.last_at
    record_blocks(path, frames[11:])
    index.refresh()
    assert before == pytest.approx(START + 0.9, abs=1e-5)
    assert index.last_at == pytest.approx(START + 1.9, abs=1e-5)
    assert [b.offset for b in index.blocks] == [b.offset for b in BlockIndex(path).blocks]


def test_a_damaged_block_costs_the_index_nothing_else(tmp_path: Path) -> None:
    path = record_in_blocks(tmp_path / "a.vtr", *([frame] for frame in feed(9)))
    data = bytearray(path.read_bytes())
    offsets = [block.offset for block in BlockIndex(path).blocks]
    data[offsets[4]] ^= 0xFF
    path.write_bytes(data)
    assert [block.offset for block in BlockIndex(path).blocks] == offsets[:4] + offsets[5:]


def test_with_stamps_that_step_back_a_time_is_where_they_first_pass_it(tmp_path: Path) -> None:
    frames = [welcome(0, START), beat(1, START + 5), beat(2, START + 2), beat(3, START + 9)]
    index = BlockIndex(record_blocks(tmp_path / "a.vtr", frames))
    assert index.blocks[index.first_after(START + 3)].first_seq == 1
    assert index.blocks[index.first_after(START + 6)].first_seq == 3
    assert index.first_after(START + 9) == len(index.blocks)


def test_the_index_of_a_busy_day_is_small(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(3_000, each=20))
    assert len(without_index(path.read_bytes())) > 0.99 * path.stat().st_size


def test_a_file_that_takes_the_place_of_another_is_indexed_from_its_beginning(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(50))
    index = BlockIndex(path)
    other = record(tmp_path / "b.vtr", feed(3, start=1.77e9))
    other.rename(path)
    index.refresh()
    assert (index.first_at, index.end) == (1.77e9, path.stat().st_size)
    whole = path.read_bytes()
    os.truncate(path, 0)
    index.refresh()
    assert index.blocks == []
    path.write_bytes(whole)
    index.refresh()
    assert index.blocks == BlockIndex(path).blocks
