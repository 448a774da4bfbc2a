"""Confidence intervals and p-values of differences, with a correction for multiple tests.

Everything is closed-form or a short loop over counts, so that a table of fifty rows takes milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.snapshot.comparison import NAN
from voicetop.engine.thresholds import wilson
from voicetop.engine.windows.buckets import EDGES

Z95 = 1.959964
_MOST_Z = 37.0
"""Beyond it the tail of the normal distribution is 0 in doubles."""

Interval = tuple[float, float]
Share = tuple[int, int]
"""(hits, n)."""


def tail(z: float) -> float:
    """Both tails of the normal distribution beyond ±z."""
    return math.erfc(abs(z) / math.sqrt(2))


def z_of(p: float) -> float:
    """The z whose two tails hold `p`."""
    return -NormalDist().inv_cdf(min(1.0, p) / 2) if p > 0 else _MOST_Z


def difference(a: float, of_a: Interval, b: float, of_b: Interval, variation: float = 0.0) -> Interval:
    """The interval of b − a from the intervals of both (MOVER: Zou and Donner, Statistics in Medicine 27, 2008).

    Of two rates with Wilson's intervals it is Newcombe's hybrid score interval (Statistics in Medicine 17, 1998,
    method 10), which keeps its level at small n. `variation` is a half-width added in quadrature.
    """
    down = math.hypot(b - of_b[0], of_a[1] - a, variation)
    up = math.hypot(of_b[1] - b, a - of_a[0], variation)
    return b - a - down, b - a + up


def rates(a: Share, b: Share, z: float, variation: float = 0.0) -> Interval:
    """The interval of the difference of two rates, each (hits, n); `variation` is a standard deviation of it."""
    return difference(a[0] / a[1], wilson(*a, z), b[0] / b[1], wilson(*b, z), z * variation)


def quantile_bounds(cumulative: NDArray[np.int64], q: float, effective: float, z: float) -> Interval:
    """Bounds (ms) of the q-quantile of cumulative counts by bucket.

    The order statistics whose ranks bound a binomial count (Woodruff, JASA 47, 1952, for any design), corrected for
    skew by the first Cornish-Fisher term; as wide as `effective` n requires if turns aren't independent. Uses the
    buckets' outer edges, so that rounding can't make it too narrow.

    Of 200 turns the P95 has rank 190, and its 95 % interval goes from rank 183 to 196.
    """
    n = int(cumulative[-1])
    half = z * math.sqrt(q * (1 - q) * effective)
    middle = q * effective + (1 - 2 * q) * (z * z - 1) / 6
    low, high = ((middle + side) / effective * n for side in (-half, half))
    first = int(np.searchsorted(cumulative, min(n, max(1, math.floor(low)))))
    last = int(np.searchsorted(cumulative, min(n, max(1, math.ceil(high) + 1))))
    return float(EDGES[first]), float(EDGES[last + 1])


def ratio(amounts: NDArray[np.float64], of: NDArray[np.float64]) -> tuple[float, float, int]:
    """(Σ amounts / Σ of, its variance, degrees of freedom), with each time slot as a cluster.

    The ratio estimator of cluster sampling (Cochran, Sampling Techniques, 1977, 6.4 and 9A.2): needs no sum of squares,
    and accounts for correlation within a slot.
    """
    valid = of > 0
    y, x = amounts[valid], of[valid]
    k, total = len(x), float(x.sum())
    if k < 2 or not total:
        return (float(y.sum()) / total if total else NAN), NAN, 0
    value = float(y.sum()) / total
    return value, float(((y - value * x) ** 2).sum()) * k / (k - 1) / total**2, k - 1


def welch(var_a: float, df_a: int, var_b: float, df_b: int) -> tuple[float, float]:
    """(standard error, degrees of freedom) of a difference of means (Welch, 1947; Satterthwaite, 1946)."""
    total = var_a + var_b
    below = (var_a**2 / df_a if df_a else 0.0) + (var_b**2 / df_b if df_b else 0.0)
    return math.sqrt(total), total**2 / below if below else math.inf


def student(t: float, df: float) -> float:
    """Both tails of Student's t beyond ±t: the incomplete beta function by its continued fraction (DLMF 8.17.22)."""
    if math.isinf(df) or df > 1e6:
        return tail(t)
    x = df / (df + t * t)
    a, b = df / 2, 0.5
    head = (
        math.exp(
            a * math.log(x) + b * math.log1p(-x) - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
        )
        if 0 < x < 1
        else 0.0
    )
    if x >= 1:
        return 1.0
    if x < (a + 1) / (a + b + 2):
        return min(1.0, head * _fraction(a, b, x) / a)
    return max(0.0, 1.0 - head * _fraction(b, a, 1 - x) / b)


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's algorithm for the continued fraction."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1 - (a + b) * x / (a + 1) or tiny)
    result = d
    for m in range(1, 300):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1 + step * d or tiny)
            c = 1 + step / c or tiny
            result *= c * d
        if abs(c * d - 1) < 1e-13:
            break
    return result


def student_z(df: float, z: float) -> float:
    """The t with `df` degrees of freedom that has the same two-tailed probability as a normal's ±z."""
    wanted = tail(z)
    low, high = 0.0, 1.0
    while student(high, df) > wanted and high < 1e9:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student(middle, df) > wanted else (low, middle)
    return high


def p_value(interval: Callable[[float], Interval]) -> float:
    """The p-value of a difference: both tails beyond the widest interval (by z) that excludes 0."""
    low, high = 0.0, _MOST_Z
    if _holds_zero(interval(1e-6)):
        return 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if _holds_zero(interval(middle)) else (middle, high)
    return tail(low)


def _holds_zero(bounds: Interval) -> bool:
    return bounds[0] <= 0 <= bounds[1]


def fisher(hits_a: int, n_a: int, hits_b: int, n_b: int) -> float:
    """The p-value of Fisher's exact test (1935) that two rates are equal, twice the smaller tail; valid at any n."""
    hits, n = hits_a + hits_b, n_a + n_b
    mean = hits * n_b / n
    step = 1 if hits_b >= mean else -1
    most, least = min(hits, n_b), max(0, hits - n_a)

    def log_choose(of: int, k: int) -> float:
        return math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)

    k = hits_b
    term = math.exp(log_choose(n_b, k) + log_choose(n_a, hits - k) - log_choose(n, hits))
    total = term
    while least <= k + step <= most and term > total * 1e-12:
        if step > 0:
            term *= (n_b - k) * (hits - k) / ((k + 1) * (n_a - hits + k + 1))
        else:
            term *= k * (n_a - hits + k) / ((n_b - k + 1) * (hits - k + 1))
        k += step
        total += term
    return min(1.0, 2 * total)


def cutoff(chances: Sequence[float], level: float) -> float:
    """The largest significant p-value of many tests (Benjamini and Hochberg, JRSS B 57, 1995); −1 if none is.

    Without any real change, the probability that one passes is at most `level`.

    >>> cutoff([0.001, 0.2, 0.8, 0.013], 0.05)
    0.013
    """
    largest = -1.0
    for rank, p in enumerate(sorted(chances), 1):
        if p <= level * rank / len(chances):
            largest = p
    return largest


def spread_between(values: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """The standard deviation between units beyond sampling error (DerSimonian and Laird, 1986); 0 for few units."""
    known = (variances > 0) & np.isfinite(values) & np.isfinite(variances)
    x, v = values[known], variances[known]
    if len(x) < 3:
        return 0.0
    w = 1 / v
    centre = float((w * x).sum() / w.sum())
    beyond = float((w * (x - centre) ** 2).sum()) - (len(x) - 1)
    return math.sqrt(max(0.0, beyond / float(w.sum() - (w**2).sum() / w.sum())))


def design_effect(hits: NDArray[np.float64], of: NDArray[np.float64]) -> float:
    """The design effect of turns clustered in calls on the variance of a share, at least 1.

    Each call has `hits` among its `of` turns. n divided by this is the effective n (Rao and Scott, Biometrics 48,
    1992).
    """
    n, k = float(of.sum()), len(of)
    share = float(hits.sum()) / n if n else 0.0
    if k < 20 or not 0 < share < 1:
        return 1.0
    clustered = float(((hits - share * of) ** 2).sum()) * k / (k - 1) / n**2
    return max(1.0, clustered / (share * (1 - share) / n))
