"""Screen 3: the values of a dimension."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.figures import Figure
from voicetop.engine.snapshot.view import NAN, Where


class WorseFigure(Struct, frozen=True):
    """A figure that marks a row: worse than its own normal and than the `rest`, beyond chance; in its `unit`.

    "latency" is the share of turns that are slower than the fleet's normal P95. With `where` it is the trouble that
    the verdict finds in that segment, of which this row is a part; there is no figure of the rest then.
    """

    name: str
    value: float
    normal: float
    rest: float = NAN
    unit: str = "rate"
    where: Where = ()


class SegmentRow(Struct, frozen=True):
    """One value of a dimension against its own normal, and against the rest.

    `calls` are those active in the window, `share` their part of all. `explains` is its share of the slow
    turns and failed calls beyond normal (NaN if within chance). `worse` are the figures that mark it.
    """

    value: str
    calls: int
    share: float
    p95: Figure = Figure()
    errors: Figure = Figure()
    success: Figure = Figure()
    abandonment: Figure = Figure()
    cost: Figure = Figure()
    sentiment: Figure = Figure()
    stuck: int = 0
    explains: float = NAN
    worse: tuple[WorseFigure, ...] = ()
    rest_p95: float = NAN
    rest_errors: float = NAN
    rest_at_least: bool = False
    """Whether `rest_p95` is a lower bound, since callers still wait."""

    @property
    def worse_in(self) -> tuple[str, ...]:
        """The names of the figures that mark it."""
        return tuple(figure.name for figure in self.worse)


class SegmentsPanel(Struct, frozen=True):
    """Every value of one dimension, worst first; `folded` calls beyond the limit are counted under "other"."""

    dimension: str
    rows: tuple[SegmentRow, ...] = ()
    folded: int = 0
