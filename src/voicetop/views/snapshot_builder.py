"""Builds the `Snapshot` for a `View` from the engine's state. Only reads; slow parts are cached briefly."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.alerts.alerts import Alerts
from voicetop.engine.engine import Engine
from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import (
    AbandonPanel,
    AlertsPanel,
    CallDetail,
    FeedState,
    MarkerNote,
    SegmentsPanel,
    Snapshot,
    TrendsPanel,
    Trouble,
    Verdict,
    View,
    Where,
)
from voicetop.engine.snapshot.comparison import Comparison, WindowSample
from voicetop.views import call_list, hour_table, panels, segment_table, trends
from voicetop.views.annotations import annotations_of, merged_acts
from voicetop.views.calls import call_detail
from voicetop.views.charts import Charts
from voicetop.views.compare import window_sample
from voicetop.views.compare.compare import compare
from voicetop.views.compare.natural_variation import NaturalVariation
from voicetop.views.feed import feed_state
from voicetop.views.feed_health import feed_health
from voicetop.views.incidents import panel_of
from voicetop.views.over_time import OverTime
from voicetop.views.scope import Scope
from voicetop.views.verdict import plain_verdict, verdict_of, with_unknown
from voicetop.wire.codec import WireStats
from voicetop.wire.events import Operator

COMPARISON_S = 5
HEALTH_S = 5


class SnapshotBuilder:
    """Builds snapshots of one engine, caching what rarely changes."""

    def __init__(self, engine: Engine, stats: WireStats, alerts: Alerts) -> None:
        self._engine = engine
        self._stats = stats
        self._alerts = alerts
        self._usual: dict[tuple[Where, int], Normals] = {}
        self._over_time = OverTime(engine)
        self._segment_table: tuple[object, SegmentsPanel] | None = None
        """The last table and its key: it is rebuilt once a second."""
        self._variation = NaturalVariation(engine)
        self._sample: tuple[object, WindowSample] | None = None
        self._compared: tuple[object, Comparison | None] | None = None
        """Rebuilt every `COMPARISON_S`: a table that people read must not change four times a second."""
        self._looked_at, self._in_trouble = -1.0, 0

    def snapshot(
        self,
        view: View,
        *,
        epoch: str = "",
        seq: int = 0,
        deployment: str = "",
        noted: Sequence[Operator] = (),
    ) -> Snapshot:
        """The snapshot for `view`, now; `noted` are annotations from outside the feed."""
        engine = self._engine
        acts = merged_acts(engine.operators, noted, engine.at)
        scope = Scope(engine, view, self._usual_for(view.where))
        hour_table.narrow(scope, self._over_time)
        charts = Charts(self._over_time, scope)
        feed = feed_state(engine, self._stats, epoch, seq, self._sources_in_trouble())
        alerts = panel_of(self._alerts.incidents, self._alerts.learning_s(engine))
        verdict = self._verdict(feed, alerts)
        listing = call_list.list_calls(engine, view, scope.waits, scope.cells, scope.stuck_after)
        abandonment = panels.abandonment(scope, charts)
        return Snapshot(
            at=scope.at,
            view=view,
            feed=feed,
            verdict=verdict,
            capacity=panels.capacity(engine, charts.live_calls()),
            waiting=scope.waits.panel(scope.waiting, scope.stuck_after, scope.unknown),
            latency=panels.latency(scope, charts),
            errors=panels.errors(scope, charts),
            outcome=panels.outcome(scope, charts),
            abandonment=abandonment,
            cost=panels.cost(scope, charts),
            mood=panels.sentiment(scope, listing.panel.frustrated),
            calls=listing.panel,
            needing_eyes=listing.urgent,
            memos=annotations_of(acts),
            markers=tuple(MarkerNote(m.ts, m.kind, m.version or m.label) for m in engine.markers),
            dimensions=(*engine.ledger.cells.dimensions(), hour_table.DIMENSION),
            deployment=deployment,
            detail=self._detail(scope, acts),
            segments=self._segments(scope, verdict.troubles),
            trends=self._trends_panel(scope, abandonment),
            moment=self._sample_of(view) if view.moment else None,
            health=feed_health(engine, self._stats.faults) if view.health else None,
            comparison=self._comparison(view),
            alerts=alerts,
        )

    def _sources_in_trouble(self) -> int:
        """How many sources have something wrong with them, as of the last look."""
        mark = self._engine.at // HEALTH_S
        if mark != self._looked_at:
            panel = feed_health(self._engine, self._stats.faults)
            self._looked_at, self._in_trouble = mark, panel.silent + panel.attention
        return self._in_trouble

    def _verdict(self, feed: FeedState, alerts: AlertsPanel) -> Verdict:
        plain = plain_verdict(self._engine, feed, self._usual_for)
        opened = self._alerts.incidents.opened
        verdict = verdict_of(plain, opened, self._engine.at, alerts.last_resolved, self._engine.judge)
        return with_unknown(verdict, self._engine)

    def _sample_of(self, view: View) -> WindowSample | None:
        if not (view.moment or view.against):
            return None
        key = (view.span, self._engine.at if view.moment else int(self._engine.at // COMPARISON_S))
        if self._sample is None or self._sample[0] != key:
            self._sample = (key, window_sample.ending_now(self._engine, view.span, self._variation))
        return self._sample[1]

    def _comparison(self, view: View) -> Comparison | None:
        if view.against is None and not view.around:
            return None
        page = (view.against, view.around, view.span, view.where)
        key = (*page, int(self._engine.at // COMPARISON_S))
        if self._compared is None or self._compared[0] != key:
            self._compared = (key, self._compare(view))
        return self._compared[1]

    def _compare(self, view: View) -> Comparison | None:
        samples = (view.against, self._sample_of(view))
        if view.around:
            samples = window_sample.around(self._engine, view.around, view.span, self._variation) or (
                None,
                None,
            )
        return (
            compare(samples[0], samples[1], view.where)
            if samples[0] is not None and samples[1] is not None
            else None
        )

    def _detail(self, scope: Scope, acts: Sequence[Operator]) -> CallDetail | None:
        call = self._engine.roster.find(scope.view.call_id) if scope.view.call_id else None
        if call is None:
            return None
        about = [act for act in acts if act.call_id == call.call_id]
        return call_detail.detail(call, scope.waits, scope.stuck_after, about)

    def _segments(self, scope: Scope, troubles: Sequence[Trouble]) -> SegmentsPanel | None:
        view = scope.view
        if not view.dimension:
            return None
        key = (view.dimension, view.span, view.where, int(scope.at))
        if self._segment_table is None or self._segment_table[0] != key:
            self._segment_table = (key, self._make_segment_table(scope, troubles))
        return self._segment_table[1]

    def _make_segment_table(self, scope: Scope, troubles: Sequence[Trouble]) -> SegmentsPanel:
        view = scope.view
        if view.dimension == hour_table.DIMENSION:
            return hour_table.panel(self._over_time, scope, self._engine.judge.troubled)
        judged = {active.trouble.kind for active in self._engine.judge.standing.values() if active.on}
        return segment_table.panel(
            self._engine,
            view,
            scope.waits,
            scope.cells,
            self._usual_for(()),
            stuck_after=scope.stuck_after,
            troubles=[trouble for trouble in troubles if trouble.kind in judged],
        )

    def _trends_panel(self, scope: Scope, abandonment: AbandonPanel) -> TrendsPanel | None:
        if not scope.view.trends:
            return None
        funnel = trends.in_order(abandonment.funnel, reversed(self._engine.roster.ended.values()))
        return trends.panel(self._over_time, scope, trends.intent_mix(self._engine), funnel)

    def _usual_for(self, where: Where) -> Normals:
        period = int(self._engine.at // 10)
        normals = self._usual.get((where, period))
        if normals is None:
            self._usual = {key: value for key, value in self._usual.items() if key[1] == period}
            cells = self._engine.ledger.cells.matching(part for part in where if part[0] != "hour")
            normals = Normals.of(self._engine.ledger, cells, frozenset(self._engine.judge.troubled))
            self._usual[where, period] = normals
        return normals
