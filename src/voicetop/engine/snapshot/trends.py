"""Screen 5: the day, its heat map, mix and annotations."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.figures import Series
from voicetop.engine.snapshot.overview import StepShare
from voicetop.engine.snapshot.view import NAN


class HeatMap(Struct, frozen=True):
    """Turns by time and latency: `counts[column][row]`, column i from `start + i × step` on (epoch s), row j from
    `edges[j]` to `edges[j + 1]` ms. Two humps that a percentile hides are two bands here. Callers without a reply count
    with how long they waited. The last column reaches `until` (epoch s).
    """

    start: float
    step: float
    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    until: float = NAN


class MixRow(Struct, frozen=True):
    """One intent's share of the calls that began in the window, against its share of the day; `new` if it
    is absent from the day before.
    """

    value: str
    calls: int
    share: float
    usual: float
    new: bool = False


class TrendsPanel(Struct, frozen=True):
    """24 hours by quarter-hour: `lines` are (name, unit, series)."""

    lines: tuple[tuple[str, str, Series], ...] = ()
    heat: HeatMap | None = None
    mix: tuple[MixRow, ...] = ()
    funnel: tuple[StepShare, ...] = ()


class MarkerNote(Struct, frozen=True):
    """A marker for charts, such as a deploy."""

    at: float
    kind: str
    label: str


class Annotation(Struct, frozen=True):
    """An operator's note or bookmark (`act`) at time `at`, epoch s; optionally about one call."""

    at: float
    act: str
    text: str
    by: str
    call_id: str = ""
    target: str = ""
