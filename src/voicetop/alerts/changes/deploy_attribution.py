"""The change of the agent that an alarm began with: one within the bounds of its onset, or one of its version.

A change within the bounds is the onset (`snapped`) unless its version speaks against it: an outage of a provider hits
all versions alike, so errors and response times must have grown more in the new version than in the others. What
callers do and what calls cost seldom changes by itself, so there the time decides, as it does where no versions can be
compared; the bounds must be narrow then, as wide ones contain some change by chance. A version that is beyond doubt is
named even if its change lies before the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from voicetop.alerts.changes.alarms import VERSION, Alarm
from voicetop.alerts.changes.evidence import Evidence
from voicetop.alerts.changes.onset import Onset
from voicetop.alerts.changes.signal_text import AttributedChange
from voicetop.alerts.changes.streams import MonitoredRate
from voicetop.alerts.signals import Family
from voicetop.engine.attribution.markers import changes_near, name
from voicetop.engine.attribution.snapping import GUILTY_Z, log_ratio_z, snapped
from voicetop.wire.events import Marker

FROM_OUTSIDE: frozenset[Family] = frozenset({"errors", "latency"})
"""What providers can break for all versions."""
CERTAIN_Z = 3.0
MAX_BOUNDS_S = 300.0
MAX_LAG_S = 600.0
"""How long a new version may take to reach so many calls that its change shows."""


def date(
    alarm: Alarm, stream: MonitoredRate, markers: Sequence[Marker], evidence: Evidence, onset: Onset
) -> None:
    """Set the onset of an alarm, with its bounds and the change that lies within them."""
    alarm.earliest, alarm.latest = onset.earliest, onset.latest
    narrow = onset.latest - onset.earliest <= MAX_BOUNDS_S
    suspects = [
        marker
        for marker in changes_near(markers, onset.best)
        if _is_suspect(stream, _version_z(alarm, stream, marker, evidence), narrow=narrow)
    ]
    alarm.began, marker = snapped(suspects, onset.earliest, onset.best, onset.latest)
    alarm.marker = name(marker) if marker is not None else ""


def blame(
    alarm: Alarm, stream: MonitoredRate, markers: Sequence[Marker], evidence: Evidence
) -> AttributedChange:
    """The change that a dated alarm began with; empty if none convinces."""
    near = changes_near(markers, alarm.began)
    if alarm.marker:
        version = next((marker.version for marker in near if name(marker) == alarm.marker), "")
        return AttributedChange(alarm.marker, version, 0.0)
    for marker in near:
        if (
            0 <= alarm.began - marker.ts <= MAX_LAG_S
            and _version_z(alarm, stream, marker, evidence) > CERTAIN_Z
        ):
            return AttributedChange(name(marker), marker.version, alarm.began - marker.ts)
    return AttributedChange()


def _is_suspect(stream: MonitoredRate, z: float, *, narrow: bool) -> bool:
    if z > GUILTY_Z:
        return True
    acquitted = stream.family in FROM_OUTSIDE or z < -GUILTY_Z
    return narrow and (math.isnan(z) or not acquitted)


def _version_z(alarm: Alarm, stream: MonitoredRate, marker: Marker, evidence: Evidence) -> float:
    """z-score of the marker version's growth against the others'; NaN if there is nothing to compare."""
    if not marker.version:
        return math.nan
    if (VERSION, marker.version) in alarm.scope:
        return math.inf
    new = evidence.version_since(stream, marker.ts, marker.version)
    if new is None:
        return math.nan
    (hits, expected), (other_hits, other_expected) = new
    if expected <= 0 or other_expected <= 0:
        return math.nan
    return log_ratio_z((hits, expected), (other_hits, other_expected))
