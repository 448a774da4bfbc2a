"""The hub behind `voicetop demo`, and the simulated fleet that feeds it from a process of its own.

It prints the hub's URL once the fleet's history is published, so that a console that connects then starts with full
windows. It ends when its standard input does.

The fleet starts before the hub is imported, so that both get ready in parallel: the fleet's connection waits in the
queue of a listening socket.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from voicetop.cli.fleet import fleet_arguments, fleet_options
from voicetop.cli.serve import GC_THRESHOLDS
from voicetop.clock import WallClock
from voicetop.errors import FeedError

if TYPE_CHECKING:
    from voicetop.hub import Hub
    from voicetop.session import Session

PATIENCE_S = 20.0
"""How long the fleet may take to tell its day before the console is let in all the same."""
POLL_S = 0.02


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the fleet."""
    fleet_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve and simulate until standard input ends. Raises FeedError where the fleet ends before."""
    gc.set_threshold(*GC_THRESHOLDS)
    asyncio.run(_run(fleet_arguments(args)))
    return 0


async def _run(words: list[str]) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    fleet = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "voicetop", "simulate", f"ws://127.0.0.1:{sock.getsockname()[1]}", *words,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "VOICETOP_TOKEN"},
    )  # fmt: skip
    hub, session = _hub()
    await hub.start(sock)
    ended = asyncio.create_task(_stdin_end())
    dead = asyncio.create_task(fleet.wait())
    try:
        await asyncio.wait(
            [asyncio.create_task(_until_current(session)), ended, dead], return_when=asyncio.FIRST_COMPLETED
        )
        if not dead.done():
            print(hub.url, flush=True)
        await asyncio.wait([ended, dead], return_when=asyncio.FIRST_COMPLETED)
        if dead.done() and not ended.done():
            raise FeedError(await _last_words(fleet))
    finally:
        with contextlib.suppress(ProcessLookupError):
            fleet.kill()  # no farewell: its hub ends, too
        await hub.close()


def _hub() -> tuple[Hub, Session]:
    from voicetop.hub import Hub, HubConfig
    from voicetop.session import Session

    session = Session()
    config = HubConfig(deployment="demo", heartbeat_s=0.25)
    return Hub(config, WallClock(), new_session=lambda: session), session


async def _until_current(session: Session) -> None:
    """Wait for the fleet's first status event, which follows its history."""
    clock = WallClock()
    limit = clock.monotonic() + PATIENCE_S
    while not session.engine.feed.sources and clock.monotonic() < limit:
        await clock.sleep(POLL_S)


async def _stdin_end() -> None:
    """Wait for the end of standard input, read by a daemon thread."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        with contextlib.suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, name="voicetop stdin", daemon=True).start()
    await ended.wait()


async def _last_words(fleet: asyncio.subprocess.Process) -> str:
    assert fleet.stderr is not None
    lines = (await fleet.stderr.read()).decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("voicetop: ") if lines else "the simulated fleet ended"
