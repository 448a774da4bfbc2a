"""Random draws at the price of a list access: a fleet needs some 30 per turn."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_BLOCK = 4096


class Dice:
    """`uniform()` in [0, 1), `normal()` standard normal; the same seed gives the same numbers."""

    def __init__(self, seed: str) -> None:
        self.uniform: Callable[[], float] = random.Random(seed).random  # noqa: S311 - a simulation, no secret
        words = [int(word) for word in random.Random(f"{seed} normal").randbytes(16)]  # noqa: S311
        self.normal: Callable[[], float] = _normals(np.random.default_rng(words)).__next__

    def choose(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self.uniform() * len(items))]

    def lognormal(self, median: float, sigma: float) -> float:
        return median * math.exp(sigma * self.normal())

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.uniform()

    def exponential(self, mean: float) -> float:
        return -mean * math.log(1.0 - self.uniform())


def _normals(generator: np.random.Generator) -> Iterator[float]:
    while True:
        yield from generator.standard_normal(_BLOCK).tolist()
