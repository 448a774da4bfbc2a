"""Errors: more calls with one than normal, of the whole fleet, or of a segment while the fleet is normal."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from voicetop.engine import normals, thresholds
from voicetop.engine.attribution import onset, segments
from voicetop.engine.attribution.change_point import Change, Series, began, ended
from voicetop.engine.attribution.likelihood import Attribution
from voicetop.engine.judge.mark import ActiveTrouble, Finding, Mark, turns_of
from voicetop.engine.normals import Cells, Normals
from voicetop.engine.snapshot import NAN, Figure, Trouble, Where
from voicetop.engine.windows.histograms import METRIC
from voicetop.engine.windows.slots import FINE, SPANS
from voicetop.formatting.numbers import known

CLEAR = 8.0
"""The least log-likelihood ratio (nats) against the threshold's rate from which an excess is beyond doubt."""
LIKELY = 4.0
"""The least one (nats) against the normal rate where the five-minute figure is over its threshold."""
OVER = 4.6
"""The least log-likelihood ratio (nats) for the normal rate from which a trouble is over: 100 to 1."""
KEPT_RATIO = 0.75
"""Share of the excess ratio seen since the onset that a trouble which lasts would still have."""
UNKNOWN_RATE = 0.002
"""Calls with an error per turn where no normal is known."""
PRIOR_TURNS = 500.0
LEAST_RATE = 0.001
"""However clean a service is, a single error a minute before an outage isn't its beginning."""
LOCAL_RATIO = 14.0
"""The log-likelihood ratio from which a conjunction is a trouble by itself: it is looked for among hundreds, every 5 s,
and slow turns come in clusters by call.
"""
DOWN_TURNS_S = 60.0
WINDOW_SLOTS = SPANS["5m"] // FINE


def find(mark: Mark, floor: float, *, on: bool) -> list[Finding]:
    """The fleet's errors since `floor` at the earliest; `on`: they are a trouble already."""
    figure = figure_of(mark, None, mark.usual)
    series = series_of(mark, None).since(floor)
    if not on and not _exceeds(figure, series):
        return []
    change = _change(mark, series, figure, ())
    trouble = _failing(mark, figure, change, segments.of_errors(mark.ledger))
    severity = "down" if _is_down(mark, series) else "degraded"
    return [Finding(replace(trouble, severity=severity), change)]


def find_local(mark: Mark, floor: float) -> list[Finding]:
    """Errors hidden in the fleet's rate: a conjunction that fails while the rest is normal."""
    if not mark.usual.rate("error", "ended").known:
        return []
    who = segments.of_errors(mark.ledger, LOCAL_RATIO)
    cells = mark.ledger.cells.matching(who.where)
    if not who.where or cells is None:
        return []
    figure = figure_of(mark, cells, mark.usual_of(cells))
    series = series_of(mark, cells).since(floor)
    if not _exceeds(figure, series):
        return []
    change = _change(mark, series, figure, who.where)
    return [Finding(replace(_failing(mark, figure, change, who), local=True), change)]


def recovered(mark: Mark, active: ActiveTrouble) -> float:
    """Since when errors are normal again; NaN while they aren't."""
    cells = mark.ledger.cells.matching(active.trouble.where) if active.trouble.local else None
    return over_since(series_of(mark, cells).since(active.since), active.ratio)


def over_since(series: Series, ratio: float, least: float = 2.0) -> float:
    """Since when the normal rate explains a series better than a trouble that lasts does; NaN while it doesn't.

    `ratio` is how many times the normal rate was seen in the trouble (NaN: `least`).
    """
    nats, since = ended(series, max(least, KEPT_RATIO * ratio) if known(ratio) else least)
    return since if nats >= OVER else NAN


def lasts(series: Series, change: Change, least: float = 2.0) -> bool:
    """Whether a change that began is still going on."""
    return known(change.onset) and not known(over_since(series.since(change.onset), change.ratio, least))


def figure_of(mark: Mark, cells: Cells, usual: Normals) -> Figure:
    """Share of calls active in the last five minutes with an error, with its normal if known."""
    counts, live = mark.ledger.counts, mark.ledger.cells.live
    sums = counts.sums("5m", cells)
    number = len(mark.live) if cells is None else sum(live[cell] for cell in cells.tolist())
    figure = normals.rate(sums.get("error", 0), number + sums.get("ended", 0))
    handling = normals.handling_s(counts.sums("30m", cells))
    return replace(figure, normal=usual.error_rate("error", "5m", handling))


def series_of(mark: Mark, cells: Cells) -> Series:
    """Calls with an error by slot, against those expected of its turns."""
    hits, turns = mark.counts("error", cells), mark.turns(cells)
    seconds = np.diff(mark.edges())
    turns = np.maximum(turns + hits, turns.sum() / seconds.sum() * seconds)  # as many where no reply came
    rate = _rate(mark.usual, UNKNOWN_RATE)
    if cells is not None:
        rate = _rate(mark.usual_of(cells), rate)
    return mark.series(hits, rate * turns)


def _rate(usual: Normals, prior: float) -> float:
    """Normal calls with an error per turn, mixed with `PRIOR_TURNS` of a rate known before."""
    rate = (usual.sums.get("error", 0) + PRIOR_TURNS * prior) / (turns_of(usual) + PRIOR_TURNS)
    return max(LEAST_RATE, rate)


def _exceeds(figure: Figure, series: Series) -> bool:
    """Whether errors are significantly over their threshold, over five minutes or lately, and still are."""
    change = began(series)
    if change.hits < thresholds.ERRORS.least_hits:
        return False
    clear = thresholds.ERRORS.crossed(figure) and change.score >= LIKELY
    if figure.normal.known and not clear:
        more = thresholds.ERRORS.more * figure.n / WINDOW_SLOTS
        lately = began(series.scaled(thresholds.ERRORS.times, more))
        clear = lately.score >= CLEAR and lately.hits >= thresholds.ERRORS.least_hits
    return clear and lasts(series, change)


def _change(mark: Mark, series: Series, figure: Figure, where: Where) -> Change:
    """When errors began. Without a normal it is where two rates fit them best."""
    change = began(series)
    if figure.normal.known and change.score > 0:
        return change
    first = onset.of_errors(mark.ledger, where, mark.at)
    return Change(change.score, first, first - FINE, first + 2 * FINE, change.hits, change.expected)


def _is_down(mark: Mark, series: Series) -> bool:
    """Whether a quarter of the turns of the last minute got an error, or no reply at all."""
    late = len(series.since(mark.at - DOWN_TURNS_S).hits)
    if not late:
        return False
    unanswered = mark.times(None)[-late:, METRIC["waited"]].sum()
    failed = int(max(series.hits[-late:].sum(), unanswered))
    n = max(failed, int(mark.turns(None)[-late:].sum()))
    enough = failed >= 2 * thresholds.ERRORS.least_hits
    return enough and thresholds.wilson(failed, n, thresholds.ERRORS.z)[0] > thresholds.DOWN_ERRORS


def _failing(mark: Mark, figure: Figure, change: Change, who: Attribution) -> Trouble:
    cells = mark.ledger.cells.matching(who.where)
    component, category = _worst_error(mark.ledger.counts.sums("5m", cells))
    return Trouble(
        "errors", mark.at, "degraded", figure.value, figure.normal.value, figure.n, where=who.where,
        explains=who.explains, stage=component, category=category,
        over_s=NAN if thresholds.ERRORS.crossed(figure) else mark.at - change.onset,
    )  # fmt: skip


def worst_component(sums: dict[str, int]) -> str:
    """The component with the most calls in error; empty without errors."""
    return _worst_error(sums)[0]


def _worst_error(sums: dict[str, int]) -> tuple[str, str]:
    """(component, category) of the kind of error that most calls have; empty where there are none."""
    kinds = {kind: count for kind, count in sums.items() if kind.startswith("error:")}
    if not kinds:
        return "", ""
    component, category = max(sorted(kinds), key=lambda kind: kinds[kind]).split(":")[1:3]
    return component, category
