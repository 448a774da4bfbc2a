"""What voicetop says of a feed, place by place, beside what the oracle says of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from truth.oracle import Answer

PERCENTILE = 0.01
"""A percentile of completed turns is shown within 1 % of the exact one."""
_UNITS = {"ms": 1.0, "s": 1_000.0, "%": 0.01, "$": 1.0, "": 1.0}
_NUMBER = re.compile(r"(≥ )?(\$)?([\d,]+(?:\.(\d+))?) ?(ms|s|%|)$")


class Shown(NamedTuple):
    """A number as it stands somewhere: `half` is half a unit of its last digit."""

    value: float
    at_least: bool
    half: float

    @classmethod
    def of(cls, text: str | float) -> Shown:
        """Latencies in ms, shares from 0 to 1, dollars. "–" is unknown."""
        if not isinstance(text, str):
            return cls(float(text), at_least=False, half=1e-9)
        if text.strip() in ("–", ""):
            return cls(math.nan, at_least=False, half=0.0)
        found = _NUMBER.match(text.strip())
        assert found, f"not a number: {text!r}"
        least, dollar, digits, decimals, unit = found.groups()
        scale = _UNITS[dollar or unit]
        half = scale * 10.0 ** -len(decimals or "") / 2
        return cls(float(digits.replace(",", "")) * scale, bool(least), half)


class Claim(NamedTuple):
    """One figure: where it stands, what it says, and what is true. `name` is the same wherever the same is said."""

    place: str
    name: str
    shown: Shown
    truth: Answer

    @property
    def true(self) -> bool:
        """Within 1 % of a percentile, or of its neighbours where callers wait; else as exactly as it is written."""
        truth, shown = self.truth, self.shown
        if math.isnan(shown.value) or math.isnan(truth.value):
            return math.isnan(shown.value) == math.isnan(truth.value)
        if math.isnan(truth.low):
            return abs(shown.value - truth.value) <= shown.half * 1.000_001 + 1e-9
        low, high = (truth.low, truth.high) if truth.at_least is not False else (truth.value, truth.value)
        enough = low * (1 - PERCENTILE) - shown.half <= shown.value <= high * (1 + PERCENTILE) + shown.half
        return enough and truth.at_least in (shown.at_least, None)

    def __str__(self) -> str:
        return f"{self.place}: {self.name} is {self.shown.value:g}, in truth {self.truth.value:g} (n {self.truth.n})"


def claim(place: str, name: str, shown: str | float, truth: Answer | float) -> Claim:
    return Claim(
        place, name, Shown.of(shown), truth if isinstance(truth, Answer) else Answer(float(truth), 0)
    )


def wrong(claims: Iterable[Claim]) -> list[str]:
    """The claims that aren't true, in words."""
    return [str(claim) for claim in claims if not claim.true]


def share(hits: int, n: int) -> Answer:
    return Answer(min(hits, n) / n if n else math.nan, n)
