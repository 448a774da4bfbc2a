"""A rule against what happened: recordings run twice through the ordinary Session, as it is and with the rules alone.

Both know nothing of files: the same frames, heartbeats and 5-second marks, so that a rule fires here when it would have
fired live. What happened is what did fire, and the troubles that the verdict showed where nothing did.
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

LOOK_S = 60.0
"""How often it is looked whether a rule finds anything to look at."""
GRACE_S = 900.0
"""What fires within a quarter of an hour of something else is about that, and so is what follows a marker."""


class Fired(NamedTuple):
    """Something that fired: from its onset until it was over (NaN: still on at the end). Stamp times."""

    rule: str
    incident: str
    family: str
    at: float
    onset: float
    over: float
    text: str


class Seen(NamedTuple):
    """What one recording gave: by the rules under test, in truth, its markers, and the largest n of each rule.

    `segments` are those that calls had at its end, with their values.
    """

    name: str
    first: float
    last: float
    fired: list[Fired]
    truth: list[Fired]
    markers: list[Marker]
    most_n: dict[str, int]
    segments: Segments = {}  # noqa: RUF012 - a NamedTuple's default, never changed


class _Alone(Alerts):
    """Each rule's incidents by themselves: live, those of a family would be one. A checkpoint's are another's."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__((Rules(),))
        policies = policies_of(config)
        self._each = {rule.name: Incidents(policies=policies) for rule in config.rules}

    def beat(self, engine: Engine, marks: Sequence[int], deployment: str) -> list[Effect]:
        """A heartbeat that passed these marks."""
        effects: list[Effect] = []
        for mark in map(float, marks):
            signals = [signal for each in self.detectors for signal in each.step(engine, mark)]
            for name, incidents in self._each.items():
                mine = [signal for signal in signals if signal.rule == name]
                effects += incidents.step(mine, mark, deployment=deployment, local=engine.feed.local)
        return effects

    def load(self, data: bytes) -> None:
        """Go on, whatever state comes."""


class _UnderTest(Session):
    """A session whose rules stay the ones under test, whatever a checkpoint says."""

    def __init__(self, rules: Sequence[Rule], config: EngineConfig) -> None:
        self._rules = tuple(rule for rule in rules if rule.tier != "line")
        told = replace(config, rules=self._rules)
        super().__init__(told, _Alone(told))

    def load(self, state: bytes) -> None:
        """Go on from a checkpoint, but for its rules."""
        super().load(state)
        self.engine.config = replace(self.engine.config, rules=self._rules)


def run(recording: str, rules: Sequence[Rule], config: EngineConfig) -> Seen:
    """One recording. Raises RecordingError."""
    tried, truth = _UnderTest(rules, config), Session(config)
    heard: tuple[list[Effect], list[Effect]] = ([], [])
    tried.on_effect.append(heard[0].append)
    truth.on_effect.append(heard[1].append)
    most: dict[str, int] = {rule.name: 0 for rule in tried._rules}
    looked = 0.0
    first = NAN

    def look(beat: Beat) -> None:
        nonlocal looked
        if beat.at - looked >= LOOK_S:
            looked = beat.at
            _measure(tried.engine, tried._rules, most)

    tried.on_beat.append(look)
    shown = _Shown(truth)
    with read(recording) as reader:
        for at, frame in reader.stamped():
            first = at if not known(first) else first
            tried.feed(frame)
            truth.feed(frame)
    _measure(tried.engine, tried._rules, most)
    ours, theirs = (list(_fired(effects)) for effects in heard)
    told = [*theirs, *shown.beside(theirs)]
    return Seen(recording, first, truth.at, ours, told, truth.engine.markers, most, segments_of(truth.engine))


class _Shown:
    """The troubles that a session's verdict shows, from when until when."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._on: dict[str, Fired] = {}
        self._over: list[Fired] = []
        session.on_beat.append(self._look)

    def _look(self, beat: Beat) -> None:
        standing = self._session.engine.judge.standing
        for kind in [kind for kind in self._on if kind not in standing]:
            self._over.append(self._on.pop(kind)._replace(over=beat.at))
        for kind, held in standing.items():
            if kind not in self._on:
                text, since = trouble_text.text(held.trouble), min(held.since, beat.at)
                self._on[kind] = Fired(kind, "the verdict", held.trouble.kind, beat.at, since, NAN, text)

    def beside(self, fired: Sequence[Fired]) -> list[Fired]:
        """Those that no incident of their family speaks for."""
        every = [*self._over, *self._on.values()]
        told = [
            one
            for one in every
            if not any(_overlap(one, other) and one.family == other.family for other in fired)
        ]
        return sorted(told, key=lambda one: one.at)


def _measure(engine: Engine, rules: Sequence[Rule], most: dict[str, int]) -> None:
    readings = Readings(engine)
    for rule in rules:
        most[rule.name] = max(most[rule.name], readings.read(rule.metric, rule.where, rule.window).n)


def _fired(effects: Sequence[Effect]) -> Iterator[Fired]:
    """What fired, each with its end."""
    ends = {effect.key: effect.at for effect in effects if effect.reason == "resolved"}
    for effect in effects:
        if effect.reason == "fired":
            over = ends.get(effect.key, NAN)
            name, onset = effect.incident_id, effect.onset
            yield Fired(effect.rule, name, effect.family, effect.at, onset, over, effect.summary)


class Match(NamedTuple):
    """A firing of a rule with what it was about: something that fired in truth, a marker, or nothing."""

    fired: Fired
    truth: Fired | None
    earlier_s: float
    marker: str

    @property
    def false(self) -> bool:
        return self.truth is None and not self.marker


def matched(seen: Seen, rule: str) -> list[Match]:
    """Each firing of a rule against what did fire and the markers."""
    return [_match(fired, seen) for fired in seen.fired if fired.rule == rule]


def _match(fired: Fired, seen: Seen) -> Match:
    about = [truth for truth in seen.truth if _overlap(fired, truth)]
    about.sort(key=lambda truth: (truth.family != fired.family, abs(truth.at - fired.at)))
    last = markers.last_before(seen.markers, fired.onset)
    marker = markers.name(last) if last is not None else ""
    if about:
        return Match(fired, about[0], about[0].at - fired.at, marker)
    return Match(fired, None, NAN, marker)


def _overlap(fired: Fired, truth: Fired) -> bool:
    """Whether both were on at one time, with a quarter of an hour's grace before."""
    ends = [one.over if known(one.over) else float("inf") for one in (fired, truth)]
    return min(fired.onset, fired.at) - GRACE_S <= ends[1] and min(truth.onset, truth.at) - GRACE_S <= ends[0]


def missed(seen: Seen, rules: Sequence[Rule]) -> list[Fired]:
    """What fired in truth of the rules' families, and no rule said so."""
    families = {fired.family for fired in seen.fired}
    wanted = {rule.name: rule for rule in rules}
    return [
        truth
        for truth in seen.truth
        if truth.rule not in wanted and truth.family in (families or {truth.family})
        and not any(_overlap(fired, truth) for fired in seen.fired)
    ]  # fmt: skip
