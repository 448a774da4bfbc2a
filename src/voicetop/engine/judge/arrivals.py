"""Calls arriving: far fewer than the last half-hour, and what is usual at this hour, let expect."""

from __future__ import annotations

import numpy as np

from voicetop.engine.attribution.change_point import Series, began, ended
from voicetop.engine.judge.errors import OVER
from voicetop.engine.judge.mark import ActiveTrouble, Finding, Mark
from voicetop.engine.normals import handling_s, too_young
from voicetop.engine.snapshot import NAN, Trouble
from voicetop.engine.thresholds import FEW_CALLS, HARDLY_A_CALL
from voicetop.engine.windows.slots import MINUTE, SPANS
from voicetop.formatting.numbers import known

CLEAR = 9.0
"""The least log-likelihood ratio (nats) against the threshold's rate from which a drop is beyond doubt."""
LOOK_BACK = range(6, 36)
"""Minutes ago that the expectation is taken from."""
LIVE_SHARE = 0.5
MOST_BURSTY = 1.5
"""Times the median minute that a mean minute may have: calls that come in bursts let nothing be expected."""
LEAST_MINUTES, LEAST_CALLS = 10, 20


def find(mark: Mark, floor: float, *, on: float, trend: float) -> list[Finding]:
    """Fewer calls than expected; `on` are those expected a minute where it is a trouble already (NaN: it isn't)."""
    rate = on if known(on) else expected_per_min(mark) * trend
    if not rate > 0 or too_young(mark.ledger) or not (known(on) or _told_at_once(mark, rate)):
        return []
    series = _series(mark, rate).since(floor)
    change = began(series, low=True)
    clear = began(series.scaled(FEW_CALLS), low=True).score >= CLEAR
    if not known(on) and (not clear or known(_back_since(series.since(change.onset)))):
        return []
    minutes = (mark.at - max(change.onset, series.edges[0]) if known(change.onset) else SPANS["5m"]) / 60
    down = (
        began(series.scaled(2 * HARDLY_A_CALL), low=True).score >= CLEAR
        and change.hits < HARDLY_A_CALL * change.expected
    )
    trouble = Trouble(
        "traffic", mark.at, "down" if down else "degraded", change.hits / max(minutes, 1 / 60), rate,
        int(change.hits), over_s=60 * minutes,
    )  # fmt: skip
    return [Finding(trouble, change)]


def recovered(mark: Mark, active: ActiveTrouble) -> float:
    """Since when calls arrive again; NaN while they don't."""
    return _back_since(_series(mark, active.trouble.normal).since(active.since))


def _back_since(series: Series) -> float:
    nats, since = ended(series, FEW_CALLS)
    return since if nats >= OVER else NAN


def _told_at_once(mark: Mark, rate: float) -> bool:
    """Whether calls are told when they begin: as many are live as arrive and last (Little's law).

    Some publishers tell of a call when it has ended. The last minutes of such a feed never have a beginning.
    """
    handling = handling_s(mark.ledger.counts.sums("30m", None))
    return mark.recent_peak >= LIVE_SHARE * rate * handling / 60


def expected_per_min(mark: Mark) -> float:
    """Mean of calls per minute in the half-hour before the last five minutes; NaN of too few healthy minutes."""
    now = int(mark.at // MINUTE)
    minutes = [now - ago for ago in LOOK_BACK if now - ago not in mark.troubled]
    counts = [mark.ledger.recent.sum((MINUTE, minute)).get("started", 0) for minute in minutes]
    if len(counts) < LEAST_MINUTES or sum(counts) < LEAST_CALLS:
        return NAN
    return min(float(np.mean(counts)), MOST_BURSTY * float(np.median(counts)))


def _series(mark: Mark, per_min: float) -> Series:
    edges = mark.edges()
    return mark.series(mark.counts("started", None), per_min / 60 * np.diff(edges))
