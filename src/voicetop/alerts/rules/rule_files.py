"""Rules as TOML files: read with line and nearest match for every mistake, so that a rule never fails silently.

[rules.slow_llm]
metric = "p95_llm"                 # any of `metrics.py`
where = { intent = "billing" }     # whom; everybody where it isn't said
window = "5m"                      # 5m, 30m or 24h
min_n = 50
fire = "1.5 × normal"              # or 2700, "2.7 s", "5 %", "$0.20"
clear = "1.3 × normal"             # over only when back here; as `fire` where it isn't said
below = false                      # bad on which side; by the metric where it isn't said
for = "60s"
keep_firing_for = "5m"
tier = "warning"                   # critical pages, warning, info; line is only drawn
runbook = "slow_llm"               # slow_llm.md beside this file; the metric's family's where it isn't said
links = ["https://status.example"]

[families.latency]                 # how patient the built-in detectors are
for = "60s"
keep_firing_for = "5m"

presets = ["playbook"]             # at the top: rules that ship with voicetop (twilio, hamming, playbook)
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from msgspec import Struct

from voicetop.alerts.incidents.policy import USUAL
from voicetop.alerts.rules import metrics
from voicetop.alerts.rules.metrics import BUSINESS, Metric
from voicetop.alerts.runbooks import SHIPPED
from voicetop.alerts.signals import Family
from voicetop.engine.config import Policy, Rule, RuleTier, ThresholdPair
from voicetop.engine.snapshot import Span
from voicetop.errors import ConfigError, line_of, nearest
from voicetop.wire.text import safe_label

PRESETS = SHIPPED / "presets"
WINDOWS = ("5m", "30m", "24h")
TIERS = ("critical", "warning", "info", "line")
KEYS = (
    *("metric", "where", "window", "min_n", "fire", "clear", "below", "for", "keep_firing_for", "tier"),
    *("runbook", "links"),
)
TOPS = ("rules", "families", "presets")
MOST_RULES, MOST_SPAN_S, MOST_TIMES = 500, 86_400.0, 100.0
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h)")
_SPANS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_TIMES = re.compile(r"(\d+(?:\.\d+)?)\s*[x×*](\s*normal)?")
_UNITS: dict[str, tuple[tuple[str, float], ...]] = {
    "ms": (("ms", 1.0), ("s", 1000.0)),
    "rate": (("%", 0.01),),
    "usd": (("$", 1.0),),
}


class RuleSet(Struct, frozen=True):
    """What rule files say; `mistakes` are refused, one line each, and what they are about is left out."""

    rules: tuple[Rule, ...] = ()
    policies: dict[str, Policy] = {}
    mistakes: tuple[ConfigError, ...] = ()
    places: dict[str, str] = {}
    """Where each rule stands: file and line."""


def read(files: Sequence[Path]) -> RuleSet:
    """All rules of some files. Of two of one name the second is a mistake."""
    reader = _Book()
    for file in files:
        try:
            reader.take(file.read_text(encoding="utf-8"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            reader.mistakes.append(ConfigError(f"{file}: cannot read the rules: {_why(error)}"))
    return reader.book()


def parse(text: str, where: str = "rules.toml") -> RuleSet:
    """The rules of one text."""
    reader = _Book()
    reader.take(text, where)
    return reader.book()


def files_in(folder: Path) -> list[Path]:
    """The rule files of a folder, in the order of their names; none where there is no folder."""
    return sorted(folder.glob("*.toml")) if folder.is_dir() else []


class _Book:
    """Takes file after file and goes on after a mistake."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.policies: dict[str, Policy] = {}
        self.mistakes: list[ConfigError] = []
        self.places: dict[str, str] = {}
        self._presets: set[str] = set()

    def book(self) -> RuleSet:
        return RuleSet(tuple(self.rules.values()), dict(self.policies), tuple(self.mistakes), self.places)

    def take(self, text: str, where: str) -> None:
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.mistakes.append(ConfigError(f"{where}: not TOML: {error}"))
            return
        file = _File(text, where, self.mistakes)
        file.unknown((), table, TOPS)
        for name, entry in file.tables(table, "rules"):
            self._rule(file, name, entry)
        for name, entry in file.tables(table, "families"):
            self._family(file, name, entry)
        presets = table.get("presets", [])
        if not isinstance(presets, list):
            file.wrong((), "presets", 'has to be a list, like presets = ["playbook"]')
            return
        for preset in presets:
            self._preset(file, str(preset))

    def _preset(self, file: _File, name: str) -> None:
        known = [path.stem for path in sorted(PRESETS.glob("*.toml"))]
        if name not in known:
            file.wrong((), "presets", f"has no {name!r}{nearest(name, known)}")
        elif name not in self._presets:
            self._presets.add(name)
            path = PRESETS / f"{name}.toml"
            self.take(path.read_text(encoding="utf-8"), str(path))

    def _family(self, file: _File, name: str, table: dict[str, Any]) -> None:
        path = ("families", name)
        if name not in get_args(Family):
            file.wrong(("families",), name, f"is no family of alerts{nearest(name, get_args(Family))}")
            return
        file.unknown(path, table, ("for", "keep_firing_for"))
        usual = USUAL.get(name, Policy())
        for_s, keep_s = (
            file.span(path, table, "for", usual.for_s),
            file.span(path, table, "keep_firing_for", usual.keep_s),
        )
        self.policies[name] = Policy(for_s, keep_s)

    def _rule(self, file: _File, name: str, table: dict[str, Any]) -> None:
        before = len(self.mistakes)
        path = ("rules", name)
        if not _NAME.fullmatch(name) or name in get_args(Family):
            file.wrong(
                ("rules",), name, "is no name for a rule: letters, digits, . _ -, and not a family's own"
            )
        if name in self.rules:
            file.wrong(("rules",), name, f"is there already, in {self.places[name]}")
        if len(self.rules) >= MOST_RULES:
            file.wrong(("rules",), name, f"is one too many: there may be {MOST_RULES}")
        file.unknown(path, table, KEYS)
        made = file.rule(name, table)
        if made is not None and len(self.mistakes) == before:
            self.rules[name] = made
            self.places[name] = file.place(("rules",), name)


class _File:
    """One file: converts its tables, and knows in which line a key stands."""

    def __init__(self, text: str, where: str, mistakes: list[ConfigError]) -> None:
        self.text, self.where, self.mistakes = text, where, mistakes

    def tables(self, table: dict[str, Any], name: str) -> Iterable[tuple[str, dict[str, Any]]]:
        entries = table.get(name, {})
        if not isinstance(entries, dict):
            self.wrong((), name, f"has to be tables, like [{name}.x]")
            return
        for key, entry in entries.items():
            if isinstance(entry, dict):
                yield key, entry
            else:
                self.wrong((name,), key, f"has to be a table, like [{name}.{key}]")

    def unknown(self, path: tuple[str, ...], table: dict[str, Any], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                self.wrong(path, key, f"is no key here{nearest(key, known)}")

    def missing(self, path: tuple[str, ...], table: dict[str, Any], key: str, hint: str) -> None:
        """A key that a rule can't be without; one that is only misspelt was told already."""
        strange = [other for other in table if other not in KEYS]
        if not any(nearest(other, KEYS) == nearest(key, (key,)) for other in strange):
            self.wrong(path, key, f"is missing: {hint}")

    def rule(self, name: str, table: dict[str, Any]) -> Rule | None:
        path = ("rules", name)
        metric_name = table.get("metric", "")
        metric = metrics.find(metric_name) if isinstance(metric_name, str) else None
        if "metric" not in table:
            self.missing(path, table, "metric", 'which figure? metric = "p95_llm"')
            return None
        if metric is None:
            self.wrong(path, "metric", f"is no figure of a panel{_near(str(metric_name))}")
            return None
        fire = self.line(path, table, "fire", metric)
        if fire is None:
            return None
        window = "30m" if metric_name in BUSINESS else "5m"
        clear = self.line(path, table, "clear", metric) if "clear" in table else fire
        below = table.get("below", metric.low_is_bad)
        if not isinstance(below, bool):
            self.wrong(path, "below", "has to be true or false")
        elif clear is not None:
            self._order(path, fire, clear, below=below)
        return Rule(
            name=name,
            metric=metric_name,
            fire=fire,
            clear=clear or fire,
            tier=cast("RuleTier", self.one_of(path, table, "tier", TIERS, "warning")),
            where=self._where(path, table),
            window=cast("Span", self.one_of(path, table, "window", WINDOWS, window)),
            below=bool(below),
            min_n=self._whole(path, table, "min_n", 30),
            for_s=self.span(path, table, "for", 60.0 if metric.family == "latency" else 0.0),
            keep_s=self.span(path, table, "keep_firing_for", 300.0),
            runbook=self._text(path, table, "runbook") or metric.family,
            links=self._links(path, table),
        )

    def _order(
        self, path: tuple[str, ...], fire: ThresholdPair, clear: ThresholdPair, *, below: bool
    ) -> None:
        """`clear` lies on the good side of `fire`; a multiple and a figure can't be compared."""
        if fire.times == clear.times and (clear.value < fire.value if below else clear.value > fire.value):
            side = "at or above" if below else "at or below"
            self.wrong(path, "clear", f"has to be {side} fire: it is where the alert is over")

    def line(
        self, path: tuple[str, ...], table: dict[str, Any], key: str, metric: Metric
    ) -> ThresholdPair | None:
        """A threshold; what is absurd for the metric is refused."""
        if key not in table:
            self.missing(path, table, key, 'from where on is it bad? fire = "1.5 × normal"')
            return None
        made = _line(table[key], metric)
        below = bool(table.get("below", metric.low_is_bad))
        if made is None:
            self.wrong(path, key, f'has to be a threshold in {_unit_word(metric)}, or like "1.5 × normal"')
        elif made.times and not metric.normal:
            self.wrong(path, key, f"can't be a multiple: nothing is learned as normal for {metric.words}")
        elif made.times and not 0 < made.value <= MOST_TIMES:
            self.wrong(path, key, f"is absurd: between 0 and {MOST_TIMES:g} times normal")
        elif made.times and (made.value >= 1 if below else made.value <= 1):
            side = "less" if below else "more"
            self.wrong(path, key, f"is absurd: what is normal would fire; say {side} than 1 × normal")
        elif not made.times and not 0 <= made.value <= metric.most:
            hint = ' (a share: 0.05 or "5 %")' if metric.unit == "rate" else ""
            self.wrong(path, key, f"is absurd for {metric.words}: between 0 and {metric.most:g}{hint}")
        elif key == "fire" and (why := _never_or_always(made, metric, below=below)):
            self.wrong(path, key, f"is absurd for {metric.words}: {why}")
        else:
            return made
        return None

    def span(self, path: tuple[str, ...], table: dict[str, Any], key: str, usual: float) -> float:
        value = table.get(key, usual)
        found = _SPAN.fullmatch(value) if isinstance(value, str) else None
        seconds = float(found[1]) * _SPANS[found[2]] if found else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            self.wrong(path, key, 'has to be a time, like "60s" or "5m"')
        elif not 0 <= seconds <= MOST_SPAN_S:
            self.wrong(path, key, "is absurd: between 0 s and a day")
        else:
            return float(seconds)
        return usual

    def one_of(
        self, path: tuple[str, ...], table: dict[str, Any], key: str, known: Sequence[str], usual: str
    ) -> str:
        value = table.get(key, usual)
        if value in known:
            return str(value)
        near = nearest(str(value), known)
        hint = near if near.endswith("?") else ""
        self.wrong(path, key, f"has to be one of {', '.join(known)}{hint}")
        return usual

    def _where(self, path: tuple[str, ...], table: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        value = table.get("where", {})
        if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
            return tuple(sorted((safe_label(name), safe_label(part)) for name, part in value.items()))
        self.wrong(path, "where", 'has to be segments, like { intent = "billing", language = "es" }')
        return ()

    def _whole(self, path: tuple[str, ...], table: dict[str, Any], key: str, usual: int) -> int:
        value = table.get(key, usual)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000:
            return value
        self.wrong(path, key, "has to be a whole number, 0 or more")
        return usual

    def _text(self, path: tuple[str, ...], table: dict[str, Any], key: str) -> str:
        value = table.get(key, "")
        if isinstance(value, str):
            return safe_label(value)
        self.wrong(path, key, "has to be text")
        return ""

    def _links(self, path: tuple[str, ...], table: dict[str, Any]) -> tuple[str, ...]:
        value = table.get("links", [])
        if isinstance(value, list) and all(isinstance(link, str) and _is_address(link) for link in value):
            return tuple(value[:8])
        self.wrong(path, "links", 'has to be addresses, like ["https://status.example"]')
        return ()

    def place(self, path: tuple[str, ...], key: str) -> str:
        line = line_of(self.text, path, key)
        return f"{self.where}, line {line}" if line else self.where

    def wrong(self, path: tuple[str, ...], key: str, why: str) -> None:
        where = self.place(path, key)
        if where == self.where and path:  # a key that is missing: name its table's line
            where = self.place(path[:-1], path[-1])
        self.mistakes.append(ConfigError(f"{where}: {'.'.join((*path, key))!r} {why}"))


def _near(name: str) -> str:
    """The nearest figure, or all that there are, in short.

    >>> _near("p95_lm")
    "; did you mean 'p95_llm'?"
    """
    near = nearest(name, metrics.names())
    return near if near.endswith("?") else f"; there are: {metrics.names_in_short()}"


def _never_or_always(line: ThresholdPair, metric: Metric, *, below: bool) -> str:
    """Why a figure is no line at all; empty where it is one."""
    if line.times:
        return ""
    least = 1.0 if metric.unit == "score" else 0.0
    if below and line.value <= least:
        return f"nothing is under {least:g}, it would never fire"
    if not below and metric.unit in ("rate", "score") and line.value >= metric.most:
        return f"nothing is over {metric.most:g}, it would never fire"
    if not below and metric.unit in ("ms", "usd") and not line.value:
        return "everything is over 0, it would always fire"
    return ""


def _line(value: object, metric: Metric) -> ThresholdPair | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ThresholdPair(float(value))
    if not isinstance(value, str):
        return None
    times = _TIMES.fullmatch(value.strip())
    if times:
        return ThresholdPair(float(times[1]), times=True)
    for unit, factor in _UNITS.get(metric.unit, ()):
        number = value.strip().removeprefix(unit).removesuffix(unit).strip()
        if value.strip() != number and re.fullmatch(r"\d+(\.\d+)?", number):
            return ThresholdPair(float(number) * factor)
    return None


def _unit_word(metric: Metric) -> str:
    return {"ms": 'ms or "2.7 s"', "rate": 'a share: 0.05 or "5 %"', "usd": "dollars"}.get(
        metric.unit, "figures"
    )


def _is_address(link: str) -> bool:
    return (
        link.startswith(("https://", "http://"))
        and len(link) <= 500
        and all("!" <= char <= "~" for char in link)
    )


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"
