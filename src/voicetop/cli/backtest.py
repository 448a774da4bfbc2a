"""Back-tests rules: replays a recording through two Sessions, one unchanged and one with only the rules under test.

Both get the same frames, heartbeats and 5-second marks, so that a rule fires when it would have fired live. The ground
truth is what fired in the unchanged session, and the verdict's troubles where nothing did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from voicetop.alerts import trouble_text
from voicetop.alerts.alerts import Alerts
from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.rules.metrics import Readings
from voicetop.alerts.rules.rules import Rules, policies_of
from voicetop.alerts.signals import Effect
from voicetop.cli.segments import Segments, segments_of
from voicetop.engine.attribution import markers
from voicetop.engine.config import EngineConfig, Rule
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import NAN
from voicetop.formatting.numbers import known
from voicetop.recording import read
from voicetop.session import Session
from voicetop.wire.codec import Beat
from voicetop.wire.events import Marker

MEASURE_EVERY_S = 60.0
"""How often the sample sizes of the rules are measured."""
GRACE_S = 900.0
"""Firings within this time of each other, or after a marker, count as related."""


class Fired(NamedTuple):
    """A firing, from its onset until it was over (NaN: still on at the end). Stamp times."""

    rule: str
    incident: str
    family: str
    at: float
    onset: float
    over: float
    text: str


class Result(NamedTuple):
    """The result for one recording: firings of the rules, ground truth, markers, and the largest n of each rule.

    `segments` are the segment values of its calls.
    """

    name: str
    first: float
    last: float
    fired: list[Fired]
    truth: list[Fired]
    markers: list[Marker]
    most_n: dict[str, int]
    segments: Segments = {}  # noqa: RUF012 - a NamedTuple's default, never changed


class _SeparateRules(Alerts):
    """Tracks each rule's incidents separately: live, those of one family would be merged."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__((Rules(),))
        policies = policies_of(config)
        self._each = {rule.name: Incidents(policies=policies) for rule in config.rules}

    def beat(self, engine: Engine, marks: Sequence[int], deployment: str) -> list[Effect]:
        """Step all detectors for the marks of a heartbeat."""
        effects: list[Effect] = []
        for mark in map(float, marks):
            signals = [signal for each in self.detectors for signal in each.step(engine, mark)]
            for name, incidents in self._each.items():
                mine = [signal for signal in signals if signal.rule == name]
                effects += incidents.step(mine, mark, deployment=deployment, local=engine.feed.local)
        return effects

    def load(self, data: bytes) -> None:
        """Ignore a checkpoint's incidents."""


class _UnderTest(Session):
    """A session whose rules stay the ones under test, whatever a checkpoint says."""

    def __init__(self, rules: Sequence[Rule], config: EngineConfig) -> None:
        self._rules = tuple(rule for rule in rules if rule.tier != "line")
        config = replace(config, rules=self._rules)
        super().__init__(config, _SeparateRules(config))

    def load(self, state: bytes) -> None:
        """Restore from a checkpoint, but keep the rules under test."""
        super().load(state)
        self.engine.config = replace(self.engine.config, rules=self._rules)


def run(recording: str, rules: Sequence[Rule], config: EngineConfig) -> Result:
    """Back-test one recording. Raises RecordingError."""
    tried, truth = _UnderTest(rules, config), Session(config)
    effects: tuple[list[Effect], list[Effect]] = ([], [])
    tried.on_effect.append(effects[0].append)
    truth.on_effect.append(effects[1].append)
    most: dict[str, int] = {rule.name: 0 for rule in tried._rules}
    measured_at = 0.0
    first = NAN

    def measure(beat: Beat) -> None:
        nonlocal measured_at
        if beat.at - measured_at >= MEASURE_EVERY_S:
            measured_at = beat.at
            _measure(tried.engine, tried._rules, most)

    tried.on_beat.append(measure)
    shown = _ShownTroubles(truth)
    with read(recording) as reader:
        for at, frame in reader.stamped():
            first = at if not known(first) else first
            tried.feed(frame)
            truth.feed(frame)
    _measure(tried.engine, tried._rules, most)
    ours, theirs = map(list, map(_fired, effects))
    actual = [*theirs, *shown.beside(theirs)]
    return Result(
        recording, first, truth.at, ours, actual, truth.engine.markers, most, segments_of(truth.engine)
    )


class _ShownTroubles:
    """Records the troubles of a session's verdict, with start and end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._on: dict[str, Fired] = {}
        self._over: list[Fired] = []
        session.on_beat.append(self._update)

    def _update(self, beat: Beat) -> None:
        on = {key: active for key, active in self._session.engine.judge.standing.items() if active.on}
        for kind in [kind for kind in self._on if kind not in on]:
            self._over.append(self._on.pop(kind)._replace(over=beat.at))
        for kind, current in on.items():
            if kind not in self._on:
                text, since = trouble_text.text(current.trouble), min(current.since, beat.at)
                self._on[kind] = Fired(kind, "the verdict", current.trouble.kind, beat.at, since, NAN, text)

    def beside(self, fired: Sequence[Fired]) -> list[Fired]:
        """The troubles that overlap no firing of their family, by time."""
        unmatched = [
            trouble
            for trouble in (*self._over, *self._on.values())
            if not any(_overlap(trouble, other) and trouble.family == other.family for other in fired)
        ]
        return sorted(unmatched, key=lambda trouble: trouble.at)


def _measure(engine: Engine, rules: Sequence[Rule], most: dict[str, int]) -> None:
    readings = Readings(engine)
    for rule in rules:
        most[rule.name] = max(most[rule.name], readings.read(rule.metric, rule.where, rule.window).n)


def _fired(effects: Sequence[Effect]) -> Iterator[Fired]:
    """The firings, each with its end."""
    ends = {effect.key: effect.at for effect in effects if effect.reason == "resolved"}
    for effect in effects:
        if effect.reason == "fired":
            over = ends.get(effect.key, NAN)
            name, onset = effect.incident_id, effect.onset
            yield Fired(effect.rule, name, effect.family, effect.at, onset, over, effect.summary)


class Match(NamedTuple):
    """A firing of a rule, with the related actual firing or marker, if any."""

    fired: Fired
    truth: Fired | None
    earlier_s: float
    marker: str

    @property
    def false(self) -> bool:
        return self.truth is None and not self.marker


def matched(result: Result, rule: str) -> list[Match]:
    """Match each firing of a rule with the ground truth and the markers."""
    return [_match(fired, result) for fired in result.fired if fired.rule == rule]


def _match(fired: Fired, result: Result) -> Match:
    about = [truth for truth in result.truth if _overlap(fired, truth)]
    about.sort(key=lambda truth: (truth.family != fired.family, abs(truth.at - fired.at)))
    last = markers.last_before(result.markers, fired.onset)
    marker = markers.name(last) if last is not None else ""
    if about:
        return Match(fired, about[0], about[0].at - fired.at, marker)
    return Match(fired, None, NAN, marker)


def _overlap(fired: Fired, truth: Fired) -> bool:
    """Whether both were on at the same time, with GRACE_S before each."""
    ends = [firing.over if known(firing.over) else float("inf") for firing in (fired, truth)]
    return min(fired.onset, fired.at) - GRACE_S <= ends[1] and min(truth.onset, truth.at) - GRACE_S <= ends[0]


def missed(result: Result, rules: Sequence[Rule]) -> list[Fired]:
    """Actual firings of the rules' families that no rule detected."""
    families = {fired.family for fired in result.fired}
    names = {rule.name for rule in rules}
    return [
        truth
        for truth in result.truth
        if truth.rule not in names and truth.family in (families or {truth.family})
        and not any(_overlap(fired, truth) for fired in result.fired)
    ]  # fmt: skip
