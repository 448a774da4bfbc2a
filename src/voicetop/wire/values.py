"""The types of the values in events, with their bounds.

A value out of bounds is left out of its event, and a text that is too long is cut (`repair.py`).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

MAX_LABEL = 512
MAX_TEXT = 20_000
MAX_SEGMENTS = 64
MAX_RESPONSE_MS = 3_600_000

Label: TypeAlias = Annotated[str, Meta(max_length=MAX_LABEL)]
"""A name, id or value; a longer one is cut (`repair.py`)."""

Text: TypeAlias = Annotated[str, Meta(max_length=MAX_TEXT)]
"""Speech or program output."""

Time: TypeAlias = Annotated[float, Meta(ge=0, le=1e11)]
"""Seconds since the epoch; milliseconds sent by mistake exceed the bound and are rejected as malformed."""

Number: TypeAlias = Annotated[float, Meta(ge=-1e9, le=1e9)]
"""A measured value. Bounded, so that invalid values can't overflow sums in whole microseconds."""

ResponseTime: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_RESPONSE_MS)]
"""Milliseconds of a reply or one of its stages: at most an hour."""

Milliseconds: TypeAlias = Annotated[float, Meta(ge=0, le=86_400_000)]
"""Any other duration in ms: at most a day."""

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=2_592_000)]
"""A duration in seconds: at most 30 days."""

Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Percent: TypeAlias = Annotated[float, Meta(ge=0, le=100)]
Rating: TypeAlias = Annotated[float, Meta(ge=1, le=5)]
Rate: TypeAlias = Annotated[float, Meta(ge=0, le=2_000)]
"""Words per minute."""

Hertz: TypeAlias = Annotated[float, Meta(ge=0, le=20_000)]
Decibels: TypeAlias = Annotated[float, Meta(ge=-200, le=200)]

Dollars: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]
"""Money. Bounded for sums in millionths of a dollar."""

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
"""A count; at most what a JSON number holds exactly in every language."""

Index: TypeAlias = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
"""An index from 0; -1 is none."""

Scalar: TypeAlias = (
    Label
    | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[float, Meta(ge=-1e15, le=1e15)]
    | bool
    | None
)
Segments: TypeAlias = Annotated[dict[Label, Scalar], Meta(max_length=MAX_SEGMENTS)]
