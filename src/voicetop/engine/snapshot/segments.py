"""Screen 3: the values of a dimension."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.figures import Figure
from voicetop.engine.snapshot.view import NAN


class SegmentRow(Struct, frozen=True):
    """One value of a dimension against its own normal, and against the rest.

    `calls` are those active in the window, `share` their part of all. `explains` is its share of the slow
    turns and failed calls beyond normal (NaN if within chance). `worse` names the figures in which
    it is significantly worse than both its own normal and the rest.
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
    worse: tuple[str, ...] = ()
    rest_p95: float = NAN
    rest_errors: float = NAN


class SegmentsPanel(Struct, frozen=True):
    """Every value of one dimension, worst first; `folded` calls beyond the limit are counted under "other"."""

    dimension: str
    rows: tuple[SegmentRow, ...] = ()
    folded: int = 0
