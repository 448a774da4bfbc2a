"""`voicetop [URL ...]`: the console on a hub's feed, or on several. Also how `demo` and `replay` show theirs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from voicetop import config as configuration
from voicetop.cli.alerting import ConsoleAlerts
from voicetop.cli.exit_notes import last_words
from voicetop.cli.hubs import chosen
from voicetop.cli.retention_options import is_folder, shelf, shelf_options
from voicetop.errors import FeedRefused, UsageError, nearest
from voicetop.live import LiveFeed
from voicetop.locations import rules_dir, state_dir, theme_dirs
from voicetop.replay.options import HistoryLimits
from voicetop.sources import Source

if TYPE_CHECKING:
    from voicetop.config import Config
    from voicetop.recording import Recorder
    from voicetop.ui.app import ConsoleApp
    from voicetop.ui.feed import RunningFeed

LEAST_FPS, MOST_FPS = 0.5, 4.0
PATIENCE_S = 10.0
"""How long a full file of a recording waits for a state that the next one can begin with."""
FIRST_ANSWER_S = 1.0
"""How long the screen stays closed for a hub that may say no: what is wrong is then one line and exit 2."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop [URL ...]`."""
    parser.add_argument(
        "urls",
        metavar="URL",
        nargs="*",
        help="hub URLs, or feed names from the config (default ws://127.0.0.1:8377)",
    )
    parser.add_argument("--cafile", metavar="PEM", help="CA certificates for wss:// (default: the system's)")
    parser.add_argument(
        "--record",
        metavar="FILE|DIR",
        default="",
        help="also record the feed; a folder (DIR/) gets a file per hour",
    )
    shelf_options(parser)
    screen_options(parser)


def screen_options(parser: argparse.ArgumentParser) -> None:
    """The options of everything that opens a screen."""
    parser.add_argument(
        "--plain", action="store_true", help="print a line per second: for pipes, logs, screen readers"
    )
    parser.add_argument("--ascii", action="store_true", help="use only ASCII characters")
    parser.add_argument(
        "--theme", metavar="NAME", help="voicetop, high-contrast, colour-blind, light or mono"
    )
    parser.add_argument(
        "--fps",
        metavar="N",
        type=frames_a_second,
        default=4.0,
        help="maximum frames per second, 0.5 to 4 (default 4; a slow terminal gets fewer)",
    )
    parser.add_argument(
        "--user", metavar="NAME", default="", help="your name for notes and actions (default $USER)"
    )
    zone = parser.add_mutually_exclusive_group()
    zone.add_argument("--utc", action="store_const", const=True, help="show times in UTC")
    zone.add_argument(
        "--local-time",
        dest="utc",
        action="store_const",
        const=False,
        help="show times in this machine's time zone (default)",
    )


def frames_a_second(text: str) -> float:
    """A rate as a person types it. Raises UsageError."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not LEAST_FPS <= rate <= MOST_FPS:
        raise UsageError(f"--fps {text}: give a number from {LEAST_FPS:g} to {MOST_FPS:g}")
    return rate


def run(args: argparse.Namespace) -> int:
    """Check what was typed, then show. Raises UsageError, ConfigError, FeedRefused before the screen opens."""
    settings = configuration.load()
    hubs = chosen(args.urls, settings)
    check_screen(args, settings)
    if args.record and len(hubs) > 1:
        raise UsageError("--record works with one feed: name one hub")
    sources = [
        hub.source(args.cafile if len(hubs) == 1 or hub.url.startswith("wss:") else None) for hub in hubs
    ]
    recorder = open_recorder(args, hubs[0].url)
    author = args.user or settings.user
    feeds = [
        (hub.name, _feed(source, recorder, settings, author))
        for hub, source in zip(hubs, sources, strict=True)
    ]
    return show_feeds(feeds, args, settings, state_wait_s=FIRST_ANSWER_S)


def _feed(source: Callable[[], Source], recorder: Recorder | None, settings: Config, author: str) -> LiveFeed:
    return LiveFeed(lambda: (source(), recorder), settings.engine, author=author, limits=bounds(settings))


def bounds(settings: Config) -> HistoryLimits | None:
    """How much of a live feed is kept to be gone back to."""
    return HistoryLimits(settings.rewind_s, settings.rewind_mb * 1_000_000) if settings.rewind_s else None


def open_recorder(args: argparse.Namespace, url: str) -> Recorder | None:
    """The recorder for `--record`. Raises UsageError and RecordingError."""
    folder = is_folder(args, args.record, "--record")
    if not args.record:
        return None
    from voicetop.recording import Recorder

    shards = shelf(args, args.record, state_wait_s=PATIENCE_S) if folder else None
    return Recorder(args.record, source=url, shards=shards)


def check_screen(args: argparse.Namespace, settings: Config) -> None:
    """Raises UsageError where there is no terminal that could show a screen, or no such theme."""
    if args.plain:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("standard output is not a terminal: add --plain for a line per second")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError(
            "according to TERM, this terminal cannot position the cursor: set TERM, or add --plain"
        )
    theme = args.theme or settings.theme
    themes = sorted({path.stem for folder in theme_dirs() for path in folder.glob("*.toml")})
    if theme not in themes:
        raise UsageError(f"unknown theme {theme!r}{nearest(theme, themes)}")


def show_feed(
    feed: RunningFeed,
    args: argparse.Namespace,
    settings: Config,
    title: str,
    *,
    state_wait_s: float = 0.0,
    tour: bool = False,
) -> int:
    """Show one feed."""
    return show_feeds([(title, feed)], args, settings, state_wait_s=state_wait_s, tour=tour)


def show_feeds(
    feeds: Sequence[tuple[str, RunningFeed]],
    args: argparse.Namespace,
    settings: Config,
    *,
    state_wait_s: float = 0.0,
    tour: bool = False,
) -> int:
    """Run the screen, or the plain lines, until the person has enough.

    With `state_wait_s` a feed begins before the screen and may end it: a hub that says no at once raises FeedRefused.
    Without, the first frame is painted first. One of several feeds that says no is shown as such.
    """
    utc = settings.utc if args.utc is None else args.utc
    telling = ConsoleAlerts(feeds, settings, utc=utc)
    if args.plain:
        from voicetop.cli.plain import print_lines

        telling.show_beside(sys.stdout, sys.stderr)
        try:
            return print_lines(feeds)
        finally:
            telling.end()
    title, first = feeds[0]
    waits = bool(state_wait_s) and len(feeds) == 1
    telling.listen()
    if waits:
        first.start()
    app = _app(feeds, args, settings, utc=utc)
    if waits and not first.wait_for_answer(state_wait_s):
        raise FeedRefused(first.error or first.link.why)
    telling.show_on(app, title)
    app.on_first_paint = lambda: _start(feeds, telling)
    if tour:
        app.begin_tour()
    _heed_signals(lambda limit: _close(feeds, limit), app.leave)
    try:
        app.run()
    finally:
        _close(feeds)
        telling.end()
    return last_words(feeds) or app.return_code or 0


def _app(
    feeds: Sequence[tuple[str, RunningFeed]], args: argparse.Namespace, settings: Config, *, utc: bool
) -> ConsoleApp:
    from voicetop.alerts.runbooks import RunbookLibrary
    from voicetop.ui.actions.keymap import keymap_of
    from voicetop.ui.app import ConsoleApp
    from voicetop.ui.feeds import NamedFeed
    from voicetop.ui.hidden_columns import HiddenColumns

    title, first = feeds[0]
    return ConsoleApp(
        first,
        theme=args.theme or settings.theme,
        ascii=args.ascii or not speaks_utf8(),
        title=title,
        utc=utc,
        keymap=keymap_of(settings.keys),
        others=[NamedFeed(name, feed) for name, feed in feeds[1:]],
        fps=args.fps,
        links=asdict(settings.links),
        columns=HiddenColumns(state_dir() / "columns.json"),
        runbooks=RunbookLibrary((rules_dir(),)),
    )


def _start(feeds: Sequence[tuple[str, RunningFeed]], telling: ConsoleAlerts) -> None:
    for _, feed in feeds:
        feed.start()
    telling.begin()


def _close(feeds: Sequence[tuple[str, RunningFeed]], limit: float = 5.0) -> None:
    for _, feed in feeds:
        feed.close(limit)


def speaks_utf8() -> bool:
    """Whether the locale says that the terminal takes UTF-8."""
    said = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return "utf-8" in said.lower() or "utf8" in said.lower()


def _heed_signals(close: Callable[[float], None], leave: Callable[[], None]) -> None:
    """The recording is flushed at once whatever comes.

    A closed terminal is SIGHUP, and there is nothing left to be tidied up. On SIGTERM and SIGINT the screen closes as
    on `q`; a second one is taken as it is.
    """

    def die(number: int, _: FrameType | None) -> None:
        close(1.0)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        close(1.0)
        leave()

    signal.signal(signal.SIGHUP, die)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
