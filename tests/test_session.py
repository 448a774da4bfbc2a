"""The test that keeps everything else true: one feed, the same state at every heartbeat, however it came."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import force_setattr

from voicetop.clock import WallClock
from voicetop.engine.checkpoint import VERSION
from voicetop.engine.snapshot import View
from voicetop.errors import CheckpointError
from voicetop.hub import Hub, HubConfig
from voicetop.recording.notes import Notebook
from voicetop.recording.reader import read
from voicetop.replay.annotations import RecordingNotes
from voicetop.replay.live_history import LiveTimeline
from voicetop.replay.options import PlaybackStart
from voicetop.replay.player import Player
from voicetop.replay.recording_set import RecordingSet
from voicetop.replay.seek import Seeker
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig, SimulatedIncident
from voicetop.simulator.pump import pump
from voicetop.sources.socket import SocketSource
from voicetop.wire.codec import Beat
from voicetop.wire.events import AnyEvent, Heartbeat, Latency, Turn
from voicetop.wire.frames import RawBatch, Welcome
from wire_events import frame_of

Digests = dict[int, str]
"""By the hub's sequence number of the heartbeat."""


def digesting(session: Session) -> Digests:
    """The digests of a session at the hub's heartbeats, filled in as they come."""
    found: Digests = {}

    def note(beat: Beat) -> None:
        assert not beat.local, (
            "this machine is too busy: the hub was silent for so long that a console told the time"
        )
        found[beat.seq] = session.digest()

    session.on_beat.append(note)
    return found


async def watch(url: str, session: Session) -> None:
    async for frame in SocketSource(url).frames():
        session.feed(frame)


def recut(frames: list[bytes], dice: random.Random) -> Iterator[bytes]:
    """The same stamped events in batches of other sizes."""
    waiting: list[tuple[int, float, msgspec.Raw]] = []
    for frame in frames:
        decoded = msgspec.json.decode(frame, type=RawBatch | Welcome)
        if isinstance(decoded, Welcome):
            yield from cut(waiting, dice)
            waiting = []
            yield frame
            continue
        ats = [at for at, count in decoded.at for _ in range(count)]
        for i, (at, event) in enumerate(zip(ats, decoded.events, strict=True)):
            waiting.append((decoded.seq + i, at, event))
    yield from cut(waiting, dice)


def cut(events: list[tuple[int, float, msgspec.Raw]], dice: random.Random) -> Iterator[bytes]:
    while events:
        count = dice.choice((1, 2, 7, 60, 700))
        part, events = events[:count], events[count:]
        yield msgspec.json.encode(
            RawBatch(
                seq=part[0][0], at=[(at, 1) for _, at, _ in part], events=[event for _, _, event in part]
            )
        )


def heard(digests: Digests, last: int, least: int) -> bool:
    """Whether a session is past the stamp `last` and saw enough heartbeats: a busy hub sends fewer."""
    return max(digests, default=0) > last and len(digests) > least


def agree(digests: Digests, truth: Digests) -> int:
    """How many heartbeats both saw, all of which must agree."""
    both = sorted(digests.keys() & truth.keys())
    wrong = [seq for seq in both if digests[seq] != truth[seq]]
    assert not wrong, f"{len(wrong)} of {len(both)} heartbeats differ, the first at seq {wrong[0]}"
    return len(both)


async def test_live_paced_unpaced_in_random_batches_and_joined_half_way_a_feed_has_one_digest_at_every_heartbeat(
    tmp_path: Path,
) -> None:
    """A real hub and real sockets; the recording is the hub's own."""
    clock = WallClock()
    own = Session()
    truth = digesting(own)
    file = tmp_path / "feed.vtr"
    hub = Hub(HubConfig(port=0, record=str(file)), clock, new_session=lambda: own)
    await hub.start()
    fleet = Fleet(
        FleetConfig(
            start=clock.time(), calls=40, history=3_600.0, full=120.0, old_calls=40,
            incidents=(SimulatedIncident("llm_outage", at=1.0, duration=30.0),),
        )
    )  # fmt: skip
    early, late = Session(), Session()
    early_digests, late_digests = digesting(early), digesting(late)
    tasks = [asyncio.create_task(watch(hub.url, early))]
    await until(lambda: bool(early_digests))
    feeding = asyncio.create_task(pump(hub.url, None, fleet, clock, duration=5.0))
    half_way = len(truth) + 8
    await until(lambda: len(truth) >= half_way)
    tasks.append(asyncio.create_task(watch(hub.url, late)))
    await feeding
    last = max(truth)
    await until(lambda: heard(early_digests, last, 24) and heard(late_digests, last, 12))
    for task in tasks:
        task.cancel()
    await hub.close()

    assert agree(early_digests, truth) >= 20
    assert agree(late_digests, truth) >= 8
    assert min(late_digests) > min(early_digests), "the late one was to join later"
    assert len(set(truth.values())) == len(truth), "a digest that doesn't change covers nothing"

    frames = list(read(file))
    for name, told in (
        ("as recorded", frames),
        ("in random batches", list(recut(frames, random.Random(1)))),
        ("event by event", list(recut(frames, AlwaysOne()))),
    ):
        session = Session()
        digests = digesting(session)
        for frame in told:
            session.feed(frame)
        assert agree(digests, truth) >= 20, name
        assert session.snapshot(View()).calls.of == own.snapshot(View()).calls.of

    assert agree(await played(file, speed=20.0), truth) >= 20
    seeker = Seeker(file, Session)
    cursor = seeker.seek((seeker.index.first_at + seeker.index.last_at) / 2)
    sought = digesting(cursor.session)
    for _, frame in cursor.remaining():
        cursor.session.feed(frame)
    assert agree(sought, truth) >= 8
    assert len(sought) < len(truth) - 8


async def played(file: Path, speed: float) -> Digests:
    """The digests of the sessions that a replay of all of `file` plays through, paced as on a screen."""
    found: Digests = {}

    def watched(new_session: Callable[[], Session]) -> Session:
        session = new_session()
        session.on_beat.append(lambda beat: found.update({beat.seq: session.digest()}))
        return session

    player = Player(
        lambda new_session: RecordingSet(file, lambda: watched(new_session)),
        where=file.name,
        timeline_source=LiveTimeline(),  # nobody else folds the file
        annotations=RecordingNotes(lambda: Notebook(file)),
        start=PlaybackStart(speed=speed),
    )
    player.start()
    await until(lambda: player.ended)
    assert player.error == ""
    player.close()
    return found


class AlwaysOne(random.Random):
    """Dice that cut every batch down to one event."""

    def choice(self, seq: object) -> int:  # type: ignore[override]
        del seq
        return 1


async def until(holds: object, seconds: float = 60.0) -> None:
    """Wait until `holds()` is true."""
    assert callable(holds)
    clock = WallClock()
    limit = clock.monotonic() + seconds
    while not holds():
        assert clock.monotonic() < limit, "it never came true"
        await asyncio.sleep(0.02)


def test_a_frame_that_is_no_frame_is_counted_and_kept_for_a_look() -> None:
    session = Session()
    session.feed(b"\x00 not JSON")
    session.feed(b'{"type":"batch"}')
    assert session.codec.stats.malformed == 2
    assert session.codec.stats.faults[""]["refused"].count == 2


def test_a_damaged_state_leaves_the_session_as_it_was() -> None:
    session = Session()
    before = session.digest()
    with pytest.raises(CheckpointError, match="damaged"):
        session.load(b"VTCP" + bytes([VERSION]) + b"rubbish")
    assert session.digest() == before


def test_who_waits_for_a_welcome_finds_the_state_that_came_with_it_in_place() -> None:
    session, told = Session(), list[tuple[str, str]]()
    session.on_welcome.append(lambda welcome: told.append((welcome.epoch, session.deployment)))
    session.feed(b'{"type":"batch","seq":1,"at":[[1.0,1]],"events":[{"type":"heartbeat","ts":1.0,"seq":0}]}')
    session.feed(b'{ "type":"welcome"')
    assert told == []
    state = Session().checkpoint()
    session.feed(msgspec.json.encode(Welcome(epoch="e1", seq=3, deployment="prod", state=state)))
    assert told == [("e1", "prod")]


FOUR_AT_ONCE = """
import sys, threading
from pathlib import Path
from voicetop.session import Session

sys.setswitchinterval(1e-6)
state, barrier, digests = Path(sys.argv[1]).read_bytes(), threading.Barrier(4), []


def join():
    session = Session()
    barrier.wait()
    session.load(state)
    digests.append(session.digest())


threads = [threading.Thread(target=join) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(digests) == 4 and len(set(digests)) == 1
"""


def test_feeds_that_begin_at_the_same_moment_on_threads_of_their_own_all_begin(tmp_path: Path) -> None:
    """msgspec 0.22 crashes the process where two threads meet a type for the first time."""
    state = tmp_path / "state"
    state.write_bytes(Session().checkpoint())
    done = subprocess.run([sys.executable, "-c", FOUR_AT_ONCE, str(state)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_absurd_stage_times_of_a_recording_are_neither_counted_nor_shown() -> None:
    session = Session()
    latency = Latency(stt=-5.0, llm_ttft=9e8, tts_ttfb=70.0)
    turns: list[AnyEvent] = [
        Turn(ts=999.0, call_id=f"c{number}", turn=0, e2e_ms=500.0, latency=latency) for number in range(3)
    ]
    session.feed(frame_of([*turns, Heartbeat(ts=1_000.0, seq=3)]))
    for call in session.engine.roster.live.values():
        (turn,) = call.story
        assert isinstance(turn, Turn)
        assert turn.latency is not None
        assert (turn.latency.tts_ttfb, turn.latency.stt == turn.latency.stt) == (70.0, False)
        assert turn.latency.llm_ttft != turn.latency.llm_ttft
    counted, _ = session.engine.ledger.over_time((60, int(999.0 // 60)), None, None)
    assert counted.sum() == 6


def test_a_state_from_a_time_without_bounds_for_durations_still_loads() -> None:
    session = Session()
    turns: list[AnyEvent] = [Turn(ts=999.0, call_id="c", turn=number, e2e_ms=500.0) for number in range(2)]
    session.feed(frame_of([*turns, Heartbeat(ts=1_000.0, seq=3)]))
    old = session.engine.roster.live["c"].story[0]
    force_setattr(old, "e2e_ms", -1.0)
    force_setattr(old, "latency", Latency(stt=float("nan"), tts_ttfb=70.0))
    restored = Session()
    restored.load(session.checkpoint())
    first, second = restored.engine.roster.live["c"].story
    assert isinstance(first, Turn)
    assert first.e2e_ms != first.e2e_ms
    assert first.latency is not None
    assert first.latency.tts_ttfb == 70.0
    assert second == turns[1]
