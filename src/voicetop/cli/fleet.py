"""The options that describe a simulated fleet, shared by `simulate` and `demo`.

The simulator is imported on use: `demo` has to paint before numpy is loaded.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voicetop.errors import UsageError

if TYPE_CHECKING:
    from voicetop.simulator import FleetConfig, SimulatedIncident

MAX_CALLS = 200_000
MAX_HISTORY_H = 168.0


def fleet_options(
    parser: argparse.ArgumentParser,
    *,
    calls: str = "400",
    history_h: str = "0",
    full: str = "35",
    old_calls: str = "2000",
) -> None:
    """Add the options for calls, history and incidents."""
    add = parser.add_argument
    for option, default, metavar, text in (
        ("--calls", calls, "N", "calls at once at this hour, 1 to 200,000"),
        ("--seed", "1", "S", "the same seed tells the same stories"),
        (
            *("--speed", "1", "X"),
            ("speed up people: arrivals and talking run X times as fast, the agent's latency stays as it is"),
        ),
        ("--history", history_h, "HOURS", "hours told at once before the present"),
        ("--full", full, "MIN", "minutes of that history told call by call"),
        ("--old-calls", old_calls, "N", "calls told of the time before that, a sample of them"),
    ):
        add(option, default=default, metavar=metavar, help=f"{text} (default {default})")
    what = "inject an incident; `voicetop simulate --help` lists them"
    add("--incident", metavar="NAME", action=_NewIncident, dest="incidents", default=[], help=what)
    for option, metavar, text in (
        ("--at", "S", "seconds from the start (default 30)"),
        ("--for", "S", "seconds it lasts (default: typical for its kind)"),
        ("--segment", "K=V,...", "only these calls: intent=billing,language=es"),
        ("--magnitude", "M", "severity, 1 is typical"),
    ):
        add(option, metavar=metavar, action=_OfIncident, help=text)


def fleet_arguments(args: argparse.Namespace) -> list[str]:
    """The fleet's options as command-line arguments."""
    words = []
    for name in ("calls", "seed", "speed", "history", "full", "old-calls"):
        words += [f"--{name}", str(getattr(args, name.replace("-", "_")))]
    return words + [word for incident in args.incidents for pair in incident.items() for word in pair]


def fleet_config(args: argparse.Namespace, start: float) -> FleetConfig:
    """The fleet that the options describe. Raises UsageError, naming option and value."""
    from voicetop.simulator import FleetConfig

    return FleetConfig(
        start=start,
        calls=int(number("--calls", args.calls, 1, MAX_CALLS, whole=True)),
        seed=int(number("--seed", args.seed, 0, 2**53, whole=True)),
        speed=number("--speed", args.speed, 0.01, 100.0),
        history=3600.0 * number("--history", args.history, 0.0, MAX_HISTORY_H),
        full=60.0 * number("--full", args.full, 1.0, 60.0 * MAX_HISTORY_H),
        old_calls=int(number("--old-calls", args.old_calls, 0, 10_000_000, whole=True)),
        incidents=tuple(_incident(words) for words in args.incidents),
    )


def _incident(words: dict[str, str]) -> SimulatedIncident:
    from voicetop.simulator import SimulatedIncident

    incident = SimulatedIncident(
        name=words["--incident"],
        at=number("--at", words.get("--at", "30"), -3600.0 * MAX_HISTORY_H),
        duration=number("--for", words["--for"], 0.0) if "--for" in words else None,
        segment=parse_segment(words.get("--segment", "")),
        magnitude=number("--magnitude", words.get("--magnitude", "1"), 0.0, 100.0),
    )
    incident.check()
    return incident


def parse_segment(text: str) -> dict[str, str]:
    """Parse typed segment values. Raises UsageError.

    >>> parse_segment("intent=billing,language=es")
    {'intent': 'billing', 'language': 'es'}
    """
    segment: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise UsageError(f"--segment {text}: {part!r} is not NAME=VALUE, like intent=billing,language=es")
        segment[name.strip()] = value.strip()
    return segment


def number(option: str, text: str, least: float, most: float = math.inf, *, whole: bool = False) -> float:
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
    """`--incident NAME` starts an incident; the following options describe it."""

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
    """An option of the preceding incident."""

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
            parser.error(f"{option} {values} has to follow an --incident NAME")
        namespace.incidents[-1][option] = str(values)
