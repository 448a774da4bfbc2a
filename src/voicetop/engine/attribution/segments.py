"""Whose is it: the conjunction of segment values that explains an excess, or everybody. The one place to ask.

There are three searches with one result, since they are asked under different conditions. The top line asks anew at
every mark, of whatever the windows hold: a beam search (`beam_scan.py`) over the cells that are there now, whose
expectations are no better than a day's past and so are compared inside against outside. An alarm asks once, of a
change that is already beyond doubt, with learned expectations: an exhaustive scan (`exhaustive_scan.py`) over
conjunctions that are numbered once (`conjunctions.py`, for their CUSUMs too) and weighed against each other and
against everybody. Both judge by the thresholds of `likelihood.py`. Where both speak of one trouble, the incident's
answer is the one that is shown (`views/verdict.py`). Callers who are stuck now are compared with all live calls
(`stuck_scan.py`), by both alike.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.attribution import beam_scan, exhaustive_scan, stuck_scan
from voicetop.engine.attribution.conjunctions import Conjunctions
from voicetop.engine.attribution.likelihood import CONVINCING, Attribution
from voicetop.engine.calls import Call
from voicetop.engine.normals import handling_s, share_of_call
from voicetop.engine.snapshot import Where
from voicetop.engine.windows.ledger import Ledger

Vector = NDArray[np.float64]
PRIOR = 20.0
"""Turns of the fleet's own rate that a cell's past is mixed with, so that a small cell isn't judged by two turns."""


def expected(n_now: Vector, hits_before: Vector, n_before: Vector) -> Vector:
    """What each cell's own past lets expect of `n_now` trials.

    A past below nothing is none: the last seconds are in the short window before they are in the long one.
    """
    hits_before, n_before = np.maximum(hits_before, 0), np.maximum(n_before, 0)
    total = n_before.sum()
    rate = hits_before.sum() / total if total else 0.0
    return n_now * (hits_before + PRIOR * rate) / (n_before + PRIOR)


def of_errors(ledger: Ledger, convincing: float = CONVINCING) -> Attribution:
    """Calls with an error in the last 5 minutes, against how many of them each cell has always had."""
    used, counts, sums = len(ledger.cells), ledger.counts, ledger.counts.sums("30m", None)
    hits, ended = (counts.by_cell("5m", kind)[:used].astype(float) for kind in ("error", "ended"))
    before, of = (counts.by_cell("24h", kind)[:used].astype(float) for kind in ("error", "ended"))
    active = np.array(ledger.cells.live, float) + ended
    expect = expected(active * share_of_call("5m", handling_s(sums)), before - hits, of - ended)
    return beam_scan.scan(ledger.columns.update(ledger.cells), hits, expect, convincing)


def of_slow_turns(ledger: Ledger, bucket: int, convincing: float = CONVINCING) -> Attribution:
    """Turns from `bucket` on in the last 5 minutes, against how many of them each cell has always had."""
    slow, n = ledger.windows.slow_by_cell("5m", bucket, len(ledger.cells))
    slow_day, n_day = ledger.windows.slow_by_cell("24h", bucket, len(ledger.cells))
    expect = expected(n, slow_day - slow, n_day - n)
    return beam_scan.scan(ledger.columns.update(ledger.cells), slow, expect, convincing)


def of_stuck(
    ledger: Ledger, stuck: Iterable[Call], before: Where = (), convincing: float = stuck_scan.CONVINCING
) -> Attribution:
    """Callers who are stuck now, against all live calls; `before` is what was found at the last mark."""
    cells = [call.cell for call in stuck]
    hits = np.bincount(np.array(cells, np.intp), minlength=len(ledger.cells))
    live = np.array(ledger.cells.live, np.int64)
    return stuck_scan.scan(ledger.columns.update(ledger.cells), hits, live, before, convincing)


def of_change(hits: Vector, expect: Vector, conjunctions: Conjunctions) -> Attribution:
    """Hits of a change by row of the baseline, against how many were expected in each since its onset."""
    return exhaustive_scan.scan(hits, expect, conjunctions)
