"""A fleet made by hand for the detectors: readings with a planted change, and a baseline that knows the rest.

Two intents × two languages × two versions, 1.2 turns and 0.2 calls a second, so that a minute tells something.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from voicetop.alerts.changes.alarms import Alarm
from voicetop.alerts.changes.baseline import BINS, Baseline
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.expectations import NAT
from voicetop.alerts.changes.readings import TickReading
from voicetop.engine.snapshot import Where
from voicetop.engine.windows.cells import Key

START = 1_760_000_400.0
TURNS, CALLS = 6.0, 1.0
"""A mark."""
KEYS: list[Key] = [
    (),
    *(
        (("intent", intent), ("language", language), ("version", version))
        for intent, language, version in itertools.product(("billing", "sales"), ("en", "es"), ("v1", "v2"))
    ),
]
SHARES = np.array([0.0] + [1 / 8] * 8)
RATES = {"fault:llm:server": 0.002, "fault:tts:server": 0.001}
OVER = ("e2e", "llm_ttft", "tts_ttfb")
STEP = "verify"
MEANS = (
    ("x:cost", 1_000.0, 40.0),
    ("x:sentiment", 110.0, 90.0),
    ("x:rate", 150.0, 20.0),
    ("x:loud", -2_600.0, 500.0),
)
Change = Callable[[str, np.ndarray, float], np.ndarray]
"""(kind, rate by row, seconds since the start) → rate by row."""


def baseline(days: float = 14.0) -> Baseline:
    """What so many quiet days would have taught."""
    turns, calls = SHARES * TURNS * 17_280 * days, SHARES * CALLS * 17_280 * days
    sums = {"turns": turns, "cost": calls, "sentiments": calls, "v:rate": turns, "v:loud": turns}
    for kind, rate in RATES.items():
        sums[kind] = turns * rate
    sums["fault"] = turns * sum(RATES.values())
    for metric in OVER:
        sums[f"n:{metric}"], sums[f"o:{metric}"] = turns, turns * 0.1
    sums |= {
        "ended": calls,
        "talked": calls,
        "known": calls,
        "failed": calls * 0.2,
        "escalated": calls * 0.04,
    }
    sums |= {f"step:{STEP}": calls, f"hangup:{STEP}": calls * 0.02, "hangup": calls * 0.05, "started": calls}
    sums |= {
        "x:cost": calls * 1_000,
        "x:sentiment": calls * 110,
        "x:rate": turns * 150,
        "x:loud": turns * -2_600,
    }
    made = Baseline(
        since=START - days * 86_400, until=START, healthy_s=days * 86_400, lines=dict.fromkeys(OVER, 600), redrawn=True,
        keys=list(KEYS), sums={kind: np.array(amounts) for kind, amounts in sums.items()},
        labels={"billing": 1e4, "sales": 1e4},
    )  # fmt: skip
    for kind, mean, deviation in MEANS:
        made.spread[kind] = (1e4 * (deviation**2 + mean**2), 1e4, 1e4, 1e4 * mean)
    made.exposed = np.full((7, BINS), days / 7)
    made.arrived = np.full((7, BINS), days / 7 * CALLS * 360)
    dice = np.random.default_rng(1)
    chance = np.rint(dice.exponential(NAT, (300, 3))).astype(np.int64)
    watch = ChangeDetector(ChangeDetectorState(baseline=made))
    watch.step(TickReading({}, np.empty(0, np.int64)), START)
    assert watch.weights is not None
    for stream in watch.weights.streams:
        made.peaks[stream.name] = chance + NAT
        made.peaks[f"{stream.name} in segments"] = chance + 4 * NAT
    return made


def nothing(kind: str, rate: np.ndarray, seconds: float) -> np.ndarray:
    """No change."""
    return rate


def readings(minutes: float, change: Change = nothing, seed: int = 7) -> list[tuple[float, TickReading]]:
    """A stream of marks."""
    dice = np.random.default_rng(seed)
    return [
        (START + mark * 5.0, _reading(dice, mark * 5.0, change)) for mark in range(1, int(minutes * 12) + 1)
    ]


def _reading(dice: np.random.Generator, seconds: float, change: Change) -> TickReading:
    def rate(kind: str, usual: float) -> np.ndarray:
        return change(kind, np.full(len(KEYS), usual), seconds)

    turns = dice.poisson(SHARES * TURNS * rate("turns", 1.0))
    calls = dice.poisson(SHARES * CALLS * rate("ended", 1.0))
    counts = {"turns": turns, "v:rate": turns, "v:loud": turns}
    for kind, usual in RATES.items():
        counts[kind] = dice.binomial(turns, rate(kind, usual))
    counts["fault"] = np.sum([counts[kind] for kind in RATES], axis=0)
    for metric in OVER:
        counts[f"n:{metric}"] = turns
        counts[f"o:{metric}"] = dice.binomial(turns, rate(f"o:{metric}", 0.1))
    counts |= dict.fromkeys(("ended", "talked", "known", "cost", "sentiments", f"step:{STEP}"), calls)
    counts["failed"] = dice.binomial(calls, rate("failed", 0.2))
    counts["escalated"] = dice.binomial(calls, rate("escalated", 0.04))
    counts[f"hangup:{STEP}"] = dice.binomial(calls, rate("hangup", 0.02))
    counts["hangup"] = counts[f"hangup:{STEP}"] + dice.binomial(calls, 0.03)
    counts["started"] = dice.poisson(SHARES * CALLS * rate("started", 1.0))
    for (kind, mean, deviation), n in zip(MEANS, (calls, calls, turns, turns), strict=True):
        more = rate(kind, 0.0)
        counts[kind] = np.rint(n * (mean + more) + np.sqrt(n) * deviation * dice.normal(size=len(n))).astype(
            np.int64
        )
    parts = {}
    for kind, amounts in counts.items():
        rows = np.flatnonzero(amounts)
        if len(rows):
            parts[kind] = rows, amounts[rows].astype(np.int64)
    return TickReading(parts, np.empty(0, np.int64))


def watched(
    minutes: float, change: Change = nothing, seed: int = 7
) -> dict[tuple[str, Where], tuple[float, Alarm]]:
    """By (family, segment), when an alarm came first (seconds since the start), and what it was at the end."""
    watch = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    found: dict[tuple[str, Where], tuple[float, Alarm]] = {}
    for at, reading in readings(minutes, change, seed):
        for alarm in watch.step(reading, at):
            key = (alarm.family, alarm.where)
            found[key] = (found[key][0] if key in found else at - START, alarm)
    return found


def rows_of(**wanted: str) -> np.ndarray:
    """Which rows have all these segment values."""
    return np.array([set(wanted.items()) <= set(key) for key in KEYS])
