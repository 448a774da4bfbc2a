"""The engine's state as a `Snapshot` for one `View`. Reads only; what is slow and changes slowly is kept a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from voicetop.engine import normals, waiting
from voicetop.engine.capacity import minutes_to_line
from voicetop.engine.engine import Engine
from voicetop.engine.feed_state import BLIND_AFTER
from voicetop.engine.normals import Usual
from voicetop.engine.snapshot import (
    NAN,
    AbandonPanel,
    CallDetail,
    CapacityPanel,
    CostPanel,
    ErrorKind,
    ErrorPanel,
    FeedState,
    Figure,
    LatencyPanel,
    MarkerNote,
    OutcomePanel,
    SegmentsPanel,
    SentimentPanel,
    Series,
    Snapshot,
    StepShare,
    TrendsPanel,
    Verdict,
    View,
    Where,
)
from voicetop.engine.snapshot.comparison import Comparison, WindowSample
from voicetop.engine.verdict import STAGE_WORDS, culprit, handling_s
from voicetop.engine.windows.buckets import censored_quantile
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.engine.windows.slots import MINUTE, QUARTER, SlotKey
from voicetop.views import call_detail, call_list, hour_table, segment_table, trends
from voicetop.views.annotations import known as known_acts
from voicetop.views.annotations import memos
from voicetop.views.compare import window_sample
from voicetop.views.compare.compare import compare
from voicetop.views.compare.natural_variation import NaturalVariation
from voicetop.views.verdict_text import sentence, standing
from voicetop.wire.codec import WireStats
from voicetop.wire.events import Operator

T = TypeVar("T")
SUCCESS_LESS = 0.05
SENTIMENT_LESS = 0.4
"""How far under their normal success (a share) and sentiment (of 5) warn."""
NAMED_STEPS = 6
MOMENT_S = 5
SETTLED_S = 30
CHART_POINTS = 30
SPLIT = ("stt", "eou", "llm_ttft", "tool", "tts_ttfb")


class SnapshotBuilder:
    """Makes snapshots of one engine, keeping what doesn't change between two of them."""

    def __init__(self, engine: Engine, stats: WireStats) -> None:
        self._engine = engine
        self._stats = stats
        self._usual: dict[tuple[Where, int], Usual] = {}
        self._trends = trends.Trends(engine)
        self._segmented: tuple[object, SegmentsPanel] | None = None
        """The last one, with what it was asked for: it is made once a second."""
        self._charts: dict[tuple[object, Where, SlotKey], Any] = {}
        self._wobble = NaturalVariation(engine)
        self._moment: tuple[object, WindowSample] | None = None
        self._compared: tuple[object, Comparison | None] | None = None
        """Made anew every `MOMENT_S`: a table that is read must not change four times a second."""

    def snapshot(
        self,
        view: View,
        *,
        epoch: str = "",
        seq: int = 0,
        deployment: str = "",
        noted: Sequence[Operator] = (),
    ) -> Snapshot:
        """What a screen that asks with `view` may know, now; `noted` is what people noted outside of the feed."""
        acts = known_acts(self._engine.operators, noted, self._engine.at)
        scope = _Scope(self._engine, view, self._usual_for(view.where))
        feed = self._feed(epoch, seq)
        wait = waiting.panel(scope.waiting, scope.at, scope.stuck_after)
        listed = call_list.list_calls(self._engine, view, scope.cells, scope.stuck_after)
        abandonment = self._abandonment(scope)
        return Snapshot(
            at=scope.at,
            view=view,
            feed=feed,
            verdict=self._verdict(feed, scope),
            capacity=self._capacity(),
            waiting=wait,
            latency=self._latency(scope),
            errors=self._errors(scope),
            outcome=self._outcome(scope),
            abandonment=abandonment,
            cost=self._cost(scope),
            mood=self._mood(scope, listed.panel.frustrated),
            calls=listed.panel,
            needing_eyes=listed.eyes,
            memos=memos(acts),
            markers=tuple(MarkerNote(m.ts, m.kind, m.version or m.label) for m in self._engine.markers),
            dimensions=(*self._engine.ledger.cells.dimensions(), hour_table.DIMENSION),
            deployment=deployment,
            detail=self._detail(scope, acts),
            segments=self._segments(scope),
            trends=self._trends_panel(scope, abandonment),
            moment=self._moment_of(view) if view.moment else None,
            comparison=self._comparison(view),
        )

    def _moment_of(self, view: View) -> WindowSample | None:
        if not (view.moment or view.against):
            return None
        key = (view.span, self._engine.at if view.moment else int(self._engine.at // MOMENT_S))
        if self._moment is None or self._moment[0] != key:
            self._moment = (key, window_sample.ending_now(self._engine, view.span, self._wobble))
        return self._moment[1]

    def _comparison(self, view: View) -> Comparison | None:
        if view.against is None and not view.around:
            return None
        asked = (view.against, view.around, view.span, view.where)
        key = (*asked, int(self._engine.at // MOMENT_S))
        if self._compared is None or self._compared[0] != key:
            self._compared = (key, self._compare(view))
        return self._compared[1]

    def _compare(self, view: View) -> Comparison | None:
        pair = (view.against, self._moment_of(view))
        if view.around:
            pair = window_sample.around(self._engine, view.around, view.span, self._wobble) or (None, None)
        return compare(pair[0], pair[1], view.where) if pair[0] is not None and pair[1] is not None else None

    def _detail(self, scope: _Scope, acts: Sequence[Operator]) -> CallDetail | None:
        call = self._engine.roster.find(scope.view.call_id) if scope.view.call_id else None
        if call is None:
            return None
        about = [act for act in acts if act.call_id == call.call_id]
        return call_detail.detail(call, scope.at, scope.stuck_after, about)

    def _segments(self, scope: _Scope) -> SegmentsPanel | None:
        view = scope.view
        if not view.dimension:
            return None
        key = (view.dimension, view.span, view.where, int(scope.at))
        if view.dimension == hour_table.DIMENSION and (self._segmented is None or self._segmented[0] != key):
            self._segmented = (key, hour_table.panel(self._trends.quarters(scope.cells)))
        if self._segmented is None or self._segmented[0] != key:
            made = segment_table.panel(
                self._engine, view, scope.cells, self._usual_for(()), stuck_after=scope.stuck_after
            )
            self._segmented = (key, made)
        return self._segmented[1]

    def _trends_panel(self, scope: _Scope, abandonment: AbandonPanel) -> TrendsPanel | None:
        if not scope.view.trends:
            return None
        funnel = trends.in_order(abandonment.funnel, reversed(self._engine.roster.ended.values()))
        return self._trends.panel(scope.cells, trends.intent_mix(self._engine), funnel)

    def _usual_for(self, where: Where) -> Usual:
        minute = int(self._engine.at // 10)
        made = self._usual.get((where, minute))
        if made is None:
            self._usual = {key: kept for key, kept in self._usual.items() if key[1] == minute}
            segment_table = tuple(part for part in where if part[0] != "hour")
            cells = self._engine.ledger.cells.matching(segment_table)
            made = Usual(self._engine.ledger, cells, frozenset(self._engine.judge.troubled))
            self._usual[where, minute] = made
        return made

    # -- the feed and the verdict -------------------------------------------------------------------------------

    def _feed(self, epoch: str, seq: int) -> FeedState:
        seen = self._engine.feed
        publishers, silent = seen.speaking(seen.at)
        lags = sorted(seen.lags)
        first, last = (seen.rates[0], seen.rates[-1]) if seen.rates else ((0.0, 0), (0.0, 0))
        passed = last[0] - first[0]
        return FeedState(
            epoch=epoch,
            seq=seq,
            lag_s=lags[len(lags) // 2] if lags else NAN,
            silent_s=max(0.0, seen.at - seen.spoke_at) if seen.local else 0.0,
            local=seen.local,
            last_at=seen.spoke_at,
            events=seen.events,
            events_per_s=(last[1] - first[1]) / passed if passed > 0 else 0.0,
            duplicates=self._stats.duplicates,
            malformed=self._stats.malformed,
            unknown=sum(self._stats.unknown_types.values()),
            late=self._engine.ledger.windows.late,
            gaps=seen.gaps,
            missed=seen.missed,
            cells=len(self._engine.ledger.cells.ids),
            folded=self._engine.ledger.cells.folded + self._engine.ledger.cells.others,
            publishers=publishers,
            publishers_silent=silent,
            dropped=sum(source.dropped for source in seen.sources.values()),
            skewed=tuple((name, source.skew) for name, source in seen.sources.items() if source.skew),
        )

    def _verdict(self, feed: FeedState, scope: _Scope) -> Verdict:
        judge = self._engine.judge
        troubles = tuple(
            msgspec.structs.replace(held.trouble, since=held.since) for held in judge.standing.values()
        )
        if feed.silent_s >= BLIND_AFTER:
            return Verdict("blind", f"feed silent for {feed.silent_s:.0f} s", feed.last_at, troubles)
        if feed.publishers and feed.publishers == feed.publishers_silent:
            return Verdict("blind", f"the hub is there, but {_publishers(feed)} silent", scope.at, troubles)
        if troubles:
            worst = standing(troubles)
            return Verdict(worst[0].severity, sentence(worst), min(t.since for t in troubles), tuple(worst))
        live = len(self._engine.roster.live)
        calls = f"{live:,} call{'s' * (live != 1)}" if live else "no calls right now"
        usual = self._usual_for(())
        if not usual.learned(scope.at):
            left = usual.left(scope.at)
            text = f"{calls} · learning what is normal, {max(1, round(left / 60))} min to go"
            return Verdict("learning", text, learning_s=left)
        capacity = self._engine.load.limit
        share = f" · {100 * live / capacity:.0f} % of tested capacity" if capacity else ""
        return Verdict("ok", f"{calls} · every panel within its normal{share}")

    # -- panels -------------------------------------------------------------------------------------------------

    def _capacity(self) -> CapacityPanel:
        load, engine = self._engine.load, self._engine
        sums, longer = (engine.ledger.counts.sums(span, None) for span in ("5m", "30m"))
        covered = max(60.0, min(engine.at - engine.ledger.counts.edges.short, engine.at - self._first_at()))
        arrivals = sums.get("started", 0) / covered * 60
        handling = handling_s(longer)
        live = len(engine.roster.live)
        peak, peak_at = load.peak(engine.at)
        recent = load.minutes[-CHART_POINTS:]
        chart = Series(recent[0][0] * 60.0, 60.0, tuple(float(n) for _, n in recent)) if recent else None
        return CapacityPanel(
            live=live,
            limit=load.limit,
            tested_at=load.tested_at,
            peak=max(peak, live),
            peak_at=peak_at,
            arrivals_per_min=arrivals,
            handling_s=handling,
            minutes_to_line=minutes_to_line(live, load.limit, arrivals, handling),
            chart=chart,
        )

    def _first_at(self) -> float:
        starts = [width * number for width, number in self._engine.ledger.counts.slots]
        return min(starts, default=self._engine.at)

    def _latency(self, scope: _Scope) -> LatencyPanel:
        now, past = scope.histograms, scope.usual.histograms
        waits = waiting.as_histogram(scope.waiting, scope.at) + now.get("waited", 0)
        e2e = normals.latencies("e2e", now.get("e2e", _NOTHING), waits, past.get("e2e"), warn=True)
        stages = tuple(
            normals.latencies(name, counts, None, past.get(name))
            for name, counts in now.items()
            if name not in ("e2e", "waited")
        )
        by_name = {stage.name: stage for stage in stages}
        split = tuple((name, by_name[name].p50) for name in SPLIT if name in by_name)
        kinds = sorted(
            ((kind[5:], n) for kind, n in scope.sums.items() if kind.startswith("from:")),
            key=lambda part: -part[1],
        )
        stage, more = culprit(now, past) if scope.usual.learned(scope.at) else ("", 0.0)
        grown = f"{STAGE_WORDS[stage]} +{more / 1000:.1f} s" if stage else ""
        return LatencyPanel(e2e, stages, split, self._latency_chart(scope), tuple(kinds), grown)

    def _latency_chart(self, scope: _Scope) -> Series:
        slots = scope.chart_slots()
        values = [self._slot(scope, slot, _p95) for slot in slots]
        return Series(slots[0][0] * slots[0][1], slots[0][0], tuple(values))

    def _slot(self, scope: _Scope, slot: SlotKey, make: Callable[[_Scope, SlotKey], T]) -> T:
        """What a chart shows of one slot of time; that of a slot which has just ended is for this picture only.

        The others are kept a while, not for ever: whether calls were abandoned is decided minutes after their end, and
        evaluators and bills come later still.
        """
        age = scope.at - (slot[1] + 1) * slot[0]
        kept, key = self._charts if age > SETTLED_S else scope.charts, (make, scope.view.where, slot)
        made: tuple[float, T] | None = kept.get(key)
        if made is None or scope.at - made[0] >= max(SETTLED_S, age / 10):
            if len(kept) > 8_000:
                kept.clear()
            made = kept[key] = scope.at, make(scope, slot)
        return made[1]

    def _errors(self, scope: _Scope) -> ErrorPanel:
        sums, active = scope.sums, scope.live + scope.sums.get("ended", 0)
        kinds = []
        for kind, hits in sums.items():
            if kind.startswith("error:"):
                component, _, category = kind[6:].partition(":")
                normal = scope.usual.error_rate(kind, scope.view.span, scope.handling)
                kinds.append(ErrorKind(component, category or "other", normals.rate(hits, active, normal)))
        kinds.sort(key=lambda kind: (-kind.rate.value, kind.component, kind.category))
        normal = scope.usual.error_rate("error", scope.view.span, scope.handling)
        return ErrorPanel(
            rate=normals.rate(sums.get("error", 0), active, normal, normals.error_line(normal)),
            kinds=tuple(kinds),
            chart=self._rate_chart(scope, "error", "ended"),
            hours=self._error_hours(scope),
            retried=sums.get("retried", 0),
        )

    def _rate_chart(self, scope: _Scope, hits: str, of: str) -> Series:
        slots = scope.chart_slots()
        values = []
        for slot in slots:
            sums = self._slot(scope, slot, _sums)
            n = sums.get(of, 0)
            values.append(min(1.0, sums.get(hits, 0) / n) if n else NAN)
        return Series(slots[0][0] * slots[0][1], slots[0][0], tuple(values))

    def _error_hours(self, scope: _Scope) -> Series:
        """Calls with an error over calls ended, by hour of the last 24."""
        hour = int(scope.at // 3600)
        hits, ended = np.zeros(24), np.zeros(24)
        for slot in sorted(self._engine.ledger.counts.slots):
            index = slot[0] * slot[1] // 3600 - hour + 23
            if slot[0] >= MINUTE and 0 <= index < 24:
                sums = self._slot(scope, slot, _sums)
                hits[index] += sums.get("error", 0)
                ended[index] += sums.get("ended", 0)
        values = np.where(ended > 0, np.minimum(1.0, hits / np.maximum(ended, 1)), NAN)
        return Series((hour - 23) * 3600.0, 3600.0, tuple(values.tolist()))

    def _outcome(self, scope: _Scope) -> OutcomePanel:
        sums, usual = scope.business, scope.usual
        talked = sums.get("talked", 0)
        handed_on, good = usual.rate("escalated", "talked"), usual.rate("succeeded", "known")
        escalation = normals.rate(
            sums.get("escalated", 0), talked, handed_on, normals.leaving_line(handed_on)
        )
        return OutcomePanel(
            success=normals.rate(
                sums.get("succeeded", 0), sums.get("known", 0), good, good.value - SUCCESS_LESS
            ),
            coverage=normals.rate(sums.get("known", 0), talked),
            escalation=escalation,
            containment=normals.rate(talked - sums.get("escalated", 0), talked),
            chart=self._rate_chart(scope, "succeeded", "known"),
        )

    def _abandonment(self, scope: _Scope) -> AbandonPanel:
        sums, usual = scope.business, scope.usual.rate("abandoned", "decided")
        left = {kind[5:]: n for kind, n in sums.items() if kind.startswith("left:")}
        reached = {kind[5:]: n for kind, n in sums.items() if kind.startswith("step:")}
        total = sum(left.values())
        funnel = tuple(
            StepShare(step, n, left.get(step, 0), left.get(step, 0) / total if total else 0.0)
            for step, n in reached.items()
        )
        shares = [StepShare(step, reached.get(step, 0), n, n / total) for step, n in left.items() if total]
        shares.sort(key=lambda share: (-share.abandoned, share.step))
        return AbandonPanel(
            rate=normals.rate(
                sums.get("abandoned", 0), sums.get("decided", 0), usual, normals.leaving_line(usual)
            ),
            steps=tuple(shares[:NAMED_STEPS]),
            funnel=funnel,
            chart=self._rate_chart(scope, "abandoned", "decided"),
        )

    def _cost(self, scope: _Scope) -> CostPanel:
        sums = scope.business
        n, total = sums.get("priced", 0), sums.get("cost_micro", 0)
        usual = scope.usual.mean("cost_micro", "priced", 1e6)
        shares = [
            (kind[5:], amount / total) for kind, amount in sums.items() if kind.startswith("cost:") and total
        ]
        shares.sort(key=lambda share: -share[1])
        return CostPanel(
            per_call=normals.mean(total / 1e6, n, usual, normals.line_over(usual, normals.WARN_RATIO)),
            shares=tuple(shares),
            estimated=sums.get("guessed", 0) / n if n else 0.0,
            chart=self._mean_chart(scope, "cost_micro", "priced", 1e6),
        )

    def _mean_chart(self, scope: _Scope, total: str, of: str, unit: float) -> Series:
        slots = scope.chart_slots()
        sums = [self._slot(scope, slot, _sums) for slot in slots]
        values = tuple(s[total] / s[of] / unit if s.get(of) else NAN for s in sums)
        return Series(slots[0][0] * slots[0][1], slots[0][0], values)

    def _mood(self, scope: _Scope, moody: int) -> SentimentPanel:
        sums, usual = scope.business, scope.usual
        felt = usual.mean("sentiment_centi", "sentiments", 100)
        turns = int(scope.histograms["e2e"].sum()) if "e2e" in scope.histograms else 0
        barge_ins = scope.sums.get("barge_ins", 0)
        return SentimentPanel(
            sentiment=normals.mean(
                sums.get("sentiment_centi", 0) / 100,
                sums.get("sentiments", 0),
                felt,
                felt.value - SENTIMENT_LESS,
            ),
            frustrated=normals.rate(moody, scope.live, usual.rate("moody", "talked")),
            interruptions=Figure(100 * barge_ins / turns if turns else NAN, turns, few=turns < 30),
        )


class _Scope:
    """The cells, window and sums that one view is about."""

    def __init__(self, engine: Engine, view: View, usual: Usual) -> None:
        self.engine, self.view, self.usual, self.at = engine, view, usual, engine.at
        ledger = engine.ledger
        self.cells: NDArray[np.intp] | None = ledger.cells.matching(p for p in view.where if p[0] != "hour")
        self.chosen = None if self.cells is None else frozenset(self.cells.tolist())
        hour_table = [int(value) for name, value in view.where if name == "hour" and value.isdigit()]
        if hour_table:
            self.histograms: dict[str, Histogram] = ledger.windows.hour(hour_table[0], self.cells)
            self.sums = self.business = ledger.counts.hour(hour_table[0], self.chosen)
        else:
            self.histograms = ledger.windows.histograms(view.span, self.cells, len(ledger.cells))
            self.sums = ledger.counts.sums(view.span, self.cells)
            self.business = self.sums if view.span == "24h" else ledger.counts.sums("30m", self.cells)
        counts = ledger.cells.live
        self.live = sum(counts) if self.cells is None else sum(counts[cell] for cell in self.cells.tolist())
        self.waiting = waiting.waiting_calls(engine.roster.live.values(), self.cells)
        if (
            hour_table and hour_table[0] != self.at // 3600 % 24
        ):  # who is on the line now is no part of another hour
            self.live, self.waiting = 0, []
        self.stuck_after = normals.stuck_after(usual.histograms.get("e2e"), engine.config.stuck_after_s)
        self.handling = handling_s(self.business)
        self.charts: dict[tuple[object, Where, SlotKey], Any] = {}

    def calls(self) -> call_list.Live:
        """The live calls of these cells."""
        return call_list.live_calls(self.engine, self.chosen)

    def chart_slots(self) -> list[SlotKey]:
        """The slots of a chart: 30 minutes by the minute, or 24 hours by the quarter."""
        if self.view.span == "24h":
            return _last(self.at, QUARTER, 96)
        return _last(self.at, MINUTE, CHART_POINTS)


def _p95(scope: _Scope, slot: SlotKey) -> float:
    """P95 of e2e."""
    table = scope.engine.ledger.windows.over_time(slot, scope.cells)
    return censored_quantile(table[METRIC["e2e"]], None, 0.95)[0]


def _sums(scope: _Scope, slot: SlotKey) -> dict[str, int]:
    """Sums by kind."""
    return scope.engine.ledger.counts.over_time(slot, scope.chosen)


def _last(at: float, width: int, count: int) -> list[SlotKey]:
    last = int(at // width)
    return [(width, number) for number in range(last - count + 1, last + 1)]


def _publishers(feed: FeedState) -> str:
    return "its publisher is" if feed.publishers == 1 else f"all its {feed.publishers} publishers are"


_NOTHING = normals._ZERO
