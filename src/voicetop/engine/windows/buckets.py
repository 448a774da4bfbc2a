"""Buckets whose width grows with the value: any quantile within 1 % of the exact one, from counts alone.

A bucket is the exponent and the upper six bits of the mantissa of an IEEE double, the log-linear scheme of
HdrHistogram (Tene): 64 buckets an octave, none wider than 1/64 of its values, so that its middle is within 1/128
(0.8 %) of each of them. It takes a shift where a logarithm would take a library whose last bit differs by machine:
every console must find the same bucket.

Values run from 1 ms to 2²⁰ ms (17.5 minutes); what lies beyond counts as the end of the scale.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.int64]
SUB_BITS = 6
OCTAVES = 20
BUCKETS = OCTAVES << SUB_BITS
_SHIFT = 52 - SUB_BITS
_BIAS = 1023 << SUB_BITS
_LOWEST = 1.0
_HIGHEST = float(2**OCTAVES) * (1 - 2**-20)

QUANTILES = (0.50, 0.95, 0.99)


def bucket_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bucket of each value in ms; none may be NaN.

    >>> bucket_of(np.array([0.2, 1.0, 2.0, 1e9])).tolist()
    [0, 0, 64, 1279]
    """
    clipped = np.clip(values, _LOWEST, _HIGHEST)
    buckets: NDArray[np.int64] = (clipped.view(np.int64) >> _SHIFT) - _BIAS
    return buckets


def _edges() -> NDArray[np.float64]:
    edges: NDArray[np.float64] = ((np.arange(BUCKETS + 1, dtype=np.int64) + _BIAS) << _SHIFT).view(np.float64)
    return edges


EDGES = _edges()
"""Bucket i holds what lies from `EDGES[i]` to `EDGES[i + 1]`, in ms."""
MIDDLES: NDArray[np.float64] = (EDGES[:-1] + EDGES[1:]) / 2
"""The value that stands for each bucket, in ms."""


def value_of(bucket: int) -> float:
    """The middle of a bucket, in ms."""
    return float(MIDDLES[bucket])


def quantile(counts: NDArray[Any], q: float) -> float:
    """Nearest rank: the smallest value with at least ⌈q·n⌉ counts up to it; NaN if empty."""
    return censored_quantile(counts, None, q)[0]


def censored_quantile(counts: NDArray[Any], waits: NDArray[Any] | None, q: float) -> tuple[float, bool]:
    """Nearest rank over completed `counts` and those `waits` that are already at least as long as the answer.

    A wait is a latency that is known to be "at least this long": it can only push a quantile up, and only once it
    has passed it. The answer is the smallest v, no less than the quantile of the completed ones alone, with
    done(≤v) + waits(=v) ≥ ⌈q·(done + waits(≥v))⌉ ; the flag is set if it depends on waits, so that it is a lower bound.

    95 replies of 1 s and 5 callers at 9 s: the P95 is 1 s. With 6 callers at 9 s it is at least 9 s.
    """
    done = np.cumsum(counts, dtype=np.int64)
    if waits is None or not waits.any():
        n = int(done[-1])
        return (value_of(int(np.searchsorted(done, _rank(q, n)))), False) if n else (float("nan"), False)
    longer = np.cumsum(waits[::-1], dtype=np.int64)[::-1]
    enough = done + waits >= np.maximum(1, np.ceil(q * (done[-1] + longer) - 1e-9))
    nonempty = (counts > 0) | (waits > 0)
    alone = int(np.searchsorted(done, _rank(q, int(done[-1])))) if done[-1] else 0
    hits = np.flatnonzero(enough[alone:] & nonempty[alone:]) + alone
    if not len(hits):
        return float("nan"), False
    first = int(hits[0])
    from_waits = bool(waits[first] > 0 and done[first] < np.ceil(q * (done[-1] + longer[first]) - 1e-9))
    return value_of(first), from_waits


def _rank(q: float, n: int) -> int:
    return max(1, int(np.ceil(q * n - 1e-9)))
