"""The scope of one view: its segment cells, its window, and their sums and histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicetop.alerts.rules.rules import with_rule_threshold
from voicetop.engine.engine import Engine
from voicetop.engine.normals import Normals, handling_s
from voicetop.engine.snapshot import Figure, View
from voicetop.engine.windows.histograms import Histogram
from voicetop.engine.windows.slots import HOUR, MINUTE, QUARTER

CHART_POINTS = 30


class Scope:
    """Cells, window and sums of one view.

    `live_now` and `unanswered` are those of now; `live`, `waiting` and `unknown` those that belong to the window, as
    nobody is live in another hour of the day.
    """

    def __init__(self, engine: Engine, view: View, usual: Normals) -> None:
        self.engine, self.view, self.usual, self.at = engine, view, usual, engine.at
        ledger = engine.ledger
        self.cells: NDArray[np.intp] | None = ledger.cells.matching(p for p in view.where if p[0] != "hour")
        self.chosen = None if self.cells is None else frozenset(self.cells.tolist())
        self.hour = next(
            (int(value) for name, value in view.where if name == "hour" and value.isdigit()), None
        )
        """The hour of the day (UTC) that the view is filtered to, if it is."""
        if self.hour is not None:
            self.histograms: dict[str, Histogram] = ledger.windows.hour(self.hour, self.cells)
            self.sums = self.business = ledger.counts.hour(self.hour, self.chosen)
        else:
            self.histograms = ledger.windows.histograms(view.span, self.cells, len(ledger.cells))
            self.sums = ledger.counts.sums(view.span, self.cells)
            self.business = self.sums if view.span == "24h" else ledger.counts.sums("30m", self.cells)
        counts = ledger.cells.live
        self.live_now = (
            sum(counts) if self.cells is None else sum(counts[cell] for cell in self.cells.tolist())
        )
        self.waits, calls = engine.waits, engine.roster.live.values()
        self.live, self.waiting = self.live_now, self.waits.waiting_calls(calls, self.cells)
        self.unknown = self.waits.unknown_calls(calls, self.cells)
        self.unanswered = [*self.waiting, *self.unknown]
        if (
            self.hour is not None and self.hour != self.at // HOUR % 24
        ):  # live callers don't belong to another hour
            self.live, self.waiting, self.unknown = 0, [], []
        self.e2e_waits = self.waits.histogram(self.waiting) + self.histograms.get("waited", 0)
        """The waits that count in the response time: those without a reply, and those in progress."""
        self.active = self.live + self.sums.get("ended", 0)
        self.stuck_after = engine.stuck_after_s
        self.handling = handling_s(self.business)

    @property
    def chart_slots(self) -> tuple[int, int]:
        """(seconds, number) of a chart's slots: 30 minutes by the minute, or 24 hours by the quarter."""
        return (QUARTER, 96) if self.view.span == "24h" else (MINUTE, CHART_POINTS)

    def with_rule(self, metric: str, figure: Figure) -> Figure:
        """The figure with the threshold of the user's rule on `metric` in this segment, if there is one."""
        return with_rule_threshold(self.engine.config.rules, self.view.where, metric, figure)
