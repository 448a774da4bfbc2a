"""The snapshot: a frozen picture of the session for one `View`.

Widgets render from it and hold no data of their own. Every figure comes with its n; unknown figures are NaN (numbers)
or None (panels), never a guess. Texts are already sanitized.

One module per screen; import from here.
"""

from __future__ import annotations

from voicetop.engine.snapshot.alerts import (
    AlertsPanel,
    IncidentFigure,
    IncidentNote,
    IncidentRow,
    SilenceRow,
)
from voicetop.engine.snapshot.calls import (
    CallDetail,
    CallEventItem,
    CallRow,
    CallsPanel,
    KnownSegment,
    TurnRow,
)
from voicetop.engine.snapshot.feed_health import FeedHealthPanel, SourceHealth, SourceState, SourceTrouble
from voicetop.engine.snapshot.figures import Figure, Latencies, Normal, Series
from voicetop.engine.snapshot.overview import (
    AbandonPanel,
    CapacityPanel,
    CostPanel,
    ErrorKind,
    ErrorPanel,
    LatencyPanel,
    OutcomePanel,
    SentimentPanel,
    StepShare,
)
from voicetop.engine.snapshot.segments import SegmentRow, SegmentsPanel, WorseFigure
from voicetop.engine.snapshot.state import FeedState, StuckStage, Trouble, Verdict, WaitingPanel
from voicetop.engine.snapshot.trends import Annotation, HeatMap, MarkerNote, MixRow, TrendsPanel
from voicetop.engine.snapshot.view import NAN, Severity, Span, View, Where
from voicetop.engine.snapshot.whole import Snapshot

__all__ = [
    "NAN",
    "AbandonPanel",
    "AlertsPanel",
    "Annotation",
    "CallDetail",
    "CallEventItem",
    "CallRow",
    "CallsPanel",
    "CapacityPanel",
    "CostPanel",
    "ErrorKind",
    "ErrorPanel",
    "FeedHealthPanel",
    "FeedState",
    "Figure",
    "HeatMap",
    "IncidentFigure",
    "IncidentNote",
    "IncidentRow",
    "KnownSegment",
    "Latencies",
    "LatencyPanel",
    "MarkerNote",
    "MixRow",
    "Normal",
    "OutcomePanel",
    "SegmentRow",
    "SegmentsPanel",
    "SentimentPanel",
    "Series",
    "Severity",
    "SilenceRow",
    "Snapshot",
    "SourceHealth",
    "SourceState",
    "SourceTrouble",
    "Span",
    "StepShare",
    "StuckStage",
    "TrendsPanel",
    "Trouble",
    "TurnRow",
    "Verdict",
    "View",
    "WaitingPanel",
    "Where",
    "WorseFigure",
]
