"""Screen 2: the list of calls, and one call in full."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN


class CallRow(Struct, frozen=True):
    """One call in a list. Times in seconds; `waiting_s` is NaN if not waiting; `e2e_ms` is the last turn's.

    Whether the caller still waits is unknown since `unknown_since` (stamp time), when the publisher was last heard; NaN
    unless it is.

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
    unknown_since: float = NAN

    def segment(self, name: str) -> str:
        """The value of one segment, or empty."""
        for key, value in self.segments:
            if key == name:
                return value
        return ""


class CallsPanel(Struct, frozen=True):
    """The asked-for rows of the call list. `total` counts those that pass filter and narrowing, `of` all of them.

    `position` is the index of the view's `call_id` among them, -1 if absent.
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


class CallEventItem(Struct, frozen=True):
    """An event of a call other than a turn.

    `kind` is tool, error, retry, barge-in, audio, step, segments, state, service, outcome, start or end; `ms` is its
    duration, if known; `bad` marks failures.
    """

    at: float
    kind: str
    text: str
    detail: str = ""
    ms: float = NAN
    bad: bool = False


class TurnRow(Struct, frozen=True):
    """One turn: what the caller said, what the agent answered, and where the time went.

    `index` is its number, or below -1 for a turn without one in a call whose turns have numbers.
    `at` is when the caller stopped speaking (epoch s). `stages` are (stage, ms) in the order in which they follow
    each other; where `additive` they sum to `e2e_ms`, else they may overlap. `items` happened between this turn's
    start and the next. A turn that is still waited for has `waiting_s`, and `stage` names where it is stuck; if that
    isn't known, its status is "unknown" since `unknown_since` (stamp time).
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
    unknown_since: float = NAN
    items: tuple[CallEventItem, ...] = ()


class KnownSegment(Struct, frozen=True):
    """A segment value of a call, and when it became known (epoch s)."""

    name: str
    value: str
    known_at: float


class CallDetail(Struct, frozen=True):
    """One call in full. `signals` are the parts of its frustration score (0–1), `weights` how much each counts.

    `before` are the items before its first turn. `whole`: all events are stored (under high load some are dropped).
    `opinions` are (evaluator, evaluation).
    """

    row: CallRow
    started: float
    source: str = ""
    direction: str = ""
    platform: str = ""
    trace_id: str = ""
    turns: tuple[TurnRow, ...] = ()
    before: tuple[CallEventItem, ...] = ()
    segments: tuple[KnownSegment, ...] = ()
    spent: tuple[tuple[str, float], ...] = ()
    signals: tuple[tuple[str, float], ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    opinions: tuple[tuple[str, str], ...] = ()
    whole: bool = True
