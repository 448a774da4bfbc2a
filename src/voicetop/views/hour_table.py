"""The hours of the day as a segment dimension: each of the last 24 hours against the others.

The hour isn't a dimension of cells, so its rows are made of buckets of time. That of the current hour has two parts:
today's minutes, and the rest of yesterday's. A quarter with a problem on the screen counts in its own hour, and not in
the normals of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

import numpy as np

from voicetop.engine import thresholds
from voicetop.engine.attribution.rows import counted
from voicetop.engine.attribution.segments import Trials
from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import SegmentsPanel
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.counts import PAST
from voicetop.engine.windows.histograms import Histogram
from voicetop.engine.windows.slots import HOUR, MINUTE, QUARTER
from voicetop.views.over_time import Bucket, OverTime, live_at_ends
from voicetop.views.scope import Scope
from voicetop.views.segment_table import KINDS, Group, rows_of

_Sums: TypeAlias = tuple[Histogram, dict[str, int]]
DIMENSION = "hour"


def narrow(scope: Scope, over_time: OverTime) -> None:
    """Let a scope that is filtered to an hour count what the row of that hour counts."""
    if scope.hour is None:
        return
    hours = over_time.buckets(scope, HOUR, 25)
    own = [
        (bucket, live)
        for bucket, live in zip(hours, live_at_ends(hours, scope.live_now), strict=True)
        if _hour_of(bucket) == scope.hour
    ]
    scope.e2e_waits = np.sum([bucket.waits for bucket, _ in own], axis=0)
    scope.active = sum(live for _, live in own) + scope.sums.get("ended", 0)
    scope.sums["error"] = sum(bucket.failed for bucket, _ in own)
    for past in [kind for kind in scope.sums if kind.startswith(PAST)]:
        kind = f"error:{past.removeprefix(PAST)}"
        scope.sums[kind] = scope.sums.get(kind, 0) + scope.sums[past]


def panel(over_time: OverTime, scope: Scope, troubled: Collection[int]) -> SegmentsPanel:
    """One row per hour of the day (UTC), the worst first; `troubled` minutes (since the epoch) had a problem."""
    hours = over_time.buckets(scope, HOUR, 25)
    quarters = over_time.buckets(scope, QUARTER, 97)
    return table(hours, live_at_ends(hours, scope.live_now), quarters, troubled)


def table(
    hours: Sequence[Bucket], live: Sequence[int], quarters: Iterable[Bucket], troubled: Collection[int] = ()
) -> SegmentsPanel:
    """The same of `hours` with the calls `live` at their ends; normals are those of `quarters`."""
    bad = {minute * MINUTE // QUARTER for minute in troubled}
    healthy = _by_hour(quarter for quarter in quarters if quarter.start // QUARTER not in bad)
    nothing: _Sums = (np.zeros(BUCKETS, np.int64), dict.fromkeys(KINDS, 0))
    everything = np.sum([nothing[0], *(counts for counts, _ in healthy.values())], axis=0)
    whole = {kind: sum(sums[kind] for _, sums in healthy.values()) for kind in KINDS}
    groups: dict[str, Group] = {}
    for bucket, at_end in zip(hours, live, strict=True):
        hour = _hour_of(bucket)
        usual = healthy.get(hour, nothing)
        normals = Normals(
            {"e2e": everything - usual[0]}, {kind: whole[kind] - usual[1][kind] for kind in KINDS}
        )
        sums = {kind: bucket.sums.get(kind, 0) for kind in KINDS} | {"error": bucket.failed}
        group = Group(f"{hour:02d}", bucket.e2e, bucket.waits, normals, sums, sums, at_end)
        groups[group.value] = _joined(groups[group.value], group) if group.value in groups else group
    everyone = [group for group in groups.values() if group.sums["ended"] or group.now.any()]
    _compare(everyone, thresholds.bucket_after(everything))
    rows = rows_of(everyone, "24h")
    rows.sort(key=lambda row: (-len(row.worse), row.value))
    return SegmentsPanel(DIMENSION, tuple(rows))


def _compare(hours: list[Group], slow_from: int) -> None:
    """Count the slow turns and failed calls of each hour against those of the others."""
    past = [hour.normals for hour in hours]
    waits = [hour.waits[slow_from:].sum() for hour in hours]
    slow = Trials(
        np.array([hour.now[slow_from:].sum() for hour in hours], np.float64),
        np.array([hour.now.sum() for hour in hours], np.float64),
        np.array([usual.histograms["e2e"][slow_from:].sum() for usual in past], np.float64),
        np.array([usual.histograms["e2e"].sum() for usual in past], np.float64),
    ).also(np.array(waits, np.float64))
    failed = Trials(
        np.array([hour.sums["error"] for hour in hours], np.float64),
        np.array([hour.active for hour in hours], np.float64),
        np.array([usual.sums["error"] for usual in past], np.float64),
        np.array([usual.sums["ended"] for usual in past], np.float64),
    )
    each = [[number] for number in range(len(hours))]
    for hour, slow_turns, failed_calls in zip(hours, counted(slow, each), counted(failed, each), strict=True):
        hour.slow, hour.failed = slow_turns, failed_calls


def _hour_of(bucket: Bucket) -> int:
    return int(bucket.start) // HOUR % 24


def _joined(a: Group, b: Group) -> Group:
    sums = {kind: a.sums[kind] + b.sums[kind] for kind in KINDS}
    return Group(a.value, a.now + b.now, a.waits + b.waits, a.normals, sums, sums, a.live + b.live)


def _by_hour(quarters: Iterable[Bucket]) -> dict[int, _Sums]:
    hours: dict[int, _Sums] = {}
    for quarter in quarters:
        counts, so_far = hours.setdefault(
            _hour_of(quarter), (np.zeros(BUCKETS, np.int64), dict.fromkeys(KINDS, 0))
        )
        counts += quarter.e2e
        for kind in KINDS:
            so_far[kind] += quarter.sums.get(kind, 0)
    return hours
