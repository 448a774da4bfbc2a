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
from typing import NamedTuple

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


class Trials(NamedTuple):
    """`hits` of `n` by cell, and those of the cells' own past."""

    hits: Vector
    n: Vector
    past_hits: Vector
    past_n: Vector

    @property
    def expected(self) -> Vector:
        """How many hits each cell's past lets expect."""
        return expected(self.n, self.past_hits, self.past_n)

    def without(self, hits: Vector, n: Vector) -> Trials:
        """Without a part of the past that was no healthy one."""
        return self._replace(past_hits=self.past_hits - hits, past_n=self.past_n - n)

    def also(self, hits: Vector) -> Trials:
        """With hits that aren't counted yet."""
        return self._replace(hits=self.hits + hits, n=self.n + hits)


def failed_calls(ledger: Ledger, span: str = "5m") -> Trials:
    """Calls with an error in a window, of those active in it."""

    def by_cell(window: str, kind: str) -> Vector:
        return ledger.counts.by_cell(window, kind)[: len(ledger.cells)].astype(float)

    active = np.array(ledger.cells.live, float) + by_cell(span, "ended")
    n = active * share_of_call(span, handling_s(ledger.counts.sums("30m", None)))
    past, past_n = (by_cell("24h", kind) - by_cell("5m", kind) for kind in ("error", "ended"))
    return Trials(by_cell(span, "error"), n, past, past_n)


def slow_turns(ledger: Ledger, bucket: int, span: str = "5m") -> Trials:
    """Turns from `bucket` on in a window."""
    used = len(ledger.cells)
    recent, recent_n = ledger.windows.slow_by_cell("5m", bucket, used)
    day, day_n = ledger.windows.slow_by_cell("24h", bucket, used)
    slow, n = (recent, recent_n) if span == "5m" else ledger.windows.slow_by_cell(span, bucket, used)
    return Trials(slow, n, day - recent, day_n - recent_n)


def of_errors(ledger: Ledger, convincing: float = CONVINCING) -> Attribution:
    """Calls with an error in the last 5 minutes, against how many of them each cell has always had."""
    return _of(ledger, failed_calls(ledger), convincing)


def of_slow_turns(ledger: Ledger, bucket: int, convincing: float = CONVINCING) -> Attribution:
    """Turns from `bucket` on in the last 5 minutes, against how many of them each cell has always had."""
    return _of(ledger, slow_turns(ledger, bucket), convincing)


def _of(ledger: Ledger, trials: Trials, convincing: float) -> Attribution:
    return beam_scan.scan(ledger.columns.update(ledger.cells), trials.hits, trials.expected, convincing)


def of_stuck(
    ledger: Ledger,
    stuck: Iterable[Call],
    before: Where = (),
    suspects: Iterable[Where] = (),
    convincing: float = stuck_scan.CONVINCING,
) -> Attribution:
    """Callers who are stuck now, against all live calls; `before` is what was found at the last mark.

    `suspects` are the segments of other troubles at this mark: they take fewer callers to be convincing.
    """
    cells = [call.cell for call in stuck]
    hits = np.bincount(np.array(cells, np.intp), minlength=len(ledger.cells))
    live = np.array(ledger.cells.live, np.int64)
    columns, named = ledger.columns.update(ledger.cells), frozenset(suspects)
    return stuck_scan.scan(columns, hits, live, before, named, convincing)


def of_change(hits: Vector, expect: Vector, conjunctions: Conjunctions) -> Attribution:
    """Hits of a change by row of the baseline, against how many were expected in each since its onset."""
    return exhaustive_scan.scan(hits, expect, conjunctions)
