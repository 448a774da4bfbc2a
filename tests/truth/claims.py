"""What voicetop says of a feed, place by place, beside what the oracle says of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from truth.oracle import Answer

PERCENTILE = 0.01
"""A percentile of completed turns is shown within 1 % of the exact one."""
_UNITS = {"ms": 1.0, "s": 1_000.0, "%": 0.01, "$": 1.0, "": 1.0}
_NUMBER = re.compile(r"(≥ )?(\$)?([\d,]+(?:\.(\d+))?) ?(ms|s|%|)$")
Said: TypeAlias = Iterable[tuple[str, "str | float"]]
"""What a place says: the names of figures, the same wherever the same is said, and their values as they stand there."""


class Shown(NamedTuple):
    """A number as it stands somewhere: `half` is half a unit of its last digit."""

    value: float
    at_least: bool | None
    half: float

    @classmethod
    def of(cls, text: str | float) -> Shown:
        """Times in ms, shares from 0 to 1, dollars. "–" is unknown."""
        if not isinstance(text, str):
            return cls(float(text), None, 1e-9)
        if text.strip() in ("–", ""):
            return cls(math.nan, None, 0.0)
        found = _NUMBER.match(text.strip())
        assert found, f"not a number: {text!r}"
        least, dollar, digits, decimals, unit = found.groups()
        scale = _UNITS[dollar or unit]
        half = scale * 10.0 ** -len(decimals or "") / 2
        return cls(float(digits.replace(",", "")) * scale, bool(least), half * 1.000_001 + 1e-9)

    def agrees(self, other: Shown) -> bool:
        """Whether both can be one number."""
        if math.isnan(self.value) or math.isnan(other.value):
            return math.isnan(self.value) == math.isnan(other.value)
        unlike = {self.at_least, other.at_least} == {True, False}
        return abs(self.value - other.value) <= self.half + other.half and not unlike


class Claim(NamedTuple):
    """One figure: where it stands, what it says, and what is true."""

    place: str
    name: str
    shown: Shown
    truth: Answer

    @property
    def true(self) -> bool:
        """Within 1 % of a percentile, or of its neighbours where callers wait; else as exactly as it is written."""
        truth, shown = self.truth, self.shown
        if math.isnan(truth.low) or math.isnan(shown.value):
            return shown.agrees(Shown(truth.value, None, 1e-9))
        low, high = (truth.low, truth.high) if truth.at_least is not False else (truth.value, truth.value)
        near = low * (1 - PERCENTILE) - shown.half <= shown.value <= high * (1 + PERCENTILE) + shown.half
        return near and (None in (shown.at_least, truth.at_least) or shown.at_least == truth.at_least)

    def __str__(self) -> str:
        return f"{self.place}: {self.name} is {self.shown}, in truth {self.truth}"


def claims(place: str, said: Said, answers: Mapping[str, Answer]) -> Iterator[Claim]:
    """What a place says, with the oracle's answers by the same names."""
    for name, value in said:
        yield Claim(place, name, Shown.of(value), answers.get(name, Answer(0.0, 0)))


def wrong(claims: Iterable[Claim]) -> list[str]:
    """The claims that aren't true, in words."""
    return [str(claim) for claim in claims if not claim.true]


def contradictions(claims: Iterable[Claim]) -> list[str]:
    """Figures that have two values in two places."""
    found: list[str] = []
    first: dict[str, Claim] = {}
    for claim in claims:
        other = first.setdefault(claim.name, claim)
        if not claim.shown.agrees(other.shown):
            found.append(f"{claim.name}: {claim.shown} ({claim.place}), {other.shown} ({other.place})")
    return found
