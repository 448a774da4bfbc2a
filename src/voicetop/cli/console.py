"""`voicetop [URL]`: the console on a hub's feed. Also how `demo` and `replay` show theirs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from voicetop import config as configuration
from voicetop.errors import UsageError
from voicetop.live import LiveFeed
from voicetop.sources import Source

DEFAULT_URL = "ws://127.0.0.1:8377"

if TYPE_CHECKING:
    from voicetop.config import Config
    from voicetop.recording import Recorder


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop [URL]`."""
    parser.add_argument("url", metavar="URL", nargs="?", help="the hub (default ws://127.0.0.1:8377)")
    parser.add_argument("--cafile", metavar="PEM", help="whom to trust for wss:// (default: the system)")
    parser.add_argument("--record", metavar="FILE", default="", help="record the feed into FILE meanwhile")
    screen_options(parser)


def screen_options(parser: argparse.ArgumentParser) -> None:
    """The options of everything that opens a screen."""
    parser.add_argument(
        "--plain", action="store_true", help="a line a second: for pipes, logs, screen readers"
    )
    parser.add_argument("--ascii", action="store_true", help="no characters beyond ASCII")
    parser.add_argument(
        "--theme", metavar="NAME", help="voicetop, high-contrast, colour-blind, light or mono"
    )
    parser.add_argument(
        "--local-time", action="store_true", help="times in this machine's zone instead of UTC"
    )


def run(args: argparse.Namespace) -> int:
    """Check what was typed, then show. Raises UsageError, ConfigError before the screen opens."""
    settings = configuration.load()
    check_screen(args)
    url = args.url or os.environ.get("VOICETOP_URL") or settings.url or DEFAULT_URL
    source = hub_source(url, settings, args.cafile)
    recorder = open_recorder(args.record, url) if args.record else None
    return show_feed(LiveFeed(lambda: (source(), recorder), settings.engine), args, settings, url)


def hub_source(url: str, settings: Config, cafile: str | None = None) -> Callable[[], Source]:
    """What opens the hub's feed on the feed's thread; what can be wrong is found out here, before."""
    from voicetop.sources.address import check_token, check_url, client_tls

    check_url(url)
    token = check_token(os.environ.get("VOICETOP_TOKEN") or _token_in(settings))
    tls = client_tls(url, cafile)

    def opened() -> Source:
        from voicetop.sources.socket import SocketSource

        return SocketSource(url, token, ssl=tls)

    return opened


def _token_in(settings: Config) -> str:
    if not settings.token_file:
        return ""
    path = Path(settings.token_file).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read the token: {error}") from None


def open_recorder(path: str, url: str) -> Recorder:
    """The recorder for `--record`. Raises RecordingError."""
    from voicetop.recording import Recorder

    return Recorder(path, source=url)


def show(
    source: Source, *, plain: bool = False, args: argparse.Namespace | None = None, title: str = ""
) -> int:
    """Show any source on the same screen."""
    settings = configuration.load()
    args = args or argparse.Namespace(plain=plain, ascii=False, theme=None, local_time=False)
    check_screen(args)
    return show_feed(LiveFeed(lambda: (source, None), settings.engine), args, settings, title)


def check_screen(args: argparse.Namespace) -> None:
    """Raises UsageError where there is no terminal that could show a screen."""
    if args.plain:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "this is no terminal, so there is no screen to draw on: add --plain for a line a second"
        )
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("TERM says that this terminal cannot place a cursor: set TERM, or add --plain")


def show_feed(feed: LiveFeed, args: argparse.Namespace, settings: Config, title: str) -> int:
    """Run the screen, or the plain lines, until the person has enough."""
    if args.plain:
        from voicetop.cli.plain import print_lines

        return print_lines(feed)
    from voicetop.ui.app import ConsoleApp

    app = ConsoleApp(
        feed,
        theme=args.theme or settings.theme,
        ascii=args.ascii or not speaks_utf8(),
        title=title,
        utc=settings.utc and not args.local_time,
    )
    hang_up(feed)
    app.when_painted = feed.start
    try:
        app.run()
    finally:
        feed.close()
    return app.return_code or 0


def speaks_utf8() -> bool:
    """Whether the locale says that the terminal takes UTF-8."""
    said = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return "utf-8" in said.lower() or "utf8" in said.lower()


def hang_up(feed: LiveFeed) -> None:
    """A closed terminal is SIGHUP and death within a tenth of a second: flush the recording there."""

    def flush(number: int, frame: FrameType | None) -> None:
        feed.close(1.0)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGHUP, flush)
    signal.signal(signal.SIGTERM, flush)
