"""User-defined rules, evaluated at every 5-second mark on the figures that the panels show.

A rule is on from its `fire` threshold until its figure is back at `clear`: hysteresis against a figure that oscillates
around the threshold. Rules are part of the engine's config, and so of every checkpoint.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from voicetop.alerts.incidents.policy import Policies
from voicetop.alerts.rules import metrics
from voicetop.alerts.rules.metrics import Metric, Readings
from voicetop.alerts.signals import Signal, Tier
from voicetop.engine import thresholds
from voicetop.engine.attribution import markers, onset, segments, stages
from voicetop.engine.attribution.likelihood import Attribution
from voicetop.engine.config import EngineConfig, Policy, Rule, ThresholdPair
from voicetop.engine.engine import Engine
from voicetop.engine.judge import errors
from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import NAN, Figure
from voicetop.formatting.numbers import written


class RulesState(Struct):
    """Active rules, and since when (stamp time)."""

    on: dict[str, float] = field(default_factory=dict)


_decoder = msgspec.msgpack.Decoder(RulesState)


class Rules:
    """The rules of one session (`alerts.Detectors`)."""

    def __init__(self) -> None:
        self._state = RulesState()

    def step(self, engine: Engine, at: float) -> list[Signal]:
        """All signals that are on at this 5-second mark."""
        rules = [rule for rule in engine.config.rules if rule.tier != "line"]
        if not rules:
            return []
        readings, previously_on = Readings(engine), self._state.on
        signals, on = [], {}
        for rule in rules:
            metric = metrics.find(rule.metric)
            if metric is None:
                continue
            figure = readings.read(rule.metric, rule.where, rule.window)
            line = threshold_at(rule.clear if rule.name in previously_on else rule.fire, figure)
            if figure.n >= rule.min_n and _beyond(figure.value, line, below=rule.below):
                on[rule.name] = (
                    previously_on[rule.name] if rule.name in previously_on else _onset(engine, rule, at)
                )
                who = culprit_of(engine, rule, metric, figure, on[rule.name])
                signals.append(_signal(rule, metric, figure, on[rule.name], who))
        self._state.on = on
        return signals

    def urgent(self, engine: Engine, at: float) -> list[Signal]:  # noqa: ARG002 - rules look at marks only
        """Always empty: rules are evaluated at marks."""
        return []

    def learning_s(self, engine: Engine, at: float) -> float:  # noqa: ARG002 - what is normal is learned elsewhere
        """Always 0: rules need no learning."""
        return 0.0

    def dump(self) -> bytes:
        """The state, for a checkpoint."""
        return msgspec.msgpack.encode(RulesState(dict(sorted(self._state.on.items()))))

    def load(self, state: bytes) -> None:
        """Restore from a checkpoint."""
        self._state = _decoder.decode(state)


def _onset(engine: Engine, rule: Rule, at: float) -> float:
    """When a rule that fires at mark `at` began: estimated for errors as in the verdict, else `at`."""
    if rule.window != "5m" or rule.below or not rule.metric.startswith("errors"):
        return at
    return onset.of_errors(engine.ledger, rule.where, at, metrics.error_kind(rule.metric))


def threshold_at(line: ThresholdPair, figure: Figure) -> float:
    """A threshold in the figure's unit; NaN if it is a multiple of an unknown normal."""
    return line.value * figure.normal.value if line.times else line.value


def _beyond(value: float, line: float, *, below: bool) -> bool:
    return value < line if below else value > line


def derivation(rule: Rule, metric: Metric, figure: Figure) -> str:
    """2,700 ms = 1.5 × normal P95 response 1,800 ms."""
    line = threshold_at(rule.fire, figure)
    text = written(line, metric.unit)
    if rule.fire.times:
        text += f" = {rule.fire.value:g} × normal {metric.words} {written(figure.normal.value, metric.unit)}"
    clear = threshold_at(rule.clear, figure)
    return text if clear == line else f"{text}, over at {written(clear, metric.unit)}"


def _signal(rule: Rule, metric: Metric, figure: Figure, since: float, culprit: Culprit) -> Signal:
    tier: Tier = "info" if rule.tier == "line" else rule.tier
    sign = "≥ " if figure.at_least else ""
    value, line = written(figure.value, metric.unit), written(threshold_at(rule.fire, figure), metric.unit)
    side = "under" if rule.below else "over"
    who = f" of {' × '.join(part for _, part in rule.where)}" if rule.where else ""
    return Signal(
        rule=rule.name,
        family=metric.family,
        tier=tier,
        text=f"{metric.words}{who} {sign}{value}, {side} {line} (n {figure.n:,})",
        onset=since,
        where=rule.where or culprit.who.where,
        value=figure.value,
        at_least=figure.at_least,
        normal=figure.normal.value,
        line=threshold_at(rule.fire, figure),
        unit=metric.unit,
        n=figure.n,
        because=derivation(rule, metric, figure),
        runbook=rule.runbook,
        links=rule.links,
        metric=metric.words,
        stage=culprit.stage,
        component=culprit.component,
        stage_share=culprit.share,
        explains=NAN if rule.where else culprit.who.explains,
        marker=culprit.marker,
        marker_lag_s=culprit.lag_s,
        low_is_bad=rule.below,
    )


def policies_of(config: EngineConfig) -> Policies:
    """Hold times of families and rules, by name."""
    return dict(config.policies) | {rule.name: Policy(rule.for_s, rule.keep_s) for rule in config.rules}


# -- blame ---------------------------------------------------------------------------------------------------------


class Culprit(Struct, frozen=True):
    """Segment, stage with its share of the excess, or component; and the last marker before the onset."""

    who: Attribution = Attribution()
    stage: str = ""
    share: float = NAN
    component: str = ""
    marker: str = ""
    lag_s: float = NAN


def culprit_of(engine: Engine, rule: Rule, metric: Metric, figure: Figure, since: float) -> Culprit:
    """The culprit since the onset; the segment only for fleet-wide rules, as others name theirs."""
    who, stage, share, component = Attribution(), "", NAN, ""
    short = rule.window == "5m" and not rule.where
    if metric.family == "latency" and short:
        who, stage, share = _slow(engine, figure)
    elif metric.family == "errors" and short:
        sums = engine.ledger.counts.sums("5m", None)
        who, component = segments.of_errors(engine.ledger), errors.worst_component(sums)
    last = markers.last_before(engine.markers, since)
    if last is None:
        return Culprit(who, stage, share, component)
    return Culprit(who, stage, share, component, markers.name(last), since - last.ts)


def _slow(engine: Engine, figure: Figure) -> tuple[Attribution, str, float]:
    normal = Normals.of(engine.ledger, None, frozenset(engine.judge.troubled))
    past_e2e = normal.histograms.get("e2e")
    if past_e2e is None or not figure.normal.known:
        return Attribution(), "", NAN
    who = segments.of_slow_turns(engine.ledger, thresholds.bucket_after(past_e2e))
    now = engine.ledger.windows.histograms("5m", None, len(engine.ledger.cells))
    cause = stages.culprit(now, normal.histograms)
    return who, cause.stage, cause.share


# -- lines on charts -----------------------------------------------------------------------------------------------

_MILD = ("line", "info", "warning", "critical")


def with_rule_threshold(
    rules: tuple[Rule, ...], where: tuple[tuple[str, str], ...], name: str, figure: Figure
) -> Figure:
    """The figure with the threshold of its mildest rule, preferring rules of this segment to fleet-wide ones."""
    matching = [rule for rule in rules if rule.metric == name and rule.where in ((), where)]
    if not matching:
        return figure
    rule = min(matching, key=lambda rule: (rule.where != where, _MILD.index(rule.tier), rule.name))
    line = threshold_at(rule.fire, figure)
    off = figure.n >= rule.min_n and _beyond(figure.value, line, below=rule.below)
    return replace(figure, warn=line, off=off, rule="" if rule.fire.times else rule.name)
