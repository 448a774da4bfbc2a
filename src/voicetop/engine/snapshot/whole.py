"""The complete snapshot."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.alerts import AlertsPanel
from voicetop.engine.snapshot.calls import CallDetail, CallRow, CallsPanel
from voicetop.engine.snapshot.comparison import Comparison, WindowSample
from voicetop.engine.snapshot.feed_health import FeedHealthPanel
from voicetop.engine.snapshot.overview import (
    AbandonPanel,
    CapacityPanel,
    CostPanel,
    ErrorPanel,
    LatencyPanel,
    OutcomePanel,
    SentimentPanel,
)
from voicetop.engine.snapshot.segments import SegmentsPanel
from voicetop.engine.snapshot.state import FeedState, Verdict, WaitingPanel
from voicetop.engine.snapshot.trends import Annotation, MarkerNote, TrendsPanel
from voicetop.engine.snapshot.view import View


class Snapshot(Struct, frozen=True):
    """Everything a screen shows at stamp time `at` (epoch seconds)."""

    at: float
    view: View
    feed: FeedState
    verdict: Verdict
    capacity: CapacityPanel
    waiting: WaitingPanel
    latency: LatencyPanel
    errors: ErrorPanel
    outcome: OutcomePanel
    abandonment: AbandonPanel
    cost: CostPanel
    mood: SentimentPanel
    calls: CallsPanel
    needing_eyes: tuple[CallRow, ...] = ()
    markers: tuple[MarkerNote, ...] = ()
    memos: tuple[Annotation, ...] = ()
    dimensions: tuple[str, ...] = ()
    deployment: str = ""
    detail: CallDetail | None = None
    segments: SegmentsPanel | None = None
    trends: TrendsPanel | None = None
    moment: WindowSample | None = None
    comparison: Comparison | None = None
    alerts: AlertsPanel = AlertsPanel()
    health: FeedHealthPanel | None = None
