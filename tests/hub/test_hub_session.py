"""The hub with its real session: a late joiner holds the same state as a console that was there from the start."""

from __future__ import annotations

import asyncio
import errno
import random
from pathlib import Path

import msgspec
import pytest

from hub.clients import CountingSession, Watcher, publisher, send, turn, until
from hub.conftest import StartHub
from voicetop.errors import RecordingError
from voicetop.hub.health import measure
from voicetop.recording.files import RecordingFile
from voicetop.session import Session
from voicetop.wire.codec import Beat


class Follower:
    """A console with a session; `digests` are those of its heartbeats, by stamp."""

    def __init__(self, url: str) -> None:
        self.session = Session()
        self.digests: dict[int, str] = {}
        self.session.on_beat.append(self._note)
        self._task = asyncio.create_task(self._run(url))

    def _note(self, beat: Beat) -> None:
        self.digests[beat.seq] = self.session.digest()

    async def _run(self, url: str) -> None:
        watcher = await Watcher.open(url)
        async for frame in watcher.connection:
            self.session.feed(frame.encode() if isinstance(frame, str) else frame)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def call_events(call: int, rng: random.Random) -> list[dict[str, object]]:
    """A call as a publisher sends it; `ts` is set on sending."""
    name = f"c{call}"
    segments = {"intent": rng.choice(["billing", "sales"]), "language": rng.choice(["en", "es"])}
    events: list[dict[str, object]] = [{"type": "call.start", "call_id": name, "segments": segments}]
    for number in range(rng.randint(1, 4)):
        events.append({"type": "turn.start", "call_id": name, "turn": number})
        events.append(
            {"type": "turn", "call_id": name, "turn": number, "e2e_ms": rng.lognormvariate(6.7, 0.4)}
        )
    if rng.random() < 0.2:
        events.append({"type": "error", "call_id": name, "component": "llm", "category": "timeout"})
    return [*events, {"type": "call.end", "call_id": name, "reason": "user_hangup"}]


async def test_a_console_that_joins_late_has_the_same_digest_at_every_heartbeat(
    start_hub: StartHub,
) -> None:
    hub = await start_hub(new_session=Session)
    first = Follower(hub.url)
    agent = await publisher(hub.url)
    rng = random.Random(7)
    late: list[Follower] = []
    for step in range(30):
        now = hub.feed.stamper.now()
        events = [event for call in range(step * 5, step * 5 + 5) for event in call_events(call, rng)]
        await send(agent, *[{**event, "ts": now - rng.random()} for event in events])
        await asyncio.sleep(0.05)
        if step % 10 == 5:
            late.append(Follower(hub.url))
    head = hub.feed.stamper.seq
    followers = [first, *late]

    def shared_by(follower: Follower) -> set[int]:
        return first.digests.keys() & follower.digests.keys()

    def followed(each: Follower) -> bool:
        return max(each.digests, default=0) >= head and len(shared_by(each)) >= 2

    await until(lambda: all(map(followed, followers)))
    for follower in late:
        shared = shared_by(follower)
        assert {seq: first.digests[seq] for seq in shared} == {seq: follower.digests[seq] for seq in shared}
    for follower in followers:
        await follower.close()
    await agent.close()


async def test_a_large_state_arrives_whole_and_is_made_once(start_hub: StartHub) -> None:
    class Large(CountingSession):
        def checkpoint(self) -> bytes:
            self.checkpoints += 1
            return b"\x00" + random.Random(1).randbytes(3_000_000)

    sessions: list[Large] = []

    def new_session() -> Large:
        sessions.append(Large())
        return sessions[-1]

    hub = await start_hub(new_session=new_session)
    watchers = await asyncio.gather(*[Watcher.open(hub.url) for _ in range(5)])
    welcomes = await asyncio.gather(*[watcher.read() for watcher in watchers])
    expected = b"\x00" + random.Random(1).randbytes(3_000_000)
    assert all(msgspec.convert(welcome["state"], bytes) == expected for welcome in welcomes)
    assert sessions[0].checkpoints <= 2
    await asyncio.gather(*[watcher.read_until(lambda it: it.seq > 3) for watcher in watchers])
    for watcher in watchers:
        await watcher.connection.close()


async def test_a_console_that_does_not_read_the_state_holds_one_fragment_and_is_closed(
    start_hub: StartHub,
) -> None:
    class Huge(CountingSession):
        def checkpoint(self) -> bytes:
            return b"\x00" * 20_000_000

    log: list[str] = []
    hub = await start_hub(new_session=Huge, welcome_s=0.5, log=log)
    stuck = await Watcher.open(hub.url)
    stuck.connection.transport.pause_reading()
    await until(lambda: bool(hub.consoles))
    [console] = hub.consoles
    await until(lambda: console.client.transport.get_write_buffer_size() > 0)
    assert console.client.transport.get_write_buffer_size() < 200_000
    await until(lambda: not hub.consoles)
    assert any("didn't accept the state within" in line for line in log)
    stuck.connection.transport.abort()


async def test_a_session_that_cannot_keep_up_slows_publishers_and_loses_nothing(start_hub: StartHub) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Slow(CountingSession):
        def feed(self, frame: bytes) -> None:
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
            super().feed(frame)

    sessions: list[Slow] = []

    def new_session() -> Slow:
        sessions.append(Slow())
        return sessions[-1]

    hub = await start_hub(new_session=new_session, backlog_bytes=1_000_000)
    agent = await publisher(hub.url)
    total = 10_000

    async def publish() -> None:
        for first in range(0, total, 50):
            await send(agent, *[turn(n, agent_text="x" * 10_000) for n in range(first, first + 50)])

    sending = asyncio.create_task(publish())
    await until(lambda: hub.feed.everybody.session.queued > 32 * 1024 * 1024, seconds=20)
    taken = -1
    while taken != hub.feed.validator.events:
        taken = hub.feed.validator.events
        await asyncio.sleep(0.2)
    assert taken < total
    assert hub.feed.everybody.session.queued < 40 * 1024 * 1024
    gate.set()
    await asyncio.wait_for(sending, 40)
    await until(lambda: len(sessions[0].ids) == total, seconds=20)
    assert sessions[0].ids == [f"e{number}" for number in range(total)]
    await agent.close()


async def test_a_failing_disk_is_reported_at_once_and_does_not_stop_the_feed(
    start_hub: StartHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    hub = await start_hub(log=log, record=str(tmp_path))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordingFile, "append", full)
    watcher = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    await send(agent, turn(1))
    await watcher.read_until(lambda it: "e1" in it.ids)
    await until(lambda: any("stopped" in line for line in log))
    await send(agent, turn(2))
    await watcher.read_until(lambda it: "e2" in it.ids)
    assert sum("recording" in line for line in log) == 1
    assert measure(hub.feed, 1, []).status == "degraded"
    for each in (watcher.connection, agent):
        await each.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a thing of Linux")
async def test_a_recording_that_cannot_start_refuses_the_hub_and_frees_the_port(
    start_hub: StartHub,
) -> None:
    free = await start_hub()
    port = free.port
    await free.close()
    with pytest.raises(RecordingError, match="disk is full"):
        await start_hub(port=port, record="/dev/full")
    await start_hub(port=port)


async def test_a_requested_state_follows_the_batches_sent_by_then(
    start_hub: StartHub,
) -> None:
    hub = await start_hub()
    viewer = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    await send(agent, turn(1))
    await viewer.read_until(lambda me: me.ids == ["e1"])
    await viewer.connection.send('{"type":"state"}')
    await send(agent, turn(2))
    await viewer.read_until(lambda me: sum(frame["type"] == "welcome" for frame in me.frames) == 2)
    welcome = viewer.frames[-1]
    assert welcome["seq"] == viewer.seq, "as of what it was sent last"
    assert "gap" not in {frame["type"] for frame in viewer.frames}
    await send(agent, turn(3))
    await viewer.read_until(lambda me: "e3" in me.ids)
    assert viewer.ids == ["e1", "e2", "e3"]
