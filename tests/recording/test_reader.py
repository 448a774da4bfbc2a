from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import threading
import tracemalloc
from pathlib import Path
from shutil import which

import pytest

from recording.recording_samples import (
    Stamped,
    batch,
    beat,
    decoder,
    feed,
    read_all,
    record,
    record_in_blocks,
    split_blocks,
    stamped,
    welcome,
)
from voicetop.errors import RecordingError
from voicetop.recording import Reader, read
from voicetop.recording.compression import compressor
from voicetop.recording.extents import ending
from voicetop.recording.index import scan_frames
from voicetop.wire.frames import RawBatch, Welcome

pack = compressor(3)
SKIPPABLE = bytes.fromhex("5e2a4d18") + (5).to_bytes(4, "little") + b"index"


def stamped_all(parts: list[list[bytes]]) -> list[Stamped | Welcome]:
    return stamped(list(itertools.chain.from_iterable(parts)))


def five_blocks(path: Path) -> tuple[Path, list[list[bytes]]]:
    frames = feed(20)
    parts = [frames[:5], frames[5:9], frames[9:13], frames[13:17], frames[17:]]
    return record_in_blocks(path, *parts), parts


def test_batches_hold_at_most_512_consecutive_events_and_never_mix_local_ones(tmp_path: Path) -> None:
    frames = [
        batch(1, 1.0, *({"n": n} for n in range(700))),
        beat(700, 1.25, local=True),
        beat(700, 1.5, local=True),
        batch(701, 1.75, {"n": 701}),
        batch(800, 1.75, {"n": 800}),
    ]
    batches = [decoder.decode(frame) for frame in read(record(tmp_path / "a.vtr", frames))]
    assert [(b.seq, len(b.events), b.local) for b in batches if isinstance(b, RawBatch)] == [
        (1, 512, False), (513, 188, False), (700, 2, True), (701, 1, False), (800, 1, False)
    ]  # fmt: skip


def test_a_span_splits_batches_by_their_stamps(tmp_path: Path) -> None:
    frames = feed(20, each=1)
    with Reader(record(tmp_path / "a.vtr", frames), span_s=0.35) as reader:
        sizes = [len(b.events) for b in map(decoder.decode, reader) if isinstance(b, RawBatch)]
    assert sizes == [4, 4, 4, 4, 4]


def test_a_file_cut_at_every_byte_of_its_last_blocks_is_read_up_to_there(tmp_path: Path) -> None:
    path, parts = five_blocks(tmp_path / "a.vtr")
    data = path.read_bytes()
    ends = [len(data)]
    for block in reversed(split_blocks(data)[3:]):
        ends.append(ends[-1] - len(block))
    for cut in range(ends[-1], len(data)):
        path.write_bytes(data[:cut])
        whole = 5 - sum(cut < end for end in ends)
        records, notes = read_all(path)
        assert records == stamped_all(parts[:whole])
        if cut in ends:
            assert notes == []
        else:
            assert len(notes) == 1
            assert " is incomplete: its records end at 2025-10-09T08:53:" in notes[0]
            assert "and anything later is missing (its last " in notes[0]


def test_a_block_damaged_at_any_byte_becomes_a_gap_and_the_rest_is_read(tmp_path: Path) -> None:
    path, parts = five_blocks(tmp_path / "a.vtr")
    data = path.read_bytes()
    start = data.index(split_blocks(data)[3])
    end = start + len(split_blocks(data)[3])
    before, lost, after = stamped_all(parts[:2]), stamped(parts[2]), stamped_all(parts[3:])
    for place in range(start, end):
        broken = bytearray(data)
        broken[place] ^= 0x55
        path.write_bytes(broken)
        records, notes = read_all(path)
        if records == before + lost + after:  # a bit that carries nothing
            continue
        gap = json.loads(records[len(before)][3])  # type: ignore[index]
        assert records[: len(before)] == before
        assert records[len(before) + 1 :] == after
        assert records[len(before)][:3] == (before[-1][0], after[0][1], True)  # type: ignore[index]
        assert (gap["from_seq"], gap["to_seq"], gap["why"]) == (lost[0][0], lost[-1][0], "damaged")  # type: ignore[index]
        assert len(notes) == 1
        assert "is damaged at byte" in notes[0]


def test_two_neighbouring_damaged_blocks_are_one_gap(tmp_path: Path) -> None:
    path, parts = five_blocks(tmp_path / "a.vtr")
    blocks = split_blocks(path.read_bytes())
    path.write_bytes(b"".join([*blocks[:2], b"\0" * 500, blocks[4][:40] + b"\0" * 60, *blocks[5:]]))
    records, notes = read_all(path)
    assert len(notes) == 1
    assert len(records) == len(stamped(parts[0] + parts[4])) + 1


def test_a_damaged_first_block_costs_only_itself(tmp_path: Path) -> None:
    path, parts = five_blocks(tmp_path / "a.vtr")
    data = bytearray(path.read_bytes())
    data[10] ^= 0xFF
    path.write_bytes(data)
    records, notes = read_all(path)
    assert records[1:] == stamped_all(parts)
    assert "its beginning" in notes[0]


def test_zeros_at_the_end_after_a_power_loss_are_a_torn_end(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(3))
    path.write_bytes(path.read_bytes() + b"\0" * 5000)
    records, notes = read_all(path)
    assert records == stamped(feed(3))
    assert (
        "incomplete: its records end at 2025-10-09T08:53:20.200Z, and anything later is missing (its last"
        in notes[0]
    )
    assert "5,000 bytes are skipped)" in notes[0]


def test_a_part_of_a_copy_says_what_is_missing(tmp_path: Path) -> None:
    whole = record(tmp_path / "a.vtr", feed(30)).read_bytes()
    header, block, index, table = [offset for offset, _ in scan_frames(memoryview(whole))]
    part, missing = tmp_path / "part.vtr", "and anything later is missing"
    for size, records, said in (
        (len(whole), True, ""),
        (table + 20, True, ""),
        (
            index + 20,
            True,
            f"its records end at 2025-10-09T08:53:22.900Z, {missing} (its last 20 bytes are skipped)",
        ),
        (
            index - 1,
            False,
            f"it has no complete record, {missing} (its last {index - 1 - block:,} bytes are skipped)",
        ),
        (block + 5, False, f"it has no complete record, {missing} (its last 5 bytes are skipped)"),
        (block, False, f"it has no complete record, {missing}"),
    ):
        part.write_bytes(whole[:size])
        assert (read_all(part)[0] != []) == records
        assert ending(part) == (f"{part} is incomplete: {said}" if said else "")
        assert read_all(part)[1] == ([ending(part)] if said else [])
    assert header == 0


def test_two_parts_joined_say_where_the_first_is_damaged_and_what_the_second_lacks(tmp_path: Path) -> None:
    whole = record(tmp_path / "a.vtr", feed(30)).read_bytes()
    both = tmp_path / "both.vtr"
    both.write_bytes(whole + whole[:-9])
    assert read_all(both)[1] == []
    both.write_bytes(whole[:-200] + whole[:-200])
    notes = read_all(both)[1]
    assert ["is damaged at byte" in notes[0], "is incomplete: " in notes[-1]] == [True, True]


def test_skippable_frames_are_skipped_anywhere(tmp_path: Path) -> None:
    path, parts = five_blocks(tmp_path / "a.vtr")
    blocks = split_blocks(path.read_bytes())
    huge = bytes.fromhex("502a4d18") + (9_000_000).to_bytes(4, "little") + b"\0" * 9_000_000
    path.write_bytes(SKIPPABLE + huge.join(SKIPPABLE + block for block in blocks) + SKIPPABLE)
    assert read_all(path) == (stamped_all(parts), [])
    path.write_bytes(b"".join(blocks) + SKIPPABLE[:-2])
    records, notes = read_all(path)
    assert records == stamped_all(parts)
    assert len(notes) == 1
    assert notes[0].startswith(f"{path} is incomplete: its records end at 2025-10-09T08:53:21.900Z, and")
    record(path, [beat(901, 1_760_000_900.0)])
    assert read_all(path)[0][-1][0] == 901  # type: ignore[index]


def test_recordings_joined_by_cat_are_a_recording(tmp_path: Path) -> None:
    first, second = record(tmp_path / "1.vtr", feed(3)), record(tmp_path / "2.vtr", feed(4))
    both = tmp_path / "both.vtr"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    assert read_all(both) == (stamped(feed(3) + feed(4)), [])


def test_lines_recompressed_by_another_tool_are_a_recording(tmp_path: Path) -> None:
    frames = [*feed(3000, each=10), welcome(900_000, 1_760_001_000.0, state=os.urandom(9_000_000))]
    path = record(tmp_path / "a.vtr", frames)
    text = b"".join(unpacked(path))
    path.write_bytes(pack(text))
    assert read_all(path) == (stamped(frames), [])
    middle = len(text) // 4 + 7
    path.write_bytes(
        pack(text[:middle]) + pack(text[middle : middle + 9]) + pack(text[middle + 9 :].rstrip(b"\n"))
    )
    assert read_all(path) == (stamped(frames), [])
    broken = bytearray(pack(text))
    broken[-5_000_000] ^= 0xFF
    path.write_bytes(broken)
    records, notes = read_all(path)
    assert notes
    assert records == stamped(frames)[: len(records)]


def unpacked(path: Path) -> list[bytes]:
    from voicetop.recording.blocks import Blocks

    with path.open("rb") as file:
        return [piece for piece in Blocks(file) if isinstance(piece, bytes)]


def test_invalid_lines_become_a_gap_but_unknown_kinds_do_not(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", [beat(1, 1.0)])
    more = b'{"seq":2,"at":2.0,"raw":{"n":2}}\n\n{"bookmark":"x","at":2.0}\n'
    bad = b'{"seq":3,"at":"noon","raw":{}}\nnot json\n{"seq":6,"at":3.0,"raw":{"n":6},"new":1}\n'
    path.write_bytes(path.read_bytes() + pack(more))
    records, notes = read_all(path)
    assert (records[1:], notes) == ([(2, 2.0, False, b'{"n":2}')], [])
    path.write_bytes(path.read_bytes() + pack(bad))
    records, notes = read_all(path)
    assert records[-1] == (6, 3.0, False, b'{"n":6}')
    gap = json.loads(records[-2][3])  # type: ignore[index]
    assert (gap["from_seq"], gap["to_seq"], gap["why"]) == (3, 5, "damaged")
    assert "lines that are not records" in notes[0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty: nothing was recorded"),
        (b"{}", "is not a recording: it does not begin with a zstd frame"),
        (b"\x1f\x8b" + bytes(100), "is not a recording: it does not begin with a zstd frame"),
        (pack(b"{}\n"), "is not a recording: its first line is not a header"),
        (pack(b"\0" * 1000), "is not a recording: its first line is not a header"),
        (
            pack(b'{"voicetop":"recording","version":2}\n'),
            "is a recording of version 2, this voicetop reads version 1",
        ),
        (
            pack(b'{"voicetop":"recording"}\n')[:-3],
            "is not a recording, or is truncated: it has no complete block",
        ),
        (SKIPPABLE, "is not a recording, or is truncated: it has no complete block"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_one_clear_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.vtr"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as refused:
        read(path)
    assert why in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["missing.vtr", "."])
def test_a_missing_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="cannot read"):
        read(tmp_path / name)


def test_a_later_version_in_the_middle_raises_its_error(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(2))
    path.write_bytes(path.read_bytes() + pack(b'{"voicetop":"recording","version":9}\n'))
    with read(path) as reader, pytest.raises(RecordingError, match="version 9"):
        list(reader)


def test_a_later_protocol_is_read_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    path.write_bytes(pack(b'{"voicetop":"recording","version":1,"protocol":2}\n{"seq":1,"at":1,"raw":{}}\n'))
    records, notes = read_all(path)
    assert records == [(1, 1.0, False, b"{}")]
    assert "uses protocol 2" in notes[0]


def test_a_growing_pipe_is_read_as_it_grows() -> None:
    out, into = os.pipe()
    frames = feed(2)
    recorder_end = threading.Thread(target=_pump, args=(into, frames))
    recorder_end.start()
    with os.fdopen(out, "rb") as stream:
        reader = read(stream)
        assert next(reader) == frames[0]
        assert stamped([next(reader)]) == stamped([frames[1]])
        NEXT.set()
        assert stamped(list(reader)) == stamped([frames[2]])
    recorder_end.join()


NEXT = threading.Event()


def _pump(fd: int, frames: list[bytes]) -> None:
    """What a recorder writes, its last block only once the reader has shown what came before."""
    lines = [b'{"voicetop":"recording","version":1}\n']
    for frame in frames:
        decoded = decoder.decode(frame)
        if not isinstance(decoded, RawBatch):
            lines.append(frame + b"\n")
            continue
        at = decoded.at[0][0]
        records = enumerate(decoded.events, decoded.seq)
        lines.append(b"".join(b'{"seq":%d,"at":%r,"raw":%b}\n' % (n, at, bytes(raw)) for n, raw in records))
    with os.fdopen(fd, "wb", buffering=0) as stream:
        stream.writelines(pack(line) for line in lines[:-1])
        NEXT.wait(10)
        stream.write(pack(lines[-1]))


@pytest.mark.skipif(not which("zstd"), reason="needs zstd")
def test_output_of_the_zstd_program_is_read(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(30))
    text = subprocess.run(["zstdcat", path], capture_output=True, check=True).stdout
    packed = subprocess.run(["zstd", "-c", "-19"], input=text, capture_output=True, check=True).stdout
    assert stamped(list(read(io.BytesIO(packed)))) == stamped(feed(30))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    once = record(tmp_path / "a.vtr", feed(100, each=100)).read_bytes()
    path, peaks = tmp_path / "b.vtr", []
    for times in (2, 20):
        path.write_bytes(once * times)
        tracemalloc.start()
        with read(path) as reader:
            events = sum(len(b.events) for b in map(decoder.decode, reader) if isinstance(b, RawBatch))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert events == 10_000 * times
    assert peaks[1] < peaks[0] * 1.25


def test_a_block_with_an_endless_line_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicetop.recording.reader.MAX_LINE", 20_000_000)
    path = tmp_path / "bomb.vtr"
    path.write_bytes(pack(b'{"voicetop":"recording","version":1}\n') + pack(b" " * 400_000_000))
    with read(path) as reader, pytest.raises(RecordingError, match="a line of more than 20,000,000 bytes"):
        list(reader)
