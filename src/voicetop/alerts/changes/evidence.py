"""What came against what was to be expected, since a time, in a segment or for everybody: what alarms are judged by."""

from __future__ import annotations

import numpy as np

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.cusum import Weights
from voicetop.alerts.changes.expectations import Expectation, at_time
from voicetop.alerts.changes.recent_sums import FiveMinuteSums, summed
from voicetop.alerts.changes.streams import MonitoredRate
from voicetop.alerts.changes.traffic import Traffic
from voicetop.engine.snapshot import Where
from voicetop.engine.windows.cells import Key

Expected = tuple[Expectation, Floats]
"""Of one stream: by row, and the factors of the hours of the day."""


class Evidence:
    """Looks back on the slots with the normals in force; made anew with them."""

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
        self._expected = {stream.name: one for stream, one in zip(weights.streams, expected, strict=True)}

    def window(self, stream: MonitoredRate, onset: float) -> tuple[Floats, Floats]:
        """(hits, expected hits) by row since about `onset`; of a mean, deviations above it among as many as usual."""
        hits, trials, hoped = self._of(stream, onset)
        if stream.model == "mean":
            return trials + (hits - hoped) / self._expected[stream.name][0].deviation, trials
        return hits, hoped

    def seen(self, stream: MonitoredRate, onset: float, where: Where) -> tuple[float, float, float]:
        """(what came, trials, what was to be expected) of a segment since about `onset`."""
        if stream.model == "arrivals":
            came, expected = self._traffic.since(onset)
            return came, expected, expected
        inside = self.inside(where)
        hits, trials, hoped = self._of(stream, onset)
        return float(hits[inside].sum()), float(trials[inside].sum()), float(hoped[inside].sum())

    def by_slot(self, stream: MonitoredRate) -> list[tuple[int, float, float]]:
        """(start, hits, expected hits) of everybody in each of the last five-minute slots."""
        if stream.model == "arrivals":
            return [(start, hoped, float(came)) for start, came, hoped in self._traffic.slots]
        normal, made = self._expected[stream.name][0], []
        for slot in self._slots:
            hits, trials = slot.sums.get(stream.num), slot.sums.get(stream.den)
            if trials is None:
                continue
            size = min(len(trials), self.weights.rows)
            hoped = float((trials[:size] * normal.by_row[:size]).sum())
            came = float(hits.sum()) if hits is not None else 0.0
            if stream.model == "mean":
                n = float(trials.sum())
                came, hoped = n + max(-n, (came - hoped) / normal.deviation), n
            made.append((slot.start, came, hoped))
        return made

    def version_since(
        self, stream: MonitoredRate, since: float, version: str
    ) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(hits, expected) of one version and of the others since a time; None where there are no others."""
        if stream.model != "rate":
            return None
        hits, hoped = self.window(stream, since)
        mine = np.array([("version", version) in key for key in self._keys])
        if not mine.any() or mine.all():
            return None
        return (
            (float(hits[mine].sum()), float(hoped[mine].sum())),
            (float(hits[~mine].sum()), float(hoped[~mine].sum())),
        )

    def inside(self, where: Where) -> Ints:
        """The rows of a segment."""
        wanted = set(where)
        return np.array([row for row, key in enumerate(self._keys) if wanted <= set(key)], np.int64)

    def _of(self, stream: MonitoredRate, onset: float) -> tuple[Floats, Floats, Floats]:
        """(hits, trials, expected hits) by row since about `onset`."""
        rows = self.weights.rows
        hits = summed(self._slots, stream.num, onset, rows)
        trials = summed(self._slots, stream.den, onset, rows)
        normal, factors = self._expected[stream.name]
        hoped = trials * normal.by_row[:rows]
        if stream.model == "rate":
            hoped *= at_time(factors, onset)
        return hits, trials, hoped
