"""One call as the engine knows it, live or ended. All of it is plain data, and part of the checkpoint."""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, AnyEvent

TERMINAL_STATES = ("ended", "lost")
NOT_A_CONVERSATION = frozenset({"voicemail", "not_connected"})


class WindowMark(Struct, gc=False):
    """What a call counts for in the windows under one kind: at most once, at `ts`, with `amount`."""

    ts: float
    amount: int


class Evaluation(Struct, gc=False):
    """What one evaluator said last about the call; `success` is -1 not said, 0 no, 1 yes, 2 unknown."""

    at: float
    success: int = -1
    sentiment: float = NAN
    escalated: bool | None = None
    label: str = ""
    reason: str = ""


class VoiceLevels(Struct, gc=False):
    """The caller's own start against now, in speech rate (wpm) and loudness (dBFS), and how often both were told."""

    rate_start: float = NAN
    rate_now: float = NAN
    loud_start: float = NAN
    loud_now: float = NAN
    told: int = 0


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
    """Never written to: it is one dictionary for all calls that have the same (`Ledger.shared`)."""
    known_at: dict[str, float] = field(default_factory=dict)
    """When a segment value became known, of those that weren't from the start."""
    step: str = ""
    turn: int = -1
    turns: int = 0
    e2e: float = NAN
    measured_from: str = ""

    wait_since: float = 0.0
    """When the caller began to wait; 0 where nobody waits."""
    wait_turn: int = -1
    stage: str = ""
    stage_since: float = 0.0
    provider: str = ""

    errors: int = 0
    retries: int = 0
    barge_ins: int = 0
    repeats: int = 0
    last_words: str = ""
    slow_ms: float = 0.0
    """Waiting beyond `mood.PATIENCE_MS`, summed over the turns."""
    voice: VoiceLevels | None = None
    mood: float = 0.0
    mood_of: int = 3

    spent: dict[str, int] = field(default_factory=dict)
    """Micro-dollars by component/provider/model; `guessed` are those that came from the price table."""
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
    """By kind, what this call counts for; moves with it to another cell."""
    observed: bytearray = field(default_factory=bytearray)
    """Where counted turns that are in no story stand, as records of `ledger.RECORD` and positions in the cell's row."""
    waits: bytes = b""
    """The same for waits that ended without a reply."""
    story: list[AnyEvent] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.state not in TERMINAL_STATES

    @property
    def failing(self) -> bool:
        """Worth keeping longest: it had a final error, was lost, abandoned or not a success."""
        return (
            self.errors > 0
            or self.state == "lost"
            or self.abandoned == 1
            or self.violation
            or verdict_of(self.opinions) == 0
        )

    @property
    def cost_micro(self) -> int:
        return sum(self.spent.values())


_RANK = {"human": 5, "judge": 4, "rule": 3, "platform": 2, "agent": 1}


def ranked(opinions: dict[str, Evaluation]) -> list[Evaluation]:
    """Opinions, the one that counts most first: human, judge, rule, platform, agent, then anybody else."""
    return [opinions[who] for who in sorted(opinions, key=lambda who: -_RANK.get(who, 0))]


def verdict_of(opinions: dict[str, Evaluation]) -> int:
    """Success as it counts: 1 yes, 0 no, 2 said to be unknown, -1 nobody said."""
    return next((opinion.success for opinion in ranked(opinions) if opinion.success >= 0), -1)


def sentiment_of(opinions: dict[str, Evaluation]) -> float:
    """Sentiment (1–5) as it counts; NaN where nobody told."""
    return next((o.sentiment for o in ranked(opinions) if known(o.sentiment)), NAN)
