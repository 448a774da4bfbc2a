"""The hours of the day as rows beside segments: each hour of the last 24 against the others of the same day.

The hour is time and no dimension of a cell, so its rows are made of what was kept by the quarter of an hour.
"""

from __future__ import annotations

import numpy as np

from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import NAN, SegmentsPanel
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.histograms import Histogram
from voicetop.views.segment_table import KINDS, Group, row_of

HOUR_S = 3600
DIMENSION = "hour"


def panel(quarters: list[tuple[float, Histogram, dict[str, int]]]) -> SegmentsPanel:
    """Rows out of (start, e2e counts, sums) of each quarter, by the hour of the day (UTC), the worst first."""
    hours: dict[int, tuple[Histogram, dict[str, int]]] = {}
    for start, e2e, sums in quarters:
        counts, so_far = hours.setdefault(
            int(start) // HOUR_S % 24, (np.zeros(BUCKETS, np.int64), dict.fromkeys(KINDS, 0))
        )
        counts += e2e
        for kind in KINDS:
            so_far[kind] += sums.get(kind, 0)
    everything = np.sum([counts for counts, _ in hours.values()], axis=0)
    whole = {kind: sum(sums[kind] for _, sums in hours.values()) for kind in KINDS}
    groups = [
        Group(
            value=f"{hour:02d}",
            now=counts,
            waits=np.zeros(BUCKETS, np.int64),
            normals=Normals({"e2e": everything - counts}, {kind: whole[kind] - sums[kind] for kind in KINDS}),
            sums=sums,
            business=sums,
        )
        for hour, (counts, sums) in hours.items()
    ]
    all_ended = max(1, whole["ended"])
    rows = [row_of(group, groups, all_ended, NAN, "24h") for group in groups if group.active]
    rows.sort(key=lambda row: (-len(row.worse), row.value))
    return SegmentsPanel(DIMENSION, tuple(rows))
