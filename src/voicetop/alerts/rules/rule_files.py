"""Reads rules from TOML files. Every mistake is reported with its line and nearest match.

[rules.slow_llm]
metric = "p95_llm"                 # any of `metrics.py`
where = { intent = "billing" }     # segment; default: all calls
window = "5m"                      # 5m, 30m or 24h
min_n = 50
fire = "1.5 × normal"              # or 2700, "2.7 s", "5 %", "$0.20"
clear = "1.3 × normal"             # resolves when back here; default: as `fire`
below = false                      # fire below the threshold; default: by metric
for = "60s"
keep_firing_for = "5m"
tier = "warning"                   # critical pages, warning, info; line is only drawn
runbook = "slow_llm"               # slow_llm.md beside this file; default: the family's
links = ["https://status.example"]

[families.latency]                 # how patient the built-in detectors are
for = "60s"
keep_firing_for = "5m"

presets = ["playbook"]             # at the top: rules that ship with voicetop (twilio, hamming, playbook)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

from msgspec import Meta, Struct

from voicetop.alerts.incidents.policy import DEFAULT_POLICIES
from voicetop.alerts.rules import metrics
from voicetop.alerts.rules.metrics import BUSINESS, Metric
from voicetop.alerts.runbooks import SHIPPED
from voicetop.alerts.signals import Family
from voicetop.engine.config import Policy, Rule, RuleTier, ThresholdPair
from voicetop.engine.snapshot import Span
from voicetop.errors import ConfigError, UsageError, nearest
from voicetop.formatting.numbers import parse_figure
from voicetop.formatting.times import parse_span
from voicetop.toml_reader import TomlFile, TomlTable, read_text
from voicetop.wire.text import safe_label

PRESETS = SHIPPED / "presets"
KEYS = (
    *("metric", "where", "window", "min_n", "fire", "clear", "below", "for", "keep_firing_for", "tier"),
    *("runbook", "links"),
)
MAX_RULES, MAX_SPAN_S, MAX_TIMES, MAX_LINKS = 500, 86_400.0, 100.0, 8
_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_Address = Annotated[str, Meta(pattern=r"^https?://[!-~]*\Z", max_length=500)]
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}")
_TIMES = re.compile(r"(\d+(?:\.\d+)?)\s*[x×*](\s*normal)?")


class RuleSet(Struct, frozen=True):
    """The parsed rule files; rules with `mistakes` are left out."""

    rules: tuple[Rule, ...] = ()
    policies: dict[str, Policy] = {}
    mistakes: tuple[ConfigError, ...] = ()
    places: dict[str, str] = {}
    """File and line of each rule."""


def read(files: Sequence[Path]) -> RuleSet:
    """All rules of some files. A duplicate name is a mistake."""
    reader = _RuleReader()
    for file in files:
        try:
            reader.add(read_text(file, "the rules"), str(file))
        except ConfigError as error:
            reader.mistakes.append(error)
    return reader.rule_set()


def parse(text: str, where: str = "rules.toml") -> RuleSet:
    """The rules of one text."""
    reader = _RuleReader()
    reader.add(text, where)
    return reader.rule_set()


def files_in(folder: Path) -> list[Path]:
    """The rule files of a folder, sorted by name; empty if there is no folder."""
    return sorted(folder.glob("*.toml")) if folder.is_dir() else []


class _RuleReader:
    """Accumulates rules over several files, continuing after mistakes."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.policies: dict[str, Policy] = {}
        self.mistakes: list[ConfigError] = []
        self.places: dict[str, str] = {}
        self._presets: set[str] = set()

    def rule_set(self) -> RuleSet:
        return RuleSet(tuple(self.rules.values()), dict(self.policies), tuple(self.mistakes), self.places)

    def add(self, text: str, where: str) -> None:
        root = TomlFile(text, where, self.mistakes).root
        root.only(("rules", "families", "presets"))
        for name, table in root.tables("rules", "[rules.x]").items():
            self._rule(name, table)
        for name, table in root.tables("families", "[families.x]").items():
            self._family(name, table)
        none: list[str] = []
        for preset in root.value("presets", list[str], none, 'a list, like presets = ["playbook"]'):
            self._preset(root, preset)

    def _preset(self, root: TomlTable, name: str) -> None:
        known = [path.stem for path in sorted(PRESETS.glob("*.toml"))]
        if name not in known:
            root.wrong("presets", f"has no {name!r}{nearest(name, known)}")
        elif name not in self._presets:
            self._presets.add(name)
            path = PRESETS / f"{name}.toml"
            self.add(path.read_text(encoding="utf-8"), str(path))

    def _family(self, name: str, table: TomlTable) -> None:
        if name not in get_args(Family):
            table.wrong("", f"is not a family of alerts{nearest(name, get_args(Family))}")
            return
        table.only(("for", "keep_firing_for"))
        default = DEFAULT_POLICIES.get(name, Policy())
        self.policies[name] = Policy(
            _span(table, "for", default.for_s), _span(table, "keep_firing_for", default.keep_s)
        )

    def _rule(self, name: str, table: TomlTable) -> None:
        before = len(self.mistakes)
        if not _NAME.fullmatch(name) or name in get_args(Family):
            table.wrong("", "is not a valid rule name: use letters, digits, . _ -, and not a family's name")
        if name in self.rules:
            table.wrong("", f"already exists, in {self.places[name]}")
        if len(self.rules) >= MAX_RULES:
            table.wrong("", f"is one too many: at most {MAX_RULES} are allowed")
        table.only(KEYS)
        rule = _rule_of(name, table)
        if rule is not None and len(self.mistakes) == before:
            self.rules[name] = rule
            self.places[name] = table.place()


def _rule_of(name: str, table: TomlTable) -> Rule | None:
    metric = _metric(table)
    fire = _threshold(table, "fire", metric) if metric else None
    if metric is None or fire is None:
        return None
    clear = _threshold(table, "clear", metric) if "clear" in table else fire
    below = table.value("below", bool, metric.low_is_bad)
    if clear is not None:
        _check_order(table, fire, clear, below=below)
    name_of_metric: str = table.values["metric"]
    return Rule(
        name=name,
        metric=name_of_metric,
        fire=fire,
        clear=clear or fire,
        tier=table.value("tier", RuleTier, "warning"),
        where=_segments(table),
        window=table.value("window", Span, "30m" if name_of_metric in BUSINESS else "5m"),
        below=below,
        min_n=table.value("min_n", _Count, 30, "a whole number, 0 or more"),
        for_s=_span(table, "for", 60.0 if metric.family == "latency" else 0.0),
        keep_s=_span(table, "keep_firing_for", 300.0),
        runbook=safe_label(table.value("runbook", str, "")) or metric.family,
        links=tuple(
            table.value("links", list[_Address], [], 'addresses, like ["https://status.example"]')[:MAX_LINKS]
        ),
    )


def _metric(table: TomlTable) -> Metric | None:
    if "metric" not in table:
        _missing(table, "metric", 'add a figure, like metric = "p95_llm"')
        return None
    name = str(table.values["metric"])
    metric = metrics.find(name)
    if metric is None:
        known = f"; valid: {metrics.names_in_short()}"
        table.wrong("metric", f"is not a metric{nearest(name, metrics.names(), known)}")
    return metric


def _missing(table: TomlTable, key: str, hint: str) -> None:
    """Report a missing required key, unless a misspelling of it was reported already."""
    strange = [other for other in table.values if other not in KEYS]
    if not any(nearest(other, KEYS) == nearest(key, (key,)) for other in strange):
        table.wrong(key, f"is missing: {hint}")


def _threshold(table: TomlTable, key: str, metric: Metric) -> ThresholdPair | None:
    """Parse a threshold; values absurd for the metric are mistakes."""
    if key not in table:
        _missing(table, key, 'add a threshold, like fire = "1.5 × normal"')
        return None
    threshold = _line(table.values[key], metric)
    if threshold is None:
        table.wrong(key, f'has to be a threshold in {_unit_word(metric)}, or like "1.5 × normal"')
        return None
    below = bool(table.values.get("below", metric.low_is_bad))
    why = (
        _why_no_multiple(threshold, metric, below=below)
        if threshold.times
        else _why_no_figure(threshold, metric)
    )
    if not why and key == "fire" and (never := _never_or_always(threshold, metric, below=below)):
        why = f"makes no sense for {metric.words}: {never}"
    if why:
        table.wrong(key, why)
    return None if why else threshold


def _why_no_multiple(line: ThresholdPair, metric: Metric, *, below: bool) -> str:
    """Why a threshold can't be this multiple of normal; empty if it can."""
    if not metric.normal:
        return f"can't be a multiple: {metric.words} has no learned normal"
    if not 0 < line.value <= MAX_TIMES:
        return f"is out of range: choose 0 to {MAX_TIMES:g} times normal"
    if line.value >= 1 if below else line.value <= 1:
        return f"would fire at normal values; choose {'less' if below else 'more'} than 1 × normal"
    return ""


def _why_no_figure(line: ThresholdPair, metric: Metric) -> str:
    if 0 <= line.value <= metric.most:
        return ""
    hint = ' (a share: 0.05 or "5 %")' if metric.unit == "rate" else ""
    return f"is out of range for {metric.words}: choose 0 to {metric.most:g}{hint}"


def _check_order(table: TomlTable, fire: ThresholdPair, clear: ThresholdPair, *, below: bool) -> None:
    """Check that `clear` is on the good side of `fire`; a multiple and a figure can't be compared."""
    if fire.times == clear.times and (clear.value < fire.value if below else clear.value > fire.value):
        side = "at or above" if below else "at or below"
        table.wrong("clear", f"has to be {side} fire: the alert resolves there")


def _span(table: TomlTable, key: str, default: float) -> float:
    value = table.values.get(key, default)
    try:
        seconds = parse_span(value) if isinstance(value, str) else value
    except UsageError:
        seconds = None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        table.wrong(key, 'has to be a time, like "60s" or "5m"')
    elif not 0 <= seconds <= MAX_SPAN_S:
        table.wrong(key, "is out of range: choose 0 s to a day")
    else:
        return float(seconds)
    return default


def _segments(table: TomlTable) -> tuple[tuple[str, str], ...]:
    empty: dict[str, str] = {}
    segments = table.value(
        "where", dict[str, str], empty, 'segments, like { intent = "billing", language = "es" }'
    )
    return tuple(sorted((safe_label(name), safe_label(value)) for name, value in segments.items()))


def _never_or_always(line: ThresholdPair, metric: Metric, *, below: bool) -> str:
    """Why a figure would never or always fire; empty if neither."""
    if line.times:
        return ""
    least = 1.0 if metric.unit == "score" else 0.0
    if below and line.value <= least:
        return f"no value is below {least:g}, so it would never fire"
    if not below and metric.unit in ("rate", "score") and line.value >= metric.most:
        return f"no value is above {metric.most:g}, so it would never fire"
    if not below and metric.unit in ("ms", "usd") and not line.value:
        return "every value is above 0, so it would always fire"
    return ""


def _line(value: object, metric: Metric) -> ThresholdPair | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ThresholdPair(float(value))
    if not isinstance(value, str):
        return None
    times = _TIMES.fullmatch(value.strip())
    if times:
        return ThresholdPair(float(times[1]), times=True)
    figure = parse_figure(value, metric.unit)
    return ThresholdPair(figure) if figure is not None else None


def _unit_word(metric: Metric) -> str:
    return {"ms": 'ms or "2.7 s"', "rate": 'a share: 0.05 or "5 %"', "usd": "dollars"}.get(
        metric.unit, "figures"
    )
