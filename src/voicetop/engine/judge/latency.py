"""Response times: the whole reply and each stage against its own normal, of the fleet or of a segment."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from voicetop.engine import thresholds
from voicetop.engine.attribution import segments, stages
from voicetop.engine.attribution.change_point import Change, Series, began
from voicetop.engine.attribution.likelihood import Attribution
from voicetop.engine.judge.errors import LOCAL_RATIO, lasts, over_since
from voicetop.engine.judge.mark import ActiveTrouble, Finding, Mark
from voicetop.engine.normals import LEARNED_TURNS, Cells, Normals, normal_of
from voicetop.engine.snapshot import NAN, Trouble
from voicetop.engine.thresholds import Threshold
from voicetop.engine.windows.buckets import censored_quantile
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.formatting.numbers import known

CLEAR = 12.0
"""The least log-likelihood ratio (nats): more than for errors, since slow turns come in clusters."""
SLOW_RATIO = 1.4
"""Times the normal share of slow turns that may be a quiet change of the mix of calls."""
LASTING_S = 60.0
"""How long replies have to be slow: a provider's hiccup of 45 s is over before anybody could act."""
E2E = "e2e"


def find(mark: Mark, floor: float, *, on: bool) -> list[Finding]:
    """The fleet's slow replies, or else the stage that is off its own normal by most."""
    found = [_slow(mark, metric, None, mark.usual, floor, on=on) for metric in (E2E, *stages.SPLIT)]
    slow = [finding for finding in found if finding is not None]
    if not slow:
        return []
    worst = slow[0] if slow[0].trouble.figure == E2E else max(slow, key=lambda one: one.trouble.stage_more_ms)
    who = segments.of_slow_turns(mark.ledger, mark.usual.slow_from)
    return [_of(worst, mark, who)]


def find_local(mark: Mark, floor: float) -> list[Finding]:
    """Latency hidden in the fleet's percentiles: a conjunction that is slow while the rest is normal."""
    if not mark.usual.learned:
        return []
    who = segments.of_slow_turns(mark.ledger, mark.usual.slow_from, LOCAL_RATIO)
    if not who.where:
        return []
    cells = mark.ledger.cells.matching(who.where)
    slow = _slow(mark, E2E, cells, mark.usual_of(cells), floor, on=False)
    return [_of(slow, mark, who, local=True)] if slow is not None else []


def recovered(mark: Mark, active: ActiveTrouble) -> float:
    """Since when these replies are as fast as normal again; NaN while they aren't."""
    trouble = active.trouble
    cells = mark.ledger.cells.matching(trouble.where) if trouble.local else None
    series = _series(mark, trouble.figure or E2E, cells, mark.usual_of(cells))
    return over_since(series.since(active.since), active.ratio, SLOW_RATIO) if series is not None else NAN


def _of(slow: Finding, mark: Mark, who: Attribution, *, local: bool = False) -> Finding:
    trouble = replace(slow.trouble, where=who.where, explains=who.explains, local=local)
    if trouble.figure == E2E:
        cells = mark.ledger.cells.matching(who.where) if local else None
        now = mark.ledger.windows.histograms("5m", cells, len(mark.ledger.cells))
        cause = stages.culprit(now, mark.usual_of(cells).histograms)
        trouble = replace(trouble, stage=cause.stage, stage_more_ms=cause.more_ms)
    return Finding(trouble, slow.change)


def _series(mark: Mark, metric: str, cells: Cells, usual: Normals) -> Series | None:
    """Turns beyond the normal P95 by slot, with waits that are as long already; None without a normal."""
    past = usual.histograms.get(metric)
    if past is None or int(past.sum()) < LEARNED_TURNS:
        return None
    slow_from = thresholds.bucket_after(past)
    share = float(past[slow_from:].sum() / past.sum())
    counts, waits = _counts(mark, metric, cells)
    hits, n = counts[:, slow_from:].sum(axis=1), counts.sum(axis=1)
    late = waits[:, slow_from:].sum(axis=1)
    return mark.series((hits + late).astype(float), max(share, 1e-3) * (n + late))


def _counts(mark: Mark, metric: str, cells: Cells) -> tuple[Histogram, Histogram]:
    """(completed, waits) by slot and bucket; the callers who still wait are in the last slot."""
    times = mark.times(cells)
    counts = times[:, METRIC[metric]]
    if metric != E2E:
        return counts, np.zeros_like(counts)
    waits = times[:, METRIC["waited"]].copy()
    waits[-1] += mark.waits(cells)
    return counts, waits


def _slow(mark: Mark, metric: str, cells: Cells, usual: Normals, floor: float, *, on: bool) -> Finding | None:
    series = _series(mark, metric, cells, usual)
    if series is None:
        return None
    series = series.since(floor)
    change = began(series)
    if not on and not _lasts(series, change, mark.at):
        return None
    counts, waits = _counts(mark, metric, cells)
    first = int(np.searchsorted(mark.edges()[:-1], change.onset)) if known(change.onset) else 0
    past = usual.histograms[metric]
    threshold = (
        (thresholds.SEGMENT_LATENCY if cells is not None else thresholds.LATENCY)
        if metric == E2E
        else thresholds.STAGE
    )
    trouble = _worst_quantile(
        metric, counts[first:].sum(axis=0), waits[first:].sum(axis=0), past, threshold, on=on
    )
    return (
        Finding(replace(trouble, since=mark.at, over_s=mark.at - change.onset), change)
        if trouble is not None
        else None
    )


def _lasts(series: Series, change: Change, at: float) -> bool:
    """Whether many more turns than normal are slow, have been for a while, and still are."""
    if at - change.onset < LASTING_S or began(series.scaled(SLOW_RATIO)).score < CLEAR:
        return False
    return lasts(series, change, SLOW_RATIO)


def _worst_quantile(
    metric: str, counts: Histogram, waits: Histogram, past: Histogram, threshold: Threshold, *, on: bool
) -> Trouble | None:
    """P95 or P50, whichever is over its threshold by most; while `on`, the one that is nearest to it."""
    n, best = int(counts.sum() + waits.sum()), None
    for q in (0.95, 0.5):
        normal = normal_of(past, q)
        value, at_least = censored_quantile(counts, waits, q)
        if not normal.known or n < threshold.least_n or not (on or value > threshold.at(normal)):
            continue
        ratio = value / normal.value
        if best is None or ratio > best[0]:
            trouble = Trouble(
                "latency", 0.0, "degraded", value, normal.value, n, at_least=at_least, figure=metric,
                quantile=q, stage="" if metric == E2E else metric, stage_more_ms=value - normal.value,
            )  # fmt: skip
            best = (ratio, trouble)
    return best[1] if best is not None else None
