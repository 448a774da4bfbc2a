"""The statistical detectors: what streams (`streams.py`) do against what the baseline lets expect, mark by mark.

reading ──► hour (learned from at its end, if it was healthy)
        ──► CUSUMs (`bank.py`) ──► over their thresholds? ──► whose is it (`scan.py`) ──► alarms
"""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.alerts.changes import cusum
from voicetop.alerts.changes.alarms import Alarm, Alarms
from voicetop.alerts.changes.array_codec import Floats
from voicetop.alerts.changes.baseline import Baseline, Hour, learn
from voicetop.alerts.changes.cusum import CusumBank, Weights
from voicetop.alerts.changes.cusum_thresholds import threshold
from voicetop.alerts.changes.evidence import Evidence
from voicetop.alerts.changes.expectations import (
    Expectation,
    Shape,
    at_time,
    hour_factors,
    normal_of,
    traffic_weights,
    weights,
)
from voicetop.alerts.changes.readings import TickReading, within
from voicetop.alerts.changes.recent_sums import SLOTS, FiveMinuteSums, start_of
from voicetop.alerts.changes.streams import ARRIVALS, STAGES, MonitoredRate, of_kinds
from voicetop.alerts.changes.traffic import Traffic
from voicetop.alerts.signals import Family
from voicetop.engine.attribution.conjunctions import Conjunctions
from voicetop.engine.engine import MARK_S
from voicetop.engine.windows.histograms import METRIC

HOUR_S = 3600
LEARN_S, LEARN_TURNS = 900.0, 100
LEAVE_OUT_S = 3600.0
DAY_S, WARM_S = 86_400.0, 2 * 86_400.0
WEIGH_S = 900
"""How often the weights follow the hour of the day."""
SURE = 33.0
"""How many times as rare by chance what pages has to be."""
_NAMED = ("fault:", "step:", "hangup:", "n:")
_ALWAYS = ("fault", "expected", "started", "moody", "escalated", "hangup", "failed")


class ChangeDetectorState(Struct, kw_only=True):
    """Everything that has to survive."""

    baseline: Baseline = field(default_factory=Baseline)
    hour: Hour = field(default_factory=Hour)
    gauges: CusumBank = field(default_factory=CusumBank)
    slots: list[FiveMinuteSums] = field(default_factory=list)
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
    left_out_s: float = 0.0
    """Seconds of trouble that nothing was learned from before there was anything to judge by."""


class ChangeDetector:
    """The detectors over one baseline."""

    def __init__(self, state: ChangeDetectorState | None = None) -> None:
        self.state = state or ChangeDetectorState()
        self.segments = Conjunctions()
        self.normals: list[Expectation] = []
        self.weights: Weights | None = None
        self.evidence: Evidence | None = None
        self._factors: list[Floats] = []
        self._alarms = Alarms(self.state.alarms, self.state.open, self.segments)

    @property
    def baseline(self) -> Baseline:
        return self.state.baseline

    @property
    def learning(self) -> bool:
        """Whether there is nothing yet to judge by."""
        return not self.baseline.lines or self.baseline.sums.get("turns") is None

    # -- a mark -------------------------------------------------------------------------------------------------

    def step(self, reading: TickReading, at: float, *, down: bool = False) -> list[Alarm]:
        """What is on after this mark's reading; `down` says that something is broken by plain lines.

        What is broken before anything is learned isn't learned from; what lasts is what this fleet is like.
        """
        state = self.state
        if down and self.learning and state.left_out_s < LEAVE_OUT_S:
            state.left_out_s += MARK_S
            return []
        if state.rebuilt < 0:
            state.rebuilt = int((at - 1) // HOUR_S)
        if int((at - 1) // HOUR_S) != state.rebuilt:
            self._close_hour(at)
        self._remember(reading, at)
        state.hour.add(reading)
        self._draw_lines(at)
        self._rebuild_where_due(reading, at)
        if self.evidence is None or self.weights is None:
            return []
        parts = state.traffic.expect(within(reading.parts, state.rows), self.baseline, at)
        cusum.move(state.gauges, self.weights, parts, at)
        if int(at) % cusum.LOCAL_EVERY_S == 0:
            cusum.move_segments(state.gauges, self.weights, self.segments, at)
        self._alarms.step(self.evidence, state.gauges, at)
        self._mark_hour(at)
        return state.alarms

    def _mark_hour(self, at: float) -> None:
        """What is wrong doesn't teach what is normal; but what lasts for a day is the new normal."""
        state = self.state
        fresh = [alarm for alarm in state.alarms if at - alarm.since < DAY_S]
        if any(alarm.tier == "critical" or self._mature() for alarm in fresh):
            state.hour.troubled = True
        if any(alarm.family == "traffic" for alarm in state.alarms):
            state.hour.quiet = True

    def _remember(self, reading: TickReading, at: float) -> None:
        start, slots = start_of(at), self.state.slots
        if not slots or slots[-1].start != start:
            self._take_slot()
            slots.append(FiveMinuteSums(start, {}))
            del slots[:-SLOTS]
        slots[-1].add(reading, len(self.baseline.keys))

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
            self._keep_peaks(at)
        if self.weights is not None:
            state.gauges.peak[:] = 0
            state.gauges.local_peak[:] = 0
        if self._redraw_lines():
            state.gauges = CusumBank()
        state.weighed = -1
        self.weights = None
        self.evidence = None

    def _hoped(self, stream: MonitoredRate, normal: Expectation, hour: Hour) -> tuple[float, float]:
        n = hour.sums.get(stream.den)
        x = hour.sums.get(stream.num)
        if n is None or stream.model != "rate":
            return 0.0, 0.0
        size = min(len(n), len(normal.by_row))
        return float(x.sum()) if x is not None else 0.0, float((n[:size] * normal.by_row[:size]).sum())

    def _mature(self) -> bool:
        """Whether what is expected has settled: only from then on do peaks tell of chance and not of ignorance."""
        return self.baseline.healthy_s - self.baseline.lined >= WARM_S

    def _keep_peaks(self, at: float) -> None:
        gauges, traffic = self.state.gauges, self.state.traffic
        for number, name in enumerate(gauges.names):
            if name == ARRIVALS and not traffic.knows(self.baseline, at - HOUR_S):
                continue  # the first of its weekday says nothing about chance
            self.baseline.keep_peak(name, gauges.peak[number])
        for number, name in enumerate(gauges.scanned):
            self.baseline.keep_peak(f"{name} in segments", gauges.local_peak[number])

    def _draw_lines(self, at: float) -> None:
        """The first lines, as soon as there is enough to draw them by; what came so far is what is normal then."""
        state, baseline, hour = self.state, self.baseline, self.state.hour
        if baseline.lines or hour.seconds + baseline.healthy_s < LEARN_S:
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

    def _rebuild_where_due(self, reading: TickReading, at: float) -> None:
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
        if self.learning:
            return
        kinds = {*baseline.sums, *state.known_kinds, *_ALWAYS}
        kinds |= {f"o:{metric}" for metric in STAGES if f"n:{metric}" in kinds}
        keys = baseline.keys[: state.rows]
        self.segments.grow(keys)
        shape = Shape(keys)
        streams: list[MonitoredRate] = []
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
        state.gauges = cusum.fitted(state.gauges, self.weights, self.segments, at)

    def _weigh(self, streams: list[MonitoredRate]) -> None:
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
        self.evidence = Evidence(
            self.state.slots,
            self.state.traffic,
            self.baseline.keys,
            self.weights,
            list(zip(self.normals, self._factors, strict=True)),
        )

    def _limit(self, found: Weights) -> None:
        for number, stream in enumerate(found.streams):
            peaks = self.baseline.peaks_of(stream.name)
            found.limit[number] = threshold(peaks, stream.days)
            found.sure[number] = threshold(peaks, SURE * stream.days)
        for place, number in enumerate(found.scanned):
            stream = found.streams[number]
            found.local_limit[place] = threshold(
                self.baseline.peaks_of(f"{stream.name} in segments"), stream.days
            )
