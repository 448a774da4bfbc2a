"""`voicetop simulate URL`: a simulated fleet for any hub."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from voicetop.clock import WallClock
from voicetop.errors import UsageError
from voicetop.sources.address import DEFAULT_URL, check_token, check_url, client_tls
from voicetop.sources.simulator import SCENARIOS, Fleet, FleetConfig, Incident
from voicetop.sources.simulator.nearest import nearest
from voicetop.sources.simulator.sender import pump

MOST_CALLS = 200_000
MOST_HISTORY_H = 168.0

_EPILOG = """\
options after an --incident belong to it:
  voicetop simulate ws://127.0.0.1:8377 --calls 400 \\
      --incident llm_outage --at 30 --for 120 \\
      --incident seg_latency --at 300 --segment intent=billing,language=es

incidents:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop simulate`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG + "\n".join(f"  {name:18}{it.about}" for name, it in SCENARIOS.items())
    parser.error = _Complaint(parser)  # type: ignore[method-assign]
    add = parser.add_argument
    add("url", metavar="URL", nargs="?", default=DEFAULT_URL, help=f"the hub (default {DEFAULT_URL})")
    add("--calls", default="400", metavar="N", help="calls at once at this hour, 1 to 200,000 (default 400)")
    add("--seed", default="1", metavar="S", help="the same seed tells the same stories (default 1)")
    add(
        "--speed",
        default="1",
        metavar="X",
        help="compress the time that people take: arrivals and talking run X times as fast, "
        "the agent's latency stays as it is (default 1)",
    )
    add("--history", default="0", metavar="HOURS", help="hours told at once before the present (default 0)")
    add("--duration", metavar="S", help="end after so many seconds (default: never)")
    add("--token", metavar="T", help="the publisher's token (better: VOICETOP_TOKEN)")
    add("--cafile", metavar="PEM", help="whom to trust for wss://")
    add("--incident", metavar="NAME", action=_NewIncident, dest="incidents", default=[], help="let it happen")
    add("--at", metavar="S", action=_OfIncident, help="seconds from the start (default 30)")
    add(
        "--for", metavar="S", action=_OfIncident, help="seconds it lasts (default: as long as such things do)"
    )
    add(
        "--segment",
        metavar="K=V,...",
        action=_OfIncident,
        help="only for these calls: intent=billing,language=es",
    )
    add("--magnitude", metavar="M", action=_OfIncident, help="how strong, 1 is usual")


def run(args: argparse.Namespace) -> int:
    """Feed the hub until the end. Raises UsageError and FeedError before anything is sent."""
    url, token = check_url(args.url), check_token(args.token or os.environ.get("VOICETOP_TOKEN"))
    tls = client_tls(url, args.cafile)
    clock = WallClock()
    config = fleet_config(args, clock.time())
    duration = None if args.duration is None else _number("--duration", args.duration, 0.0)
    words = f"voicetop: feeding {url} with {config.calls:,} calls at once, seed {config.seed}; Ctrl-C ends\n"
    fleet = Fleet(config)
    sent = asyncio.run(
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
    sys.stderr.write(f"voicetop: sent {sent.events:,} events\n")
    return 0


def fleet_config(args: argparse.Namespace, start: float) -> FleetConfig:
    """The fleet that the options describe. Raises UsageError that names option, value and what to type instead."""
    return FleetConfig(
        start=start,
        calls=int(_number("--calls", args.calls, 1, MOST_CALLS, whole=True)),
        seed=int(_number("--seed", args.seed, 0, 2**53, whole=True)),
        speed=_number("--speed", args.speed, 0.01, 100.0),
        history=3600.0 * _number("--history", args.history, 0.0, MOST_HISTORY_H),
        incidents=tuple(_incident(words) for words in args.incidents),
    )


def _incident(words: dict[str, str]) -> Incident:
    incident = Incident(
        name=words["--incident"],
        at=_number("--at", words.get("--at", "30"), -3600.0 * MOST_HISTORY_H),
        duration=_number("--for", words["--for"], 0.0) if "--for" in words else None,
        segment=parse_segment(words.get("--segment", "")),
        magnitude=_number("--magnitude", words.get("--magnitude", "1"), 0.0, 100.0),
    )
    incident.check()
    return incident


def parse_segment(text: str) -> dict[str, str]:
    """Segment values as a person types them. Raises UsageError.

    >>> parse_segment("intent=billing,language=es")
    {'intent': 'billing', 'language': 'es'}
    """
    segment: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise UsageError(f"--segment {text}: {part!r} is no NAME=VALUE, like intent=billing,language=es")
        segment[name.strip()] = value.strip()
    return segment


def _number(option: str, text: str, least: float, most: float = math.inf, *, whole: bool = False) -> float:
    try:
        value = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        value = math.nan
    if not (least <= value <= most and math.isfinite(value)) or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        bounds = f"from {least:,g} up" if most == math.inf else f"from {least:,.10g} to {most:,.16g}"
        raise UsageError(f"{option} {text}: give {kind} {bounds}")
    return value


class _NewIncident(argparse.Action):
    """`--incident NAME` begins one; what follows describes it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del parser, option_string
        namespace.incidents = [*namespace.incidents, {"--incident": str(values)}]


class _OfIncident(argparse.Action):
    """An option of the incident before it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del option_string
        option = self.option_strings[0]
        if not namespace.incidents:
            parser.error(f"{option} {values} belongs after an --incident NAME")
        namespace.incidents[-1][option] = str(values)


class _Complaint:
    """What the parser says of an option that it doesn't know, in one line, with the nearest one that it does."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser

    def __call__(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            word = unknown.split()[0]
            options = [name for name in self._parser._option_string_actions if name.startswith("--")]
            message = f"there is no option {word}{nearest(word.partition('=')[0], options)}"
        sys.stderr.write(f"voicetop: {message}\n")
        raise SystemExit(2)
