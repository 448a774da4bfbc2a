"""The verdict of a simulated fleet, every 5 seconds, beside what the simulator was told to do.

Times are seconds after the incident's start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import msgspec

from voicetop.engine.snapshot import Trouble, Verdict, View, Where
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig, SimulatedIncident, history
from voicetop.wire.events import Event, Heartbeat

SUDDEN = {
    "llm_outage": "llm",
    "llm_brownout": "llm",
    "asr_timeouts": "stt",
    "tool_5xx": "tool",
    "tts_slow": "tts",
    "traffic_drop": "traffic",
}
"""Incidents that begin at full strength and hit all calls (of a tool: those that use it), with what they are about."""
SEGMENTS = {"seg_errors": "tts", "seg_latency": "llm"}
"""Incidents of one segment, which begin with a deploy."""
HEALTHY = ("campaign", "traffic_double", "latency_blip", "deploy_noop", "night")
"""Hours in which nothing is wrong."""
SEGMENT: Where = (("intent", "billing"), ("language", "es"), ("version", "v42"))
BATCH = 2_000
EVERY_S = 5.0
QUICK_S = 30.0
"""A state that lasts for less flickers."""
_RANKS = {
    "ok": 0,
    "idle": 0,
    "learning": 0,
    "catching_up": 0,
    "blind": 0,
    "recovering": 1,
    "degraded": 2,
    "down": 3,
}


class Moment(NamedTuple):
    """The verdict at a 5-second mark; `since` counts from the incident's start, too."""

    after: float
    verdict: Verdict
    since: float

    @property
    def severity(self) -> str:
        return self.verdict.severity

    @property
    def bad(self) -> bool:
        return self.severity in ("degraded", "down")


def frames(fleet: Fleet, seconds: float) -> Iterator[bytes]:
    """A fleet's history, then `seconds` of its present as a hub sends them, with a heartbeat a second."""
    seq, at = 1, fleet.start
    pieces: Iterator[Sequence[Event]] = chain([[Heartbeat(ts=at, seq=0)]], history(fleet))
    for piece in pieces:
        yield from _batches(piece, seq, at)
        seq += len(piece)
    while at < fleet.start + seconds:
        at = round(at + 1.0, 3)
        events = fleet.until(at)
        yield from _batches([*events, Heartbeat(ts=at, seq=seq + len(events))], seq, at)
        seq += len(events) + 1


def _batches(events: Sequence[Event], seq: int, at: float) -> Iterator[bytes]:
    for first in range(0, len(events), BATCH):
        part = events[first : first + BATCH]
        yield msgspec.json.encode(
            {"type": "batch", "seq": seq + first, "at": [(at, len(part))], "events": part}
        )


class Watched:
    """What a session said of one incident that lasted for `lasts` seconds."""

    def __init__(self, begin: float, lasts: float) -> None:
        self.begin, self.lasts = begin, lasts
        self.moments: list[Moment] = []

    def look(self, session: Session) -> None:
        """Note the verdict, once per mark."""
        after = math.floor(session.at / EVERY_S) * EVERY_S - self.begin
        if self.moments and after <= self.moments[-1].after:
            return
        verdict = session.snapshot(View()).verdict
        self.moments.append(Moment(after, verdict, verdict.since - self.begin))

    @property
    def during(self) -> list[Moment]:
        return [moment for moment in self.moments if 0 <= moment.after <= self.lasts]

    @property
    def found(self) -> float:
        """When it was first DEGRADED or DOWN; infinite if never."""
        return next((moment.after for moment in self.during if moment.bad), math.inf)

    @property
    def down(self) -> float:
        return next((moment.after for moment in self.during if moment.severity == "down"), math.inf)

    @property
    def late_ok(self) -> int:
        """Marks at which it was not told, though it had been going on for three minutes."""
        return sum(moment.after >= 180 and not moment.bad for moment in self.during)

    @property
    def recovering(self) -> float:
        """Seconds from its end until it is no longer called a problem."""
        return self._since_end(bad=False)

    @property
    def ok(self) -> float:
        """Seconds from its end until OK."""
        return self._since_end(bad=True)

    def _since_end(self, *, bad: bool) -> float:
        """Until the moment from which on it stays so; `bad`: RECOVERING counts as bad, too."""
        over = [
            m.after for m in self.moments if m.after > self.lasts and (m.bad or (bad and m.severity != "ok"))
        ]
        first = self.moments[-1].after if over and over[-1] == self.moments[-1].after else 0.0
        return math.inf if first else (over[-1] + EVERY_S if over else self.lasts + EVERY_S) - self.lasts

    @property
    def changes(self) -> list[tuple[float, str, str]]:
        """When the state changed, from what to what, from when it was found on."""
        told = [moment for moment in self.moments if moment.after >= self.found]
        return [(b.after, a.severity, b.severity) for a, b in pairwise(told) if a.severity != b.severity]

    @property
    def flips(self) -> int:
        """States that were taken back while the incident lasted or after it was over, or left within 30 s."""
        count, before = 0, self.found
        for after, old, new in self.changes:
            worse = _RANKS[new] > _RANKS[old]
            count += worse == (after > self.lasts) or (not worse and after - before < QUICK_S)
            before = after
        return count

    @property
    def onset(self) -> float:
        """Since when it is said to have begun, at its last mark."""
        return next((moment.since for moment in reversed(self.during) if moment.bad), math.nan)

    @property
    def moved(self) -> float:
        """By how many seconds "since" ever moved forward."""
        since = [moment.since for moment in self.during if moment.bad]
        return max((b - a for a, b in pairwise(since)), default=0.0)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What was said to be wrong when it had almost ended."""
        return next((moment.verdict.troubles for moment in reversed(self.during) if moment.bad), ())

    @property
    def parts(self) -> set[str]:
        """The components or stages that were blamed then, as far as the dash of "tts_ttfb"; traffic is one."""
        return {one.stage.split("_")[0] or one.kind for one in self.troubles}

    @property
    def segment(self) -> Where:
        """The segment of the first trouble that names one."""
        return next((one.where for one in self.troubles if one.where), ())

    @property
    def deploys(self) -> set[str]:
        """The markers that it was ever said to have begun with."""
        return {one.marker for moment in self.during for one in moment.verdict.troubles if one.marker}

    @property
    def not_ok_s(self) -> float:
        return EVERY_S * sum(moment.severity != "ok" for moment in self.moments)

    def __repr__(self) -> str:
        """The changes of state with what was said: for a test that fails."""
        told, before = [], ""
        for moment in self.moments:
            if moment.severity != before:
                told.append(f"{moment.after:+.0f} s {moment.severity}: {moment.verdict.text}")
                before = moment.severity
        return "\n".join(told)


def watched(config: FleetConfig, seconds: float, session: Session | None = None) -> Watched:
    """What a session says of the first incident of a fleet, or of a fleet without one."""
    session, first = session or Session(), next(iter(config.incidents), SimulatedIncident("deploy_noop", 0.0))
    seen = Watched(config.start + first.at, first.lasts)
    for frame in frames(Fleet(config), seconds):
        session.feed(frame)
        if session.at > config.start + 2:
            seen.look(session)
    return seen
