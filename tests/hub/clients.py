"""Clients of a hub under test: hand-written protocol over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from voicetop.session import Session

Json = dict[str, Any]


class CountingSession(Session):
    """Stands in for a session: its checkpoint is the list of event ids that it was fed."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.frames = 0
        self.checkpoints = 0

    def feed(self, frame: bytes) -> None:
        self.frames += 1
        for event in msgspec.json.decode(frame).get("events", ()):
            if "event_id" in event:
                self.ids.append(event["event_id"])

    def checkpoint(self) -> bytes:
        self.checkpoints += 1
        return msgspec.json.encode(self.ids)

    @property
    def live_calls(self) -> int:
        return 7


def turn(number: int, **fields: object) -> Json:
    """A turn event with the id `e<number>`."""
    return {
        "type": "turn",
        "ts": 1_700_000_000.0 + number,
        "call_id": f"c{number % 7}",
        "event_id": f"e{number}",
        "turn": number,
        "e2e_ms": 800.0,
        **fields,
    }


class Watcher:
    """A console that keeps what it receives. `ids` are the events of its state, then those of batches."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[Json] = []
        self.seq = 0
        self.epoch = ""
        self.ids: list[str] = []

    @classmethod
    async def open(cls, url: str, token: str = "", resume: Json | None = None, **hello: object) -> Watcher:
        connection = await connect(
            url,
            compression=None,
            max_size=None,
            proxy=None,
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        )
        words: Json = {"type": "hello", **hello}
        if resume:
            words["resume"] = resume
        await connection.send(msgspec.json.encode(words).decode())
        return cls(connection)

    async def read(self) -> Json:
        """The next frame, checked to follow the last one."""
        frame: Json = msgspec.json.decode(await asyncio.wait_for(self.connection.recv(), 40))
        self.frames.append(frame)
        if frame["type"] == "welcome":
            self.epoch, self.seq = frame["epoch"], frame["seq"]
            state: bytes = msgspec.convert(frame.get("state", ""), bytes)
            if state.startswith(b"["):  # a CountingSession's
                self.ids = msgspec.json.decode(state)
        elif frame["type"] == "batch":
            assert frame["seq"] == self.seq + 1
            assert sum(count for _, count in frame["at"]) == len(frame["events"])
            self.seq += len(frame["events"])
            self.ids += [event["event_id"] for event in frame["events"] if "event_id" in event]
        return frame

    async def read_until(self, done: Callable[[Watcher], bool]) -> Watcher:
        while not done(self):
            await self.read()
        return self

    @property
    def events(self) -> list[Json]:
        """All events received, except heartbeats."""
        batches = (frame["events"] for frame in self.frames if frame["type"] == "batch")
        return [event for events in batches for event in events if event["type"] != "heartbeat"]

    @property
    def resume(self) -> Json:
        return {"epoch": self.epoch, "seq": self.seq}


async def publisher(url: str, token: str = "") -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    return await connect(f"{url}/publish", compression=None, proxy=None, additional_headers=headers)


async def send(connection: ClientConnection, *events: object) -> None:
    """One frame with these events."""
    await connection.send(msgspec.json.encode(list(events)), text=True)


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while True:
            answer = true()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)
