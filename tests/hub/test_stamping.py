from __future__ import annotations

import msgspec

from voicetop.clock import ManualClock
from voicetop.hub.backlog import Backlog, BacklogEntry
from voicetop.hub.stamping import OpenBatch, Stamper
from voicetop.wire.batches import after_seq
from voicetop.wire.frames import RawBatch


class SetClock(ManualClock):
    """A machine whose clock can be set while time passes."""

    step = 0.0

    def time(self) -> float:
        return self.now + self.step


def test_stamped_time_never_decreases_and_never_stands_still_when_the_clock_is_set_back() -> None:
    clock = SetClock(1_000.0)
    stamper = Stamper(clock)
    assert stamper.now() == 1_000.0
    clock.step = -3_600.0
    times = []
    for _ in range(8):
        clock.now += 1.0
        times.append(stamper.now())
    assert times == [1_000.5 + 0.5 * second for second in range(8)]
    clock.step = 0.0
    assert stamper.now() == 1_008.0


def test_stamped_time_follows_at_once_when_the_clock_is_set_forward() -> None:
    clock = SetClock(1_000.0)
    stamper = Stamper(clock)
    clock.step = 60.0
    assert stamper.now() == 1_060.0


def test_a_batch_has_receive_times_in_runs() -> None:
    batch = OpenBatch()
    batch.add(7, b'{"a":1},{"a":2}', 2, 10.0)
    batch.add(9, b'{"a":3}', 1, 10.0)
    batch.add(10, b'{"a":4}', 1, 10.25)
    entry = batch.seal()
    assert (
        entry.frame
        == b'{"type":"batch","seq":7,"at":[[10.0,3],[10.25,1]],"events":[{"a":1},{"a":2},{"a":3},{"a":4}]}'
    )
    assert (entry.first, entry.last, entry.at) == (7, 10, 10.25)
    assert batch.events == 0


def test_the_tail_of_a_batch_keeps_the_stamps_of_what_is_left() -> None:
    batch = OpenBatch()
    for number in range(6):
        batch.add(1 + number, b'{"n":%d}' % number, 1, float(number // 2))
    frame = batch.seal().frame
    for after in range(6):
        tail = msgspec.json.decode(after_seq(frame, after), type=RawBatch)
        assert tail.seq == after + 1
        assert [bytes(event) for event in tail.events] == [b'{"n":%d}' % n for n in range(after, 6)]
        times = [at for at, count in tail.at for _ in range(count)]
        assert times == [float(n // 2) for n in range(after, 6)]


async def test_the_backlog_finds_the_batch_after_a_stamp_unless_it_was_evicted() -> None:
    backlog = Backlog(max_bytes=10**6, max_events=9)
    assert backlog.index_after(0) == 0
    assert backlog.index_after(5) is None
    for number in range(5):
        backlog.append(BacklogEntry(1 + 3 * number, 3 + 3 * number, float(number), b"x"))
    assert (backlog.start, backlog.end, backlog.oldest_seq) == (2, 5, 7)
    assert [backlog.index_after(seq) for seq in (5, 6, 8, 9, 14, 15, 16)] == [None, 2, 2, 3, 4, 5, None]
    assert backlog.get(1) is None
    entry = backlog.get(2)
    assert entry is not None
    assert entry.first == 7
    assert backlog.lag_s(5, now=9.0) == 0.0
    assert backlog.lag_s(0, now=9.0) == 7.0
