"""Is everything working right now? Judged on whole 5-second marks of stamp time, so that all consoles agree.

A trouble is on from the mark at which its figure first crosses its line, and off once the figure was back for
`CLEAR_S`. Minutes with a trouble don't teach what is normal. The detectors and incidents of the alerts room judge more
finely; this is the plain answer of the top line.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from voicetop.engine import attribution, normals, waiting
from voicetop.engine.attribution import Attribution
from voicetop.engine.normals import Usual
from voicetop.engine.snapshot import NAN, Severity, Trouble
from voicetop.engine.windows.buckets import QUANTILES, censored_quantile
from voicetop.engine.windows.histograms import Histogram
from voicetop.engine.windows.slots import FINE, SPANS
from voicetop.formatting import labels
from voicetop.formatting.labels import FIGURES
from voicetop.formatting.numbers import dollars, milliseconds, percent, ratio

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine

CLEAR_S = 20
MIN_TURNS = 30
MIN_CALLS = 30
DOWN_STUCK = 3
DOWN_SHARE = 0.5
DOWN_ERRORS = 0.25
UNLEARNED_ERRORS = 0.08
"""The error rate that warns while no normal is known."""
NEAR_CAPACITY = 0.9
LOCAL = 14.0
"""The log-likelihood ratio from which a conjunction is a trouble by itself: it is looked for among hundreds, every 5 s,
and slow turns come in clusters by call."""
LOCAL_RATIO = 1.3
KEPT_MINUTES = 1_500
SPLIT = ("stt", "eou", "llm_ttft", "tool", "tts_ttfb")


class ActiveTrouble(Struct, gc=False):
    """A trouble that is on: since when, and when it was last seen (stamp time)."""

    trouble: Trouble
    since: float
    last: float


class Judge(Struct, kw_only=True):
    """The troubles that are on, and the minutes that had one."""

    standing: dict[str, ActiveTrouble] = field(default_factory=dict)
    troubled: list[int] = field(default_factory=list)

    def step(self, engine: Engine, at: float) -> None:
        """Look at the figures as they are at this mark."""
        usual = Usual(engine.ledger, None, frozenset(self.troubled))
        for trouble in _troubles(engine, usual, at, learned=usual.learned(at)):
            held = self.standing.get(trouble.kind)
            since = held.since if held is not None else _began(engine, trouble, at)
            self.standing[trouble.kind] = ActiveTrouble(trouble, since, at)
        for kind in [kind for kind, held in self.standing.items() if at - held.last >= CLEAR_S]:
            del self.standing[kind]
        self._remember(int(at // 60))

    def _remember(self, minute: int) -> None:
        if self.standing and (not self.troubled or self.troubled[-1] != minute):
            self.troubled = [*self.troubled[-KEPT_MINUTES:], minute]
        if self.troubled and self.troubled[0] < minute - KEPT_MINUTES:
            self.troubled = [m for m in self.troubled if m >= minute - KEPT_MINUTES]


def _began(engine: Engine, trouble: Trouble, at: float) -> float:
    """When it began: of errors the 10 seconds in the last five minutes that part few from many most clearly (the split
    with the greatest Poisson likelihood); of all else when it was seen.
    """
    if trouble.kind not in ("errors", "local errors"):
        return trouble.since
    cells = engine.ledger.cells.matching(trouble.where)
    chosen = None if cells is None else frozenset(cells.tolist())
    numbers = range(int((at - SPANS["5m"]) // FINE) + 1, int(at // FINE) + 1)
    hits = [engine.ledger.counts.over_time((FINE, number), chosen).get("error", 0) for number in numbers]
    before, after, best, first = 0, sum(hits), -math.inf, 0
    for split in range(len(hits)):
        score = _fit(before, split) + _fit(after, len(hits) - split)
        if score > best and after * split >= before * (len(hits) - split):
            best, first = score, split
        before, after = before + hits[split], after - hits[split]
    return float(numbers[first] * FINE)


def _fit(count: int, slots: int) -> float:
    """The greatest log-likelihood of so many in so many slots, without what is the same for all of them."""
    return count * math.log(count / slots) if count else 0.0


def _troubles(engine: Engine, usual: Usual, at: float, *, learned: bool) -> list[Trouble]:
    found = [*_stuck(engine, usual, at), *_capacity(engine, at), *_errors(engine, usual, at, learned=learned)]
    if learned:
        found += _latency(engine, usual, at) or _local_latency(engine, usual, at)
        found += _business(engine, usual, at)
        if not any(trouble.kind == "errors" for trouble in found):
            found += _local_errors(engine, at)
    return found


def _stuck(engine: Engine, usual: Usual, at: float) -> list[Trouble]:
    waits = waiting.waiting_calls(engine.roster.live.values(), None)
    over = normals.stuck_after(usual.histograms.get("e2e"), engine.config.stuck_after_s)
    panel = waiting.panel(waits, at, over)
    live = len(engine.roster.live)
    if panel.stuck < max(2, 1 + live // 100):  # one in a hundred may be stuck by chance
        return []
    worst = panel.stages[0]
    down = panel.stuck >= max(DOWN_STUCK, live // 50) and panel.stuck >= DOWN_SHARE * panel.waiting
    where = f" in {worst.stage}" if worst.stage else ""
    provider = f" · provider {worst.provider}" if worst.provider else ""
    text = f"{panel.stuck} of {panel.waiting} waiting callers stuck{where} for over {over:.0f} s{provider}"
    return [
        Trouble(
            "stuck",
            text,
            at - panel.longest_s,
            "down" if down else "degraded",
            float(panel.stuck),
            0.0,
            panel.waiting,
            stage=worst.stage,
        )
    ]


def _capacity(engine: Engine, at: float) -> list[Trouble]:
    limit, live = engine.load.limit, len(engine.roster.live)
    if not limit or live < NEAR_CAPACITY * limit:
        return []
    text = f"{live} live calls, {100 * live / limit:.0f} % of the tested capacity of {limit}"
    return [Trouble("capacity", text, at, "degraded", float(live), float(limit), live)]


def _errors(engine: Engine, usual: Usual, at: float, *, learned: bool) -> list[Trouble]:
    sums = engine.ledger.counts.sums("5m", None)
    active = len(engine.roster.live) + sums.get("ended", 0)
    hits = sums.get("error", 0)
    if active < MIN_CALLS or hits < 5:
        return []
    value = hits / active
    normal = usual.error_rate("error", "5m", handling_s(sums)) if learned else None
    low, _ = normals.wilson(hits, active, 2.6)
    line = normals.error_line(normal) if normal is not None and normal.known else UNLEARNED_ERRORS
    if low <= line:
        return []
    kind = _worst_error(sums)
    times = f" = {ratio(value / normal.value)} normal" if normal is not None and normal.value > 0 else ""
    text = f"errors {percent(value)}{times} (n {active:,}){kind}"
    severity: Severity = "down" if low > DOWN_ERRORS else "degraded"
    who = blame_errors(engine, sums)
    usually = normal.value if normal else NAN
    return [
        Trouble(
            "errors", text + attribution.in_words(who), at, severity, value, usually, active,
            who.where, who.explains, worst_component(sums),
        )
    ]  # fmt: skip


def blame_errors(
    engine: Engine, sums: dict[str, int], convincing: float = attribution.CONVINCING
) -> Attribution:
    """Calls with an error now, against how many of them each cell has always had."""
    ledger = engine.ledger
    used, counts = len(ledger.cells), ledger.counts
    hits, ended = (counts.by_cell("5m", kind)[:used].astype(float) for kind in ("error", "ended"))
    before, of = (counts.by_cell("24h", kind)[:used].astype(float) for kind in ("error", "ended"))
    active = np.array(ledger.cells.live, float) + ended
    width = SPANS["5m"]
    handling = handling_s(sums)
    share = width / (width + handling) if handling == handling else 1.0
    expect = attribution.expected(active * share, before - hits, of - ended)
    return attribution.find(ledger.columns.follow(ledger.cells), hits, expect, convincing)


def worst_component(sums: dict[str, int]) -> str:
    """The component with the most calls in error; empty where there are none."""
    kinds = {kind: count for kind, count in sums.items() if kind.startswith("error:")}
    return max(sorted(kinds), key=lambda kind: kinds[kind]).split(":")[1] if kinds else ""


def _worst_error(sums: dict[str, int]) -> str:
    kinds = {kind: count for kind, count in sums.items() if kind.startswith("error:")}
    if not kinds:
        return ""
    component, category = max(sorted(kinds), key=lambda kind: kinds[kind]).split(":")[1:3]
    return f" · mostly {labels.fault(component, category)}"


def handling_s(sums: dict[str, int]) -> float:
    """Mean handling time of the ended calls in `sums`, in seconds; NaN of none."""
    ended = sums.get("ended", 0)
    return sums.get("handled_ms", 0) / ended / 1000 if ended else NAN


def _latency(engine: Engine, usual: Usual, at: float) -> list[Trouble]:
    now = engine.ledger.windows.histograms("5m", None, len(engine.ledger.cells))
    counts, past = now.get("e2e"), usual.histograms.get("e2e")
    if counts is None or past is None:
        return []
    waits = waiting.as_histogram(waiting.waiting_calls(engine.roster.live.values(), None), at)
    n = int(counts.sum())
    value, at_least = censored_quantile(counts, waits + now.get("waited", 0), 0.95)
    normal = normals.normal_of(past, 0.95).value
    if n < MIN_TURNS or not value >= normals.WARN_RATIO * normal:
        return []
    slow = int(counts[bucket_after(past) :].sum())
    if normals.wilson(slow, n, 2.6)[0] < 0.07:
        return []
    stage, more = culprit(now, usual.histograms)
    sign = "≥ " if at_least else ""
    who = blame_latency(engine, bucket_after(past))
    text = f"{labels.latency('e2e')} {sign}{milliseconds(value)} = {ratio(value / normal)} normal (n {n:,})"
    if stage:
        text += f" · {labels.stage(stage)} +{milliseconds(more)}"
    text += attribution.in_words(who)
    return [Trouble("latency", text, at, "degraded", value, normal, n, who.where, who.explains, stage)]


def _local_latency(engine: Engine, usual: Usual, at: float) -> list[Trouble]:
    """What is lost in everybody's percentiles: a conjunction that is slow while the rest is as ever."""
    past = usual.histograms.get("e2e")
    who = blame_latency(engine, bucket_after(past), LOCAL) if past is not None else Attribution()
    if not who.where:
        return []
    cells = engine.ledger.cells.matching(who.where)
    theirs = Usual(engine.ledger, cells, frozenset(engine.judge.troubled))
    now = engine.ledger.windows.histograms("5m", cells, len(engine.ledger.cells))
    before = theirs.histograms.get("e2e")
    if before is None or int(now["e2e"].sum()) < MIN_TURNS:
        return []
    value, normal = censored_quantile(now["e2e"], None, 0.95)[0], normals.normal_of(before, 0.95).value
    if not value >= LOCAL_RATIO * normal:
        return []
    stage, more = culprit(now, theirs.histograms)
    values, n = " × ".join(v for _, v in who.where), int(now["e2e"].sum())
    text = f"{labels.latency('e2e')} of {values} {milliseconds(value)} = {ratio(value / normal)} its normal (n {n:,})"
    if stage:
        text += f" · {labels.stage(stage)} +{milliseconds(more)}"
    return [Trouble("local latency", text, at, "degraded", value, normal, n, who.where, who.explains, stage)]


def _local_errors(engine: Engine, at: float) -> list[Trouble]:
    sums = engine.ledger.counts.sums("5m", None)
    who = blame_errors(engine, sums, LOCAL)
    if not who.where:
        return []
    cells = engine.ledger.cells.matching(who.where)
    theirs = engine.ledger.counts.sums("5m", cells)
    live = engine.ledger.cells.live
    active = sum(live[cell] for cell in cells.tolist()) + theirs.get("ended", 0) if cells is not None else 0
    hits = theirs.get("error", 0)
    if hits < 5 or not active:
        return []
    values = " × ".join(value for _, value in who.where)
    text = f"errors of {values} {percent(hits / active)} (n {active:,}){_worst_error(theirs)}"
    stage = worst_component(theirs)
    return [
        Trouble(
            "local errors", text, at, "degraded", hits / active, NAN, active, who.where, who.explains, stage
        )
    ]


def blame_latency(engine: Engine, bucket: int, convincing: float = attribution.CONVINCING) -> Attribution:
    """Turns slower than the normal P95, against how many of them each cell has always had."""
    ledger = engine.ledger
    slow, n = ledger.windows.slow_by_cell("5m", bucket, len(ledger.cells))
    slow_day, n_day = ledger.windows.slow_by_cell("24h", bucket, len(ledger.cells))
    expect = attribution.expected(n, slow_day - slow, n_day - n)
    return attribution.find(ledger.columns.follow(ledger.cells), slow, expect, convincing)


def bucket_after(past: Histogram) -> int:
    """The bucket beyond which 5 % of the normal turns lie."""
    done = past.cumsum()
    return int((done < QUANTILES[1] * done[-1]).sum()) + 1


def culprit(now: dict[str, Histogram], past: dict[str, Histogram]) -> tuple[str, float]:
    """(the stage whose P95 grew most against its normal, by how many ms); ("", 0) where none stands out."""
    grown: list[tuple[float, str]] = []
    for stage in SPLIT:
        if stage in now and stage in past and int(now[stage].sum()) >= MIN_TURNS:
            more = (
                censored_quantile(now[stage], None, 0.95)[0] - censored_quantile(past[stage], None, 0.95)[0]
            )
            grown.append((more, stage))
    more, stage = max(grown, default=(0.0, ""))
    return (stage, more) if more >= 100 else ("", 0.0)


def _business(engine: Engine, usual: Usual, at: float) -> list[Trouble]:
    """Success, abandonment and cost over 30 minutes, each against its normal with the doubt of its n."""
    sums = engine.ledger.counts.sums("30m", None)
    found: list[Trouble] = []
    known, good = sums.get("known", 0), usual.rate("succeeded", "known")
    if known >= MIN_CALLS and good.known:
        value = sums.get("succeeded", 0) / known
        if normals.wilson(sums.get("succeeded", 0), known, 3.0)[1] < good.value - 0.02:
            text = f"{FIGURES['success']} {percent(value)}, normal {percent(good.value)} (n {known:,})"
            found.append(Trouble("success", text, at, "degraded", value, good.value, known))
    decided, left = sums.get("decided", 0), usual.rate("abandoned", "decided")
    if decided >= MIN_CALLS and left.known:
        value = sums.get("abandoned", 0) / decided
        if normals.wilson(sums.get("abandoned", 0), decided, 3.0)[0] > normals.leaving_line(left):
            text = f"{FIGURES['abandonment']} {percent(value)}, normal {percent(left.value)} (n {decided:,})"
            found.append(Trouble("abandonment", text, at, "degraded", value, left.value, decided))
    priced, dear = sums.get("priced", 0), usual.mean("cost_micro", "priced", 1e6)
    if priced >= MIN_CALLS and dear.known and dear.value > 0:
        value = sums.get("cost_micro", 0) / priced / 1e6
        if value > normals.WARN_RATIO * dear.value:
            text = f"{FIGURES['cost']} {dollars(value)} = {ratio(value / dear.value)} normal (n {priced:,})"
            found.append(Trouble("cost", text, at, "degraded", value, dear.value, priced))
    return found
