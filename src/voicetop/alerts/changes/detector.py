"""The statistical detectors: streams (`streams.py`) compared with the baseline's expectation, mark by mark.

reading ──► hour (learned from at its end, if it was healthy)
        ──► CUSUMs (`cusum.py`) ──► over their thresholds? ──► localize (`segment_scan.py`) ──► alarms
"""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.alerts.changes import cusum, recent_totals
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
from voicetop.alerts.changes.recent_totals import TenSeconds
from voicetop.alerts.changes.streams import ARRIVALS, STAGES, MonitoredRate, of_kinds
from voicetop.alerts.changes.traffic import Traffic
from voicetop.alerts.signals import Family
from voicetop.engine.attribution.conjunctions import Conjunctions
from voicetop.engine.engine import MARK_S
from voicetop.engine.windows.histograms import METRIC

HOUR_S = 3600
LEARN_S, LEARN_TURNS = 900.0, 100
MAX_EXCLUDED_S = 3600.0
DAY_S, WARM_S = 86_400.0, 2 * 86_400.0
REWEIGH_S = 900
"""How often the weights are adjusted to the hour of the day."""
PAGE_RARITY = 33.0
"""How many times rarer by chance a page must be than a warning."""
_DYNAMIC_PREFIXES = ("fault:", "step:", "hangup:", "n:")
_ALWAYS_WATCHED = ("fault", "expected", "started", "moody", "escalated", "hangup", "failed")


class ChangeDetectorState(Struct, kw_only=True):
    """Everything that goes into a checkpoint."""

    baseline: Baseline = field(default_factory=Baseline)
    hour: Hour = field(default_factory=Hour)
    gauges: CusumBank = field(default_factory=CusumBank)
    slots: list[FiveMinuteSums] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)
    alarms: list[Alarm] = field(default_factory=list)
    open: dict[Family, float] = field(default_factory=dict)
    """Since when each family's change is unlocalized."""
    taken: int = -1
    """Start of the last slot that was added to the hour."""
    rebuilt: int = -1
    weighed: int = -1
    rows: int = 0
    """Rows covered by the weights; newer ones count as unattributed until the next rebuild."""
    known_kinds: list[str] = field(default_factory=list)
    recent: list[TenSeconds] = field(default_factory=list)
    left_out_s: float = 0.0
    """Seconds excluded from learning because something was broken before the first baseline."""


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
        """Whether there is no baseline yet."""
        return not self.baseline.lines or self.baseline.sums.get("turns") is None

    # -- a mark -------------------------------------------------------------------------------------------------

    def step(self, reading: TickReading, at: float, *, down: bool = False) -> list[Alarm]:
        """Active alarms after this mark's reading; `down`: a fixed threshold is breached.

        Marks that are `down` before the first baseline are excluded from learning, for an hour at most.
        """
        state = self.state
        if down and self.learning and state.left_out_s < MAX_EXCLUDED_S:
            state.left_out_s += MARK_S
            return []
        if state.rebuilt < 0:
            state.rebuilt = int((at - 1) // HOUR_S)
        if self.weights is None and state.weighed >= 0:  # restored from a checkpoint
            self._rebuild(at)
        if int((at - 1) // HOUR_S) != state.rebuilt:
            self._close_hour(at)
        self._add_to_slot(reading, at)
        state.hour.add(reading)
        self._set_first_latency_limits(at)
        self._refresh_weights(reading, at)
        if self.evidence is None or self.weights is None:
            return []
        parts = state.traffic.expect(within(reading.parts, state.rows), self.baseline, at)
        recent_totals.add(state.recent, parts, at)
        cusum.update(state.gauges, self.weights, parts, at)
        if int(at) % cusum.SEGMENT_STEP_S == 0:
            cusum.update_segments(state.gauges, self.weights, self.segments, at)
        self._alarms.step(self.evidence, state.gauges, at)
        self._mark_hour(at)
        return state.alarms

    def _mark_hour(self, at: float) -> None:
        """Exclude troubled hours from learning; a change that lasts for a day becomes the new normal."""
        state = self.state
        recent = [alarm for alarm in state.alarms if at - alarm.since < DAY_S]
        if any(alarm.tier == "critical" or self._settled() for alarm in recent):
            state.hour.troubled = True
        if any(alarm.family == "traffic" for alarm in state.alarms):
            state.hour.quiet = True

    def _add_to_slot(self, reading: TickReading, at: float) -> None:
        start, slots = start_of(at), self.state.slots
        if not slots or slots[-1].start != start:
            self._add_slot_to_hour()
            slots.append(FiveMinuteSums(start, {}))
            del slots[:-SLOTS]
        slots[-1].add(reading, len(self.baseline.keys))

    def _add_slot_to_hour(self) -> None:
        """Add the last five minutes to the hour, once."""
        slots = self.state.slots
        if slots and slots[-1].start > self.state.taken:
            self.state.hour.add_sums(slots[-1].sums)
            self.state.taken = slots[-1].start

    # -- learning -----------------------------------------------------------------------------------------------

    def _close_hour(self, at: float) -> None:
        state = self.state
        self._add_slot_to_hour()
        hour, state.hour = state.hour, Hour()
        state.rebuilt = int((at - 1) // HOUR_S)
        healthy = not hour.troubled
        if hour.marks and healthy and (self.weights is not None or "turns" not in self.baseline.sums):
            expected = {}
            if self.weights is not None:
                for stream, normal in zip(self.weights.streams, self.normals, strict=True):
                    hits, expected_hits = self._hits_and_expected(stream, normal, hour)
                    expected[stream.name] = (stream.num, hits, expected_hits)
            learn(self.baseline, hour, expected, at)
        state.traffic.learn(self.baseline, healthy=not hour.quiet)
        if self.weights is not None and self._settled():
            self._record_peaks(at)
        if self.weights is not None:
            state.gauges.peak[:] = 0
            state.gauges.local_peak[:] = 0
        if self._reset_latency_limits():
            state.gauges = CusumBank()
        state.weighed = -1
        self.weights = None
        self.evidence = None

    def _hits_and_expected(
        self, stream: MonitoredRate, normal: Expectation, hour: Hour
    ) -> tuple[float, float]:
        n = hour.sums.get(stream.den)
        x = hour.sums.get(stream.num)
        if n is None or stream.model != "rate":
            return 0.0, 0.0
        size = min(len(n), len(normal.by_row))
        return float(x.sum()) if x is not None else 0.0, float((n[:size] * normal.by_row[:size]).sum())

    def _settled(self) -> bool:
        """Whether expectations have settled: before that, peaks reflect ignorance rather than chance."""
        return self.baseline.healthy_s - self.baseline.lined >= WARM_S

    def _record_peaks(self, at: float) -> None:
        bank, traffic = self.state.gauges, self.state.traffic
        for number, name in enumerate(bank.names):
            if name == ARRIVALS and not traffic.seen_before(self.baseline, at - HOUR_S):
                continue  # no normal for this weekday yet: its peak says nothing about chance
            self.baseline.add_peak(name, bank.peak[number])
        for number, name in enumerate(bank.scanned):
            self.baseline.add_peak(f"{name} in segments", bank.local_peak[number])

    def _set_first_latency_limits(self, at: float) -> None:
        """Set the first latency limits as soon as there are enough turns, and learn everything so far as normal."""
        state, baseline, hour = self.state, self.baseline, self.state.hour
        if baseline.lines or hour.seconds + baseline.healthy_s < LEARN_S:
            return
        times = baseline.times + hour.times
        if times[METRIC["e2e"]].sum() < LEARN_TURNS:
            return
        baseline.set_latency_limits(times)
        self._add_slot_to_hour()
        state.hour = Hour()
        learn(baseline, hour, {}, at)
        state.traffic.learn(baseline, healthy=True)
        baseline.lined = baseline.healthy_s
        state.weighed = -1

    def _reset_latency_limits(self) -> bool:
        """Set the latency limits again after the first healthy day, when every hour was seen; whether it did."""
        baseline = self.baseline
        if not baseline.lines or baseline.redrawn or baseline.healthy_s < DAY_S:
            return False
        baseline.set_latency_limits(baseline.times)
        baseline.lined, baseline.redrawn = baseline.healthy_s, True
        return True

    # -- weights ------------------------------------------------------------------------------------------------

    def _refresh_weights(self, reading: TickReading, at: float) -> None:
        """Rebuild the weights every hour and for new kinds or rows; adjust them every quarter-hour."""
        state = self.state
        new_kinds = [
            kind
            for kind in reading.parts
            if kind.startswith(_DYNAMIC_PREFIXES) and kind not in state.known_kinds
        ]
        if new_kinds:
            state.known_kinds = sorted({*state.known_kinds, *new_kinds})
        quarter = int(at // REWEIGH_S)
        rebuild = (
            state.weighed < 0
            or new_kinds
            or (quarter != state.weighed and len(self.baseline.keys) > state.rows)
        )
        if rebuild:
            state.rows = len(self.baseline.keys)
        new_quarter = quarter != state.weighed
        state.weighed = quarter
        if rebuild or self.weights is None:
            self._rebuild(at)
        elif new_quarter:
            self._compute_weights(self.weights.streams)

    def _rebuild(self, at: float) -> None:
        """Derive normals, weights and thresholds of every stream in every row from the state."""
        state, baseline = self.state, self.baseline
        if self.learning:
            return
        kinds = {*baseline.sums, *state.known_kinds, *_ALWAYS_WATCHED}
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
        self._compute_weights(streams)
        assert self.weights is not None
        self._set_limits(self.weights)
        state.gauges = cusum.resized(state.gauges, self.weights, self.segments, at)

    def _compute_weights(self, streams: list[MonitoredRate]) -> None:
        when = self.state.weighed * REWEIGH_S + REWEIGH_S / 2
        pairs = [
            traffic_weights(stream.tilts, self.state.rows)
            if stream.model == "arrivals"
            else weights(stream, normal, at_time(factors, when))
            for stream, normal, factors in zip(streams, self.normals, self._factors, strict=True)
        ]
        previous = self.weights
        self.weights = Weights(streams, [w for w, _ in pairs], [c for _, c in pairs], self.state.rows)
        if previous is not None and previous.streams is streams:
            self.weights.limit, self.weights.page_limit = previous.limit, previous.page_limit
            self.weights.local_limit = previous.local_limit
        self.evidence = Evidence(
            self.state.slots,
            self.state.traffic,
            self.baseline.keys,
            self.weights,
            list(zip(self.normals, self._factors, strict=True)),
        )

    def _set_limits(self, weights: Weights) -> None:
        for number, stream in enumerate(weights.streams):
            peaks = self.baseline.peaks_of(stream.name)
            weights.limit[number] = threshold(peaks, stream.days)
            weights.page_limit[number] = threshold(peaks, PAGE_RARITY * stream.days)
        for place, number in enumerate(weights.scanned):
            stream = weights.streams[number]
            weights.local_limit[place] = threshold(
                self.baseline.peaks_of(f"{stream.name} in segments"), stream.days
            )
