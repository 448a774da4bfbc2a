"""A hub that only listens: collects what publishers send, and can be made to die, hang or refuse."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


class StubHub:
    """Runs in its own thread. `events` holds every event except statuses, `frames` every raw frame.

    `closed` are the codes with which publishers closed.
    """

    def __init__(self, port: int = 0, epoch: str = "e1", token: str = "") -> None:
        self.port = port
        self.epoch = epoch
        self.token = token
        self.hung = False
        self.frames: list[Any] = []
        self.hellos: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.closed: list[int | None] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._connections: set[ServerConnection] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for event in self._all() if event["type"] != "source.status"]

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [event for event in self._all() if event["type"] == "source.status"]

    def _all(self) -> Iterator[dict[str, Any]]:
        for frame in list(self.frames):
            yield from frame if isinstance(frame, list) else [frame]

    def start(self) -> StubHub:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server: Server
        async with serve(
            self._serve, "127.0.0.1", self.port, process_request=self._admit, close_timeout=0.1, max_queue=2
        ) as server:
            self.port = server.sockets[0].getsockname()[1] if not self.port else self.port
            self._ready.set()
            await self._stop.wait()
            for connection in self._connections:
                connection.transport.abort()

    def _admit(self, _connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _connection.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        with contextlib.suppress(ConnectionClosed):
            self.hellos.append(json.loads(await connection.recv()))
            await connection.send(
                json.dumps({"type": "welcome", "epoch": self.epoch, "seq": 0, "at": time.time()})
            )
            async for message in connection:
                self.frames.append(json.loads(message))
                if self.hung:
                    connection.transport.pause_reading()
                    await self._stop.wait()  # type: ignore[union-attr]
            self.closed.append(connection.close_code)
        self._connections.discard(connection)

    def stop(self) -> None:
        """As if killed: connections break without a close frame."""
        assert self._loop is not None
        assert self._stop is not None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(5)


@contextmanager
def stub_hub(port: int = 0, epoch: str = "e1", token: str = "") -> Iterator[StubHub]:
    hub = StubHub(port, epoch, token).start()
    try:
        yield hub
    finally:
        hub.stop()


def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    """Poll until `condition` holds; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it didn't come to pass in time"
        time.sleep(0.01)
