"""What is normal, learned from a stream: by stream, segment combination and hour of the day, and how wild the best of
days are.

Sums are kept by kind and row, and fade with a half-life of three weeks; an hour in which something was wrong isn't
added. A rate is modelled as a product: the fleet's, times one factor for each segment value, times what is left for the
combination, each shrunk towards 1 by how little is known of it, times a factor for the hour. Traffic has a shape over
the day and a factor for the weekday. For each stream the greatest value of its CUSUM in each hour is kept: thresholds
are drawn from them (`thresholds.py`).

A baseline is taken elsewhere by `encode` and `decode`; its rows are named by segment values, not by numbers.
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
BLOCKS = 24 * 28
"""Hours of which the greatest CUSUMs are kept."""
LINE_SHARE = 0.9


Spread: TypeAlias = tuple[float, float, float, float]
"""(Σ X²/n, parts, Σ n, Σ X) over parts of n trials that sum to X: all that a variance needs."""
_NONE: Spread = (0.0, 0.0, 0.0, 0.0)


def _added(held: Spread, more: Spread, share: float = 1.0) -> Spread:
    return (
        held[0] + share * more[0],
        held[1] + share * more[1],
        held[2] + share * more[2],
        held[3] + share * more[3],
    )


class Baseline(Struct, kw_only=True):
    """What was learned. `sums[kind]` are by row; `hours[kind]` are [24, 2] of what came and what was expected then.

    `spread[kind]` is of what is averaged, for its variance. `peaks[stream]` is a ring of [hour, tilt]
    of the fleet's CUSUM and of the greatest among segments. `labels` are the intents ever seen, with their calls.
    """

    format: int = FORMAT
    since: float = 0.0
    until: float = 0.0
    healthy_s: float = 0.0
    lines: dict[str, int] = field(default_factory=dict)
    lined: float = 0.0
    """Healthy seconds when the lines were drawn last."""
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
        """Healthy days that it rests on."""
        return self.healthy_s / 86_400

    def encode(self) -> bytes:
        return array_codec.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Baseline:
        """Raises msgspec.DecodeError of what is no baseline."""
        return array_codec.decode(data, cls)

    def of(self, kind: str, rows: int) -> Floats:
        """The sums of one kind in `rows` rows."""
        made = np.zeros(rows)
        held = self.sums.get(kind, made)[:rows]
        made[: len(held)] = held
        return made

    def keep_peak(self, name: str, peak: Ints) -> None:
        """An hour's greatest CUSUMs of one stream, by tilt."""
        held = self.peaks.get(name)
        self.peaks[name] = (
            peak[None].copy() if held is None else np.concatenate([held[-BLOCKS + 1 :], peak[None]])
        )

    def peaks_of(self, name: str) -> Ints:
        """[hour, tilt]; empty where nothing is known."""
        held = self.peaks.get(name)
        return np.zeros((0, TILTS), np.int64) if held is None else held

    def draw_lines(self, times: Floats) -> None:
        """A time is over its line from the bucket on beyond which a tenth of the normal ones lie. What was counted over
        another line is forgotten.
        """
        for name in STAGES:
            counts = times[METRIC[name]]
            if counts.sum() < 20:
                continue
            bucket = int((counts.cumsum() < LINE_SHARE * counts.sum()).sum()) + 1
            if self.lines.get(name) != bucket:
                self.lines[name] = bucket
                for kind in (f"n:{name}", f"o:{name}"):
                    self.sums.pop(kind, None)

    def fade(self, share: float) -> None:
        """Let what was learned weigh less."""
        for kind in self.sums:
            self.sums[kind] *= share
        for kind in self.hours:
            self.hours[kind] *= share
        self.spread = {kind: _added(_NONE, held, share) for kind, held in self.spread.items()}
        self.times *= share
        self.arrived *= share
        self.exposed *= share


class Hour(Struct, kw_only=True):
    """What came in the hour that is not over yet: learned from at its end, or dropped."""

    sums: dict[str, Ints] = field(default_factory=dict)
    spread: dict[str, Spread] = field(default_factory=dict)
    times: Ints = field(default_factory=lambda: np.zeros((len(METRICS), BUCKETS), np.int64))
    marks: int = 0
    dearest: int = 0
    troubled: bool = False
    quiet: bool = False
    """Whether too few calls came."""

    @property
    def seconds(self) -> float:
        """How much of the hour there is."""
        return float(self.marks * MARK_S)

    def add(self, reading: TickReading) -> None:
        """One mark; its sums come with the slots (`watch.Slot`)."""
        self.marks += 1
        if len(reading.times):
            np.add.at(self.times.reshape(-1), reading.times, 1)
        self._spread(reading)
        self.dearest = max(self.dearest, reading.dearest[1])

    def take(self, sums: dict[str, Ints]) -> None:
        """Add five minutes' sums by row."""
        for kind, amounts in sums.items():
            held = self.sums.get(kind)
            if held is None:
                self.sums[kind] = amounts.copy()
            elif len(held) < len(amounts):
                grown = amounts.copy()
                grown[: len(held)] += held
                self.sums[kind] = grown
            else:
                held[: len(amounts)] += amounts

    def _spread(self, reading: TickReading) -> None:
        for num, den in (
            ("x:cost", "cost"),
            ("x:sentiment", "sentiments"),
            ("x:rate", "v:rate"),
            ("x:loud", "v:loud"),
        ):
            if num in reading.parts and den in reading.parts:
                n, x = reading.parts[den], reading.parts[num]
                if len(n[0]) != len(x[0]) or (n[1] <= 0).any():
                    continue  # something amended an earlier mark: of no use for a spread
                more = (
                    float((x[1] * x[1] / n[1]).sum()),
                    float(len(n[0])),
                    float(n[1].sum()),
                    float(x[1].sum()),
                )
                self.spread[num] = _added(self.spread.get(num, _NONE), more)


def learn(baseline: Baseline, hour: Hour, expected: dict[str, tuple[str, float, float]], at: float) -> None:
    """Add a healthy hour that ended at `at` (epoch s); `expected` has (kind, came, was expected) by stream."""
    seconds = hour.seconds
    baseline.fade(0.5 ** (seconds / 3600 / HALF_LIFE_H))
    baseline.since = baseline.since or at - seconds
    baseline.until = at
    baseline.healthy_s += seconds
    rows = len(baseline.keys)
    for kind, amounts in hour.sums.items():
        held = baseline.sums[kind] = baseline.of(kind, rows)
        held[: len(amounts)] += amounts[:rows]
    for num, more in hour.spread.items():
        baseline.spread[num] = _added(baseline.spread.get(num, _NONE), more)
    baseline.times += hour.times
    middle = at - seconds / 2
    of_day = int(middle // 3600) % 24
    for name, (_, came, hoped) in expected.items():
        table = baseline.hours.setdefault(name, np.zeros((24, 2)))
        table[of_day] += (came, hoped)
    if hour.dearest:
        baseline.dearest = [*baseline.dearest[-BLOCKS + 1 :], hour.dearest]


array_codec.meet(Baseline)


def weekday(at: float) -> int:
    """0 is Thursday, on which the epoch began."""
    return int(at // 86_400) % 7
