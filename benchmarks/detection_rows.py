"""A run of `detection.py` by kind of incident, and as multiples of what information alone allows.

The floor is the least time to detection at one false alarm in 180 days and the mean traffic of 10,000 calls a day; at
another traffic, and at the hour at which an incident begins, it is longer by as much as calls are fewer.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

FLOOR_S = {
    "llm_outage": 8.0, "llm_brownout": 108.0, "asr_timeouts": 78.0, "tool_5xx": 156.0, "seg_latency": 450.0,
    "seg_errors": 1200.0, "sentiment_deploy": 1320.0,
}  # fmt: skip
FLOOR_CALLS = 10_000.0
KINDS = ("sudden", "segment", "slow")
Episode = tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]
"""(truth, score, alerts)."""


def show(yardstick: ModuleType, folder: Path) -> None:
    """Print what the yardstick's own table leaves to the reader."""
    by_traffic: dict[int, list[Episode]] = {}
    for path in sorted((folder / "truth").glob("*.truth.json")):
        truth = json.loads(path.read_text())
        told = folder / "alerts" / f"{path.name.removesuffix('.truth.json')}.jsonl"
        alerts = [json.loads(line) for line in told.read_text().splitlines()]
        by_traffic.setdefault(truth["calls_per_day"], []).append(
            (truth, yardstick.score_one(truth, alerts), alerts)
        )
    for calls, episodes in sorted(by_traffic.items()):
        print(f"\n{calls} calls/day, by kind")
        for kind in KINDS:
            _found(kind, [one for one in episodes if one[0]["kind"] == kind])
        _blamed([one for one in episodes if one[0]["kind"] == "sudden"])
        _false([one for one in episodes if one[0]["kind"] == "benign"])
        _multiples(yardstick, episodes)


def _found(kind: str, episodes: list[Episode]) -> None:
    if not episodes:
        return
    took = sorted(math.inf if score["ttd"] is None else score["ttd"] for _, score, _ in episodes)
    share = sum(one < math.inf for one in took) / len(took)
    p90 = took[min(len(took) - 1, math.ceil(0.9 * len(took)) - 1)]
    right = [score["seg_ok"] for _, score, _ in episodes if score["seg_ok"] is not None]
    exact = f", segment exactly right {100 * sum(right) / len(right):.0f} %" if right else ""
    print(
        f"  {kind:8s} n {len(took):3d}: found {100 * share:.0f} %, median {_words(float(np.median(took)))}, "
        f"P90 {_words(p90)}{exact}"
    )


def _blamed(episodes: list[Episode]) -> None:
    first = [
        next((bool(one["segment"]) for one in alerts if truth["onset"] <= one["t"] <= truth["end"]
              and one["family"] in truth["families"]), False)
        for truth, _, alerts in episodes
    ]  # fmt: skip
    if first:
        print(f"  global incidents blamed on a segment at first: {100 * sum(first) / len(first):.1f} %")


def _false(episodes: list[Episode]) -> None:
    days = sum(score["days_clean"] for _, score, _ in episodes)
    if days:
        warned = sum(score["fp"] for _, score, _ in episodes) / days
        paged = sum(score["fc"] for _, score, _ in episodes) / days
        print(f"  benign   {days:.0f} days: {warned:.2f} false warnings a day, {paged:.3f} false pages a day")


def _multiples(yardstick: ModuleType, episodes: list[Episode]) -> None:
    every: list[float] = []
    for name, floor in FLOOR_S.items():
        of = [
            math.inf if score["ttd"] is None else score["ttd"] / (floor * _scarcity(yardstick, truth))
            for truth, score, _ in episodes
            if truth["scenario"] == name
        ]
        every += of
        if of:
            print(
                f"  {name:16s} {np.median(of):5.1f} × the floor at the traffic of the hour (median of {len(of)})"
            )
    if every:
        within = sum(one <= 2 for one in every) / len(every)
        print(f"  at most twice the floor in {100 * within:.0f} % of {len(every)} episodes")


def _scarcity(yardstick: ModuleType, truth: dict[str, Any]) -> float:
    """How many times fewer calls come at the onset than at the mean of 10,000 a day."""
    seconds = truth["onset"] - yardstick.EPOCH
    hour, day = seconds / 3600 % 24, int(seconds // yardstick.DAY) % 7
    share = float(yardstick.diurnal(np.array([hour]), np.array([day]))[0]) / yardstick.SHAPE_MEAN
    return FLOOR_CALLS / truth["calls_per_day"] / share


def _words(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "missed"
    return (
        f"{seconds:.0f} s"
        if seconds < 600
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
