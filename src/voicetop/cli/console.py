"""`voicetop [URL]`: the console on a hub's feed. Also how `demo` and `replay` show theirs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from voicetop import config as configuration
from voicetop.errors import FeedRefused, UsageError, nearest
from voicetop.live import LiveFeed
from voicetop.locations import theme_dirs
from voicetop.sources import Source

if TYPE_CHECKING:
    from voicetop.config import Config
    from voicetop.recording import Recorder

FIRST_ANSWER_S = 1.0
"""How long the screen stays closed for a hub that may say no: what is wrong is then one line and exit 2."""


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
    zone = parser.add_mutually_exclusive_group()
    zone.add_argument("--utc", action="store_const", const=True, help="times in UTC")
    zone.add_argument(
        "--local-time",
        dest="utc",
        action="store_const",
        const=False,
        help="times in this machine's zone (default)",
    )


def run(args: argparse.Namespace) -> int:
    """Check what was typed, then show. Raises UsageError, ConfigError, FeedRefused before the screen opens."""
    settings = configuration.load()
    check_url_word(args.url)
    check_screen(args, settings)
    url = args.url or os.environ.get("VOICETOP_URL") or settings.url
    source = hub_source(url, settings, args.cafile)
    recorder = open_recorder(args.record, url) if args.record else None
    feed = LiveFeed(lambda: (source(), recorder), settings.engine)
    return show_feed(feed, args, settings, url, patience_s=FIRST_ANSWER_S)


def check_url_word(word: str | None) -> None:
    """Where a hub's URL belongs, people also type a verb or a file. Raises UsageError."""
    from voicetop.cli import VERBS

    if word in VERBS:
        raise UsageError(f"the verb comes first: voicetop {word} ...")
    if word and "://" not in word and os.path.isfile(word):  # noqa: PTH113 - a word, not yet a path
        raise UsageError(f"{word} is a file, not a hub's URL: voicetop replay {word}")


def hub_source(url: str, settings: Config, cafile: str | None = None) -> Callable[[], Source]:
    """What opens the hub's feed on the feed's thread; what can be wrong is found out here, before."""
    from voicetop.sources.address import check_token, check_url, client_tls

    check_url(url)
    token = check_token(os.environ.get("VOICETOP_TOKEN") or settings.token())
    tls = client_tls(url, cafile)

    def opened() -> Source:
        from voicetop.sources.socket import SocketSource

        return SocketSource(url, token, ssl=tls)

    return opened


def open_recorder(path: str, url: str) -> Recorder:
    """The recorder for `--record`. Raises RecordingError."""
    from voicetop.recording import Recorder

    return Recorder(path, source=url)


def show(source: Source, *, args: argparse.Namespace, title: str) -> int:
    """Show any source on the same screen."""
    settings = configuration.load()
    check_screen(args, settings)
    return show_feed(LiveFeed(lambda: (source, None), settings.engine), args, settings, title)


def check_screen(args: argparse.Namespace, settings: Config) -> None:
    """Raises UsageError where there is no terminal that could show a screen, or no such theme."""
    if args.plain:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "this is no terminal, so there is no screen to draw on: add --plain for a line a second"
        )
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("TERM says that this terminal cannot place a cursor: set TERM, or add --plain")
    theme = args.theme or settings.theme
    themes = sorted({path.stem for folder in theme_dirs() for path in folder.glob("*.toml")})
    if theme not in themes:
        raise UsageError(f"there is no theme {theme!r}{nearest(theme, themes)}")


def show_feed(
    feed: LiveFeed, args: argparse.Namespace, settings: Config, title: str, *, patience_s: float = 0.0
) -> int:
    """Run the screen, or the plain lines, until the person has enough.

    With `patience_s` the feed begins before the screen and may end it: a hub that says no at once raises FeedRefused.
    Without, the first frame is painted first.
    """
    if args.plain:
        from voicetop.cli.plain import print_lines

        return print_lines(feed)
    if patience_s:
        feed.start()
    from voicetop.ui.app import ConsoleApp

    if patience_s and not feed.wait_for_answer(patience_s):
        raise FeedRefused(feed.error or feed.link.why)
    app = ConsoleApp(
        feed,
        theme=args.theme or settings.theme,
        ascii=args.ascii or not speaks_utf8(),
        title=title,
        utc=settings.utc if args.utc is None else args.utc,
    )
    app.when_painted = feed.start
    _heed_signals(feed, app.leave)
    try:
        app.run()
    finally:
        feed.close()
    return last_words(feed) or app.return_code or 0


def last_words(feed: LiveFeed) -> int:
    """What should outlast the screen, on stderr; the exit code: 2 where nothing was ever shown, 1 for an error."""
    for note in feed.notes:
        sys.stderr.write(f"voicetop: {note}\n")
    if not feed.error:
        return 0
    sys.stderr.write(f"voicetop: {feed.error}\n")
    return 1 if feed.latest else 2


def speaks_utf8() -> bool:
    """Whether the locale says that the terminal takes UTF-8."""
    said = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return "utf-8" in said.lower() or "utf8" in said.lower()


def _heed_signals(feed: LiveFeed, leave: Callable[[], None]) -> None:
    """The recording is flushed at once whatever comes.

    A closed terminal is SIGHUP, and there is nothing left to be tidied up. On SIGTERM and SIGINT the screen closes as
    on `q`; a second one is taken as it is.
    """

    def die(number: int, _: FrameType | None) -> None:
        feed.close(1.0)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        feed.close(1.0)
        leave()

    signal.signal(signal.SIGHUP, die)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
