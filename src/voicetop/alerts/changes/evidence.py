"""Observed against expected hits since a time, in a segment or fleet-wide: what alarms are decided by."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.cusum import Weights
from voicetop.alerts.changes.expectations import Expectation, at_time
from voicetop.alerts.changes.recent_sums import FiveMinuteSums, summed
from voicetop.alerts.changes.recent_totals import Slot
from voicetop.alerts.changes.streams import MonitoredRate
from voicetop.alerts.changes.traffic import Traffic
from voicetop.engine.snapshot import Where
from voicetop.engine.windows.cells import Key

Expected = tuple[Expectation, Floats]
"""One stream's expectation by row, and its hour-of-day factors."""


class Usual(NamedTuple):
    """What a trial normally brings: a share of hits, or a mean with its deviation (NaN: a rate)."""

    mean: float
    deviation: float = math.nan

    def compared(self, slot: Slot) -> Slot:
        """Hits against expected hits; of a mean, trials and deviations above it against trials."""
        if math.isnan(self.deviation):
            return slot._replace(trials=slot.trials * self.mean)
        above = (slot.hits - slot.trials * self.mean) / self.deviation
        return slot._replace(hits=slot.trials + max(-slot.trials, above))


class Evidence:
    """Evaluates the recent slots against the current normals; rebuilt whenever those change."""

    def __init__(
        self,
        slots: list[FiveMinuteSums],
        traffic: Traffic,
        keys: list[Key],
        weights: Weights,
        expected: list[Expected],
    ) -> None:
        self.weights = weights
        self._slots, self._traffic, self._keys = slots, traffic, keys[: weights.rows]
        self._expected = {
            stream.name: normal for stream, normal in zip(weights.streams, expected, strict=True)
        }

    def window(self, stream: MonitoredRate, onset: float) -> tuple[Floats, Floats]:
        """(hits, expected hits) by row since about `onset`; for a mean, (trials + deviations above it, trials)."""
        hits, trials, expected = self._by_row(stream, onset)
        if stream.model == "mean":
            return trials + (hits - expected) / self._expected[stream.name][0].deviation, trials
        return hits, expected

    def measured(self, stream: MonitoredRate, onset: float, where: Where) -> tuple[float, float, float]:
        """(hits, trials, expected hits) of a segment since about `onset`."""
        if stream.model == "arrivals":
            calls, expected = self._traffic.since(onset)
            return calls, expected, expected
        inside = self.inside(where)
        hits, trials, expected_hits = self._by_row(stream, onset)
        return float(hits[inside].sum()), float(trials[inside].sum()), float(expected_hits[inside].sum())

    def usual(self, stream: MonitoredRate, onset: float, where: Where) -> Usual | None:
        """What a trial in a segment normally brings; None if there was none since `onset`."""
        if stream.model == "arrivals":
            return Usual(0.001)  # trials are thousandths of an expected call
        _, trials, expected = self.measured(stream, onset, where)
        if trials <= 0 or expected <= 0:
            return None
        return Usual(expected / trials, self._expected[stream.name][0].deviation)

    def by_slot(self, stream: MonitoredRate) -> list[tuple[int, float, float]]:
        """(start, hits, expected hits) of the fleet in each of the last five-minute slots."""
        if stream.model == "arrivals":
            return [(start, expected, float(observed)) for start, observed, expected in self._traffic.slots]
        normal, by_start = self._expected[stream.name][0], []
        for slot in self._slots:
            hits, trials = slot.sums.get(stream.num), slot.sums.get(stream.den)
            if trials is None:
                continue
            size = min(len(trials), self.weights.rows)
            expected = float((trials[:size] * normal.by_row[:size]).sum())
            observed = float(hits.sum()) if hits is not None else 0.0
            if stream.model == "mean":
                n = float(trials.sum())
                observed, expected = n + max(-n, (observed - expected) / normal.deviation), n
            by_start.append((slot.start, observed, expected))
        return by_start

    def version_since(
        self, stream: MonitoredRate, since: float, version: str
    ) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(hits, expected) of one version and of the others since a time; None if either is missing."""
        if stream.model != "rate":
            return None
        hits, expected = self.window(stream, since)
        mine = np.array([("version", version) in key for key in self._keys])
        if not mine.any() or mine.all():
            return None
        return (
            (float(hits[mine].sum()), float(expected[mine].sum())),
            (float(hits[~mine].sum()), float(expected[~mine].sum())),
        )

    def inside(self, where: Where) -> Ints:
        """The rows of a segment."""
        wanted = set(where)
        return np.array([row for row, key in enumerate(self._keys) if wanted <= set(key)], np.int64)

    def _by_row(self, stream: MonitoredRate, onset: float) -> tuple[Floats, Floats, Floats]:
        """(hits, trials, expected hits) by row since about `onset`."""
        rows = self.weights.rows
        hits = summed(self._slots, stream.num, onset, rows)
        trials = summed(self._slots, stream.den, onset, rows)
        normal, factors = self._expected[stream.name]
        expected = trials * normal.by_row[:rows]
        if stream.model == "rate":
            expected *= at_time(factors, onset)
        return hits, trials, expected
