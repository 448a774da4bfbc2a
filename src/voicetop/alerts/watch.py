"""The statistical detectors: what streams (`streams.py`) do against what the baseline lets expect, mark by mark.

    reading ──► hour (learned from at its end, if it was healthy)
            ──► CUSUMs (`bank.py`) ──► over their thresholds? ──► whose is it (`scan.py`) ──► alarms

One decision is made for each family at a time, by the stream that is furthest over its threshold. Where a scan says
that it is somebody's but not yet whose, it waits a little, so that the right segment is named.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field

from voicetop.alerts import bank
from voicetop.alerts.arrays import Floats, Ints
from voicetop.alerts.bank import Gauges, Weights
from voicetop.alerts.baseline import Baseline, Hour, learn
from voicetop.alerts.normals import (
    NAT,
    Normal,
    Shape,
    at_time,
    hour_factors,
    normal_of,
    traffic_weights,
    weights,
)
from voicetop.alerts.policy import DOWNSTREAM, UPSTREAM
from voicetop.alerts.readings import Reading, within
from voicetop.alerts.scan import Verdict, scan
from voicetop.alerts.segmenting import Conjunctions
from voicetop.alerts.signals import Family, Tier
from voicetop.alerts.streams import STAGES, Stream, of_kinds
from voicetop.alerts.thresholds import threshold
from voicetop.alerts.traffic import Traffic
from voicetop.engine.snapshot import NAN, Where
from voicetop.engine.windows import METRIC

HOUR_S, SLOT_S, SLOTS = 3600, 300, 48
LEARN_S, LEARN_TURNS = 900.0, 100
DAY_S, WARM_S = 86_400.0, 2 * 86_400.0
WEIGH_S = 900
"""How often the weights follow the hour of the day."""
WARN_DAYS, SURE_DAYS = 400.0, 20_000.0
"""A stream's CUSUM crosses by chance once in so many days: to warn, and to be sure enough to page."""
AGAIN = 3 * NAT
CERTAIN = 0.9
PATIENCE, PATIENCE_LOCAL = ((0.7, 0.0), (0.3, 120.0), (0.0, 900.0)), 1800.0
"""(probability that it is everybody's, seconds for which it may stay open whose it is until the likeliest answer is
given); the second for what only a segment's own CUSUM says."""
VERSION = "version"
OFF_S = 60.0
OFTEN_S = 120.0
"""While it is open whose a change is, it is asked at every mark for so long, then every 30 s."""
PAGES: dict[Family, float] = {"errors": 0.02, "latency": 0.35, "traffic": 0.0}
"""The share of trials that has to be hit, beyond what is normal, for a page."""


_NAMED = ("fault:", "step:", "hangup:", "n:")
_ALWAYS = ("fault", "expected", "started", "moody", "escalated", "hangup", "failed")


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


class Slot(Struct):
    """Sums by kind and row over five minutes from `start` on."""

    start: int
    sums: dict[str, Ints]


class WatchState(Struct, kw_only=True):
    """Everything that has to survive."""

    baseline: Baseline = field(default_factory=Baseline)
    hour: Hour = field(default_factory=Hour)
    gauges: Gauges = field(default_factory=Gauges)
    slots: list[Slot] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)
    alarms: list[Alarm] = field(default_factory=list)
    open: dict[Family, float] = field(default_factory=dict)
    """Since when it is open whose a change of this family is."""
    taken: int = -1
    """The slot that the hour took last."""
    rebuilt: int = -1
    weighed: int = -1
    rows: int = 0
    """Rows that the weights know; what is newer counts as nobody's until they are made again."""
    known_kinds: list[str] = field(default_factory=list)


class Watch:
    """The detectors over one baseline."""

    def __init__(self, state: WatchState | None = None) -> None:
        self.state = state or WatchState()
        self.segments = Conjunctions()
        self.normals: list[Normal] = []
        self.weights: Weights | None = None
        self._factors: list[Floats] = []

    @property
    def baseline(self) -> Baseline:
        return self.state.baseline

    # -- a mark -------------------------------------------------------------------------------------------------

    def step(self, reading: Reading, at: float) -> list[Alarm]:
        """What is on after this mark's reading."""
        state = self.state
        if state.rebuilt < 0:
            state.rebuilt = int((at - 1) // HOUR_S)
        if int((at - 1) // HOUR_S) != state.rebuilt:
            self._close_hour(at)
        self._remember(reading, at)
        state.hour.add(reading)
        self._draw_lines(at)
        self._rebuild_where_due(reading, at)
        if self.weights is None:
            return []
        parts = state.traffic.expect(within(reading.parts, state.rows), self.baseline, at)
        bank.move(state.gauges, self.weights, parts, at)
        whole = int(at) % bank.LOCAL_EVERY_S == 0
        if whole:
            bank.move_segments(state.gauges, self.weights, self.segments, at)
        self._decide(at, whole=whole)
        return state.alarms

    def _remember(self, reading: Reading, at: float) -> None:
        start = int((at - 1) // SLOT_S) * SLOT_S
        slots = self.state.slots
        if not slots or slots[-1].start != start:
            self._take_slot()
            slots.append(Slot(start, {}))
            del slots[:-SLOTS]
        sums = slots[-1].sums
        rows = len(self.baseline.keys)
        for kind, (of, amounts) in reading.parts.items():
            held = sums.get(kind)
            if held is None or len(held) < rows:
                grown = np.zeros(rows, np.int64)
                if held is not None:
                    grown[: len(held)] = held
                held = sums[kind] = grown
            held[of] += amounts

    def _take_slot(self) -> None:
        """The last five minutes are part of the hour, once."""
        slots = self.state.slots
        if slots and slots[-1].start > self.state.taken:
            self.state.hour.take(slots[-1].sums)
            self.state.taken = slots[-1].start

    # -- learning -----------------------------------------------------------------------------------------------

    def _close_hour(self, at: float) -> None:
        state = self.state
        self._take_slot()
        hour, state.hour = state.hour, Hour()
        state.rebuilt = int((at - 1) // HOUR_S)
        healthy = not hour.troubled
        if hour.marks and healthy and (self.weights is not None or "turns" not in self.baseline.sums):
            expected = {}
            if self.weights is not None:
                for stream, normal in zip(self.weights.streams, self.normals, strict=True):
                    came, hoped = self._hoped(stream, normal, hour)
                    expected[stream.name] = (stream.num, came, hoped)
            learn(self.baseline, hour, expected, at)
        state.traffic.learn(self.baseline, healthy=not hour.quiet)
        if self.weights is not None and self._mature():
            self._keep_peaks()
        if self.weights is not None:
            state.gauges.peak[:] = 0
            state.gauges.local_peak[:] = 0
        if self._redraw_lines():
            state.gauges = Gauges()
        state.weighed = -1
        self.weights = None

    def _hoped(self, stream: Stream, normal: Normal, hour: Hour) -> tuple[float, float]:
        n = hour.sums.get(stream.den)
        x = hour.sums.get(stream.num)
        if n is None or stream.model != "rate":
            return 0.0, 0.0
        size = min(len(n), len(normal.by_row))
        return float(x.sum()) if x is not None else 0.0, float((n[:size] * normal.by_row[:size]).sum())

    def _mature(self) -> bool:
        """Whether what is expected has settled: only from then on do peaks tell of chance and not of ignorance."""
        return self.baseline.healthy_s - self.baseline.lined >= WARM_S

    def _keep_peaks(self) -> None:
        gauges = self.state.gauges
        for number, name in enumerate(gauges.names):
            self.baseline.keep_peak(name, gauges.peak[number])
        for number, name in enumerate(gauges.scanned):
            self.baseline.keep_peak(f"{name} in segments", gauges.local_peak[number])

    def _draw_lines(self, at: float) -> None:
        """The first lines, as soon as there is enough to draw them by; what came so far is what is normal then."""
        state, baseline, hour = self.state, self.baseline, self.state.hour
        if baseline.lines or hour.marks * 5 + baseline.healthy_s < LEARN_S:
            return
        times = baseline.times + hour.times
        if times[METRIC["e2e"]].sum() < LEARN_TURNS:
            return
        baseline.draw_lines(times)
        self._take_slot()
        state.hour = Hour()
        learn(baseline, hour, {}, at)
        state.traffic.learn(baseline, healthy=True)
        baseline.lined = baseline.healthy_s
        state.weighed = -1

    def _redraw_lines(self) -> bool:
        """After the first day, when all hours were seen."""
        baseline = self.baseline
        if not baseline.lines or baseline.redrawn or baseline.healthy_s < DAY_S:
            return False
        baseline.draw_lines(baseline.times)
        baseline.lined, baseline.redrawn = baseline.healthy_s, True
        return True

    # -- weights ------------------------------------------------------------------------------------------------

    def _rebuild_where_due(self, reading: Reading, at: float) -> None:
        """Anew every hour and for kinds never seen; every quarter of an hour as the day goes on."""
        state = self.state
        fresh = [kind for kind in reading.parts if kind.startswith(_NAMED) and kind not in state.known_kinds]
        if fresh:
            state.known_kinds = sorted({*state.known_kinds, *fresh})
        quarter = int(at // WEIGH_S)
        anew = (
            state.weighed < 0 or fresh or (quarter != state.weighed and len(self.baseline.keys) > state.rows)
        )
        if anew:
            state.rows = len(self.baseline.keys)
        turned = quarter != state.weighed
        state.weighed = quarter
        if anew or self.weights is None:
            self._rebuild(at)
        elif turned:
            self._weigh(self.weights.streams)

    def _rebuild(self, at: float) -> None:
        """Normals, weights and thresholds: what is expected of every stream in every row. Follows from the state."""
        state, baseline = self.state, self.baseline
        if not baseline.lines or baseline.sums.get("turns") is None:
            return
        kinds = {*baseline.sums, *state.known_kinds, *_ALWAYS}
        kinds |= {f"o:{metric}" for metric in STAGES if f"n:{metric}" in kinds}
        keys = baseline.keys[: state.rows]
        self.segments.grow(keys)
        shape = Shape(keys)
        streams: list[Stream] = []
        self.normals, self._factors = [], []
        for stream in of_kinds(sorted(kinds)):
            normal = normal_of(stream, baseline, shape, state.rows)
            if stream.model == "mean" and not (normal.deviation > 0 and normal.n >= LEARN_TURNS):
                continue
            streams.append(stream)
            self.normals.append(normal)
            self._factors.append(hour_factors(stream, baseline))
        self._weigh(streams)
        assert self.weights is not None
        self._limit(self.weights)
        state.gauges = bank.fitted(state.gauges, self.weights, self.segments, at)

    def _weigh(self, streams: list[Stream]) -> None:
        when = self.state.weighed * WEIGH_S + WEIGH_S / 2
        made = [
            traffic_weights(stream.tilts, self.state.rows)
            if stream.model == "arrivals"
            else weights(stream, normal, at_time(factors, when))
            for stream, normal, factors in zip(streams, self.normals, self._factors, strict=True)
        ]
        before = self.weights
        self.weights = Weights(streams, [w for w, _ in made], [c for _, c in made], self.state.rows)
        if before is not None and before.streams is streams:
            self.weights.limit, self.weights.sure = before.limit, before.sure
            self.weights.local_limit = before.local_limit

    def _limit(self, found: Weights) -> None:
        for number, stream in enumerate(found.streams):
            peaks = self.baseline.peaks_of(stream.name)
            found.limit[number] = threshold(peaks, WARN_DAYS)
            found.sure[number] = threshold(peaks, SURE_DAYS)
        for place, number in enumerate(found.scanned):
            peaks = self.baseline.peaks_of(f"{found.streams[number].name} in segments")
            found.local_limit[place] = threshold(peaks, WARN_DAYS)

    # -- alarms -------------------------------------------------------------------------------------------------

    def _decide(self, at: float, *, whole: bool) -> None:
        state, found = self.state, self.weights
        assert found is not None
        gauges = state.gauges
        over = (gauges.value >= found.limit) & ((found.hold == 0) | (gauges.again >= AGAIN))
        fleet: dict[Family, tuple[int, float, int]] = {}
        for number, tilt in zip(*np.nonzero(over), strict=True):
            family = found.streams[number].family
            margin = float(gauges.value[number, tilt]) / float(found.limit[number, tilt])
            fleet[family] = max(fleet.get(family, (-1, 0.0, 0)), (int(tilt), margin, -int(number)))
        local: dict[Family, tuple[float, int, int, int]] = {}
        if whole:
            for place, tilt in zip(
                *np.nonzero((gauges.local >= found.local_limit[:, :, None]).any(axis=2)), strict=True
            ):
                family = found.streams[found.scanned[place]].family
                best = int(gauges.local[place, tilt].argmax())
                margin = float(gauges.local[place, tilt, best]) / float(found.local_limit[place, tilt])
                local[family] = max(
                    local.get(family, (0.0, 0, 0, 0)), (margin, -int(place), -int(tilt), -best)
                )
        for family, (tilt, _, number) in sorted(fleet.items()):
            self._change(family, -number, tilt, at, None)
        for family, (_, place, tilt, best) in sorted(local.items()):
            if family not in fleet:
                self._change(family, found.scanned[-place], -tilt, at, (-place, -best))
        for family in [
            family for family in state.open if family not in fleet and family not in local and whole
        ]:
            del state.open[family]
        self._let_go(at)

    def _change(
        self, family: Family, number: int, tilt: int, at: float, local: tuple[int, int] | None
    ) -> None:
        """A stream of a family is over its threshold, for the fleet or (scanned place, conjunction) in a segment."""
        state, found = self.state, self.weights
        assert found is not None
        stream, mine = found.streams[number], [alarm for alarm in state.alarms if alarm.family == family]
        whole = int(at) % bank.LOCAL_EVERY_S == 0
        for alarm in mine:
            if alarm.stream == stream.name and local is None:
                alarm.tilt = max(alarm.tilt, tilt)
        early = not mine and at - state.open.get(family, at) < OFTEN_S
        if any(alarm.where == () for alarm in mine) or not (whole or early):
            return
        gauges = state.gauges
        onset = gauges.zero[number, tilt] if local is None else gauges.local_zero[local[0], tilt, local[1]]
        verdict = scan(*self._window(stream, float(onset)), self.segments) if stream.scanned else Verdict()
        where = self._whose(verdict, family, at, fleet=local is None, known=bool(mine))
        if where is None or any(alarm.where == where for alarm in mine):
            return
        version = where[0][1] if len(where) == 1 and where[0][0] == VERSION else ""
        if version:
            where = ()  # a version is what began it, and no part of the callers
        state.open.pop(family, None)
        state.alarms.append(
            Alarm(
                family=family,
                stream=stream.name,
                tilt=tilt,
                where=where,
                onset=float(onset),
                since=at,
                last=at,
                explains=verdict.explains if where or version else NAN,
                version=version,
            )
        )
        self._measure(state.alarms[-1])

    def _whose(
        self, verdict: Verdict, family: Family, at: float, *, fleet: bool, known: bool
    ) -> Where | None:
        """The segment, () for everybody, None while it is open."""
        since = self.state.open.setdefault(family, at)
        if verdict.local and verdict.best >= CERTAIN:
            return verdict.where
        if not fleet:
            late = verdict.local and at - since >= PATIENCE_LOCAL
            return verdict.where if late else None
        if known:
            return () if verdict.everybody >= 0.95 else None
        patience = next(wait for share, wait in PATIENCE if verdict.everybody >= share)
        if at - since < patience:
            return None
        return verdict.where if verdict.local and verdict.best > verdict.everybody else ()

    def _window(self, stream: Stream, onset: float) -> tuple[Floats, Floats]:
        """(hits, expected hits) by row since about `onset`."""
        found = self.weights
        assert found is not None
        number = found.streams.index(stream)
        rows = found.rows
        hits, trials = self._sums(stream, onset, rows)
        factor = at_time(self._factors[number], onset) if stream.model == "rate" else 1.0
        return hits, trials * self.normals[number].by_row[:rows] * factor

    def _sums(self, stream: Stream, onset: float, rows: int) -> tuple[Floats, Floats]:
        hits, trials = np.zeros(rows), np.zeros(rows)
        for slot in self.state.slots:
            if slot.start + SLOT_S > onset:
                for kind, into in ((stream.num, hits), (stream.den, trials)):
                    held = slot.sums.get(kind)
                    if held is not None:
                        size = min(rows, len(held))
                        into[:size] += held[:size]
        return hits, trials

    def _measure(self, alarm: Alarm) -> None:
        """What was seen of it since its onset, in its segment; and whether that is worth a page."""
        found = self.weights
        assert found is not None
        number = self.state.gauges.names.index(alarm.stream)
        stream = found.streams[number]
        if stream.model == "arrivals":
            alarm.came, alarm.expected = self.state.traffic.since(alarm.onset)
            alarm.trials = alarm.expected
        else:
            hits, trials = self._sums(stream, alarm.onset, found.rows)
            _, hoped = (
                self._window(stream, alarm.onset)
                if stream.model == "rate"
                else (hits, trials * self.normals[number].by_row[: found.rows])
            )
            inside = self._inside(alarm.scope, found.rows)
            alarm.came, alarm.trials, alarm.expected = (
                float(hits[inside].sum()), float(trials[inside].sum()), float(hoped[inside].sum())
            )  # fmt: skip
        gauges = self.state.gauges
        sure = bool((gauges.peak[number] >= found.sure[number]).any())
        share = PAGES.get(stream.family)
        if sure and share is not None and not alarm.where:
            beyond = (alarm.came - alarm.expected) / alarm.trials if alarm.trials > 0 else 0.0
            if stream.model == "arrivals" or beyond >= share:
                alarm.tier = "critical"

    def fleet_slots(self, stream: Stream) -> list[tuple[int, float, float]]:
        """(start, hits, expected hits) of everybody in each of the last five-minute slots."""
        found = self.weights
        assert found is not None
        number = found.streams.index(stream)
        if stream.model == "arrivals":
            return [(start, hoped, float(came)) for start, came, hoped in self.state.traffic.slots]
        made = []
        for slot in self.state.slots:
            hits, trials = slot.sums.get(stream.num), slot.sums.get(stream.den)
            if trials is None:
                continue
            size = min(len(trials), found.rows)
            hoped = float((trials[:size] * self.normals[number].by_row[:size]).sum())
            came = float(hits.sum()) if hits is not None else 0.0
            if stream.model == "mean":  # as deviations above the mean, of which as many as trials are usual
                n = float(trials.sum())
                came, hoped = n + max(-n, (came - hoped) / self.normals[number].deviation), n
            made.append((slot.start, came, hoped))
        return made

    def version_since(
        self, stream: Stream, since: float, version: str
    ) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(hits, expected) of one version and of the others since a time; None where there are no others."""
        found = self.weights
        assert found is not None
        if stream.model != "rate":
            return None
        hits, hoped = self._window(stream, since)
        mine = np.array([("version", version) in key for key in self.baseline.keys[: found.rows]])
        if not mine.any() or mine.all():
            return None
        return (
            (float(hits[mine].sum()), float(hoped[mine].sum())),
            (float(hits[~mine].sum()), float(hoped[~mine].sum())),
        )

    def _inside(self, where: Where, rows: int) -> Ints:
        wanted = set(where)
        return np.array(
            [n for n, key in enumerate(self.baseline.keys[:rows]) if wanted <= set(key)], np.int64
        )

    def _let_go(self, at: float) -> None:
        """What hasn't been on for a minute is over, and its family's CUSUMs begin anew: the weak ones forget slowly."""
        state, found = self.state, self.weights
        assert found is not None
        names = {stream.name: number for number, stream in enumerate(found.streams)}
        for alarm in state.alarms:
            number = names.get(alarm.stream)
            if number is not None and self._is_on(alarm, number):
                alarm.last = at
            if number is not None and int(at) % bank.LOCAL_EVERY_S == 0:
                self._measure(alarm)
        fresh = [alarm for alarm in state.alarms if at - alarm.since < DAY_S]  # what lasts is the new normal
        if any(alarm.tier == "critical" or self._mature() for alarm in fresh):
            state.hour.troubled = True
        if any(alarm.family == "traffic" for alarm in state.alarms):
            state.hour.quiet = True
        ended = [alarm for alarm in state.alarms if at - alarm.last >= OFF_S]
        if not ended:
            return
        over = {alarm.family for alarm in ended}
        state.alarms = [alarm for alarm in state.alarms if at - alarm.last < OFF_S]
        if any(alarm.tier == "critical" and alarm.family in UPSTREAM for alarm in ended):
            # what callers felt of an outage is over with it: where calls are few, it would be spoken of for hours
            over |= DOWNSTREAM
            state.alarms = [alarm for alarm in state.alarms if alarm.family not in DOWNSTREAM]
        for number, stream in enumerate(found.streams):
            if stream.family in over and not any(alarm.family == stream.family for alarm in state.alarms):
                state.gauges.value[number] = 0
                if number in found.scanned:
                    state.gauges.local[found.scanned.index(number)] = 0

    def _is_on(self, alarm: Alarm, number: int) -> bool:
        """Whether the CUSUM that told of it is still above half of its threshold."""
        found, gauges = self.weights, self.state.gauges
        assert found is not None
        if gauges.value[number, alarm.tilt] * 2 >= found.limit[number, alarm.tilt]:
            return True
        if not alarm.scope or number not in found.scanned:
            return False
        place, conjunction = found.scanned.index(number), self.segments.number_of(alarm.scope)
        limit = found.local_limit[place, alarm.tilt]
        return conjunction is not None and bool(gauges.local[place, alarm.tilt, conjunction] * 2 >= limit)
