"""A fleet of simulated calls: events of the feed in time order, from a seed.

`Fleet(config).until(t)` returns what happened since the last cut. The same config gives the same events, byte for
byte, however the time is cut, because everything is decided at wakes, which a heap keeps in order:

    arrival ──► turn ──► turn ──► … ──► end           each wake puts its events, with their times ahead, in the queue
    every 5 s: source.status        incidents begin and end        the history's thinned part turns into its full part

Arrivals are a Poisson process whose rate follows from the number of calls at once by Little's law, the hour of the
day, and the incidents; an incident restricted to a segment thins only that segment's arrivals.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import zlib
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from voicetop.simulator.call import SimulatedCall
from voicetop.simulator.call_state import CallSettings
from voicetop.simulator.climate import DAY_MEAN, Climate, traffic
from voicetop.simulator.detail import BRIEF, Detail
from voicetop.simulator.dice import Dice
from voicetop.simulator.ending import CallEnding
from voicetop.simulator.event_queue import EventQueue
from voicetop.simulator.incidents import SCENARIOS, Effects, IncidentSchedule, SimulatedIncident
from voicetop.simulator.population import MAX_TURNS, Kind, Population
from voicetop.wire.events import CallStart, Capacity, Event, Marker, SourceStatus

STATUS_S = 5.0
LOOK_AGAIN_S = 60.0
HANDLING_TALK_S = 129.0
HANDLING_AGENT_S = 9.0
"""Duration of an average call: people talking, thinking and listening (compressed by a speed), and the agent."""

TURN_S = 15.0
OLD_CALLS = 2_000
"""Default number of calls in the thinned part of a history."""

_DAYS_SINCE_TEST = 9


def _round_up(limit: float) -> int:
    """To two digits, as people state limits: 590 for 587."""
    unit = 10 ** max(0, len(str(int(limit))) - 2)
    return int(-(-limit // unit) * unit)


class FleetConfig(Struct, frozen=True, kw_only=True):
    """Times in seconds; `start` (epoch) is the present, where the live phase begins.

    `calls` is the mean number of calls at once: at the present hour (`traffic="now"`), over the day ("day"), or
    at any hour ("flat"). `speed` compresses the time that people take, not the agent's latency: calls are shorter and
    follow each other faster, as many at once. `history` is how far before `start` the fleet begins; before its last
    `full` seconds only a share of `thin` of the calls is simulated (None: some `old_calls` calls).
    """

    start: float
    seed: int = 1
    calls: int = 400
    speed: float = 1.0
    traffic: Literal["now", "day", "flat"] = "now"
    history: float = 0.0
    full: float = 2_100.0
    thin: float | None = None
    old_calls: int = OLD_CALLS
    source: str = "fleet"
    capacity: int = 0
    detail: Detail | None = None
    late_intent: float = 0.35
    late_tier: float = 0.15
    incidents: tuple[SimulatedIncident, ...] = ()


class Fleet:
    """The generator. `live` has the live calls at the last cut."""

    def __init__(self, config: FleetConfig) -> None:
        for incident in config.incidents:
            incident.check()
        self.config = config
        self.begin = round(config.start - config.history, 3)
        self.start = round(config.start, 3)
        self.now = self.begin
        self.live: dict[str, SimulatedCall] = {}
        self._detail = config.detail or Detail.for_calls(config.calls)
        self._salt = zlib.crc32(f"{config.seed} {self.start} {config.source}".encode())
        self._dice = Dice(f"{config.seed} fleet")
        self._climate = Climate(f"{config.seed} climate", self.begin)
        self._settings = CallSettings(
            self._dice, self._climate, config.source, config.speed, config.late_intent, config.late_tier
        )
        self._population = Population()
        self._schedule = IncidentSchedule()
        self._queue = EventQueue()
        self._wakes: list[tuple[float, int, Callable[[float], None]]] = []
        self._serial = itertools.count()
        self._number = 0
        self._arrivals = 0
        self._handling = HANDLING_AGENT_S + HANDLING_TALK_S / config.speed
        self._own_events = 0
        self._full_from = max(self.begin, self.start - config.full)
        self._thin = self._thin_share()
        self._open()

    # -- interface

    def until(self, t: float) -> list[Event]:
        """The events after the last cut up to `t` (epoch s), in time order."""
        wakes = self._wakes
        while wakes and wakes[0][0] <= t:
            at, _, wake = heapq.heappop(wakes)
            self._climate.advance_to(at)
            wake(at)
        self.now = max(self.now, t)
        return self._queue.take(t)

    def announcements(self) -> list[CallStart]:
        """call.start of each live call again, with the same ids: for a hub that has forgotten them."""
        return [call.announcement() for call in self.live.values()]

    def level(self, t: float) -> float:
        """The mean number of calls at once at `t`, without incidents."""
        anchor = {"now": traffic(self.start), "day": DAY_MEAN, "flat": traffic(t)}[self.config.traffic]
        return self.config.calls * traffic(t) / anchor

    # -- start

    def _open(self) -> None:
        self._queue.put([self._capacity()])
        self._populate(self.begin, round(self.level(self.begin) * self._share(self.begin)))
        for incident in self.config.incidents:
            self._plan_incident(incident)
        self._wake(self.start, self._report)
        if self.begin < self._full_from:
            self._wake(round(self._full_from, 3), self._plan_arrivals)
        self._plan_arrivals(self.begin)

    def _capacity(self) -> Capacity:
        limit = self.config.capacity or _round_up(1.5 * self._busiest())
        tested = self.start - _DAYS_SINCE_TEST * 86_400.0
        return Capacity(
            ts=self.begin, event_id=self._own_id(), source=self.config.source, limit=limit, tested_at=tested
        )

    def _busiest(self) -> float:
        """Calls at once in the busiest hour of the coming day, with what is planned: capacity is tested for that."""
        hours = [self.level(self.start + 3600.0 * hour) for hour in range(24)]
        planned = [SCENARIOS[one.name].max_arrivals for one in self.config.incidents]
        return max(self.config.calls, *hours) * max(planned, default=1.0)

    def _populate(self, t: float, calls: int) -> None:
        """Calls that began before the fleet did; a long call is more likely to be live than a short one."""
        for _ in range(calls):
            call = self._new_call(self._population.draw(self._dice.uniform()), t)
            while self._dice.uniform() * MAX_TURNS > len(call.plan):
                call.plan = call.kind.plan(self._dice.uniform())
            index = int(self._dice.uniform() * len(call.plan))
            age = (index + self._dice.uniform()) * TURN_S / self.config.speed
            call.started = round(t - age, 3)
            self._queue.put(call.join(index, round(t - 2.0, 3)))
            rest = self._dice.uniform() * self._dice.lognormal(TURN_S, 0.35) / self.config.speed
            self._wake(round(t + rest, 3), functools.partial(self._turn, call))

    # -- wakes

    def _wake(self, at: float, wake: Callable[[float], None]) -> None:
        heapq.heappush(self._wakes, (at, next(self._serial), wake))

    def _plan_arrivals(self, t: float) -> None:
        """Draw the next arrival again because the rate changed: arrivals are memoryless."""
        self._arrivals += 1
        self._next_arrival(self._arrivals, t)

    def _next_arrival(self, plan: int, t: float) -> None:
        """Plan the next arrival at the current rate, or look again in a minute; does nothing for an outdated plan."""
        if plan != self._arrivals:
            return
        rate = self.level(t) * self._climate.arrivals * self._share(t) * self._schedule.max_arrivals
        gap = self._dice.exponential(self._handling / rate) if rate > 0.0 else LOOK_AGAIN_S
        wake = self._arrive if gap < LOOK_AGAIN_S else self._next_arrival
        self._wake(round(t + min(gap, LOOK_AGAIN_S), 3), functools.partial(wake, plan))

    def _arrive(self, plan: int, t: float) -> None:
        if plan != self._arrivals:
            return
        self._next_arrival(plan, t)
        kind = self._population.draw(self._dice.uniform())
        effects = self._schedule.effects(kind, t)
        if self._dice.uniform() * self._schedule.max_arrivals >= effects.arrivals:
            return
        call = self._new_call(self._recast(kind, effects), t)
        if effects.recast_to == "pricing_tiers" and call.kind is not kind:
            call.handicap = -1.0
        events, first = call.begin()
        self._queue.put(events)
        if call.direction == "outbound" and self._dice.uniform() < 0.1:
            self._end(call, CallEnding(call.after(t, 6.0), t, "voicemail", "user"), effects)
        else:
            self._wake(first, functools.partial(self._turn, call))

    def _recast(self, kind: Kind, effects: Effects) -> Kind:
        """Some callers have another reason during a campaign, or since a new intent came up."""
        if not effects.recast or self._dice.uniform() >= effects.recast:
            return kind
        if effects.recast_to == "sales":
            tier = "smb" if self._dice.uniform() < 0.7 else kind.segments["tier"]
            return self._population.like(kind, intent="sales", tier=tier)
        return self._population.like(kind, intent="pricing_tiers" if self._dice.uniform() < 0.6 else "other")

    def _new_call(self, kind: Kind, t: float) -> SimulatedCall:
        self._number += 1
        call_id = f"c{(self._number * 2_654_435_761 + self._salt) & 0xFFFFFFFF:08x}"
        call = SimulatedCall(call_id, kind, t, BRIEF if t < self.start else self._detail, self._settings)
        self.live[call_id] = call
        return call

    def _turn(self, call: SimulatedCall, t: float) -> None:
        effects = self._schedule.effects(call.kind, t)
        if call.detail is not self._detail and t >= self.start:
            self._queue.put(call.set_detail(self._detail, t))
        events, at, ending = call.turn(t, effects)
        self._queue.put(events)
        if ending is None:
            self._wake(at, functools.partial(self._turn, call))
        else:
            self._end(call, ending, effects)

    def _end(self, call: SimulatedCall, ending: CallEnding, effects: Effects) -> None:
        self._queue.put(call.close(ending, effects))
        self._wake(ending.at, functools.partial(self._remove, call))

    def _remove(self, call: SimulatedCall, _t: float) -> None:
        del self.live[call.id]

    def _report(self, t: float) -> None:
        status = SourceStatus(
            ts=t, event_id=self._own_id(), source=self.config.source, active_calls=len(self.live)
        )
        self._queue.put([status])
        self._wake(round(t + STATUS_S, 3), self._report)

    # -- incidents

    def _plan_incident(self, incident: SimulatedIncident) -> None:
        begins = round(max(self.start + incident.at, self.begin), 3)
        self._wake(begins, functools.partial(self._begin_incident, incident))

    def _begin_incident(self, incident: SimulatedIncident, t: float) -> None:
        """Start the effects, and emit a marker if the scenario has one."""
        if incident.lasts:
            self._schedule.begin(incident, t)
            self._plan_arrivals(t)
            self._wake(round(t + incident.lasts, 3), functools.partial(self._end_incident, incident))
        marker = SCENARIOS[incident.name].marker
        if marker == "campaign":
            self._mark(t, marker, "spring offer", "", incident)
        elif marker and (not incident.name.startswith("seg_") or "version" in incident.where):
            version = incident.where.get("version", "v42")
            self._mark(t, marker, version, version, incident)

    def _end_incident(self, incident: SimulatedIncident, t: float) -> None:
        self._schedule.end(incident)
        self._plan_arrivals(t)

    def _mark(self, t: float, kind: str, label: str, version: str, incident: SimulatedIncident) -> None:
        marker = Marker(
            ts=t,
            event_id=self._own_id(),
            source=self.config.source,
            kind=kind,
            label=label,
            version=version,
            segment=dict(incident.segment),
        )
        self._queue.put([marker])

    # -- parts

    def _own_id(self) -> str:
        self._own_events += 1
        return f"{self.config.source}-{self._salt:08x}-{self._own_events}"

    def _share(self, t: float) -> float:
        return 1.0 if t >= self._full_from else self._thin

    def _thin_share(self) -> float:
        old = self._full_from - self.begin
        if old <= 0.0:
            return 1.0
        if self.config.thin is not None:
            return min(1.0, self.config.thin)
        samples = [self.level(self.begin + old * (i + 0.5) / 100) for i in range(100)]
        calls = sum(samples) / 100 * old / self._handling
        return min(1.0, self.config.old_calls / calls) if calls else 1.0
