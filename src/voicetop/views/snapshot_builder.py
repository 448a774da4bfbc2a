"""The engine's state as a `Snapshot` for one `View`. Reads only; what is slow and changes slowly is kept a while."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.alerts.alerts import Alerts
from voicetop.engine import waiting
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
    Verdict,
    View,
    Where,
)
from voicetop.engine.snapshot.comparison import Comparison, WindowSample
from voicetop.views import call_detail, call_list, hour_table, panels, segment_table, trends
from voicetop.views.annotations import known as known_acts
from voicetop.views.annotations import memos
from voicetop.views.charts import Charts
from voicetop.views.compare import window_sample
from voicetop.views.compare.compare import compare
from voicetop.views.compare.natural_variation import NaturalVariation
from voicetop.views.feed import feed_state
from voicetop.views.incidents import panel_of
from voicetop.views.scope import Scope
from voicetop.views.verdict import plain_verdict, verdict_of
from voicetop.wire.codec import WireStats
from voicetop.wire.events import Operator

MOMENT_S = 5


class SnapshotBuilder:
    """Makes snapshots of one engine, keeping what doesn't change between two of them."""

    def __init__(self, engine: Engine, stats: WireStats, alerts: Alerts) -> None:
        self._engine = engine
        self._stats = stats
        self._alerts = alerts
        self._usual: dict[tuple[Where, int], Normals] = {}
        self._trends = trends.Trends(engine)
        self._segmented: tuple[object, SegmentsPanel] | None = None
        """The last one, with what it was asked for: it is made once a second."""
        self._charts = Charts()
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
        engine, charts = self._engine, self._charts
        acts = known_acts(engine.operators, noted, engine.at)
        scope = Scope(engine, view, self._usual_for(view.where))
        feed = feed_state(engine, self._stats, epoch, seq)
        alerts = panel_of(self._alerts.incidents, self._alerts.learning_s(engine))
        listed = call_list.list_calls(engine, view, scope.cells, scope.stuck_after)
        abandonment = panels.abandonment(scope, charts)
        return Snapshot(
            at=scope.at,
            view=view,
            feed=feed,
            verdict=self._verdict(feed, alerts),
            capacity=panels.capacity(engine),
            waiting=waiting.panel(scope.waiting, scope.at, scope.stuck_after),
            latency=panels.latency(scope, charts),
            errors=panels.errors(scope, charts),
            outcome=panels.outcome(scope, charts),
            abandonment=abandonment,
            cost=panels.cost(scope, charts),
            mood=panels.sentiment(scope, listed.panel.frustrated),
            calls=listed.panel,
            needing_eyes=listed.eyes,
            memos=memos(acts),
            markers=tuple(MarkerNote(m.ts, m.kind, m.version or m.label) for m in engine.markers),
            dimensions=(*engine.ledger.cells.dimensions(), hour_table.DIMENSION),
            deployment=deployment,
            detail=self._detail(scope, acts),
            segments=self._segments(scope),
            trends=self._trends_panel(scope, abandonment),
            moment=self._moment_of(view) if view.moment else None,
            comparison=self._comparison(view),
            alerts=alerts,
        )

    def _verdict(self, feed: FeedState, alerts: AlertsPanel) -> Verdict:
        plain = plain_verdict(self._engine, feed, self._usual_for(()))
        opened = self._alerts.incidents.opened
        return verdict_of(plain, opened, self._engine.at, alerts.last_resolved)

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

    def _detail(self, scope: Scope, acts: Sequence[Operator]) -> CallDetail | None:
        call = self._engine.roster.find(scope.view.call_id) if scope.view.call_id else None
        if call is None:
            return None
        about = [act for act in acts if act.call_id == call.call_id]
        return call_detail.detail(call, scope.at, scope.stuck_after, about)

    def _segments(self, scope: Scope) -> SegmentsPanel | None:
        view = scope.view
        if not view.dimension:
            return None
        key = (view.dimension, view.span, view.where, int(scope.at))
        if view.dimension == hour_table.DIMENSION and (self._segmented is None or self._segmented[0] != key):
            self._segmented = (
                key,
                hour_table.panel(self._trends.quarters(scope.cells), self._engine.judge.troubled),
            )
        if self._segmented is None or self._segmented[0] != key:
            made = segment_table.panel(
                self._engine, view, scope.cells, self._usual_for(()), stuck_after=scope.stuck_after
            )
            self._segmented = (key, made)
        return self._segmented[1]

    def _trends_panel(self, scope: Scope, abandonment: AbandonPanel) -> TrendsPanel | None:
        if not scope.view.trends:
            return None
        funnel = trends.in_order(abandonment.funnel, reversed(self._engine.roster.ended.values()))
        return self._trends.panel(scope.cells, trends.intent_mix(self._engine), funnel)

    def _usual_for(self, where: Where) -> Normals:
        minute = int(self._engine.at // 10)
        made = self._usual.get((where, minute))
        if made is None:
            self._usual = {key: kept for key, kept in self._usual.items() if key[1] == minute}
            cells = self._engine.ledger.cells.matching(part for part in where if part[0] != "hour")
            made = Normals.of(self._engine.ledger, cells, frozenset(self._engine.judge.troubled))
            self._usual[where, minute] = made
        return made
