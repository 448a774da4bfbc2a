"""The command line: one module per command, imported when it is used.

A command's module has `configure(parser)` and `run(args) -> int`. User errors are `VoicetopError`s, printed here as one
line with exit code 2, before any screen opens.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable

from voicetop import __version__
from voicetop.cli.log import say
from voicetop.cli.parser import Parser
from voicetop.cli.streams import drop_unwritten, give_up_output, open_closed_streams, print_lookalikes
from voicetop.errors import UsageError, VoicetopError, nearest

CONSOLE = ("console", "the console")
VERBS = {
    "demo": ("demo", "start a hub, a simulated fleet and the console in one command"),
    "serve": ("serve", "run the hub that your agents publish to"),
    "simulate": ("simulate", "publish a simulated fleet to a hub"),
    "publish": ("publish", "publish JSON lines from a file or stdin to a hub"),
    "record": ("record", "record a hub's feed to files, without a screen"),
    "replay": ("replay", "replay a recording on the same screen"),
    "cut": ("cut", "save a part of a recording; --share removes personal data"),
    "merge": ("merge", "merge several recordings, in the order of their stamps"),
    "redact": ("redact", "replace phone numbers, addresses, account numbers and names in a recording"),
    "export": ("export", "export a recording as JSON lines, a table or time series"),
    "watch": ("watch", "watch a hub without a screen and send notifications"),
    "notify": ("notify", "test that notifications reach their targets"),
    "rules": ("rules", "check alert rules, or test them against recordings"),
    "baseline": ("baseline", "learn a baseline from a recording, show it, or export it"),
    "doctor": ("doctor", "check this terminal, the config and the feed, and say what to fix"),
    "config": ("config", "check the config, or show where each value comes from"),
    "demo-feed": ("demo_feed", "the hub and fleet that `voicetop demo` starts"),
}

DESCRIPTION = """\
top for voice AI agents: is everything working right now?

  voicetop [URL ...]    the console on a hub's feed (default ws://127.0.0.1:8377), or on several
  voicetop demo         a simulated fleet on your screen, an incident after half a minute
  voicetop serve        the hub that your agents publish to
  voicetop simulate URL publish a simulated fleet to any hub
  voicetop publish FILE publish JSON lines to a hub
  voicetop record URL   record a hub's feed to files, without a screen
  voicetop replay FILE  replay a recording on the same screen
  voicetop cut FILE     save a part of it; also merge, redact and export
  voicetop watch URL    no screen, sends notifications; `notify test` tests their targets
  voicetop rules test R FILE  when your rules would have fired, compared with what did fire
  voicetop baseline ... learn what is normal from a recording, show it, export it
  voicetop doctor       check the terminal and the feed, and say what to fix
  voicetop config check find mistakes in the config; `config show`: where each value comes from
"""


def run(argv: list[str]) -> int:
    """Run one command; without a command, or with a URL first, the console."""
    open_closed_streams()
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except OSError as error:
        return give_up_output(error)
    finally:
        drop_unwritten()


def _run(argv: list[str]) -> int:
    print_lookalikes(ascii_only="--ascii" in argv)
    try:
        args = parse(argv)
        if getattr(args, "ascii", False):  # it may have been abbreviated
            print_lookalikes(ascii_only=True)
        return int(importlib.import_module(f"voicetop.cli.{args.module}").run(args))
    except VoicetopError as error:
        say(error)
        return 2
    except KeyboardInterrupt:
        return 130


def parse(argv: list[str]) -> argparse.Namespace:
    """Import only the module of the given command, and let it parse the rest. Raises UsageError."""
    if argv and argv[0] in VERBS:
        module, about = VERBS[argv[0]]
        parser = Parser(f"voicetop {argv[0]}", description=about)
        rest = argv[1:]
    else:
        _check_first_word(argv[0] if argv else "")
        (module, about), rest = CONSOLE, argv
        parser = Parser(
            "voicetop", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--version", "-V", action="version", version=f"voicetop {__version__}")
    importlib.import_module(f"voicetop.cli.{module}").configure(parser)
    args = parser.parse_args(rest)
    args.module = module
    return args


def _check_first_word(word: str) -> None:
    """Reject a plain word, which was meant to be a command. Raises UsageError."""
    if word.isalpha() and word not in _feeds():
        near = nearest(word, (verb for verb in VERBS if verb != "demo-feed"))
        raise UsageError(f"unknown command {word!r}{near} (to open a hub, type ws://{word}:8377)")


def _feeds() -> Iterable[str]:
    """The named feeds of the config."""
    from voicetop import config

    return config.load().feeds
