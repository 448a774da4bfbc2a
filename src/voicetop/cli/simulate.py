"""`voicetop simulate URL`: a simulated fleet for any hub."""

from __future__ import annotations

import argparse
import os
import sys

from voicetop.cli.ending import run_until_signal
from voicetop.cli.fleet import fleet_config, fleet_options, number
from voicetop.cli.log import say
from voicetop.clock import WallClock
from voicetop.connection.address import DEFAULT_URL, check_token, check_url, client_tls
from voicetop.simulator import SCENARIOS, Fleet
from voicetop.simulator.pump import pump

_EPILOG = """\
options after an --incident apply to it:
  voicetop simulate ws://127.0.0.1:8377 --calls 400 \\
      --incident llm_outage --at 30 --for 120 \\
      --incident seg_latency --at 300 --segment intent=billing,language=es

incidents:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop simulate`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG + "\n".join(f"  {name:18}{it.about}" for name, it in SCENARIOS.items())
    add = parser.add_argument
    add("url", metavar="URL", nargs="?", default=DEFAULT_URL, help=f"the hub (default {DEFAULT_URL})")
    add("--duration", metavar="S", help="stop after this many seconds (default: never)")
    add("--token", metavar="T", help="the publisher's token (better: VOICETOP_TOKEN)")
    add("--cafile", metavar="PEM", help="CA certificates for wss://")
    fleet_options(parser)


def run(args: argparse.Namespace) -> int:
    """Feed the hub until the end. Raises UsageError and FeedError before anything is sent."""
    url, token = check_url(args.url), check_token(args.token or os.environ.get("VOICETOP_TOKEN"))
    tls = client_tls(url, args.cafile)
    clock = WallClock()
    config = fleet_config(args, clock.time())
    duration = None if args.duration is None else number("--duration", args.duration, 0.0)
    words = f"voicetop: publishing {config.calls:,} simultaneous calls to {url}, seed {config.seed}; Ctrl-C stops\n"
    fleet = Fleet(config)
    sent = run_until_signal(
        pump(
            url,
            token,
            fleet,
            clock,
            duration=duration,
            ssl=tls,
            opened=lambda: print(words, end="", file=sys.stderr),
        )
    )
    say(f"sent {sent.events:,} events")
    return 0
