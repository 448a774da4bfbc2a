"""`voicetop record`: records a hub's feed without a screen, to files or a pipe."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from io import FileIO

from voicetop.cli.log import log
from voicetop.cli.retention_options import is_folder, retention_options, shards_of
from voicetop.connection.address import DEFAULT_URL, check_token, check_url, client_tls
from voicetop.errors import UsageError
from voicetop.recording import LOST_WAIT_S, Recorder
from voicetop.sources.socket import SocketSource

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_EPILOG = """\
a folder gets a file per hour (--shard) and keeps them all unless you set --keep or --keep-size:
  voicetop record ws://hub:8377 -o /var/lib/voicetop/ --keep 7d --keep-size 2GB
a pipe gets the recording as it grows:
  ssh host voicetop record - | voicetop replay -

SIGTERM, SIGINT and SIGHUP close the file cleanly. The token is read from VOICETOP_TOKEN.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop record`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("url", metavar="URL", nargs="?", default=DEFAULT_URL, help=f"the hub (default {DEFAULT_URL})")
    add(
        "-o", "--output", metavar="FILE|DIR|-", default="", help="output file or folder; - is standard output"
    )
    retention_options(parser)
    add("--token", metavar="T", help="the viewer's token (better: VOICETOP_TOKEN)")
    add("--cafile", metavar="PEM", help="CA certificates for wss://")


def run(args: argparse.Namespace) -> int:
    """Record until a signal arrives. Raises UsageError and RecordingError before anything is recorded."""
    if args.url == "-":  # voicetop record -
        args.url, args.output = DEFAULT_URL, args.output or "-"
    url = check_url(args.url)
    token = check_token(args.token or os.environ.get("VOICETOP_TOKEN"))
    source = SocketSource(url, token, ssl=client_tls(url, args.cafile))
    recorder = open_recorder(args, url)
    return asyncio.run(_record(source, recorder))


def open_recorder(args: argparse.Namespace, url: str) -> Recorder:
    """The recorder for the options. Raises UsageError and RecordingError."""
    if not args.output:
        raise UsageError("name the output: add -o FILE, -o FOLDER/ or -o - (standard output)")
    if args.output == "-":
        is_folder(args, args.output, "-o")
        if os.isatty(1):
            raise UsageError(
                "standard output is a terminal: voicetop record - | voicetop replay -, or -o FILE"
            )
        return Recorder(FileIO(os.dup(1), "wb"), source=url)
    if is_folder(args, args.output, "-o"):
        shards = shards_of(args, args.output)
        return Recorder(args.output, source=url, shards=shards, lost_wait_s=LOST_WAIT_S)
    return Recorder(args.output, source=url, lost_wait_s=LOST_WAIT_S)


async def _record(source: SocketSource, recorder: Recorder) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    pumping = asyncio.create_task(_pump(source, recorder))
    stopping = asyncio.create_task(stop.wait())
    log(f"recording {source.url} to {recorder.path}")
    await asyncio.wait({pumping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for number in SIGNALS:  # a second signal ends it at once
        loop.remove_signal_handler(number)
    refusal = _refusal(pumping)
    for task in (pumping, stopping):
        task.cancel()
    await asyncio.gather(pumping, stopping, return_exceptions=True)
    await asyncio.to_thread(recorder.close)
    if refusal is not None:
        raise refusal
    log(recorder.error or f"{recorder.events:,} records in {recorder.path}")
    return 1 if recorder.failed else 0


def _refusal(pumping: asyncio.Task[None]) -> BaseException | None:
    return pumping.exception() if pumping.done() and not pumping.cancelled() else None


async def _pump(source: SocketSource, recorder: Recorder) -> None:
    """Record every frame, until the disk is full. Raises FeedRefused."""
    last_why, last_loss, lost = "", "", 0
    async with contextlib.aclosing(source.frames()) as frames:
        async for frame in frames:
            recorder.write(frame)
            if recorder.stopped:
                return
            source.wants_state = recorder.wants_state
            if recorder.loss != last_loss:
                last_loss = recorder.loss
                log(last_loss)
            if source.link.why != last_why:
                last_why = source.link.why
                log(f"{source.link.phase}: {last_why}" if last_why else "reconnected")
            if bool(recorder.lost_frames) > bool(lost):
                lost = recorder.lost_frames
                log(recorder.error)
