"""From an estimated onset to the change that caused it: a deploy at 14:01:30 is exact, an estimate is not."""

from __future__ import annotations

from collections.abc import Iterable

from voicetop.engine.attribution.markers import CHANGES
from voicetop.wire.events import Marker


def snapped(
    markers: Iterable[Marker], earliest: float, best: float, latest: float
) -> tuple[float, Marker | None]:
    """The onset, and the change that it began with.

    `best` is the estimate, and `earliest` and `latest` are its bounds (stamp times). A change within the bounds, the
    nearest to the estimate if there are several, gives the onset; without one, or with unknown bounds, the estimate
    stays.
    """
    within = [marker for marker in markers if marker.kind in CHANGES and earliest <= marker.ts <= latest]
    if not within:
        return best, None
    nearest = min(within, key=lambda marker: (abs(marker.ts - best), marker.ts))
    return nearest.ts, nearest
