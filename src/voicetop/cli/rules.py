"""`voicetop rules check|test`: checks alert rules, and back-tests them on recordings."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from voicetop import config as configuration
from voicetop.alerts import runbooks
from voicetop.alerts.rules.rule_files import PRESETS, RuleSet, files_in, read
from voicetop.cli import backtest
from voicetop.cli.backtest import Match, Result
from voicetop.cli.config_warnings import warn
from voicetop.cli.log import say
from voicetop.cli.segments import Segments, nearest_segment
from voicetop.engine.config import EngineConfig, Rule
from voicetop.errors import UsageError, nearest
from voicetop.formatting.numbers import counted, known
from voicetop.formatting.times import clock, iso, span
from voicetop.locations import rules_dir

WHAT = ("check", "test")
_EPILOG = """\
  voicetop rules check                             your rules and their runbooks
  voicetop rules check slow.toml --with day.vtr    and whether each matches anything in a recording
  voicetop rules test slow.toml day.vtr week/      when they would have fired, compared with what did fire
  voicetop rules test playbook day.vtr             the same for rules that ship with voicetop
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, and with what."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("what", metavar="check|test", help="check for mistakes, or back-test")
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help=f"rules (default: all in {rules_dir()}); recordings"
    )
    parser.add_argument(
        "--with", dest="recording", metavar="RECORDING", default="", help="a recording to match against"
    )


def run(args: argparse.Namespace) -> int:
    """0; 2 where a rule is wrong. Raises UsageError, ConfigError and RecordingError."""
    if args.what == "check":
        return _check(args.files, args.recording)
    if args.what == "test":
        return _test(args.files)
    raise UsageError(f"voicetop rules {args.what}: unknown command{nearest(args.what, WHAT)}")


# -- check ---------------------------------------------------------------------------------------------------------


def _check(names: Sequence[str], recording: str) -> int:
    files = [file for name in names for file in _files(name)] if names else files_in(rules_dir())
    if not files:
        print(f"{rules_dir()}: no custom rules; the built-in detectors need none")
        return 0
    book = read(files)
    for mistake in book.mistakes:
        say(mistake)
    notes = list(_warnings(book, files))
    if recording:
        result = backtest.run(recording, book.rules, _config())
        notes += _unmatched([result], book)
    for note in notes:
        print(f"note: {note}")
    if not book.mistakes:
        well = "no mistakes; see the notes" if notes else "no mistakes"
        print(f"{', '.join(str(file) for file in files)}: {counted(len(book.rules), 'rule')}, {well}")
    return 2 if book.mistakes else 0


def _files(name: str) -> list[Path]:
    """The rule files for an argument: a file, all of a folder, or shipped rules."""
    path = Path(name)
    if path.is_dir():
        return files_in(path)
    preset = PRESETS / f"{name}.toml"
    return [preset] if not path.exists() and "/" not in name and preset.is_file() else [path]


def _warnings(book: RuleSet, files: Sequence[Path]) -> Iterator[str]:
    """Missing runbooks, and mistakes in them."""
    library = runbooks.RunbookLibrary((*dict.fromkeys(file.parent for file in files), rules_dir()))
    for name in dict.fromkeys(rule.runbook for rule in book.rules):
        for mistake in runbooks.mistakes(library.find(name)):
            rules = ", ".join(rule.name for rule in book.rules if rule.runbook == name)
            yield f"{mistake} (used by {rules})"


def _unmatched(results: Sequence[Result], book: RuleSet) -> Iterator[str]:
    """Rules that matched nothing, or never enough."""
    known: Segments = {}
    for name, values in (pair for result in results for pair in result.segments.items()):
        known.setdefault(name, set()).update(values)
    for rule in book.rules:
        most = max((result.most_n.get(rule.name, 0) for result in results), default=0)
        place = book.places.get(rule.name, "")
        who = " × ".join(f"{name}={value}" for name, value in rule.where) or "anybody"
        if rule.tier == "line" or most >= rule.min_n:
            continue
        if not most:
            near = nearest_segment(rule.where, known)
            yield f"{place}: rule {rule.name!r} matches nothing: no {rule.metric} of {who} in the recording{near}"
        else:
            yield f"{place}: rule {rule.name!r} never had its min_n of {rule.min_n}: at most {most} of {who}"


# -- test ----------------------------------------------------------------------------------------------------------


def _test(names: Sequence[str]) -> int:
    if len(names) < 2:
        raise UsageError("voicetop rules test RULES RECORDING…: name the rules and at least one recording")
    book = _rules(names[0])
    rules = [rule for rule in book.rules if rule.tier != "line"]
    if not rules:
        raise UsageError(f"{names[0]}: has no rule that can fire")
    config = _config()
    results = [backtest.run(name, rules, config) for name in names[1:]]
    for result in results:
        print("\n".join(_report(result, rules)))
    for warning in _unmatched(results, book):
        print(f"note: {warning}")
    return 0


def _rules(name: str) -> RuleSet:
    """The rules under test. Raises ConfigError for the first mistake."""
    files = _files(name)
    if not files:
        raise UsageError(f"{name}: has no rules; a rule file ends in .toml")
    book = read(files)
    if book.mistakes:
        raise book.mistakes[0]
    return book


def _config() -> EngineConfig:
    """The engine's settings; the user's own rules aren't under test."""
    settings = configuration.load()
    warn(settings, rules=False)
    return settings.engine()


def _report(result: Result, rules: Sequence[Rule]) -> Iterator[str]:
    """For each rule, when it fired, what that matched, and how much earlier or later; then what all rules missed."""
    if not (known(result.first) and known(result.last)):
        yield f"{result.name}: empty"
        return
    length, alerts = (
        span(result.last - result.first),
        counted(len(result.truth), "alert or problem", "alerts and problems"),
    )
    yield f"{result.name}  {iso(result.first, 'seconds')}, {length}: {alerts}"
    for rule in rules:
        matches = backtest.matched(result, rule.name)
        yield f"  {rule.name}: {summary(matches)}"
        for match in matches:
            yield f"    {clock(match.fired.at)}  {match.fired.text}"
            yield f"    {'':8}  {_about(match)}"
    for truth in backtest.missed(result, rules):
        yield f"  missed: {clock(truth.at)}  {truth.incident} {truth.family}: {truth.text}"


def summary(matches: Sequence[Match]) -> str:
    """Fires twice, 11 min earlier, 1 false."""
    if not matches:
        return "does not fire"
    often = {1: "once", 2: "twice"}.get(len(matches), f"{len(matches)} times")
    parts = [f"fires {often}"]
    leads = sorted(match.earlier_s for match in matches if match.truth is not None)
    if leads:
        middle = leads[len(leads) // 2]
        when = f"{span(abs(middle))} {'earlier' if middle > 0 else 'later'}"
        parts.append(when if abs(middle) >= 5 else "at the same time")
    alone = sum(match.false for match in matches)
    parts.append(f"{alone} false")
    return ", ".join(parts)


def _about(match: Match) -> str:
    if match.truth is not None:
        lead = match.earlier_s
        when = "with" if abs(lead) < 5 else f"{span(abs(lead))} {'before' if lead > 0 else 'after'}"
        text = f"{when} {match.truth.incident} {match.truth.family}: {match.truth.text}"
        return f"{text} · after {match.marker}" if match.marker else text
    return f"after {match.marker}; nothing else fired" if match.marker else "false: nothing else fired"
