"""What is normal, learned by stream, segment combination and hour of the day, with natural variation.

Sums by kind and row decay with a half-life of three weeks; troubled hours aren't added. A rate is modelled as a product
of the fleet's rate, a factor for each segment value, a residual factor for the combination (each shrunk towards 1 by
lack of data) and a factor for the hour. Traffic has a profile over the day and a factor for the weekday. Each stream's
hourly CUSUM maxima are kept to derive thresholds (`cusum_thresholds.py`).

A baseline is portable (`encode`, `decode`): its rows are identified by segment values, not by numbers.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from msgspec import Struct, field

from voicetop.alerts.changes import array_codec
from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.readings import TickReading
from voicetop.alerts.changes.streams import STAGES, TILTS
from voicetop.engine.engine import MARK_S
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.cells import Key
from voicetop.engine.windows.histograms import METRIC, METRICS

FORMAT = 1
HALF_LIFE_H = 21 * 24.0
BINS = 48
"""Half-hours of a day, for traffic."""
PEAK_HOURS = 24 * 28
"""Hours for which CUSUM maxima are kept."""
LATENCY_LIMIT_QUANTILE = 0.9


Spread: TypeAlias = tuple[float, float, float, float]
"""(Σ X²/n, parts, Σ n, Σ X) over parts of n trials that sum to X: all that a variance needs."""
_NONE: Spread = (0.0, 0.0, 0.0, 0.0)


def _add_spread(spread: Spread, added: Spread, share: float = 1.0) -> Spread:
    return (
        spread[0] + share * added[0],
        spread[1] + share * added[1],
        spread[2] + share * added[2],
        spread[3] + share * added[3],
    )


class Baseline(Struct, kw_only=True):
    """`sums[kind]` are by row; `hours[stream]` are [24, 2]: observed and expected hits by hour of the day.

    `spread[kind]` gives the variance of means. `peaks[stream]` are hourly maxima [hour, tilt] of the fleet's CUSUM, or
    of the greatest among segments. `lines` are the latency limits, as buckets. `labels` are the intents seen, with
    their calls.
    """

    format: int = FORMAT
    since: float = 0.0
    until: float = 0.0
    healthy_s: float = 0.0
    lines: dict[str, int] = field(default_factory=dict)
    lined: float = 0.0
    """Healthy seconds when the latency limits were last set."""
    redrawn: bool = False
    keys: list[Key] = field(default_factory=lambda: [()])
    sums: dict[str, Floats] = field(default_factory=dict)
    hours: dict[str, Floats] = field(default_factory=dict)
    spread: dict[str, Spread] = field(default_factory=dict)
    times: Floats = field(default_factory=lambda: np.zeros((len(METRICS), BUCKETS)))
    arrived: Floats = field(default_factory=lambda: np.zeros((7, BINS)))
    exposed: Floats = field(default_factory=lambda: np.zeros((7, BINS)))
    peaks: dict[str, Ints] = field(default_factory=dict)
    dearest: list[int] = field(default_factory=list)
    labels: dict[str, float] = field(default_factory=dict)

    @property
    def days(self) -> float:
        """Healthy days learned from."""
        return self.healthy_s / 86_400

    def encode(self) -> bytes:
        return array_codec.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Baseline:
        """Raises msgspec.DecodeError if `data` isn't a baseline."""
        return array_codec.decode(data, cls)

    def of(self, kind: str, rows: int) -> Floats:
        """The sums of one kind in `rows` rows."""
        sums = np.zeros(rows)
        known = self.sums.get(kind, sums)[:rows]
        sums[: len(known)] = known
        return sums

    def add_peak(self, name: str, peak: Ints) -> None:
        """Append an hour's CUSUM maxima of one stream, by tilt."""
        peaks = self.peaks.get(name)
        self.peaks[name] = (
            peak[None].copy() if peaks is None else np.concatenate([peaks[-PEAK_HOURS + 1 :], peak[None]])
        )

    def peaks_of(self, name: str) -> Ints:
        """[hour, tilt]; empty if unknown."""
        peaks = self.peaks.get(name)
        return np.zeros((0, TILTS), np.int64) if peaks is None else peaks

    def set_latency_limits(self, times: Floats) -> None:
        """Set each latency limit to the bucket that a tenth of normal times exceed; drop sums of the old limit."""
        for name in STAGES:
            counts = times[METRIC[name]]
            if counts.sum() < 20:
                continue
            bucket = int((counts.cumsum() < LATENCY_LIMIT_QUANTILE * counts.sum()).sum()) + 1
            if self.lines.get(name) != bucket:
                self.lines[name] = bucket
                for kind in (f"n:{name}", f"o:{name}"):
                    self.sums.pop(kind, None)

    def fade(self, share: float) -> None:
        """Decay everything learned to a share of its weight."""
        for kind in self.sums:
            self.sums[kind] *= share
        for kind in self.hours:
            self.hours[kind] *= share
        self.spread = {kind: _add_spread(_NONE, spread, share) for kind, spread in self.spread.items()}
        self.times *= share
        self.arrived *= share
        self.exposed *= share


class Hour(Struct, kw_only=True):
    """The current hour's sums: learned at its end, or dropped."""

    sums: dict[str, Ints] = field(default_factory=dict)
    spread: dict[str, Spread] = field(default_factory=dict)
    times: Ints = field(default_factory=lambda: np.zeros((len(METRICS), BUCKETS), np.int64))
    marks: int = 0
    dearest: int = 0
    troubled: bool = False
    quiet: bool = False
    """Whether traffic dropped."""

    @property
    def seconds(self) -> float:
        """Elapsed seconds of the hour."""
        return float(self.marks * MARK_S)

    def add(self, reading: TickReading) -> None:
        """Add one mark's times and spreads; sums are added by slot (`add_sums`)."""
        self.marks += 1
        if len(reading.times):
            np.add.at(self.times.reshape(-1), reading.times, 1)
        self._add_spreads(reading)
        self.dearest = max(self.dearest, reading.dearest[1])

    def add_sums(self, sums: dict[str, Ints]) -> None:
        """Add five minutes' sums by row."""
        for kind, amounts in sums.items():
            sums_by_row = self.sums.get(kind)
            if sums_by_row is None:
                self.sums[kind] = amounts.copy()
            elif len(sums_by_row) < len(amounts):
                grown = amounts.copy()
                grown[: len(sums_by_row)] += sums_by_row
                self.sums[kind] = grown
            else:
                sums_by_row[: len(amounts)] += amounts

    def _add_spreads(self, reading: TickReading) -> None:
        for num, den in (
            ("x:cost", "cost"),
            ("x:sentiment", "sentiments"),
            ("x:rate", "v:rate"),
            ("x:loud", "v:loud"),
        ):
            if num in reading.parts and den in reading.parts:
                n, x = reading.parts[den], reading.parts[num]
                if len(n[0]) != len(x[0]) or (n[1] <= 0).any():
                    continue  # a correction of an earlier mark: useless for a spread
                more = (
                    float((x[1] * x[1] / n[1]).sum()),
                    float(len(n[0])),
                    float(n[1].sum()),
                    float(x[1].sum()),
                )
                self.spread[num] = _add_spread(self.spread.get(num, _NONE), more)


def learn(baseline: Baseline, hour: Hour, expected: dict[str, tuple[str, float, float]], at: float) -> None:
    """Add a healthy hour that ended at `at` (epoch s); `expected` has (kind, hits, expected hits) by stream."""
    seconds = hour.seconds
    baseline.fade(0.5 ** (seconds / 3600 / HALF_LIFE_H))
    baseline.since = baseline.since or at - seconds
    baseline.until = at
    baseline.healthy_s += seconds
    rows = len(baseline.keys)
    for kind, amounts in hour.sums.items():
        sums = baseline.sums[kind] = baseline.of(kind, rows)
        sums[: len(amounts)] += amounts[:rows]
    for num, more in hour.spread.items():
        baseline.spread[num] = _add_spread(baseline.spread.get(num, _NONE), more)
    baseline.times += hour.times
    middle = at - seconds / 2
    hour_of_day = int(middle // 3600) % 24
    for name, (_, came, expected_hits) in expected.items():
        table = baseline.hours.setdefault(name, np.zeros((24, 2)))
        table[hour_of_day] += (came, expected_hits)
    if hour.dearest:
        baseline.dearest = [*baseline.dearest[-PEAK_HOURS + 1 :], hour.dearest]


array_codec.register(Baseline)


def weekday(at: float) -> int:
    """0 is Thursday, the weekday of the epoch."""
    return int(at // 86_400) % 7
