"""The command line: one module per verb, imported when it is used.

A verb's module has `configure(parser)` and `run(args) -> int`. What a person got wrong is a `VoicetopError`, printed
here as one line with exit code 2, before any screen opens.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from voicetop.errors import VoicetopError

VERBS = {
    "watch-screen": ("console", "the console (what `voicetop URL` runs)"),
    "demo": ("demo", "a hub, a simulated fleet and the console in one command"),
    "serve": ("serve", "the hub for one machine: publishers in, consoles out"),
    "simulate": ("simulate", "feed a hub with a simulated fleet"),
    "publish": ("publish", "feed a hub with JSON lines from a file or stdin"),
    "replay": ("replay", "run a recording on the same screen"),
}

DESCRIPTION = """\
top for voice AI agents: is everything working right now?

  voicetop [URL]        the console on a hub's feed (default ws://127.0.0.1:8377)
  voicetop demo         a simulated fleet on your screen, an incident after half a minute
  voicetop serve        the hub that your agents publish to
  voicetop simulate URL a simulated fleet for any hub
  voicetop publish FILE JSON lines to a hub
  voicetop replay FILE  a recording on the same screen
"""


def run(argv: list[str]) -> int:
    """Run one verb; without a verb, or with a URL first, the console."""
    parser, args = parse(argv)
    try:
        return int(importlib.import_module(f"voicetop.cli.{args.module}").run(args))
    except VoicetopError as error:
        sys.stderr.write(f"voicetop: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    finally:
        del parser


def parse(argv: list[str]) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Pick the verb first, so that only its module is imported, then let it read the rest."""
    verb, rest = "watch-screen", argv
    if argv and argv[0] in VERBS:
        verb, rest = argv[0], argv[1:]
    module, help_text = VERBS[verb]
    if verb == "watch-screen":
        parser = argparse.ArgumentParser(
            "voicetop", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
        )
    else:
        parser = argparse.ArgumentParser(f"voicetop {verb}", description=help_text)
    importlib.import_module(f"voicetop.cli.{module}").configure(parser)
    args = parser.parse_args(rest)
    args.module = module
    return parser, args
