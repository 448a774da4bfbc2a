"""`voicetop demo`: a hub, a busy simulated fleet and the console in one command, an incident after half a minute."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import IO, TYPE_CHECKING

from voicetop import config as configuration
from voicetop.cli import console
from voicetop.cli.fleet import fleet_arguments, fleet_config, fleet_options
from voicetop.errors import FeedError, UsageError
from voicetop.live import LiveFeed
from voicetop.sources import LinkState

if TYPE_CHECKING:
    from voicetop.sources.socket import SocketSource
    from voicetop.wire.events import Operator

INCIDENT = ("--incident", "llm_outage", "--at", "30", "--for", "90", "--segment", "language=es")
TOUR_INCIDENT = ("--incident", "llm_outage", "--at", "8", "--for", "240", "--segment", "language=es")
"""An earlier incident that lasts until the end of the tour."""

PATIENCE_S = 3.0


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the screen and of the fleet."""
    console.screen_options(parser)
    parser.add_argument("--tour", action="store_true", help="a one-minute guided tour of the screens")
    fleet_options(parser, calls="200", history_h="24", full="31", old_calls="500")
    parser.set_defaults(usual=_words(parser.parse_args([])))


def run(args: argparse.Namespace) -> int:
    """Show the console at once, while hub and fleet start in another process."""
    settings = configuration.load()
    console.check_screen(args)
    if args.tour and args.plain:
        raise UsageError("--tour needs screens and --plain has none: use only one of them")
    if _words(args) != args.usual:
        fleet_config(args, 0.0)  # check the options before the screen opens
    child = _start(_words(args))
    try:
        feed = LiveFeed(
            lambda: (DemoSource(child), None),
            settings.engine,
            author=args.user or settings.user,
            limits=console.history_limits(settings),
        )
        return console.show_feed(feed, args, settings, "demo", tour=args.tour)
    finally:
        _end(child)


def _words(args: argparse.Namespace) -> list[str]:
    """The fleet's options for the other process, with the default incident if none is given."""
    usual = TOUR_INCIDENT if args.tour else INCIDENT
    return fleet_arguments(args) + ([] if args.incidents else list(usual))


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    """Start hub and fleet in their own session: Ctrl-C only reaches the console, which then ends them."""
    return subprocess.Popen(  # noqa: S603 - voicetop itself, with options that have been checked
        [sys.executable, "-m", "voicetop", "demo-feed", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    """Close its standard input, which ends hub and fleet."""
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class DemoSource:
    """The feed of the child's hub, once the child has printed its URL. A `Source`, and `Acting`."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._source: SocketSource | None = None

    @property
    def link(self) -> LinkState:
        if self._source is None:
            return LinkState("connecting", where="the simulated fleet")
        return self._source.link

    @property
    def refusal(self) -> str:
        """Why the hub would reject an action now."""
        return self._source.refusal if self._source is not None else "the simulated fleet is still starting"

    async def act(self, act: Operator) -> None:
        """Send it to the hub."""
        if self._source is not None:
            await self._source.act(act)

    async def frames(self) -> AsyncIterator[bytes]:
        """The hub's frames. Raises FeedError if it could not start."""
        from voicetop.sources.socket import SocketSource

        assert self._child.stdout is not None
        assert self._child.stderr is not None
        async with _lines_of(self._child.stdout) as lines:
            url = (await lines.readline()).decode().strip()
        if not url:
            async with _lines_of(self._child.stderr) as lines:
                why = (await lines.read()).decode("utf-8", "replace").strip().splitlines()
            raise FeedError(f"the simulated fleet could not start: {why[-1] if why else 'it ended at once'}")
        self._source = SocketSource(url)
        async for frame in self._source.frames():
            yield frame


@contextlib.asynccontextmanager
async def _lines_of(pipe: IO[bytes]) -> AsyncIterator[asyncio.StreamReader]:
    """A cancellable reader of the pipe; closes it afterwards."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        yield reader
    finally:
        transport.close()
