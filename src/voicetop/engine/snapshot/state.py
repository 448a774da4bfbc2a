"""Is everything working: the verdict, what troubles it, who waits, and how the feed does."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN, Severity, Where


class Trouble(Struct, frozen=True):
    """One thing that isn't as it should be, in figures; `kind` is a family of alerts.

    `where` is the conjunction that explains the share `explains` of the excess; empty where it is everybody's. `local`:
    the figures are those of `where` alone, while the fleet's are as ever. `stage` is the stage or component that it is
    in, where that can be told, with an error's `category`; `stage_more_ms` is by how much that stage's P95 grew. `line`
    is what the value is measured by where that is no normal: seconds from which on a caller is stuck, the tested
    capacity in calls. `at_least` marks a percentile that callers who still wait have pushed up.
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

    @property
    def key(self) -> str:
        """What it is known by: there is one trouble of a kind at a time, and a local one besides."""
        return f"local {self.kind}" if self.local else self.kind


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
