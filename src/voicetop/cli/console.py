"""`voicetop [URL ...]`: the console for one or several hubs. `demo` and `replay` also open their screens here."""

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
from voicetop.cli.config_warnings import in_one, print_warnings, usable_theme, warn, warnings_of
from voicetop.cli.exit_notes import print_exit_notes
from voicetop.cli.hubs import hubs_of
from voicetop.cli.retention_options import is_folder, retention_options, shards_of
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

MIN_FPS, MAX_FPS = 0.5, 4.0
STATE_WAIT_S = 10.0
"""How long a full recording file waits for a state to start the next file with."""
FIRST_ANSWER_S = 1.0
"""How long the screen waits for a hub that may refuse, which is reported in one line with exit code 2."""


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
    retention_options(parser)
    screen_options(parser)


def screen_options(parser: argparse.ArgumentParser) -> None:
    """The options of all commands with a screen."""
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
    """Parse a frame rate. Raises UsageError."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not MIN_FPS <= rate <= MAX_FPS:
        raise UsageError(f"--fps {text}: give a number from {MIN_FPS:g} to {MAX_FPS:g}")
    return rate


def run(args: argparse.Namespace) -> int:
    """Open the console. Raises UsageError, ConfigError or FeedRefused before the screen opens."""
    named = [word for word in args.urls if "://" not in word]
    needed = configuration.HUB_KEYS if named or not args.urls else ("token_file",)
    settings = configuration.load(*needed)
    hubs = hubs_of(args.urls, settings)
    check_screen(args)
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
    return show_feeds(feeds, args, settings, answer_wait_s=FIRST_ANSWER_S)


def _feed(source: Callable[[], Source], recorder: Recorder | None, settings: Config, author: str) -> LiveFeed:
    return LiveFeed(
        lambda: (source(), recorder), settings.engine, author=author, limits=history_limits(settings)
    )


def history_limits(settings: Config) -> HistoryLimits | None:
    """The limits of a live feed's history; None for no history."""
    return HistoryLimits(settings.rewind_s, settings.rewind_mb * 1_000_000) if settings.rewind_s else None


def open_recorder(args: argparse.Namespace, url: str) -> Recorder | None:
    """The recorder for `--record`. Raises UsageError and RecordingError."""
    folder = is_folder(args, args.record, "--record")
    if not args.record:
        return None
    from voicetop.recording import LOST_WAIT_S, Recorder

    shards = shards_of(args, args.record, state_wait_s=STATE_WAIT_S) if folder else None
    return Recorder(args.record, source=url, shards=shards, lost_wait_s=LOST_WAIT_S)


def check_screen(args: argparse.Namespace) -> None:
    """Raises UsageError if there is no suitable terminal, or no such theme."""
    if args.plain:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("standard output is not a terminal: add --plain for a line per second")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError(
            "according to TERM, this terminal cannot position the cursor: set TERM, or add --plain"
        )
    themes = sorted({path.stem for folder in theme_dirs() for path in folder.glob("*.toml")})
    if args.theme and args.theme not in themes:
        raise UsageError(f"unknown theme {args.theme!r}{nearest(args.theme, themes)}")


def show_feed(
    feed: RunningFeed,
    args: argparse.Namespace,
    settings: Config,
    title: str,
    *,
    answer_wait_s: float = 0.0,
    tour: bool = False,
) -> int:
    """Show one feed."""
    return show_feeds([(title, feed)], args, settings, answer_wait_s=answer_wait_s, tour=tour)


def show_feeds(
    feeds: Sequence[tuple[str, RunningFeed]],
    args: argparse.Namespace,
    settings: Config,
    *,
    answer_wait_s: float = 0.0,
    tour: bool = False,
) -> int:
    """Run the screen, or print plain lines, until the user quits.

    With `answer_wait_s`, a single feed starts before the screen, and a hub that refuses at once raises FeedRefused.
    Otherwise the first frame is painted first. One of several feeds that refuses is shown as such.
    """
    utc = settings.utc if args.utc is None else args.utc
    alerts = ConsoleAlerts(feeds, settings, utc=utc)
    if args.plain:
        from voicetop.cli.plain import print_lines

        warn(settings)
        alerts.show_beside(sys.stdout, sys.stderr)
        try:
            return print_lines(feeds)
        finally:
            alerts.end()
    title, first = feeds[0]
    waits = bool(answer_wait_s) and len(feeds) == 1
    alerts.listen()
    if waits:
        first.start()
    app = _app(feeds, args, settings, utc=utc)
    if waits and not first.wait_for_answer(answer_wait_s):
        raise FeedRefused(first.error or first.link.why)
    alerts.show_on(app, title)
    warnings = warnings_of(settings)
    app.on_first_paint = lambda: _start(feeds, alerts, app, warnings)
    if tour:
        app.begin_tour()
    _handle_signals(lambda limit: _close(feeds, limit), app.leave)
    try:
        app.run()
    finally:
        _close(feeds)
        alerts.end()
    print_warnings(warnings)
    return print_exit_notes(feeds) or app.return_code or 0


def _app(
    feeds: Sequence[tuple[str, RunningFeed]], args: argparse.Namespace, settings: Config, *, utc: bool
) -> ConsoleApp:
    from voicetop.alerts.runbooks import RunbookLibrary
    from voicetop.ui.actions import keymap
    from voicetop.ui.app import ConsoleApp
    from voicetop.ui.feeds import NamedFeed
    from voicetop.ui.hidden_columns import HiddenColumns

    title, first = feeds[0]
    return ConsoleApp(
        first,
        theme=args.theme or usable_theme(settings),
        ascii=args.ascii or not speaks_utf8(),
        title=title,
        utc=utc,
        keymap=keymap.examine(settings.keys)[0],
        others=[NamedFeed(name, feed) for name, feed in feeds[1:]],
        fps=args.fps,
        links=asdict(settings.links),
        columns=HiddenColumns(state_dir() / "columns.json"),
        runbooks=RunbookLibrary((rules_dir(),)),
    )


def _start(
    feeds: Sequence[tuple[str, RunningFeed]], alerts: ConsoleAlerts, app: ConsoleApp, warnings: Sequence[str]
) -> None:
    for _, feed in feeds:
        feed.start()
    alerts.begin()
    if warnings:
        app.say(in_one(warnings))


def _close(feeds: Sequence[tuple[str, RunningFeed]], limit: float = 5.0) -> None:
    for _, feed in feeds:
        feed.close(limit)


def speaks_utf8() -> bool:
    """Whether the locale and the output use UTF-8."""
    if "utf" not in (sys.stdout.encoding or "").lower():
        return False
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return "utf-8" in locale.lower() or "utf8" in locale.lower()


def _handle_signals(close: Callable[[float], None], leave: Callable[[], None]) -> None:
    """Flush the recording on every signal.

    SIGHUP means that the terminal is gone: nothing else to clean up. SIGTERM and SIGINT close the screen as `q` does; a
    second one has its default effect.
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
