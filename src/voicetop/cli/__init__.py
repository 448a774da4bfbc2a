"""The command line: one module per verb, imported when it is used.

A verb's module has `configure(parser)` and `run(args) -> int`. What a person got wrong is a `VoicetopError`, printed
here as one line with exit code 2, before any screen opens.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable

from voicetop import __version__
from voicetop.cli.parser import Parser
from voicetop.errors import UsageError, VoicetopError, nearest

CONSOLE = ("console", "the console")
VERBS = {
    "demo": ("demo", "a hub, a simulated fleet and the console in one command"),
    "serve": ("serve", "the hub for one machine: publishers in, consoles out"),
    "simulate": ("simulate", "feed a hub with a simulated fleet"),
    "publish": ("publish", "feed a hub with JSON lines from a file or stdin"),
    "record": ("record", "a hub's feed into files, without a screen"),
    "replay": ("replay", "run a recording on the same screen"),
    "cut": ("cut", "a part of a recording as a recording; --share takes out what is personal"),
    "merge": ("merge", "several recordings as one, in the order of their stamps"),
    "redact": ("redact", "a recording without phone numbers, addresses, account numbers and names"),
    "export": ("export", "a recording as JSON lines, a table or time series for other programs"),
    "watch": ("watch", "no screen: the one process that pages"),
    "notify": ("notify", "prove that those who are to be told of alerts are reached"),
    "rules": ("rules", "check rules of alerts, or test them against recordings"),
    "baseline": ("baseline", "learn what is normal from a recording, show it, or take it elsewhere"),
    "doctor": ("doctor", "what this terminal, the config and the feed are fit for, and what to mend"),
    "config": ("config", "check the config, or show where each value comes from"),
    "demo-feed": ("demo_feed", "the hub and fleet behind `voicetop demo`, which starts it"),
}

DESCRIPTION = """\
top for voice AI agents: is everything working right now?

  voicetop [URL ...]    the console on a hub's feed (default ws://127.0.0.1:8377), or on several
  voicetop demo         a simulated fleet on your screen, an incident after half a minute
  voicetop serve        the hub that your agents publish to
  voicetop simulate URL a simulated fleet for any hub
  voicetop publish FILE JSON lines to a hub
  voicetop record URL   a hub's feed into files, without a screen
  voicetop replay FILE  a recording on the same screen
  voicetop cut FILE     a part of it as a file; also merge, redact and export
  voicetop watch URL    no screen: the one process that pages; `notify test` proves that it reaches you
  voicetop rules test R FILE  when your rules would have fired, against what did fire
  voicetop baseline ... what is normal here: learn it from a recording, show it, export it
  voicetop doctor       what this terminal and the feed are fit for, and what to mend
  voicetop config check is the config right? `config show`: where each value comes from
"""


def run(argv: list[str]) -> int:
    """Run one verb; without a verb, or with a URL first, the console."""
    try:
        args = parse(argv)
        return int(importlib.import_module(f"voicetop.cli.{args.module}").run(args))
    except VoicetopError as error:
        sys.stderr.write(f"voicetop: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Pick the verb first, so that only its module is imported, then let it read the rest. Raises UsageError."""
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
    """A word that is neither an option nor like a URL was meant to be a verb. Raises UsageError."""
    if word.isalpha() and word not in _feeds():
        near = nearest(word, (verb for verb in VERBS if verb != "demo-feed"))
        raise UsageError(f"there is no verb {word!r}{near} (a hub is typed like ws://{word}:8377)")


def _feeds() -> Iterable[str]:
    """The feeds that the config names. Raises ConfigError."""
    from voicetop import config

    return config.load().feeds
