"""Which rows of the segment table are marked, in which figures, and what share of the excess each one explains.

A row is marked in a figure that is worse than its own normal and than the rest, so clearly that chance hardly does that
to any row. What is expected of a row is what the attribution expects (`attribution.segments`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from voicetop.alerts.trouble_text import MEASURES
from voicetop.engine import normals, thresholds
from voicetop.engine.attribution import stuck_scan
from voicetop.engine.attribution.likelihood import excess
from voicetop.engine.attribution.rows import Counted, counted, least_ratio, whole
from voicetop.engine.attribution.segments import Trials
from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import NAN, SegmentRow, Trouble, Where, WorseFigure
from voicetop.formatting.numbers import known

OUTCOMES = ("success", "abandonment", "cost", "sentiment")
FIGURES = ("stuck", "latency", "errors", *OUTCOMES)
BEST_SENTIMENT = 5.0
LIKELY_CHANCE = 2.0
"""The log-likelihood ratio, in nats, of an excess that chance brings in about one row of twenty."""


class Tallies(Struct, frozen=True):
    """What the marks of a row are judged by; `business` are the sums of its outcomes, compared with `usual`."""

    slow: Counted
    failed: Counted
    business: dict[str, int]
    usual: Normals
    live: int = 0
    stuck: int = 0


def explained(rows: Sequence[Tallies], troubles: Iterable[Trouble]) -> list[float]:
    """Each row's share of the slow turns and failed calls beyond normal; 0 of rows that may have theirs by chance.

    NaN where these are within chance in every row and in all, unless the verdict finds them elsewhere.
    """
    least, found = least_ratio(len(rows), len(FIGURES)), {trouble.kind for trouble in troubles}
    more, total = np.zeros(len(rows)), 0.0
    for name, kind in {"latency": [row.slow for row in rows], "errors": [row.failed for row in rows]}.items():
        everything = whole(kind)
        if name in found or any(one.past_n and one.over_past >= least for one in (everything, *kind)):
            more += [_excess(one) for one in kind]
            total += everything.hits - everything.expected
    return [min(1.0, part / total) if total > 0 else NAN for part in more.tolist()]


def _excess(row: Counted) -> float:
    """What is beyond normal in a row, if chance is no likely explanation."""
    return row.hits - row.expected if excess(row.hits, row.expected) >= LIKELY_CHANCE else 0.0


def blamed(
    dimension: str, value: str, narrowed: Where, troubles: Iterable[Trouble]
) -> tuple[WorseFigure, ...]:
    """The troubles that the verdict finds in a segment that this value is a part of, among the calls shown."""
    return tuple(
        WorseFigure(
            "stuck" if trouble.kind == "waiting" else trouble.kind,
            trouble.value,
            trouble.normal,
            unit=_unit(trouble.kind),
            where=trouble.where,
        )
        for trouble in troubles
        if (dimension, value) in trouble.where
        and not known(trouble.recovered)
        and all(dict(trouble.where).get(name, of) == of for name, of in narrowed)
    )


def _unit(kind: str) -> str:
    return "calls" if kind == "waiting" else MEASURES[kind].unit if kind in MEASURES else ""


class Marks:
    """Compares the figures of every row with its past and with the other rows."""

    def __init__(self, rows: Sequence[Tallies]) -> None:
        self._rows = rows
        self._least = least_ratio(len(rows), len(FIGURES))
        self._counted = {
            "latency": [row.slow for row in rows],
            "errors": [row.failed for row in rows],
            **{kind: _outcomes(rows, kind) for kind in OUTCOMES},
        }
        self._whole = {name: whole(parts) for name, parts in self._counted.items()}

    def of(self, place: int, row: SegmentRow) -> tuple[WorseFigure, ...]:
        """The figures that mark the row at `place`."""
        rest = {kind: self._rest_of(kind, place) for kind in OUTCOMES}
        figures = {"errors": row.errors, **{kind: getattr(row, kind) for kind in OUTCOMES}}
        off = [
            WorseFigure(name, figure.value, figure.normal.value, rest.get(name, row.rest_errors), _unit(name))
            for name, figure in figures.items()
            if figure.off and self._stands_out(name, place)
        ]
        return (*self._stuck(place), *self._slow(place), *off)

    def _stands_out(self, name: str, place: int) -> bool:
        own = self._counted[name][place]
        return min(own.over_past, own.over_rest(self._whole[name])) >= self._least

    def _stuck(self, place: int) -> list[WorseFigure]:
        row, stuck = self._rows[place], sum(row.stuck for row in self._rows)
        score = stuck_scan.score(row.stuck, stuck, row.live, sum(row.live for row in self._rows))
        return (
            [WorseFigure("stuck", row.stuck, 0.0, stuck - row.stuck, "calls")] if score >= self._least else []
        )

    def _slow(self, place: int) -> list[WorseFigure]:
        own, everything = self._counted["latency"][place], self._whole["latency"]
        if not own.times >= thresholds.MUCH_SLOWER or not self._stands_out("latency", place):
            return []
        rest = (everything.hits - own.hits) / (everything.n - own.n)
        return [WorseFigure("latency", own.hits / own.n, own.expected / own.n, rest)]

    def _rest_of(self, kind: str, place: int) -> float:
        """The figure of all other rows."""
        total, of, _, unit = normals.OUTCOMES[kind]
        others = [row.business for number, row in enumerate(self._rows) if number != place]
        n = sum(sums[of] for sums in others)
        return sum(sums[total] for sums in others) / n / (unit or 1.0) if n else NAN


def _outcomes(rows: Sequence[Tallies], kind: str) -> list[Counted]:
    """What is bad in the outcomes of each row."""
    of = normals.OUTCOMES[kind].of
    columns = (
        [_bad(kind, row.business, row.usual) for row in rows],
        [row.business[of] for row in rows],
        [_bad(kind, row.usual.sums, row.usual) for row in rows],
        [row.usual.sums.get(of, 0) for row in rows],
    )
    trials = Trials(*(np.array(column, np.float64) for column in columns))
    return counted(trials, [[number] for number in range(len(rows))])


def _bad(kind: str, sums: dict[str, int], usual: Normals) -> float:
    """How much of the outcomes is bad, so that it spreads like a count: by the root of its sum.

    Costs spread by about their mean, so each counts as its multiple of the mean; sentiment by about a point, which is
    also what it lacks of the best.
    """
    total, of, _, unit = normals.OUTCOMES[kind]
    amount, n = sums.get(total, 0), sums.get(of, 0)
    if kind == "success":
        return n - amount
    if kind == "sentiment":
        return BEST_SENTIMENT * n - amount / unit
    if kind == "cost":
        normal = usual.mean(total, of, unit).value
        return amount / unit / normal if normal > 0 else 0.0
    return amount
