"""One call, live or ended: plain data, part of the checkpoint."""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, AnyEvent

TERMINAL_STATES = ("ended", "lost")
MAX_CALL_S = 2_592_000.0
"""No call lasts longer than 30 days."""
NOT_A_CONVERSATION = frozenset({"voicemail", "not_connected"})


class WindowMark(Struct, gc=False):
    """What a call adds to the windows under one kind: `amount`, at `ts`."""

    ts: float
    amount: int


class Evaluation(Struct, gc=False):
    """An evaluator's latest evaluation; `success` is -1 not given, 0 no, 1 yes, 2 unknown."""

    at: float
    success: int = -1
    sentiment: float = NAN
    escalated: bool | None = None
    label: str = ""
    reason: str = ""


class VoiceLevels(Struct, gc=False):
    """The caller's initial and current speech rate (wpm) and loudness (dBFS); `told` counts the utterances."""

    rate_start: float = NAN
    rate_now: float = NAN
    loud_start: float = NAN
    loud_now: float = NAN
    told: int = 0


class RunningTotal(Struct, gc=False):
    """A cumulative figure of one model: its latest value in micro-dollars, and when it was told."""

    micro: int
    at: float


class Call(Struct, gc=False, kw_only=True):
    """A call. Times are epoch seconds of the source, corrected for its skew; `seen` is receive time."""

    call_id: str
    started: float
    seen: float
    cell: int = 0
    state: str = "active"
    source: str = ""
    caller: str = ""
    segments: dict[str, str] = field(default_factory=dict)
    """Never modified: calls with equal segments share one dictionary (`Ledger.shared`)."""
    known_at: dict[str, float] = field(default_factory=dict)
    """When segment values became known that weren't known from the start."""
    step: str = ""
    turn: int = -1
    turns: int = 0
    e2e: float = NAN
    measured_from: str = ""

    wait_since: float = 0.0
    """When the caller began to wait; 0 if not waiting."""
    watched_from: float = 0.0
    """When a call that had begun long before was first heard of (stamp time); 0 for a call heard of as it began."""
    wait_turn: int = -1
    stage: str = ""
    stage_since: float = 0.0
    provider: str = ""

    errors: int = 0
    barge_ins: int = 0
    repeats: int = 0
    last_words: str = ""
    slow_ms: float = 0.0
    """Waiting beyond `frustration.PATIENCE_MS`, summed over the turns."""
    voice: VoiceLevels | None = None
    mood: float = 0.0
    mood_of: int = 3

    spent: dict[str, int] = field(default_factory=dict)
    """Micro-dollars by component/provider/model; `guessed` if any come from the price table."""
    guessed: bool = False
    priced: bool = False

    ended: float = 0.0
    reason: str = ""
    party: str = ""
    left_at: str = ""
    abandoned: int = -1
    """-1 not known yet, 0 no, 1 yes."""
    opinions: dict[str, Evaluation] = field(default_factory=dict)
    violation: bool = False

    marks: dict[str, WindowMark] = field(default_factory=dict)
    """What this call counts for, by kind; moves with it to another cell."""
    observed: bytearray = field(default_factory=bytearray)
    """Where turns not in `story` were counted, as `ledger.RECORD`s with positions in the cell's row."""
    waits: bytes = b""
    """The same for waits without a reply."""
    story: list[AnyEvent] = field(default_factory=list)
    past_ends: bytes = b""
    """What it counts for in windows that ended earlier, as `past_ends.NOTE`s."""

    announced: bool = False
    """Whether its `call.start` came: another one after its end is that of another call."""
    replied: float = 0.0
    """When the agent last answered."""
    untold: list[int] = field(default_factory=list)
    """Turns below `turn` that were skipped: when one is told after all, it is new."""
    turn_base: int = 0
    """What to add to turn numbers so that they go on where they began again."""
    numbered_from: float = 0.0
    """When turn numbers began again, as after a handoff; 0 if they never did."""
    amendments: list[tuple[int, int]] = field(default_factory=list)
    """Positions in `story` of turns that amend an earlier one, with that one's position."""
    heard: str = ""
    """What the caller said that isn't answered yet, as far as a transcript tells."""
    totals: dict[str, RunningTotal] = field(default_factory=dict)
    """Cumulative costs by component/provider/model, to notice when one begins again at zero."""
    waited_from: float = 0.0
    """Of a lost call: since when its caller had been waiting; 0 if nobody was."""
    state_at: float = 0.0
    """When its state was last told: what comes late doesn't change it."""

    @property
    def live(self) -> bool:
        return self.state not in TERMINAL_STATES

    def lasted_s(self, at: float) -> float:
        """Seconds from its start to its end, or to `at`; NaN of over `MAX_CALL_S`: its start has no true time."""
        seconds = (self.ended or at) - self.started
        return max(0.0, seconds) if seconds <= MAX_CALL_S else NAN

    @property
    def failing(self) -> bool:
        """Whether to keep it longest: it had a final error, was lost, abandoned or unsuccessful."""
        return (
            self.errors > 0
            or self.state == "lost"
            or self.abandoned == 1
            or self.violation
            or success_of(self.opinions) == 0
        )

    @property
    def cost_micro(self) -> int:
        return sum(self.spent.values())


_RANK = {"human": 5, "judge": 4, "rule": 3, "platform": 2, "agent": 1}


def ranked(opinions: dict[str, Evaluation]) -> list[Evaluation]:
    """Evaluations in order of precedence: human, judge, rule, platform, agent, others."""
    return [opinions[who] for who in sorted(opinions, key=lambda who: -_RANK.get(who, 0))]


def success_of(opinions: dict[str, Evaluation]) -> int:
    """Success by precedence: 1 yes, 0 no, 2 reported as unknown, -1 not reported."""
    return next((opinion.success for opinion in ranked(opinions) if opinion.success >= 0), -1)


def sentiment_of(opinions: dict[str, Evaluation]) -> float:
    """Sentiment (1–5) by precedence; NaN if not reported."""
    return next((o.sentiment for o in ranked(opinions) if known(o.sentiment)), NAN)
