"""With which change did it begin? Likelihood, and the versions compared.

A deploy is blamed where two things hold: the change is at least eleven times as likely to have begun at the marker as
at any other time of the last hours, and the hits have grown more in the new version than in the others (z > 2). Where
a marker names no version, or only one is seen, the first has to do alone, and is asked for more.
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

LIKELIER, ALONE = 11.0, 40.0
Z = 2.0


def blame(alarm: Alarm, stream: MonitoredRate, markers: list[Marker], evidence: Evidence) -> AttributedChange:
    """The marker that it began with; empty where none convinces."""
    for marker in changes_near(markers, alarm.onset):
        ratio = _likelier(alarm, stream, marker.ts, evidence)
        z = _difference(stream, marker, evidence)
        if (ratio > LIKELIER and z > Z) or (math.isnan(z) and ratio > ALONE):
            return AttributedChange(marker.label, marker.version, alarm.onset - marker.ts)
    return AttributedChange()


def _likelier(alarm: Alarm, stream: MonitoredRate, began: float, evidence: Evidence) -> float:
    """The likelihood of a change at `began` against the mean over all times of the last hours."""
    slots = evidence.by_slot(stream)
    if len(slots) < 3:
        return 0.0
    starts = np.array([start for start, _, _ in slots])
    hits = np.array([came for _, came, _ in slots])
    hoped = np.maximum(np.array([expected for _, _, expected in slots]), 1e-9)
    scores = []
    for first in range(len(slots)):
        o, e = hits[first:].sum(), hoped[first:].sum()
        scores.append(o * math.log(o / e) - (o - e) if o > e else 0.0)
    place = int(np.searchsorted(starts, began, side="right")) - 1
    if place < 0:
        return 0.0
    here = max(scores[place : place + 2])
    top = max(scores)
    mean = float(np.exp(np.array(scores) - top).sum()) / SLOTS  # of times before the feed nothing speaks
    return math.exp(here - top) / mean if alarm.trials else 0.0


def _difference(stream: MonitoredRate, marker: Marker, evidence: Evidence) -> float:
    """The z of how much more the marker's version grew than the others; NaN where there is nothing to compare."""
    if not marker.version:
        return math.nan
    new = evidence.version_since(stream, marker.ts, marker.version)
    if new is None:
        return math.nan
    (came, expected), (came_else, expected_else) = new
    if expected <= 0 or expected_else <= 0:
        return math.nan
    more = math.log((came + 0.5) / (expected + 0.5)) - math.log((came_else + 0.5) / (expected_else + 0.5))
    return more / math.sqrt(1 / (came + 0.5) + 1 / (came_else + 0.5))
