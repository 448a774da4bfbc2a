"""Which changes are on, and whose they are: from CUSUMs over their thresholds to alarms.

One decision is made for each family at a time, by the stream that is furthest over its threshold. Where a scan says
that it is somebody's but not yet whose, it waits a little, so that the right segment is named. What an alarm explains
already is no evidence for another.
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

AGAIN = 3 * NAT
CERTAIN = 0.95
PATIENCE, PATIENCE_LOCAL = ((0.7, 0.0), (0.3, 120.0), (0.0, 900.0)), 1800.0
"""(probability that it is everybody's, seconds for which it may stay open whose it is until the likeliest answer is
given); the second for what only a segment's own CUSUM says."""
VERSION = "version"
OFF_S = 60.0
OFTEN_S = 120.0
"""While it is open whose a change is, it is asked at every mark for so long, then every 30 s."""
PAGES: dict[Family, float] = {"errors": 0.02, "latency": 0.35, "traffic": 0.0}
"""The share of trials that has to be hit, beyond what is normal, for a page."""


class Alarm(Struct, kw_only=True):
    """A change that is on: which stream says it, for whom, since when, and what was seen of it."""

    family: Family
    stream: str
    tilt: int = 0
    """The strongest change that its CUSUMs have told."""
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
    """The only version that it hits, where it is a version and no other segment."""

    @property
    def scope(self) -> Where:
        """Whose calls it was measured on."""
        return self.where or (((VERSION, self.version),) if self.version else ())


class _Candidate(NamedTuple):
    """A stream (by number) at a tilt is over its threshold, by a factor of `margin`, for the fleet or `local`ly."""

    number: int
    tilt: int
    margin: float
    local: tuple[int, int] | None = None
    """(scanned stream, conjunction)."""

    @property
    def strength(self) -> tuple[float, ...]:
        """Of the fleet's the strongest change counts, of segments' the clearest; of equals the first."""
        if self.local is None:
            return self.tilt, self.margin, -self.number
        place, conjunction = self.local
        return self.margin, -place, -self.tilt, -conjunction


def _strongest(candidates: Iterable[tuple[Family, _Candidate]]) -> dict[Family, _Candidate]:
    found: dict[Family, _Candidate] = {}
    for family, one in candidates:
        found[family] = max(found.get(family, one), one, key=lambda held: held.strength)
    return found


class Alarms:
    """What is `on`; `open_since` says since when it is open whose a change is. Both are kept by who gives them."""

    def __init__(self, on: list[Alarm], open_since: dict[Family, float], segments: Conjunctions) -> None:
        self.on, self._open, self._segments = on, open_since, segments

    def step(self, evidence: Evidence, gauges: CusumBank, at: float) -> None:
        """Alarms that begin and end at this mark."""
        whole = int(at) % cusum.LOCAL_EVERY_S == 0
        fleet = self._fleet(evidence, gauges)
        local = self._local(evidence, gauges) if whole else {}
        for family in [*sorted(fleet), *sorted(local.keys() - fleet.keys())]:
            self._change(evidence, gauges, at, family, fleet.get(family) or local[family])
        if whole:
            for family in [one for one in self._open if one not in fleet and one not in local]:
                del self._open[family]
        self._let_go(evidence, gauges, at)

    # -- beginning ----------------------------------------------------------------------------------------------

    def _fleet(self, evidence: Evidence, gauges: CusumBank) -> dict[Family, _Candidate]:
        """The strongest change of the whole fleet by family."""
        found = evidence.weights
        over = (gauges.value >= found.limit) & ((found.hold == 0) | (gauges.again >= AGAIN))
        candidates = []
        for number, tilt in zip(*np.nonzero(over), strict=True):
            margin = float(gauges.value[number, tilt]) / float(found.limit[number, tilt])
            candidates.append((found.streams[number].family, _Candidate(int(number), int(tilt), margin)))
        return _strongest(candidates)

    def _local(self, evidence: Evidence, gauges: CusumBank) -> dict[Family, _Candidate]:
        """The clearest change of a segment by family."""
        found = evidence.weights
        over = (gauges.local >= found.local_limit[:, :, None]).any(axis=2)
        candidates = []
        for place, tilt in zip(*np.nonzero(over), strict=True):
            number, best = found.scanned[place], int(gauges.local[place, tilt].argmax())
            margin = float(gauges.local[place, tilt, best]) / float(found.local_limit[place, tilt])
            one = _Candidate(number, int(tilt), margin, (int(place), best))
            candidates.append((found.streams[number].family, one))
        return _strongest(candidates)

    def _change(
        self, evidence: Evidence, gauges: CusumBank, at: float, family: Family, crossing: _Candidate
    ) -> None:
        """A stream of a family is over its threshold: an alarm, if it isn't known and it can be said whose it is."""
        number, tilt, _, local = crossing
        stream, mine = evidence.weights.streams[number], [one for one in self.on if one.family == family]
        for alarm in mine:
            if alarm.stream == stream.name and local is None:
                alarm.tilt = max(alarm.tilt, tilt)
        early = not mine and at - self._open.get(family, at) < OFTEN_S
        whole = int(at) % cusum.LOCAL_EVERY_S == 0
        if any(alarm.where == () for alarm in mine) or not (whole or early):
            return
        onset = float(
            gauges.zero[number, tilt] if local is None else gauges.local_zero[local[0], tilt, local[1]]
        )
        found = self._scan(evidence, stream, onset, mine)
        if found is None:
            return
        where = self._whose(found, family, at, fleet=local is None, known=bool(mine))
        if where is None or any(alarm.where == where for alarm in mine):
            return
        version = where[0][1] if len(where) == 1 and where[0][0] == VERSION else ""
        if version:
            where = ()  # a version is what began it, and no part of the callers
        self._open.pop(family, None)
        alarm = Alarm(
            family=family, stream=stream.name, tilt=tilt, where=where, onset=onset, since=at, last=at,
            explains=found.explains if where or version else NAN, version=version,
        )  # fmt: skip
        self.on.append(alarm)
        _measure(alarm, evidence, gauges)

    def _scan(
        self, evidence: Evidence, stream: MonitoredRate, onset: float, mine: list[Alarm]
    ) -> Attribution | None:
        """Whose it is; None where what is on explains it."""
        if not stream.scanned:
            return FLEET
        hits, hoped = evidence.window(stream, onset)
        for alarm in mine:
            inside = evidence.inside(alarm.scope)
            hits[inside] = hoped[inside] = 0
        if mine and excess(float(hits.sum()), float(hoped.sum())) < CONVINCING:
            return None
        return segments.of_change(hits, hoped, self._segments)

    def _whose(
        self, found: Attribution, family: Family, at: float, *, fleet: bool, known: bool
    ) -> Where | None:
        """The segment, () for everybody, None while it is open."""
        since = self._open.setdefault(family, at)
        if found.where and found.likely >= CERTAIN:
            return found.where
        if not fleet:
            late = found.where and at - since >= PATIENCE_LOCAL
            return found.where if late else None
        if known:
            return () if found.fleet_wide >= CERTAIN else None
        patience = next(wait for share, wait in PATIENCE if found.fleet_wide >= share)
        if at - since < patience:
            return None
        return found.where if found.likely > found.fleet_wide else ()

    # -- ending -------------------------------------------------------------------------------------------------

    def _let_go(self, evidence: Evidence, gauges: CusumBank, at: float) -> None:
        """What hasn't been on for a minute is over, and its family's CUSUMs begin anew: the weak ones forget slowly."""
        found = evidence.weights
        names = {stream.name: number for number, stream in enumerate(found.streams)}
        for alarm in self.on:
            number = names.get(alarm.stream)
            if number is not None and self._is_on(alarm, evidence, gauges, number):
                alarm.last = at
            if number is not None and int(at) % cusum.LOCAL_EVERY_S == 0:
                _measure(alarm, evidence, gauges)
        ended = [alarm for alarm in self.on if at - alarm.last >= OFF_S]
        if not ended:
            return
        over = {alarm.family for alarm in ended}
        self.on[:] = [alarm for alarm in self.on if at - alarm.last < OFF_S]
        if any(alarm.tier == "critical" and alarm.family in UPSTREAM for alarm in ended):
            # what callers felt of an outage is over with it: where calls are few, it would be spoken of for hours
            over |= DOWNSTREAM
            self.on[:] = [alarm for alarm in self.on if alarm.family not in DOWNSTREAM]
        still = {alarm.family for alarm in self.on}
        for number, stream in enumerate(found.streams):
            if stream.family in over - still:
                gauges.value[number] = 0
                if number in found.scanned:
                    gauges.local[found.scanned.index(number)] = 0

    def _is_on(self, alarm: Alarm, evidence: Evidence, gauges: CusumBank, number: int) -> bool:
        """Whether the CUSUM that told of it is still above half of its threshold."""
        found = evidence.weights
        if gauges.value[number, alarm.tilt] * 2 >= found.limit[number, alarm.tilt]:
            return True
        if not alarm.scope or number not in found.scanned:
            return False
        place, conjunction = found.scanned.index(number), self._segments.number_of(alarm.scope)
        limit = found.local_limit[place, alarm.tilt]
        return conjunction is not None and bool(gauges.local[place, alarm.tilt, conjunction] * 2 >= limit)


def _measure(alarm: Alarm, evidence: Evidence, gauges: CusumBank) -> None:
    """What was seen of it since its onset, in its segment; and whether that is worth a page."""
    found = evidence.weights
    number = gauges.names.index(alarm.stream)
    stream = found.streams[number]
    alarm.came, alarm.trials, alarm.expected = evidence.seen(stream, alarm.onset, alarm.scope)
    share = PAGES.get(stream.family)
    sure = bool((gauges.peak[number] >= found.sure[number]).any())
    if sure and share is not None and not alarm.where:
        beyond = (alarm.came - alarm.expected) / alarm.trials if alarm.trials > 0 else 0.0
        if stream.model == "arrivals" or beyond >= share:
            alarm.tier = "critical"
