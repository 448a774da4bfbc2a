"""A TCP proxy in front of a hub, that passes, holds or cuts every connection."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class TcpProxy:
    """Runs in its own thread. `accepted` counts the connections that came, `cut` breaks those that are open."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepted = 0
        self._target = target
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop, self._open = asyncio.Event(), asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> TcpProxy:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def hold(self) -> None:
        """Accept connections, and pass nothing on until `release`."""
        self._call(self._open.clear)

    def release(self) -> None:
        self._call(self._open.set)

    def cut(self) -> None:
        """Break the open connections."""
        self._call(self._abort_all)

    def stop(self) -> None:
        self._call(self._stop.set)
        self._thread.join(5)

    def _call(self, function: Callable[[], object]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(function)

    def _abort_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        self._abort_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        await self._open.wait()
        with contextlib.suppress(OSError):
            hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(hub_writer)
            await asyncio.gather(self._pass(reader, hub_writer), self._pass(hub_reader, writer))
            self._writers.discard(hub_writer)
        writer.close()
        self._writers.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@contextmanager
def tcp_proxy(target: int) -> Iterator[TcpProxy]:
    proxy = TcpProxy(target).start()
    try:
        yield proxy
    finally:
        proxy.stop()
