"""From CUSUMs over their thresholds to alarms: which changes are on, and in which segment.

Each family is decided separately, by the stream furthest over its threshold. While a scan is still ambiguous about the
segment, the alarm waits a little so that it names the right one. Hits that an active alarm explains are no evidence for
another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from voicetop.alerts.changes import cusum
from voicetop.alerts.changes.cusum import CusumBank
from voicetop.alerts.changes.evidence import Evidence
from voicetop.alerts.changes.expectations import NAT
from voicetop.alerts.changes.streams import MonitoredRate
from voicetop.alerts.incidents.policy import DOWNSTREAM, UPSTREAM
from voicetop.alerts.signals import Family, Tier
from voicetop.engine.attribution import segments
from voicetop.engine.attribution.conjunctions import Conjunctions
from voicetop.engine.attribution.likelihood import CONVINCING, FLEET, Attribution, excess
from voicetop.engine.snapshot import NAN, Where

HELD_EVIDENCE = 3 * NAT
CERTAIN = 0.95
PATIENCE, PATIENCE_LOCAL = ((0.7, 0.0), (0.3, 120.0), (0.0, 900.0)), 1800.0
"""(least probability that the change is fleet-wide, seconds to wait before taking the likeliest answer); the second
is the wait for changes that only a segment's own CUSUM shows."""
VERSION = "version"
OFF_S = 60.0
EAGER_S = 120.0
"""An unlocalized change is scanned at every mark for this long, then every 30 s."""
PAGES: dict[Family, float] = {"errors": 0.02, "latency": 0.35, "traffic": 0.0}
"""The excess share of trials that must be hit for a page."""


class Alarm(Struct, kw_only=True):
    """A change that is on: its stream, segment, onset, and the hits since then (`came` of `trials`, `expected`)."""

    family: Family
    stream: str
    tilt: int = 0
    """The strongest tilt whose CUSUM has crossed."""
    where: Where = ()
    tier: Tier = "warning"
    onset: float = 0.0
    since: float = 0.0
    last: float = 0.0
    came: float = 0.0
    trials: float = 0.0
    expected: float = 0.0
    explains: float = NAN
    version: str = ""
    """The affected version, if the change is confined to one version and to no other segment."""
    began: float = NAN
    earliest: float = NAN
    latest: float = NAN
    """The onset that is reported, with the bounds of its 95 % interval; `onset` is when the CUSUM was last 0."""
    marker: str = ""
    """The change that it began with, if one lies within the bounds: it is the onset then."""

    @property
    def scope(self) -> Where:
        """The segment it was measured on."""
        return self.where or (((VERSION, self.version),) if self.version else ())


class _Candidate(NamedTuple):
    """A stream (by number) whose CUSUM is over its threshold by a factor of `margin`; `local` if in a segment."""

    number: int
    tilt: int
    margin: float
    local: tuple[int, int] | None = None
    """(scanned stream, conjunction)."""

    @property
    def strength(self) -> tuple[float, ...]:
        """Sort key: the fleet's strongest tilt, or the segments' greatest margin; ties go to the first stream."""
        if self.local is None:
            return self.tilt, self.margin, -self.number
        place, conjunction = self.local
        return self.margin, -place, -self.tilt, -conjunction


def _strongest(candidates: Iterable[tuple[Family, _Candidate]]) -> dict[Family, _Candidate]:
    strongest: dict[Family, _Candidate] = {}
    for family, candidate in candidates:
        strongest[family] = max(strongest.get(family, candidate), candidate, key=lambda other: other.strength)
    return strongest


class Alarms:
    """Active alarms (`on`), and since when each family's change is unlocalized. The caller owns both."""

    def __init__(self, on: list[Alarm], open_since: dict[Family, float], segments: Conjunctions) -> None:
        self.on, self._open, self._segments = on, open_since, segments

    def step(self, evidence: Evidence, bank: CusumBank, at: float) -> None:
        """Raise and end alarms at this mark."""
        segment_step = int(at) % cusum.SEGMENT_STEP_S == 0
        fleet = self._fleet(evidence, bank)
        local = self._local(evidence, bank) if segment_step else {}
        for family in [*sorted(fleet), *sorted(local.keys() - fleet.keys())]:
            self._consider(evidence, bank, at, family, fleet.get(family) or local[family])
        if segment_step:
            for family in [family for family in self._open if family not in fleet and family not in local]:
                del self._open[family]
        self._end(evidence, bank, at)

    # -- beginning ----------------------------------------------------------------------------------------------

    def _fleet(self, evidence: Evidence, bank: CusumBank) -> dict[Family, _Candidate]:
        """The strongest fleet-wide change by family."""
        weights = evidence.weights
        over = (bank.value >= weights.limit) & ((weights.hold == 0) | (bank.again >= HELD_EVIDENCE))
        candidates = []
        for number, tilt in zip(*np.nonzero(over), strict=True):
            margin = float(bank.value[number, tilt]) / float(weights.limit[number, tilt])
            candidates.append((weights.streams[number].family, _Candidate(int(number), int(tilt), margin)))
        return _strongest(candidates)

    def _local(self, evidence: Evidence, bank: CusumBank) -> dict[Family, _Candidate]:
        """The clearest change in a segment by family."""
        weights = evidence.weights
        over = (bank.local >= weights.local_limit[:, :, None]).any(axis=2)
        candidates = []
        for place, tilt in zip(*np.nonzero(over), strict=True):
            number, best = weights.scanned[place], int(bank.local[place, tilt].argmax())
            margin = float(bank.local[place, tilt, best]) / float(weights.local_limit[place, tilt])
            candidate = _Candidate(number, int(tilt), margin, (int(place), best))
            candidates.append((weights.streams[number].family, candidate))
        return _strongest(candidates)

    def _consider(
        self, evidence: Evidence, bank: CusumBank, at: float, family: Family, crossing: _Candidate
    ) -> None:
        """Raise an alarm for a crossed threshold, if none explains it yet and its segment is settled."""
        number, tilt, _, local = crossing
        stream = evidence.weights.streams[number]
        same_family = [alarm for alarm in self.on if alarm.family == family]
        for alarm in same_family:
            if alarm.stream == stream.name and local is None:
                alarm.tilt = max(alarm.tilt, tilt)
        early = not same_family and at - self._open.get(family, at) < EAGER_S
        segment_step = int(at) % cusum.SEGMENT_STEP_S == 0
        if any(alarm.where == () for alarm in same_family) or not (segment_step or early):
            return
        onset = float(bank.zero[number, tilt] if local is None else bank.local_zero[local[0], tilt, local[1]])
        attribution = self._scan(evidence, stream, onset, same_family)
        if attribution is None:
            return
        where = self._localize(attribution, family, at, fleet=local is None, already_on=bool(same_family))
        if where is None or any(alarm.where == where for alarm in same_family):
            return
        version = where[0][1] if len(where) == 1 and where[0][0] == VERSION else ""
        if version:
            where = ()  # the version caused it; it is not a segment of the callers
        self._open.pop(family, None)
        alarm = Alarm(
            family=family, stream=stream.name, tilt=tilt, where=where, onset=onset, since=at, last=at,
            explains=attribution.explains if where or version else NAN, version=version,
        )  # fmt: skip
        self.on.append(alarm)
        _measure(alarm, evidence, bank)

    def _scan(
        self, evidence: Evidence, stream: MonitoredRate, onset: float, same_family: list[Alarm]
    ) -> Attribution | None:
        """Localize the change; None if the active alarms explain it."""
        if not stream.scanned:
            return FLEET
        hits, expected = evidence.window(stream, onset)
        for alarm in same_family:
            inside = evidence.inside(alarm.scope)
            hits[inside] = expected[inside] = 0
        if same_family and excess(float(hits.sum()), float(expected.sum())) < CONVINCING:
            return None
        return segments.of_change(hits, expected, self._segments)

    def _localize(
        self, attribution: Attribution, family: Family, at: float, *, fleet: bool, already_on: bool
    ) -> Where | None:
        """The segment, () if fleet-wide, None while undecided."""
        since = self._open.setdefault(family, at)
        if attribution.where and attribution.likely >= CERTAIN:
            return attribution.where
        if not fleet:
            late = attribution.where and at - since >= PATIENCE_LOCAL
            return attribution.where if late else None
        if already_on:
            return () if attribution.fleet_wide >= CERTAIN else None
        patience = next(wait for share, wait in PATIENCE if attribution.fleet_wide >= share)
        if at - since < patience:
            return None
        return attribution.where if attribution.likely > attribution.fleet_wide else ()

    # -- ending -------------------------------------------------------------------------------------------------

    def _end(self, evidence: Evidence, bank: CusumBank, at: float) -> None:
        """End alarms off for a minute and reset their family's CUSUMs, which decay slowly at small tilts."""
        weights = evidence.weights
        names = {stream.name: number for number, stream in enumerate(weights.streams)}
        for alarm in self.on:
            number = names.get(alarm.stream)
            if number is not None and self._is_on(alarm, evidence, bank, number):
                alarm.last = at
            if number is not None and int(at) % cusum.SEGMENT_STEP_S == 0:
                _measure(alarm, evidence, bank)
        ended = [alarm for alarm in self.on if at - alarm.last >= OFF_S]
        if not ended:
            return
        ended_families = {alarm.family for alarm in ended}
        self.on[:] = [alarm for alarm in self.on if at - alarm.last < OFF_S]
        if any(alarm.tier == "critical" and alarm.family in UPSTREAM for alarm in ended):
            # downstream effects end with their outage: with few calls they would linger for hours
            ended_families |= DOWNSTREAM
            self.on[:] = [alarm for alarm in self.on if alarm.family not in DOWNSTREAM]
        active_families = {alarm.family for alarm in self.on}
        for number, stream in enumerate(weights.streams):
            if stream.family in ended_families - active_families:
                bank.value[number] = 0
                if number in weights.scanned:
                    bank.local[weights.scanned.index(number)] = 0

    def _is_on(self, alarm: Alarm, evidence: Evidence, bank: CusumBank, number: int) -> bool:
        """Whether the CUSUM that raised it is still above half of its threshold."""
        weights = evidence.weights
        if bank.value[number, alarm.tilt] * 2 >= weights.limit[number, alarm.tilt]:
            return True
        if not alarm.scope or number not in weights.scanned:
            return False
        place, conjunction = weights.scanned.index(number), self._segments.number_of(alarm.scope)
        limit = weights.local_limit[place, alarm.tilt]
        return conjunction is not None and bool(bank.local[place, alarm.tilt, conjunction] * 2 >= limit)


def _measure(alarm: Alarm, evidence: Evidence, bank: CusumBank) -> None:
    """Update hits, trials and expectation since the onset, and escalate to a page if they warrant one."""
    weights = evidence.weights
    number = bank.names.index(alarm.stream)
    stream = weights.streams[number]
    alarm.came, alarm.trials, alarm.expected = evidence.measured(stream, alarm.onset, alarm.scope)
    share = PAGES.get(stream.family)
    page_limit = bool((bank.peak[number] >= weights.page_limit[number]).any())
    if page_limit and share is not None and not alarm.where:
        beyond = (alarm.came - alarm.expected) / alarm.trials if alarm.trials > 0 else 0.0
        if stream.model == "arrivals" or beyond >= share:
            alarm.tier = "critical"
