"""What a screen may know: a frozen picture of the session, made for one `View`.

Widgets paint from this and hold no data of their own. Every figure comes with its n; a figure that isn't known is
NaN (numbers) or None (panels), never a guess. Texts in here are already safe to paint.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from voicetop.engine.comparison import Comparison, Moment

NAN = float("nan")

Span: TypeAlias = Literal["5m", "30m", "24h"]
Severity: TypeAlias = Literal["ok", "learning", "degraded", "down", "blind"]
Where: TypeAlias = tuple[tuple[str, str], ...]
"""A conjunction of segment values, (("intent", "billing"), ("language", "es")); empty is everybody."""


class View(Struct, frozen=True):
    """What a screen asks for. Rows `offset` to `offset + limit` of the live calls are filled in.

    `sort` is a column name of `CallRow` ("eyes" is the order of who needs eyes first). `ended` asks for the ended
    calls instead of the live ones. `text` filters rows: words that must all occur in a row, `field:value`,
    `field>number`, `!word`.

    What costs is made only when asked for: `call_id` asks for that call's `CallDetail`, `dimension` for the
    `SegmentsPanel` of a dimension, `trends` for the `TrendsPanel`, `moment` for a `Moment` of the window, to be kept.
    `against` asks for a `Comparison` of that moment with the window, `around` (stamp time; 0: none) for one of the
    windows before and after it.
    """

    span: Span = "5m"
    where: Where = ()
    sort: str = "eyes"
    reverse: bool = False
    text: str = ""
    offset: int = 0
    limit: int = 60
    ended: bool = False
    call_id: str = ""
    dimension: str = ""
    trends: bool = False
    moment: bool = False
    against: Moment | None = None
    around: float = 0.0


class Normal(Struct, frozen=True):
    """What the session has learned as normal: a median and the usual deviation from it; `n` minutes taught it."""

    value: float = NAN
    spread: float = NAN
    n: int = 0

    @property
    def known(self) -> bool:
        return self.value == self.value


class Figure(Struct, frozen=True):
    """One number on the screen. `n` is what it rests on; `low` and `high` bound a rate (Wilson, 95 %).

    `at_least` marks a percentile that callers who still wait have pushed up: it is no less than this.
    `few` says that n is too small for the figure to be read as one. `rule` names the rule whose own figure `warn` is;
    empty where it follows from the normal.
    """

    value: float = NAN
    n: int = 0
    low: float = NAN
    high: float = NAN
    normal: Normal = Normal()
    warn: float = NAN
    at_least: bool = False
    few: bool = False
    rule: str = ""

    @property
    def known(self) -> bool:
        return self.value == self.value

    @property
    def ratio(self) -> float:
        """Times normal; NaN where either isn't known."""
        return self.value / self.normal.value if self.normal.value else NAN


class Latencies(Struct, frozen=True):
    """P50, P95, P99 in ms of one metric ("e2e", or a stage: stt, eou, llm_ttft, tool, tts_ttfb, ...)."""

    name: str
    p50: Figure = Figure()
    p95: Figure = Figure()
    p99: Figure = Figure()


class Series(Struct, frozen=True):
    """A figure over time for a chart: `values[i]` belongs to `start + i × step` (epoch seconds); NaN is a hole."""

    start: float
    step: float
    values: tuple[float, ...]


class LatencyPanel(Struct, frozen=True):
    """Latency, ear to ear, and its split. `split` holds (label, p50 figure) of ASR, endpointing, LLM, tool, TTS, other.

    `measured_from` counts the turns by where e2e was measured from, most first; a fleet may mix them.
    """

    e2e: Latencies
    stages: tuple[Latencies, ...] = ()
    split: tuple[tuple[str, Figure], ...] = ()
    chart: Series | None = None
    measured_from: tuple[tuple[str, int], ...] = ()
    culprit: str = ""


class ErrorKind(Struct, frozen=True):
    """One kind of final error: % of conversations in which it occurred."""

    component: str
    category: str
    rate: Figure = Figure()


class ErrorPanel(Struct, frozen=True):
    """Of the calls active in the window, those with a final error in it; `hours` is the rate by hour, 24 h."""

    rate: Figure = Figure()
    kinds: tuple[ErrorKind, ...] = ()
    chart: Series | None = None
    hours: Series | None = None
    retried: int = 0


class OutcomePanel(Struct, frozen=True):
    """Success of the ended calls whose outcome is known; `coverage` is the share of them that is known."""

    success: Figure = Figure()
    coverage: Figure = Figure()
    escalation: Figure = Figure()
    containment: Figure = Figure()
    chart: Series | None = None


class StepShare(Struct, frozen=True):
    """A step of the funnel: calls that reached it, and the share of all abandonment that happened at it."""

    step: str
    reached: int
    abandoned: int
    share: float


class AbandonPanel(Struct, frozen=True):
    """Abandonment of the ended calls, where it happens (worst first), and the funnel in the order of first reach."""

    rate: Figure = Figure()
    steps: tuple[StepShare, ...] = ()
    funnel: tuple[StepShare, ...] = ()
    chart: Series | None = None


class CostPanel(Struct, frozen=True):
    """Dollars per ended call; `shares` by component; `estimated` is the share of calls priced from the table."""

    per_call: Figure = Figure()
    shares: tuple[tuple[str, float], ...] = ()
    estimated: float = 0.0
    chart: Series | None = None


class MoodPanel(Struct, frozen=True):
    """Sentiment (1–5) as evaluators reported it, calls frustrated right now, and interruptions per 100 turns."""

    sentiment: Figure = Figure()
    frustrated: Figure = Figure()
    interruptions: Figure = Figure()


class CapacityPanel(Struct, frozen=True):
    """Live calls against the tested limit (0: not told). `minutes_to_line` is NaN where arrivals don't lead there."""

    live: int = 0
    limit: int = 0
    tested_at: float = NAN
    peak: int = 0
    peak_at: float = NAN
    arrivals_per_min: float = NAN
    handling_s: float = NAN
    minutes_to_line: float = NAN
    chart: Series | None = None


class StuckStage(Struct, frozen=True):
    """Callers who wait in one stage for longer than `over_s`; stage "" is unknown, provider as the feed tells it."""

    stage: str
    stuck: int
    waiting: int
    longest_s: float
    provider: str = ""


class WaitingPanel(Struct, frozen=True):
    """Who waits for a reply right now, and who is stuck: waiting for longer than `over_s`."""

    waiting: int = 0
    stuck: int = 0
    over_s: float = 0.0
    longest_s: float = 0.0
    stages: tuple[StuckStage, ...] = ()


class CallRow(Struct, frozen=True):
    """One call in a list. Times in seconds; `waiting_s` is NaN where nobody waits; `e2e_ms` is the last turn's.

    `eyes` says why this call needs eyes: stuck, failing, frustrated, lost, or nothing. `mood` is the frustration
    score (0–1), `mood_of` how many of its five signals the feed gives.
    """

    call_id: str
    state: str
    age_s: float
    turn: int
    step: str
    waiting_s: float
    stage: str
    e2e_ms: float
    errors: int
    cost_usd: float
    estimated: bool
    mood: float
    mood_of: int
    eyes: str = ""
    segments: tuple[tuple[str, str], ...] = ()
    caller: str = ""
    ended_at: float = NAN
    reason: str = ""
    outcome: str = ""
    provider: str = ""
    recent: tuple[float, ...] = ()
    """e2e in ms of its last turns, the newest last, for a sparkline; NaN where a turn had no reply."""

    def segment(self, name: str) -> str:
        """The value of one segment, or empty."""
        for key, value in self.segments:
            if key == name:
                return value
        return ""


class CallsPanel(Struct, frozen=True):
    """The asked-for rows of the call list. `total` counts those that pass filter and narrowing, `of` all of them.

    `position` is where the view's `call_id` stands among them, -1 where it doesn't.
    """

    rows: tuple[CallRow, ...] = ()
    offset: int = 0
    total: int = 0
    position: int = -1
    of: int = 0
    stuck: int = 0
    failing: int = 0
    frustrated: int = 0
    error: str = ""


class Trouble(Struct, frozen=True):
    """One thing that isn't as it should be, in figures; `text` says it in a few words.

    `where` is the conjunction that explains the share `explains` of the excess; empty where it is everybody's.
    `stage` is the stage that it is in, where that can be told.
    """

    kind: str
    text: str
    since: float
    severity: Severity
    value: float = NAN
    normal: float = NAN
    n: int = 0
    where: Where = ()
    explains: float = NAN
    stage: str = ""


class Verdict(Struct, frozen=True):
    """Is everything working right now? `text` is the sentence behind the severity word, worst trouble first."""

    severity: Severity
    text: str
    since: float = NAN
    troubles: tuple[Trouble, ...] = ()
    learning_s: float = 0.0


class FeedState(Struct, frozen=True):
    """The feed as the session knows it from the records alone.

    `lag_s`: from source time to receive time, median of the last events. `silent_s`: since the last record that was
    not a heartbeat of our own. `local`: the heartbeats are our own now, the hub is silent.
    """

    epoch: str = ""
    seq: int = 0
    lag_s: float = NAN
    silent_s: float = 0.0
    local: bool = False
    last_at: float = NAN
    events: int = 0
    events_per_s: float = 0.0
    duplicates: int = 0
    malformed: int = 0
    unknown: int = 0
    late: int = 0
    gaps: int = 0
    missed: int = 0
    cells: int = 0
    folded: int = 0
    publishers: int = 0
    publishers_silent: int = 0
    dropped: int = 0
    skewed: tuple[tuple[str, float], ...] = ()


class StoryItem(Struct, frozen=True):
    """Something that happened in a call beside its turns.

    `kind` is tool, error, retry, barge-in, audio, step, segments, state, service, outcome, start or end; `ms` is how
    long it took, where that is known; `bad` marks what went wrong.
    """

    at: float
    kind: str
    text: str
    detail: str = ""
    ms: float = NAN
    bad: bool = False


class TurnRow(Struct, frozen=True):
    """One rung of the ladder: what the caller said, what the agent answered, and where the time went.

    `at` is when the caller stopped speaking (epoch s). `stages` are (stage, ms) in the order in which they follow
    each other; where `additive` they sum to `e2e_ms`, else they may overlap. `items` happened between this turn's
    start and the next. A turn that is still waited for has `waiting_s`, and `stage` names where it is stuck.
    """

    index: int
    at: float
    e2e_ms: float = NAN
    status: str = "ok"
    stages: tuple[tuple[str, float], ...] = ()
    additive: bool = False
    user_text: str = ""
    agent_text: str = ""
    step: str = ""
    measured_from: str = ""
    confidence: float = NAN
    waiting_s: float = NAN
    stage: str = ""
    items: tuple[StoryItem, ...] = ()


class KnownSegment(Struct, frozen=True):
    """A segment value of a call, and when it became known (epoch s)."""

    name: str
    value: str
    known_at: float


class CallDetail(Struct, frozen=True):
    """One call in full. `signals` are the parts of its frustration score (0–1), `weights` how much each counts.

    `before` happened ahead of its first turn. `whole` says whether the story is complete: under great load stories
    are rationed. `opinions` are (evaluator, what it said).
    """

    row: CallRow
    started: float
    source: str = ""
    direction: str = ""
    platform: str = ""
    trace_id: str = ""
    turns: tuple[TurnRow, ...] = ()
    before: tuple[StoryItem, ...] = ()
    segments: tuple[KnownSegment, ...] = ()
    spent: tuple[tuple[str, float], ...] = ()
    signals: tuple[tuple[str, float], ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    opinions: tuple[tuple[str, str], ...] = ()
    whole: bool = True


class SegmentRow(Struct, frozen=True):
    """One value of a dimension against its own normal, and against the rest.

    `calls` are those active in the window, `share` their part of all. `explains` is its share of the excess of slow
    and failed turns over normal (NaN where there is no excess). `worse` says in which figure it is worse than both
    its own normal and the rest, beyond the doubt of its n; empty where in none.
    """

    value: str
    calls: int
    share: float
    p95: Figure = Figure()
    errors: Figure = Figure()
    success: Figure = Figure()
    abandonment: Figure = Figure()
    cost: Figure = Figure()
    sentiment: Figure = Figure()
    stuck: int = 0
    explains: float = NAN
    worse: tuple[str, ...] = ()
    rest_p95: float = NAN
    rest_errors: float = NAN


class SegmentsPanel(Struct, frozen=True):
    """Every value of one dimension, worst first; `folded` calls found no room and stand under "other"."""

    dimension: str
    rows: tuple[SegmentRow, ...] = ()
    folded: int = 0


class HeatMap(Struct, frozen=True):
    """Turns by time and latency: `counts[column][row]`, column i from `start + i × step` on (epoch s), row j from
    `edges[j]` to `edges[j + 1]` ms. Two humps that a percentile hides are two bands here.
    """

    start: float
    step: float
    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]


class MixRow(Struct, frozen=True):
    """One intent's share of the calls that began in the window, against its share of the day; `new` is one that the
    day before hadn't.
    """

    value: str
    calls: int
    share: float
    usual: float
    new: bool = False


class TrendsPanel(Struct, frozen=True):
    """24 hours by the quarter of an hour: (name, unit, series), with what is needed to read them."""

    lines: tuple[tuple[str, str, Series], ...] = ()
    heat: HeatMap | None = None
    mix: tuple[MixRow, ...] = ()
    funnel: tuple[StepShare, ...] = ()


class MarkerNote(Struct, frozen=True):
    """A change in the world, for charts."""

    at: float
    kind: str
    label: str


class IncidentNote(Struct, frozen=True):
    """What somebody did or said about an incident, and when (stamp time)."""

    at: float
    by: str
    text: str = ""


class IncidentRow(Struct, frozen=True):
    """One incident, ready to paint. Times are stamp times (epoch s), NaN where it hasn't come to that.

    `state` is pending, firing, acknowledged, silenced or resolved; `tier` critical, warning or info, at its worst.
    `text` says why it fired, in numbers; `blame` who, which stage, since which marker; `because` where its line comes
    from. `began` is the estimated onset, `ended` the last mark at which it was on. `muted` says what it is part of,
    where a larger incident speaks for it. `times` counts it among those of its kind that came back; `due` is when a
    pending one fires. `also` are the other rules that joined it.
    """

    id: str
    state: str
    tier: str
    family: str
    rule: str
    text: str
    blame: str = ""
    because: str = ""
    where: Where = ()
    began: float = NAN
    fired: float = NAN
    acked: float = NAN
    ended: float = NAN
    resolved: float = NAN
    acked_by: str = ""
    resolved_by: str = ""
    silence: str = ""
    silenced_until: float = NAN
    muted: str = ""
    due: float = NAN
    times: int = 1
    value: float = NAN
    normal: float = NAN
    line: float = NAN
    unit: str = ""
    n: int = 0
    calls: int = 0
    stage: str = ""
    component: str = ""
    provider: str = ""
    version: str = ""
    explains: float = NAN
    also: tuple[str, ...] = ()
    notes: tuple[IncidentNote, ...] = ()
    ticks: tuple[tuple[int, IncidentNote], ...] = ()
    runbook: str = ""
    links: tuple[str, ...] = ()

    @property
    def to_detect_s(self) -> float:
        """From the estimated onset until it fired."""
        return max(0.0, self.fired - self.began) if self.fired == self.fired else NAN

    @property
    def to_acknowledge_s(self) -> float:
        """From when it fired until somebody took it."""
        return self.acked - self.fired

    @property
    def to_resolve_s(self) -> float:
        """From when it fired until it was over or taken as over."""
        return self.resolved - self.fired


class SilenceRow(Struct, frozen=True):
    """A silence: what it matches, until when, by whom and why; `hits` are the open incidents it keeps quiet."""

    id: str
    matcher: str
    until: float
    by: str
    text: str = ""
    since: float = NAN
    hits: int = 0


class AlertsPanel(Struct, frozen=True):
    """What fired, the most urgent first, then what is over, the newest first; `critical` and `warning` count those
    that fire and speak for themselves (neither part of a larger one nor silenced). `crowded` found no room.
    """

    incidents: tuple[IncidentRow, ...] = ()
    silences: tuple[SilenceRow, ...] = ()
    critical: int = 0
    warning: int = 0
    learning_s: float = 0.0
    crowded: int = 0
    last_resolved: float = NAN

    def find(self, incident_id: str) -> IncidentRow | None:
        """The incident of that id, if it is still known."""
        return next((row for row in self.incidents if row.id == incident_id), None)


class Memo(Struct, frozen=True):
    """What a person noted (`act` is note or bookmark) about the moment `at`, epoch s; maybe about one call."""

    at: float
    act: str
    text: str
    by: str
    call_id: str = ""
    target: str = ""


class Snapshot(Struct, frozen=True):
    """Everything a screen shows, at one moment of stamp time (`at`, epoch seconds)."""

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
    mood: MoodPanel
    calls: CallsPanel
    needing_eyes: tuple[CallRow, ...] = ()
    markers: tuple[MarkerNote, ...] = ()
    memos: tuple[Memo, ...] = ()
    dimensions: tuple[str, ...] = ()
    deployment: str = ""
    detail: CallDetail | None = None
    segments: SegmentsPanel | None = None
    trends: TrendsPanel | None = None
    moment: Moment | None = None
    comparison: Comparison | None = None
    alerts: AlertsPanel = AlertsPanel()
