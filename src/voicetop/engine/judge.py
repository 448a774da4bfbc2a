"""Is everything working right now? Judged on whole 5-second marks of stamp time, so that all consoles agree.

A trouble is on from the mark at which its figure first crosses its line, and off once the figure was back for
`CLEAR_S`. Minutes with a trouble don't teach what is normal. The detectors and incidents of the alerts room judge more
finely; this is the plain answer of the top line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from voicetop.engine import figures, waiting
from voicetop.engine.buckets import QUANTILES, censored_quantile
from voicetop.engine.figures import Usual
from voicetop.engine.snapshot import NAN, Severity, Trouble
from voicetop.engine.windows import Histogram

if TYPE_CHECKING:
    from voicetop.engine.fold import Engine

CLEAR_S = 20
MIN_TURNS = 30
MIN_CALLS = 30
DOWN_STUCK = 3
DOWN_SHARE = 0.5
DOWN_ERRORS = 0.25
NEAR_CAPACITY = 0.9
KEPT_MINUTES = 1_500
SPLIT = ("stt", "eou", "llm_ttft", "tool", "tts_ttfb")


class Standing(Struct, gc=False):
    """A trouble that is on: since when, and when it was last seen (stamp time)."""

    trouble: Trouble
    since: float
    last: float


class Judge(Struct, kw_only=True):
    """The troubles that are on, and the minutes that had one."""

    standing: dict[str, Standing] = field(default_factory=dict)
    troubled: list[int] = field(default_factory=list)

    def step(self, engine: Engine, at: float) -> None:
        """Look at the figures as they are at this mark."""
        usual = Usual(engine.ledger, None, frozenset(self.troubled))
        for trouble in _troubles(engine, usual, at, learned=usual.learned(at)):
            held = self.standing.get(trouble.kind)
            since = held.since if held is not None else trouble.since
            self.standing[trouble.kind] = Standing(trouble, since, at)
        for kind in [kind for kind, held in self.standing.items() if at - held.last >= CLEAR_S]:
            del self.standing[kind]
        self._remember(int(at // 60))

    def _remember(self, minute: int) -> None:
        if self.standing and (not self.troubled or self.troubled[-1] != minute):
            self.troubled = [*self.troubled[-KEPT_MINUTES:], minute]
        if self.troubled and self.troubled[0] < minute - KEPT_MINUTES:
            self.troubled = [m for m in self.troubled if m >= minute - KEPT_MINUTES]


def _troubles(engine: Engine, usual: Usual, at: float, *, learned: bool) -> list[Trouble]:
    found = [*_stuck(engine, usual, at), *_capacity(engine, at), *_errors(engine, usual, at, learned=learned)]
    if learned:
        found += [*_latency(engine, usual, at), *_business(engine, usual, at)]
    return found


def _stuck(engine: Engine, usual: Usual, at: float) -> list[Trouble]:
    waits = waiting.waiting_calls(engine.roster.live.values(), None)
    over = figures.stuck_after(usual.histograms.get("e2e"), engine.config.stuck_after_s)
    panel = waiting.panel(waits, at, over)
    live = len(engine.roster.live)
    if panel.stuck < max(2, live // 100):
        return []
    worst = panel.stages[0]
    down = panel.stuck >= max(DOWN_STUCK, live // 50) and panel.stuck >= DOWN_SHARE * panel.waiting
    where = f" in {worst.stage}" if worst.stage else ""
    provider = f" · provider {worst.provider}" if worst.provider else ""
    text = f"{panel.stuck} of {panel.waiting} waiting callers stuck{where} for over {over:.0f} s{provider}"
    return [
        Trouble(
            "stuck", text, at - panel.longest_s, "down" if down else "degraded", panel.stuck, 0, panel.waiting
        )
    ]


def _capacity(engine: Engine, at: float) -> list[Trouble]:
    limit, live = engine.load.limit, len(engine.roster.live)
    if not limit or live < NEAR_CAPACITY * limit:
        return []
    text = f"{live} live calls, {100 * live / limit:.0f} % of the tested capacity of {limit}"
    return [Trouble("capacity", text, at, "degraded", live, limit, live)]


def _errors(engine: Engine, usual: Usual, at: float, *, learned: bool) -> list[Trouble]:
    sums = engine.ledger.counts.sums("5m", None)
    active = len(engine.roster.live) + sums.get("ended", 0)
    hits = sums.get("error", 0)
    if active < MIN_CALLS or hits < 5:
        return []
    value = hits / active
    normal = usual.error_rate("error", "5m", handling_s(sums)) if learned else None
    low, _ = figures.wilson(hits, active, 2.6)
    line = max(2 * normal.value, normal.value + 0.01) if normal is not None and normal.known else 0.08
    if low <= line:
        return []
    kind = _worst_error(sums)
    times = f" = {value / normal.value:.1f}× normal" if normal is not None and normal.value > 0 else ""
    text = f"errors {100 * value:.1f} %{times} (n {active}){kind}"
    severity: Severity = "down" if low > DOWN_ERRORS else "degraded"
    return [Trouble("errors", text, at, severity, value, normal.value if normal else NAN, active)]


def _worst_error(sums: dict[str, int]) -> str:
    kinds = {kind: count for kind, count in sums.items() if kind.startswith("error:")}
    if not kinds:
        return ""
    component, category = max(sorted(kinds), key=lambda kind: kinds[kind]).split(":")[1:3]
    return f" · mostly {component} {category.replace('_', ' ')}"


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
    normal = figures.normal_of(past, 0.95).value
    if n < MIN_TURNS or not value >= figures.WARN_RATIO * normal:
        return []
    slow = int(counts[_bucket_after(past) :].sum())
    if figures.wilson(slow, n, 2.6)[0] < 0.07:
        return []
    stage = culprit(now, usual.histograms)
    sign = "≥ " if at_least else ""
    text = f"P95 e2e {sign}{value / 1000:.1f} s = {value / normal:.1f}× normal (n {n}){stage}"
    return [Trouble("latency", text, at, "degraded", value, normal, n)]


def _bucket_after(past: Histogram) -> int:
    """The bucket beyond which 5 % of the normal turns lie."""
    done = past.cumsum()
    return int((done < QUANTILES[1] * done[-1]).sum()) + 1


def culprit(now: dict[str, Histogram], past: dict[str, Histogram]) -> str:
    """The stage whose P95 grew most against its normal, as " · LLM +1.9 s"; empty where none stands out."""
    grown: list[tuple[float, str]] = []
    for stage in SPLIT:
        if stage in now and stage in past and int(now[stage].sum()) >= MIN_TURNS:
            more = (
                censored_quantile(now[stage], None, 0.95)[0] - censored_quantile(past[stage], None, 0.95)[0]
            )
            grown.append((more, stage))
    if not grown or max(grown)[0] < 100:
        return ""
    more, stage = max(grown)
    return f" · {STAGE_WORDS.get(stage, stage)} +{more / 1000:.1f} s"


STAGE_WORDS = {"stt": "STT", "eou": "endpointing", "llm_ttft": "LLM", "tool": "tools", "tts_ttfb": "TTS"}


def _business(engine: Engine, usual: Usual, at: float) -> list[Trouble]:
    """Success, abandonment and cost over 30 minutes, each against its normal with the doubt of its n."""
    sums = engine.ledger.counts.sums("30m", None)
    found: list[Trouble] = []
    known, good = sums.get("known", 0), usual.rate("succeeded", "known")
    if known >= MIN_CALLS and good.known:
        value = sums.get("succeeded", 0) / known
        if figures.wilson(sums.get("succeeded", 0), known, 3.0)[1] < good.value - 0.02:
            text = f"task success {100 * value:.0f} %, normal {100 * good.value:.0f} % (n {known})"
            found.append(Trouble("success", text, at, "degraded", value, good.value, known))
    decided, left = sums.get("decided", 0), usual.rate("abandoned", "decided")
    if decided >= MIN_CALLS and left.known:
        value = sums.get("abandoned", 0) / decided
        if figures.wilson(sums.get("abandoned", 0), decided, 3.0)[0] > max(
            1.5 * left.value, left.value + 0.02
        ):
            text = f"abandonment {100 * value:.1f} %, normal {100 * left.value:.1f} % (n {decided})"
            found.append(Trouble("abandonment", text, at, "degraded", value, left.value, decided))
    priced, dear = sums.get("priced", 0), usual.mean("cost_micro", "priced", 1e6)
    if priced >= MIN_CALLS and dear.known and dear.value > 0:
        value = sums.get("cost_micro", 0) / priced / 1e6
        if value > figures.WARN_RATIO * dear.value:
            text = f"cost per call ${value:.3f} = {value / dear.value:.1f}× normal (n {priced})"
            found.append(Trouble("cost", text, at, "degraded", value, dear.value, priced))
    return found
