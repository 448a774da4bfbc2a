"""`voicetop serve`: runs a hub until a signal stops it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop import config as configuration
from voicetop.cli.config_warnings import warn
from voicetop.cli.log import log
from voicetop.cli.retention_options import is_folder, keep_bytes, keep_s, retention_options, shard_s
from voicetop.errors import UsageError
from voicetop.hub import Hub, HubConfig, Token
from voicetop.hub.config import DEFAULT_PORT, parse_tokens, read_tokens
from voicetop.locations import history_file

if TYPE_CHECKING:
    from voicetop.config import Config
    from voicetop.session import Session

SWITCH_S = 0.001
"""Thread switch interval (s): the hub's session shares the interpreter with the event loop."""

GC_THRESHOLDS = (50_000, 20, 50)
"""The state has millions of objects and hardly a cycle: looking for one less often saves a tenth of the work."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_EPILOG = """\
tokens: a file with lines 'role token' (roles: publisher, viewer, operator, watcher), named by --token-file or
VOICETOP_TOKENS. Without tokens everybody on this machine may do everything. Other machines can connect only
with --cert, --key and tokens.

continuous recording: --record /var/lib/voicetop/ --keep 7d --keep-size 20GB. A full disk stops the recording, which is
reported here, on all consoles and in /healthz; the hub continues. `voicetop replay /var/lib/voicetop/` replays it.

/healthz on the same port returns JSON. SIGTERM, SIGINT and SIGHUP stop the hub and flush the recording.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop serve`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"port to listen on, 0 for a free one (default {DEFAULT_PORT})",
    )
    add("--token-file", metavar="FILE", help="tokens with their roles (default VOICETOP_TOKENS)")
    add(
        "--cert",
        metavar="PEM",
        default="",
        help="certificate with its chain; consoles then connect with wss://",
    )
    add("--key", metavar="PEM", default="", help="the certificate's key, if not in the same file")
    add(
        "--record",
        metavar="FILE|DIR",
        default="",
        help="record every event; a folder (DIR/) gets a file per hour",
    )
    retention_options(parser)
    add(
        "--history",
        metavar="FILE",
        nargs="?",
        default="",
        const=str(history_file()),
        help=f"keep normals and incidents in this store and restore them at start (default FILE {history_file()})",
    )
    add("--baseline", metavar="FILE", default="", help="start with these normals (voicetop baseline export)")
    add("--capacity", metavar="N", type=int, default=0, help="the tested limit; overrides that of publishers")
    add(
        "--deployment",
        metavar="NAME",
        default="",
        help="name of this feed on consoles (production, staging, ...)",
    )
    add(
        "--no-transcripts-for-viewers",
        dest="transcripts_for_viewers",
        action="store_false",
        help="viewers get figures, but no speech and no free text that may repeat it",
    )
    add(
        "--backlog-mb",
        metavar="N",
        type=int,
        default=64,
        help="backlog from which a console can resume after a broken connection (default 64)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until a signal arrives. Raises UsageError before it starts."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
    settings = configuration.load()
    warn(settings)
    args.capacity = args.capacity or settings.capacity
    asyncio.run(_serve(hub_config(args), _sessions(args, settings)))
    return 0


def hub_config(args: argparse.Namespace) -> HubConfig:
    """The hub's config from the options. Raises UsageError."""
    _check("--port", args.port, 0, 65_535)
    _check("--capacity", args.capacity, 0, 10_000_000)
    _check("--backlog-mb", args.backlog_mb, 1, 65_536)
    folder = Path(args.record).parent
    if args.record and not folder.is_dir():
        raise UsageError(f"--record {args.record}: no folder {folder}")
    is_folder(args, args.record, "--record")
    return HubConfig(
        host=args.host,
        port=args.port,
        tokens=_tokens(args.token_file),
        cert=args.cert,
        key=args.key,
        record=args.record,
        record_shard_s=shard_s(args),
        record_keep_s=keep_s(args),
        record_keep_bytes=keep_bytes(args),
        capacity=args.capacity,
        deployment=args.deployment,
        transcripts_for_viewers=args.transcripts_for_viewers,
        backlog_bytes=args.backlog_mb * 1024 * 1024,
    )


def _check(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{option} {value}: give a whole number from {least:,} to {most:,}")


def _tokens(file: str | None) -> tuple[Token, ...]:
    """Tokens from `file` or VOICETOP_TOKENS, which may also contain the lines themselves, as usual in containers."""
    if file:
        return read_tokens(file)
    from_env = os.environ.get("VOICETOP_TOKENS", "")
    if not from_env:
        return ()
    return parse_tokens(from_env, "VOICETOP_TOKENS") if len(from_env.split()) > 1 else read_tokens(from_env)


async def _serve(config: HubConfig, new_session: Callable[[], Session]) -> None:
    hub = Hub(config, log=log, new_session=new_session)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    await hub.start()
    log(f"the hub is at {hub.url}; publishers connect to {hub.url}/publish")
    await stop.wait()
    for number in SIGNALS:  # a second signal ends it at once
        loop.remove_signal_handler(number)
    log("stopping")
    await hub.close()
    log("stopped")


def _sessions(args: argparse.Namespace, settings: Config) -> Callable[[], Session]:
    """A factory for the hub's sessions: each starts with the stored baseline; the first one writes the history.
    Raises HistoryError for an unusable --baseline.
    """
    from voicetop.cli import baseline_store
    from voicetop.history.incidents import open_log
    from voicetop.session import Session

    incident_log = open_log(args.history, "serve", log)
    name = args.deployment or baseline_store.USUAL_NAME
    first = baseline_store.first_of(
        args.baseline, incident_log.store if incident_log else None, name, args.deployment, log
    )
    made: list[Session] = []

    def new_session() -> Session:
        session = Session(settings.engine())
        if first is not None:
            baseline_store.desk_of(session).use_baseline(first())
        if incident_log is not None and not made:
            session.on_effect.append(lambda effect: incident_log.record([effect]))
            baseline_store.keep_hourly(session, incident_log.store, name, log)
        made.append(session)
        return session

    return new_session
