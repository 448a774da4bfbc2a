"""Attributes a change to a deploy marker, by likelihood and by comparing versions.

A deploy is blamed if the change is at least eleven times as likely to have begun at the marker as at any other time of
the last hours, and hits have grown more in the new version than in the others (z > 2). If the marker names no version,
or only one version is seen, the first test decides alone, at a higher ratio.
"""

from __future__ import annotations

import math

import numpy as np

from voicetop.alerts.changes.alarms import Alarm
from voicetop.alerts.changes.evidence import Evidence
from voicetop.alerts.changes.recent_sums import SLOTS
from voicetop.alerts.changes.signal_text import AttributedChange
from voicetop.alerts.changes.streams import MonitoredRate
from voicetop.engine.attribution.markers import changes_near
from voicetop.wire.events import Marker

MIN_RATIO, MIN_RATIO_ALONE = 11.0, 40.0
MIN_Z = 2.0


def blame(alarm: Alarm, stream: MonitoredRate, markers: list[Marker], evidence: Evidence) -> AttributedChange:
    """The marker that the change began with; empty if none convinces."""
    for marker in changes_near(markers, alarm.onset):
        ratio = _likelihood_ratio(alarm, stream, marker.ts, evidence)
        z = _version_z(stream, marker, evidence)
        if (ratio > MIN_RATIO and z > MIN_Z) or (math.isnan(z) and ratio > MIN_RATIO_ALONE):
            return AttributedChange(marker.label, marker.version, alarm.onset - marker.ts)
    return AttributedChange()


def _likelihood_ratio(alarm: Alarm, stream: MonitoredRate, marker_ts: float, evidence: Evidence) -> float:
    """The likelihood of a change at `marker_ts` against the mean over all times of the last hours."""
    slots = evidence.by_slot(stream)
    if len(slots) < 3:
        return 0.0
    starts = np.array([start for start, _, _ in slots])
    hits = np.array([count for _, count, _ in slots])
    expected = np.maximum(np.array([expected for _, _, expected in slots]), 1e-9)
    scores = []
    for first in range(len(slots)):
        o, e = hits[first:].sum(), expected[first:].sum()
        scores.append(o * math.log(o / e) - (o - e) if o > e else 0.0)
    place = int(np.searchsorted(starts, marker_ts, side="right")) - 1
    if place < 0:
        return 0.0
    here = max(scores[place : place + 2])
    top = max(scores)
    mean = float(np.exp(np.array(scores) - top).sum()) / SLOTS  # slots before the feed began count as zero
    return math.exp(here - top) / mean if alarm.trials else 0.0


def _version_z(stream: MonitoredRate, marker: Marker, evidence: Evidence) -> float:
    """z-score of the marker version's growth against the others'; NaN if there is nothing to compare."""
    if not marker.version:
        return math.nan
    new = evidence.version_since(stream, marker.ts, marker.version)
    if new is None:
        return math.nan
    (hits, expected), (other_hits, other_expected) = new
    if expected <= 0 or other_expected <= 0:
        return math.nan
    log_ratio = math.log((hits + 0.5) / (expected + 0.5)) - math.log(
        (other_hits + 0.5) / (other_expected + 0.5)
    )
    return log_ratio / math.sqrt(1 / (hits + 0.5) + 1 / (other_hits + 0.5))
