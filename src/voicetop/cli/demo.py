"""`voicetop demo`: a hub, a busy simulated fleet and the console in one command, an incident after half a minute."""

from __future__ import annotations

import argparse
import subprocess
import sys

from voicetop import config as configuration
from voicetop.cli import console
from voicetop.cli.fleet import fleet_config, fleet_options, fleet_words
from voicetop.errors import FeedError
from voicetop.live import LiveFeed
from voicetop.sources import Source

INCIDENT = ("--incident", "llm_outage", "--at", "30", "--for", "90", "--segment", "language=es")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the screen and of the fleet."""
    console.screen_options(parser)
    fleet_options(parser, calls="200", history_h="24", old_calls="500")
    parser.set_defaults(usual=_words(parser.parse_args([])))


def run(args: argparse.Namespace) -> int:
    """Show the console at once; hub and fleet start in a process of their own meanwhile."""
    console.check_screen(args)
    settings = configuration.load()
    if _words(args) != args.usual:
        fleet_config(args, 0.0)  # what is wrong with the options is said before the screen opens
    child = subprocess.Popen(
        [sys.executable, "-m", "voicetop", "demo-feed", *_words(args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        feed = LiveFeed(lambda: (_source(child), None), settings.engine)
        return console.show_feed(feed, args, settings, "demo")
    finally:
        if child.stdin is not None:
            child.stdin.close()
        try:
            child.wait(3)
        except subprocess.TimeoutExpired:
            child.kill()


def _words(args: argparse.Namespace) -> list[str]:
    """The fleet's options for the other process; without an incident named, the usual one."""
    return fleet_words(args) + ([] if args.incidents else list(INCIDENT))


def _source(child: subprocess.Popen[bytes]) -> Source:
    """The feed of the child's hub, once it says where that is. Raises FeedError."""
    from voicetop.sources.socket import SocketSource

    assert child.stdout is not None
    assert child.stderr is not None
    url = child.stdout.readline().decode().strip()
    if not url:
        why = child.stderr.read().decode("utf-8", "replace").strip().splitlines()
        raise FeedError(f"the simulated fleet could not start: {why[-1] if why else 'it ended at once'}")
    return SocketSource(url)
