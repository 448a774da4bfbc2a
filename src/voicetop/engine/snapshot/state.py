"""The verdict, its troubles, waiting callers, and the state of the feed."""

from __future__ import annotations

from math import inf

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN, Severity, Where


class Trouble(Struct, frozen=True):
    """One problem, in figures; `kind` is a family of alerts.

    `where` is the conjunction that explains the share `explains` of the excess; empty if fleet-wide. `local`: the
    figures are those of `where` alone, while the fleet's are normal. `stage` is the stage or component, if known, with
    an error's `category`; `stage_more_ms` is the growth of that stage's P95. `line` is the threshold if it isn't a
    normal: seconds after which a caller is stuck, or the tested capacity in calls. `at_least` marks a percentile raised
    by callers still waiting.

    `since` is the estimated onset, `earliest` and `latest` bound it (95 %); `marker` names the change that it began
    with ("deploy v42"), if one lies within these bounds. `recovered` is since when recent data has been normal again
    (stamp time); NaN while it is not. `figure` and `quantile` tell which time a latency is of ("e2e", "tts_ttfb").
    `hits` came in the last `over_s` seconds where `expected` do normally: what it was found by.
    """

    kind: str
    since: float
    severity: Severity
    value: float = NAN
    normal: float = NAN
    n: int = 0
    where: Where = ()
    explains: float = NAN
    stage: str = ""
    stage_more_ms: float = NAN
    category: str = ""
    provider: str = ""
    line: float = NAN
    local: bool = False
    at_least: bool = False
    earliest: float = NAN
    latest: float = NAN
    marker: str = ""
    recovered: float = NAN
    figure: str = ""
    quantile: float = NAN
    hits: int = 0
    expected: float = NAN
    over_s: float = NAN

    @property
    def key(self) -> str:
        """Unique key: there is at most one trouble of a kind, and one local one."""
        return f"local {self.kind}" if self.local else self.kind


class Verdict(Struct, frozen=True):
    """Is everything working right now? `text` is the sentence behind the severity word, worst trouble first.

    `troubles` are on; `recovering` are those that recent data no longer shows, while longer windows still hold them.
    """

    severity: Severity
    text: str
    since: float = NAN
    troubles: tuple[Trouble, ...] = ()
    learning_s: float = 0.0
    recovering: tuple[Trouble, ...] = ()


class FeedState(Struct, frozen=True):
    """The feed as the session knows it from the records alone.

    `lag_s`: from source time to receive time, median of the last events. `silent_s`: since the last record that was
    not a heartbeat of our own. `local`: the heartbeats are our own now, the hub is silent. `covered_s`: how far back
    there is data, at most 24 hours; 0 without any. `behind_s`: how far the feed is behind while a publisher sends its
    history or backlog, 0 otherwise. `publishers_silent_s`: for how long no publisher was heard, 0 while one is.
    `publishers` don't include those that have `left`; `idle_since` is when the last one did, NaN unless all have.
    `attention`: so many sources have something wrong with them, as feed health tells.
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
    covered_s: float = inf
    behind_s: float = 0.0
    publishers_silent_s: float = 0.0
    left: int = 0
    idle_since: float = NAN
    attention: int = 0


class StuckStage(Struct, frozen=True):
    """Callers who wait in one stage for longer than `over_s`; stage "" is unknown, `provider` as reported."""

    stage: str
    stuck: int
    waiting: int
    longest_s: float
    provider: str = ""


class WaitingPanel(Struct, frozen=True):
    """Callers waiting for a reply, and those stuck: waiting longer than `over_s`.

    `unknown` waits are neither: their publisher has been silent since `unknown_since` (stamp time, the earliest).
    """

    waiting: int = 0
    stuck: int = 0
    over_s: float = 0.0
    longest_s: float = 0.0
    stages: tuple[StuckStage, ...] = ()
    unknown: int = 0
    unknown_since: float = NAN
