"""`voicetop baseline learn|show|export`: baselines from recordings, the history or files."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicetop import config as configuration
from voicetop.alerts.changes.baseline import FORMAT
from voicetop.cli import baseline_store
from voicetop.cli.config_warnings import warn
from voicetop.cli.log import say
from voicetop.engine.windows.buckets import quantile
from voicetop.engine.windows.histograms import METRICS
from voicetop.errors import UsageError, VoicetopError, nearest
from voicetop.formatting import labels, numbers, times
from voicetop.formatting.numbers import milliseconds
from voicetop.history import baselines
from voicetop.history.baselines import StoredBaseline
from voicetop.history.store import Store
from voicetop.locations import history_file
from voicetop.recording import read
from voicetop.session import Session

if TYPE_CHECKING:
    from voicetop.alerts.changes.baseline import Baseline

WHAT = ("learn", "show", "export")
ENOUGH_DAYS = 7

_EPILOG = f"""\
  voicetop baseline learn week.vtr              learn from a recording into the history
  voicetop baseline learn week.vtr -o week.vtb  … or into a file: voicetop serve --baseline week.vtb
  voicetop baseline show [NAME|FILE]            show a baseline from the history or a file
  voicetop baseline export NAME -o week.vtb     save one from the history to a file

the history is {history_file()} unless --history names another. Hours with an incident are not learned from; a hub
with --history continues learning by itself.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, and with what."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("what", metavar="learn|show|export", help="learn from recordings, show, or export to a file")
    add(
        "names",
        metavar="RECORDING|NAME|FILE",
        nargs="*",
        help="recordings in order, or the name of a baseline",
    )
    add("--name", metavar="NAME", default="", help="its name (default: the feed's deployment)")
    add("--history", metavar="FILE", default="", help="the history store")
    add("-o", "--output", metavar="FILE", default="", help="write to this file")


def run(args: argparse.Namespace) -> int:
    """Do it. Raises UsageError, HistoryError, RecordingError."""
    if args.what not in WHAT:
        raise UsageError(f"voicetop baseline {args.what}: unknown command{nearest(args.what, WHAT)}")
    store = Path(args.history).expanduser() if args.history else history_file()
    if args.what == "learn":
        return _learn(args, store)
    if args.what == "export":
        return _export(args, store)
    return _show(args, store)


def _learn(args: argparse.Namespace, store: Path) -> int:
    if not args.names:
        raise UsageError("name a recording: voicetop baseline learn FILE")
    settings = configuration.load()
    warn(settings)
    session = Session(settings.engine())
    for name in args.names:
        with read(name) as frames:
            for frame in frames:
                session.feed(frame)
            for note in frames.notes:
                say(f"{name}: {note}")
    baseline = baseline_store.desk_of(session).baseline
    if not baseline.healthy_s:
        raise UsageError(
            f"{args.names[-1]}: no full healthy hour with calls: a baseline needs a longer recording"
        )
    kept = baseline_store.kept_of(
        session, args.name or session.deployment or baseline_store.USUAL_NAME, ", ".join(args.names)
    )
    if args.output:
        baselines.write_file(Path(args.output), kept)
    else:
        with _opened(store, writer="baseline learn") as history:
            baselines.save(history, kept)
    print(f"learned {_in_words(kept, baseline)}; saved to {args.output or f'{store} as {kept.name}'}")
    if baseline.days < ENOUGH_DAYS:
        print(
            f"note: {ENOUGH_DAYS} days or more also teach the hours of the day and the normal week-to-week variation"
        )
    return 0


def _export(args: argparse.Namespace, store: Path) -> int:
    if not args.output:
        raise UsageError("name the output file: add -o FILE")
    with _opened(store) as history:
        kept = _named(history, args.names, store)
    baselines.write_file(Path(args.output), kept)
    print(f"{kept.name} saved to {args.output}")
    return 0


def _show(args: argparse.Namespace, store: Path) -> int:
    if args.names and Path(args.names[0]).is_file():
        kept = baselines.read_file(Path(args.names[0]))
        print("\n".join(shown(kept, args.names[0])))
        return 0
    with _opened(store) as history:
        if not args.names and len(every := baselines.latest_of_each(history)) != 1:
            if not every:
                raise UsageError(f"{store} has no baseline yet: run voicetop baseline learn RECORDING")
            print(
                "\n".join(
                    f"{one.name:<20} {_in_words(one, baseline_store.opened(one, str(store)))}"
                    for one in every
                )
            )
            return 0
        kept = _named(history, args.names, store)
    print("\n".join(shown(kept, str(store))))
    return 0


def _named(history: Store, names: list[str], store: Path) -> StoredBaseline:
    every = {one.name: one for one in baselines.latest_of_each(history)}
    if not every:
        raise UsageError(f"{store} has no baseline yet: run voicetop baseline learn RECORDING")
    wanted = names[0] if names else next(iter(every)) if len(every) == 1 else ""
    if wanted not in every:
        raise UsageError(f"unknown baseline {wanted!r}{nearest(wanted, every)}")
    return every[wanted]


def shown(kept: StoredBaseline, where: str) -> Iterator[str]:
    """A baseline as text: its sources, and the normal latencies and rates."""
    baseline = baseline_store.opened(kept, where)
    yield f"{kept.name}: {_in_words(kept, baseline)}"
    since, until = _moment(kept.first_at), _moment(kept.last_at)
    yield f"from {since} to {until}, {len(baseline.keys):,} segments, from {kept.source}"
    if warning := _unfit(kept, where):
        yield f"note: {warning}"
    yield f"\n  {'latency':<20} {'P50':>9} {'P95':>9} {'n':>10}"
    for number, name in enumerate(METRICS):
        counts = baseline.times[number].astype(np.int64)
        if counts.sum():
            half, most = quantile(counts, 0.5), quantile(counts, 0.95)
            yield f"  {labels.stage(name):<20} {milliseconds(half):>9} {milliseconds(most):>9} {counts.sum():>10,}"
    yield f"\n  {'of calls':<44} {'normal':>9} {'n':>10}"
    yield from _rates(baseline)


def _rates(baseline: Baseline) -> Iterator[str]:
    """Rates of faults and hang-ups per ended call."""
    calls = baseline_store.calls_of(baseline)
    if not calls:
        return
    for kind in sorted(baseline.sums):
        family, _, rest = kind.partition(":")
        if family in ("fault", "hangup") and rest:
            share = float(baseline.sums[kind].sum()) / calls
            yield f"  {family} {rest:<{43 - len(family)}} {share * 100:>6.2f} % {calls:>10,.0f}"


def _unfit(kept: StoredBaseline, where: str) -> str:
    try:
        return baselines.check(kept, "", where, str(FORMAT))
    except VoicetopError as error:
        return str(error)


def _in_words(kept: StoredBaseline, baseline: Baseline) -> str:
    of = f" of {kept.deployment}" if kept.deployment else ""
    return f"{_healthy(baseline.healthy_s)}, {kept.calls:,} calls{of}"


def _healthy(seconds: float) -> str:
    """The healthy time a baseline covers, in a suitable unit.

    >>> _healthy(480), _healthy(5400), _healthy(259_200)
    ('8 healthy minutes', '1.5 healthy hours', '3.0 healthy days')
    """
    if seconds < 3600:
        minutes = max(1, round(seconds / 60))
        return numbers.counted(minutes, "healthy minute")
    hours = seconds / 3600
    return f"{hours:.1f} healthy hours" if hours < 24 else f"{hours / 24:.1f} healthy days"


def _moment(at: float) -> str:
    return f"{times.day(at)} {times.clock(at, seconds=False)} UTC"


@contextlib.contextmanager
def _opened(path: Path, writer: str = "") -> Iterator[Store]:
    store = Store(path, writer=writer)
    try:
        yield store
    finally:
        store.close()
