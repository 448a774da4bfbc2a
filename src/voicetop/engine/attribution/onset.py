"""When it began: the moment at which few became many. What counts errors asks here: the verdict and rules.

An alarm's onset is when its CUSUM was last 0 (`alerts/changes/cusum.py`): the same likelihood, over a longer time.
"""

from __future__ import annotations

import math

from voicetop.engine.snapshot import Where
from voicetop.engine.windows.ledger import Ledger
from voicetop.engine.windows.slots import FINE, SPANS


def of_errors(ledger: Ledger, where: Where, at: float, kind: str = "error") -> float:
    """The stamp time in the last five minutes, to 10 s, that parts few calls with errors from many most clearly.

    It is the split into two rates with the greatest Poisson likelihood, among those after which errors are no fewer.
    `kind` is any "error", those of a component ("error:llm") or one category ("error:llm:timeout").
    """
    cells = ledger.cells.matching(where)
    chosen = None if cells is None else frozenset(cells.tolist())
    numbers = range(int((at - SPANS["5m"]) // FINE) + 1, int(at // FINE) + 1)
    hits = [_hits(ledger.counts.over_time((FINE, number), chosen), kind) for number in numbers]
    before, after, best, first = 0, sum(hits), -math.inf, 0
    for split in range(len(hits)):
        score = _fit(before, split) + _fit(after, len(hits) - split)
        if score > best and after * split >= before * (len(hits) - split):
            best, first = score, split
        before, after = before + hits[split], after - hits[split]
    return float(numbers[first] * FINE)


def _hits(sums: dict[str, int], kind: str) -> int:
    if kind == "error":
        return sums.get(kind, 0)
    return sum(amount for name, amount in sums.items() if name == kind or name.startswith(f"{kind}:"))


def _fit(count: int, slots: int) -> float:
    """The greatest log-likelihood of so many in so many slots, without what is the same for all of them."""
    return count * math.log(count / slots) if count else 0.0
