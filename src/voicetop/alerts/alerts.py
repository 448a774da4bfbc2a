"""What a session holds of alerts: who detects, the rules in force, and the incidents made of what they say.

    Engine ──► detectors ──┐
           ──► rules ──────┼─► Incidents ──► Effects (a live session's notifiers, a replay's list)
    operator records ──────┘         └─────► the Alerts panel and the verdict

Moved by heartbeats alone. Detectors step on whole 5-second marks; what can't wait and what people did is taken at every
heartbeat. All of it goes into the checkpoint and the digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.incidents.operator_actions import operate
from voicetop.alerts.rules.rules import policies_of
from voicetop.alerts.signals import Effect, Signal
from voicetop.engine.config import EngineConfig

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine


class Detectors(Protocol):
    """Whoever finds what is wrong. State goes through `dump` and `load`, so that a console goes on where the hub is."""

    def step(self, engine: Engine, at: float) -> Sequence[Signal]:
        """All signals that are on at this 5-second mark."""

    def urgent(self, engine: Engine, at: float) -> Sequence[Signal]:
        """At any heartbeat: what came since the last one and can't wait (compliance, security). Mostly nothing."""

    def learning_s(self, engine: Engine, at: float) -> float:
        """Seconds until the normals are learned; 0 where they are."""

    def dump(self) -> bytes:
        """The whole state, canonical."""

    def load(self, state: bytes) -> None:
        """Go on from a dumped state."""


class AlertState(Struct, frozen=True):
    """What is kept in a checkpoint; `detectors` are their own dumps, in their order."""

    incidents: Incidents
    detectors: tuple[bytes, ...] = ()


_decoder = msgspec.msgpack.Decoder(AlertState)


class Alerts:
    """Detectors and incidents of one session."""

    def __init__(self, detectors: Sequence[Detectors] = (), incidents: Incidents | None = None) -> None:
        self.detectors = tuple(detectors)
        self.incidents = incidents or Incidents()
        self._config: EngineConfig | None = None

    def beat(self, engine: Engine, marks: Sequence[int], deployment: str) -> list[Effect]:
        """A heartbeat moved time past `marks` (epoch seconds, each a multiple of 5); mostly past none."""
        if engine.config is not self._config:
            self._config, self.incidents.policies = engine.config, policies_of(engine.config)
        effects = self._act(engine, deployment)
        local = engine.feed.local
        for mark in marks:
            signals = [signal for each in self.detectors for signal in each.step(engine, float(mark))]
            effects += self.incidents.step(signals, float(mark), deployment=deployment, local=local)
        urgent = [signal for each in self.detectors for signal in each.urgent(engine, engine.at)]
        if urgent:
            effects += self.incidents.urge(urgent, engine.at, deployment=deployment, local=local)
        return effects

    def _act(self, engine: Engine, deployment: str) -> list[Effect]:
        """What people did since the last heartbeat, in the order of the records."""
        incidents = self.incidents
        new = engine.operated - incidents.acted
        if not new:
            return []
        incidents.acted = engine.operated
        effects: list[Effect] = []
        for act in engine.operators[-new:]:
            effects += operate(incidents, act, engine.at, deployment)
        return [*effects, *incidents.urge((), engine.at, deployment=deployment)]

    def learning_s(self, engine: Engine) -> float:
        """Seconds until every detector knows what is normal."""
        return max((each.learning_s(engine, engine.at) for each in self.detectors), default=0.0)

    def dump(self) -> bytes:
        """The state as bytes, for the checkpoint and the digest."""
        state = AlertState(self.incidents, tuple(each.dump() for each in self.detectors))
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Go on from `dump`; of nothing, begin anew. Raises msgspec.DecodeError."""
        if not data:
            self.incidents = Incidents()
            return
        state = _decoder.decode(data)
        self.incidents = state.incidents
        for each, dumped in zip(self.detectors, state.detectors, strict=False):
            each.load(dumped)
