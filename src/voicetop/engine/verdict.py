"""Current troubles in figures, evaluated at whole 5-second marks so that all consoles agree.

A trouble is on from the mark at which its figure first crosses its threshold (`thresholds.py`), and off once the figure
has been back for `CLEAR_S`. Minutes with a trouble are excluded from normals. The detectors in `alerts` are more
precise; this is the simple answer of the top line, which `views/verdict_text.py` puts into words.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from msgspec import Struct, field
from msgspec.structs import replace

from voicetop.engine import normals, thresholds
from voicetop.engine.attribution import onset, segments, stages
from voicetop.engine.attribution.likelihood import Attribution
from voicetop.engine.calls import Call
from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import Figure, Trouble
from voicetop.engine.waiting import Waits
from voicetop.engine.windows.ledger import Ledger

CLEAR_S = 20
KINDS = (
    "waiting", "capacity", "errors", "latency", "success", "abandonment", "escalation", "cost", "sentiment",
)  # fmt: skip
"""What a trouble can be about; each is a family of alerts."""
LOCAL_RATIO = 14.0
"""The log-likelihood ratio from which a conjunction is a trouble by itself: it is looked for among hundreds, every 5 s,
and slow turns come in clusters by call."""
MAX_MINUTES = 1_500


class ActiveTrouble(Struct, gc=False):
    """A trouble that is on, since when, and when it was last seen (stamp time)."""

    trouble: Trouble
    since: float
    last: float


class Judge(Struct, kw_only=True):
    """Active troubles, and the minutes that had one."""

    standing: dict[str, ActiveTrouble] = field(default_factory=dict)
    troubled: list[int] = field(default_factory=list)
    long_wait_s: float = 0.0
    """Longer than this nobody waits as a rule (`Normals.long_wait_s` at the last mark); 0 while that isn't known."""

    def drop_unreadable(self) -> None:
        """Drop troubles of a checkpoint that this version has no words for: the next mark finds what is still wrong."""
        self.standing = {key: active for key, active in self.standing.items() if _is_readable(active.trouble)}

    def step(
        self, ledger: Ledger, live: Collection[Call], waits: Waits, *, limit: int, stuck_after_s: float
    ) -> None:
        """Look at the figures as they are now: of what the windows hold, and of the `live` calls with their `waits`.

        `limit` is the tested capacity in calls, 0 where it isn't known.
        """
        at = waits.at
        mark = _Mark(ledger, live, waits, frozenset(self.troubled))
        self.long_wait_s = mark.usual.long_wait_s
        over = max(stuck_after_s, self.long_wait_s)
        for trouble in (*mark.stuck(over), *mark.near_capacity(limit), *mark.off_normal()):
            active = self.standing.get(trouble.key)
            since = active.since if active is not None else _onset(ledger, trouble, at)
            self.standing[trouble.key] = ActiveTrouble(trouble, since, at)
        for key in [key for key, active in self.standing.items() if at - active.last >= CLEAR_S]:
            del self.standing[key]
        self._record_minute(int(at // 60))

    def _record_minute(self, minute: int) -> None:
        if self.standing and (not self.troubled or self.troubled[-1] != minute):
            self.troubled = [*self.troubled[-MAX_MINUTES:], minute]
        if self.troubled and self.troubled[0] < minute - MAX_MINUTES:
            self.troubled = [m for m in self.troubled if m >= minute - MAX_MINUTES]


def _onset(ledger: Ledger, trouble: Trouble, at: float) -> float:
    """When it began: of errors the onset that their counts tell, of all else when it was seen."""
    return onset.of_errors(ledger, trouble.where, at) if trouble.kind == "errors" else trouble.since


class _Mark:
    """Evaluates the fleet-wide figures of one mark against the thresholds."""

    def __init__(
        self, ledger: Ledger, live: Collection[Call], waits: Waits, troubled: frozenset[int]
    ) -> None:
        self._ledger, self._live, self._waits, self._troubled = ledger, live, waits, troubled
        self._at = waits.at
        self.usual = Normals.of(ledger, None, troubled)

    def stuck(self, over: float) -> list[Trouble]:
        """Callers who wait for longer than anybody should, `over` seconds."""
        waiting_now = self._waits.waiting_calls(self._live, None)
        panel = self._waits.panel(waiting_now, over)
        confirmed = self._waits.confirmed(waiting_now, over)
        severity = thresholds.stuck(self._waits.panel(confirmed, over), len(self._live))
        if severity == "ok":
            return []
        worst = panel.stages[0]
        return [
            Trouble(
                "waiting", self._at - panel.longest_s, severity, float(panel.stuck), 0.0, panel.waiting,
                line=over, stage=worst.stage, provider=worst.provider,
            )
        ]  # fmt: skip

    def near_capacity(self, limit: int) -> list[Trouble]:
        """Live calls near or over the tested limit."""
        live = len(self._live)
        if thresholds.capacity(live, limit) == "ok":
            return []
        return [Trouble("capacity", self._at, "degraded", float(live), n=live, line=float(limit))]

    def off_normal(self) -> list[Trouble]:
        """What differs from its normal; while none is known only errors have a threshold."""
        errors = self._errors() or self._local_errors()
        return [*errors, *(self._latency() or self._local_latency()), *self._business()]

    def _errors(self) -> list[Trouble]:
        sums = self._ledger.counts.sums("5m", None)
        figure = self._error_figure(sums, len(self._live), self.usual, None)
        if not thresholds.ERRORS.crossed(figure):
            return []
        low, _ = thresholds.wilson(sums["error"], figure.n, thresholds.ERRORS.z)
        who = segments.of_errors(self._ledger)
        trouble = self._failing(figure, sums, who)
        return [replace(trouble, severity="down") if low > thresholds.DOWN_ERRORS else trouble]

    def _local_errors(self) -> list[Trouble]:
        """Errors hidden in the fleet's rate: a conjunction that fails while the rest is normal."""
        if not self.usual.rate("error", "ended").known:
            return []
        who = segments.of_errors(self._ledger, LOCAL_RATIO)
        cells = self._ledger.cells.matching(who.where)
        if not who.where or cells is None:
            return []
        sums = self._ledger.counts.sums("5m", cells)
        live = sum(self._ledger.cells.live[cell] for cell in cells.tolist())
        figure = self._error_figure(sums, live, Normals.of(self._ledger, cells, self._troubled), cells)
        if not thresholds.ERRORS.crossed(figure):
            return []
        return [replace(self._failing(figure, sums, who), local=True)]

    def _failing(self, figure: Figure, sums: dict[str, int], who: Attribution) -> Trouble:
        trouble, (component, category) = _trouble("errors", figure, self._at), _worst_error(sums)
        return replace(trouble, where=who.where, explains=who.explains, stage=component, category=category)

    def _error_figure(self, sums: dict[str, int], live: int, usual: Normals, cells: normals.Cells) -> Figure:
        """Share of calls active in the last five minutes with an error, with its normal if known."""
        figure = normals.rate(sums.get("error", 0), live + sums.get("ended", 0))
        handling = normals.handling_s(self._ledger.counts.sums("30m", cells))
        return replace(figure, normal=usual.error_rate("error", "5m", handling))

    def _latency(self) -> list[Trouble]:
        return self._slow(self.usual, None, Attribution())

    def _local_latency(self) -> list[Trouble]:
        """Latency hidden in the fleet's percentiles: a conjunction that is slow while the rest is normal."""
        if not self.usual.learned:
            return []
        who = segments.of_slow_turns(self._ledger, self.usual.slow_from, LOCAL_RATIO)
        if not who.where:
            return []
        cells = self._ledger.cells.matching(who.where)
        return self._slow(Normals.of(self._ledger, cells, self._troubled), cells, who)

    def _slow(self, usual: Normals, cells: normals.Cells, local: Attribution) -> list[Trouble]:
        """The P95 of these cells, if it is off their normal."""
        now = self._ledger.windows.histograms("5m", cells, len(self._ledger.cells))
        counts, past = now.get("e2e"), usual.histograms.get("e2e")
        if counts is None or past is None:
            return []
        waiting_now = self._waits.waiting_calls(self._live, cells)
        waits = self._waits.histogram(waiting_now) + now.get("waited", 0)
        threshold = thresholds.SEGMENT_LATENCY if local.where else thresholds.LATENCY
        p95 = normals.latencies("e2e", counts, waits, past, threshold).p95
        if not p95.off:
            return []
        slow_from = thresholds.bucket_after(past)
        who = local if local.where else segments.of_slow_turns(self._ledger, slow_from)
        cause = stages.culprit(now, usual.histograms)
        return [
            replace(
                _trouble("latency", p95, self._at), where=who.where, explains=who.explains,
                stage=cause.stage, stage_more_ms=cause.more_ms, local=bool(local.where),
            )
        ]  # fmt: skip

    def _business(self) -> list[Trouble]:
        """Outcomes over 30 minutes."""
        sums = self._ledger.counts.sums("30m", None)
        figures = {kind: normals.outcome(kind, sums, self.usual) for kind in normals.OUTCOMES}
        return [_trouble(kind, figure, self._at) for kind, figure in figures.items() if figure.off]


def _trouble(kind: str, figure: Figure, at: float) -> Trouble:
    value, normal, n = figure.value, figure.normal.value, figure.n
    return Trouble(kind, at, "degraded", value, normal, n, at_least=figure.at_least)


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


def _is_readable(trouble: Trouble) -> bool:
    counted = trouble.kind in ("waiting", "capacity")
    return (
        trouble.kind in KINDS
        and math.isfinite(trouble.value)
        and (not counted or math.isfinite(trouble.line))
    )
