"""Current troubles in figures, evaluated at whole 5-second marks so that all consoles agree.

A trouble begins when its check finds it, and recovers when recent data is normal again: `recovered` says since when. It
is kept until the five-minute figures no longer contain it, so that a relapse is the same trouble with the same onset.
Minutes with a trouble are excluded from normals. The detectors in `alerts` are more precise; this is the simple answer
of the top line, which `views/verdict_text.py` puts into words.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from voicetop.engine.attribution import markers as changes
from voicetop.engine.attribution.snapping import snapped
from voicetop.engine.calls import Call
from voicetop.engine.capacity import CapacityLoad
from voicetop.engine.judge import arrivals, counted, errors, latency, outcomes
from voicetop.engine.judge.blame import may_blame
from voicetop.engine.judge.mark import ActiveTrouble, Finding, Mark
from voicetop.engine.snapshot import NAN, Trouble, Where
from voicetop.engine.waiting import Waits
from voicetop.engine.windows.ledger import Ledger
from voicetop.formatting.numbers import known
from voicetop.wire.events import Marker

CLEAR_S = 20
"""How long an alert's signal may pause before it counts as quiet."""
KINDS = (
    "waiting", "capacity", "errors", "latency", "success", "abandonment", "escalation", "cost", "sentiment", "traffic",
)  # fmt: skip
"""What a trouble can be about; each is a family of alerts."""
UPSTREAM = frozenset({"waiting", "errors", "latency", "traffic"})
"""Kinds whose troubles show in what comes of calls, minutes later."""
OUTCOMES = ("success", "abandonment", "escalation", "cost", "sentiment")
KEPT_S = 300.0
"""How long a trouble that recovered is kept: what the five-minute figures hold."""
DOWN_S = 300.0
"""How long a trouble stays as bad as down after it was last seen to be."""
AGAIN_S = 10.0
"""How long nobody has to be stuck, or the limit not to be near: callers come one after the other."""
ONE_OUTAGE_S = 300.0
"""Troubles that began within so many seconds of each other are one outage."""
YOUNG_S = 60.0
"""Callers who were stuck for less than this are awaited for three times as long: more of them may tell of an outage."""
BLAME_S = 600.0
"""How long after it was found a trouble's counts may tell which deploy it began with."""
MAX_MINUTES = 1_500


class Judge(Struct, kw_only=True):
    """Active troubles, and the minutes that had one."""

    standing: dict[str, ActiveTrouble] = field(default_factory=dict)
    troubled: list[int] = field(default_factory=list)
    long_wait_s: float = 0.0
    """Longer than this nobody waits as a rule (`Normals.long_wait_s` at the last mark); 0 while that isn't known."""
    arrivals_trend: float = 1.0
    """How arrivals usually change from the last half-hour to now, as a factor: set by who has learned the hours."""
    upstream_until: float = 0.0
    """When the last upstream trouble was over; calls that it hit go on ending for some minutes."""
    over: dict[str, float] = field(default_factory=dict)
    """When the last trouble of each kind was over."""
    deaf_until: float = 0.0
    """The last mark at which a publisher was silent, or all had left: fewer calls before it mean nothing."""

    def drop_unreadable(self) -> None:
        """Drop troubles of a checkpoint that this version has no words for: the next mark finds what is still wrong."""
        self.standing = {key: active for key, active in self.standing.items() if _is_readable(active.trouble)}

    def step(
        self, ledger: Ledger, live: Collection[Call], waits: Waits, *, load: CapacityLoad, stuck_after_s: float,
        markers: Sequence[Marker] = (), unheard: bool = False,
    ) -> None:  # fmt: skip
        """Look at the figures as they are now: of what the windows hold, and of the `live` calls with their `waits`.

        `load` has the tested capacity and how many calls were live; `unheard`: a publisher that may
        have calls says nothing of them.
        """
        troubled = frozenset(self.troubled)
        at = waits.at
        mark = Mark(
            ledger, live, waits, troubled=troubled, limit=load.limit, stuck_after_s=stuck_after_s,
            recent_peak=load.recent_peak(at),
        )  # fmt: skip
        self.long_wait_s = mark.usual.long_wait_s
        if unheard:
            self.deaf_until = at
        found = {finding.trouble.key: finding for finding in self._findings(mark)}
        for key, finding in found.items():
            self.standing[key] = self._noted(self.standing.get(key), finding, mark, markers)
        for active in self.standing.values():
            self._follow(active, mark)
        self._forget(at)
        self._record_minute(int(at // 60))

    # -- what is wrong ------------------------------------------------------------------------------------------

    def _findings(self, mark: Mark) -> Iterator[Finding]:
        waiting = self.standing.get("waiting")
        before = waiting.trouble.where if waiting is not None else ()
        yield from counted.stuck(mark, before, self.suspects, on=self._is_on("waiting"))
        yield from counted.near_capacity(mark)
        for check, kind in ((errors, "errors"), (latency, "latency")):
            floor = max(self._floor(kind), self._floor(f"local {kind}"))
            yield from check.find(mark, floor, on=self._is_on(kind)) or check.find_local(mark, floor)
        traffic = self.standing.get("traffic")
        expected = traffic.trouble.normal if traffic is not None and traffic.on else NAN
        floor = max(self._floor("traffic"), self.deaf_until)
        yield from arrivals.find(mark, floor, on=expected, trend=self.arrivals_trend)
        if not any(active.on for active in self.standing.values() if active.trouble.kind in UPSTREAM):
            since = self.upstream_until + outcomes.SETTLED_S
            for kind in OUTCOMES:
                yield from outcomes.find(mark, kind, since)

    @property
    def suspects(self) -> list[Where]:
        """The segments in which something else than stuck callers is wrong."""
        others = (active for active in self.standing.values() if active.on)
        return [
            active.trouble.where
            for active in others
            if active.trouble.kind != "waiting" and active.trouble.where
        ]

    def _is_on(self, key: str) -> bool:
        return key in self.standing and self.standing[key].on

    def _floor(self, key: str) -> float:
        """What came before a trouble recovered is no evidence that it is back."""
        active = self.standing.get(key)
        return active.recovered if active is not None and not active.on else -math.inf

    def _noted(
        self, active: ActiveTrouble | None, finding: Finding, mark: Mark, markers: Sequence[Marker]
    ) -> ActiveTrouble:
        trouble, change, at = finding.trouble, finding.change, mark.at
        trouble = replace(trouble, hits=int(change.hits), expected=change.expected)
        other = self._counterpart(trouble)
        if active is None and other is not None:
            active = replace(other, trouble=replace(other.trouble), first=at, last=at, score=0.0)
        if active is None:
            began = change.onset if known(change.onset) else at
            trouble = replace(trouble, earliest=change.earliest, latest=change.latest)
            active = ActiveTrouble(trouble, began, at, at)
        if not active.trouble.marker and at - active.first <= BLAME_S:
            _blame(active, trouble, mark, markers)
        if trouble.severity == "down":
            active.down_at = at
        if change.score >= active.score or active.trouble.figure != trouble.figure:
            active.score, active.ratio = change.score, change.ratio
        active.last, active.recovered = at, NAN
        active.trouble = replace(
            trouble, since=active.since, severity=self._severity(active, at), earliest=active.trouble.earliest,
            latest=active.trouble.latest, marker=active.trouble.marker,
        )  # fmt: skip
        return active

    def _counterpart(self, trouble: Trouble) -> ActiveTrouble | None:
        """What was a segment's trouble and is the fleet's now, or the other way round: one trouble, one onset."""
        other = self.standing.get(trouble.kind if trouble.local else f"local {trouble.kind}")
        if other is None:
            return None
        ours, theirs = set(trouble.where), set(other.trouble.where)
        return other if ours <= theirs or theirs <= ours else None

    @staticmethod
    def _severity(active: ActiveTrouble, at: float) -> str:
        return "down" if at - active.down_at < DOWN_S else "degraded"

    # -- whether it is over -------------------------------------------------------------------------------------

    def _follow(self, active: ActiveTrouble, mark: Mark) -> None:
        if not active.on:
            return
        since = self._recovered(active, mark)
        if not known(since):
            return
        active.recovered = max(since, active.since)
        active.trouble = replace(active.trouble, recovered=active.recovered)
        self.over[active.trouble.kind] = mark.at
        if active.trouble.kind in UPSTREAM:
            self.upstream_until = max(self.upstream_until, mark.at)

    def _recovered(self, active: ActiveTrouble, mark: Mark) -> float:
        kind = active.trouble.kind
        if kind in ("waiting", "capacity"):
            still = kind == "waiting" and self._is_on("errors")
            young = kind == "waiting" and active.last - active.first < YOUNG_S
            return NAN if still or mark.at - active.last < (3 if young else 1) * AGAIN_S else active.last
        if kind == "errors":
            return errors.recovered(mark, active)
        if kind == "latency":
            return latency.recovered(mark, active)
        if kind == "traffic":
            return arrivals.recovered(mark, active)
        return outcomes.recovered(mark, active)

    def _forget(self, at: float) -> None:
        """Drop what recovered long enough ago, once all that began with it has."""
        for key, active in list(self.standing.items()):
            kept = 0.0 if active.trouble.kind == "capacity" else KEPT_S
            if not active.on and at - active.recovered >= kept and not self._has_company(active):
                del self.standing[key]

    def _has_company(self, active: ActiveTrouble) -> bool:
        return any(
            other.on and abs(other.since - active.since) <= ONE_OUTAGE_S for other in self.standing.values()
        )

    def _record_minute(self, minute: int) -> None:
        if self.standing and (not self.troubled or self.troubled[-1] != minute):
            self.troubled = [*self.troubled[-MAX_MINUTES:], minute]
        if self.troubled and self.troubled[0] < minute - MAX_MINUTES:
            self.troubled = [m for m in self.troubled if m >= minute - MAX_MINUTES]


def _blame(active: ActiveTrouble, trouble: Trouble, mark: Mark, markers: Sequence[Marker]) -> None:
    """Name the change that a trouble began with, as soon as the counts by version tell; its onset is then exact.

    Later than at first sight it is named, too, but the onset doesn't move forward.
    """
    known_so_far, best = active.trouble, active.since
    near = [one for one in markers if known_so_far.earliest <= one.ts <= known_so_far.latest]
    possible = [one for one in near if may_blame(one, trouble, mark)]
    began, marker = snapped(possible, known_so_far.earliest, best, known_so_far.latest)
    if marker is not None:
        active.since = began if mark.at == active.first else min(best, began)
        active.trouble = replace(known_so_far, marker=changes.name(marker))


def _is_readable(trouble: Trouble) -> bool:
    """Rates and times may be unknown where nobody calls; counts can't be."""
    counted = trouble.kind in ("waiting", "capacity")
    is_told = math.isfinite(trouble.value) and math.isfinite(trouble.line)
    return trouble.kind in KINDS and (is_told or not counted)
