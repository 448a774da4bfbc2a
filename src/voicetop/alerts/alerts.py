"""A session's alerting: detectors, rules, and the incidents made of their signals.

    Engine ──► detectors ──┐
           ──► rules ──────┼─► Incidents ──► Effects (a live session's notifiers, a replay's list)
    operator records ──────┘         └─────► the Alerts panel and the verdict

Driven by heartbeats alone. Detectors step on whole 5-second marks; urgent signals and operator acts are processed at
every heartbeat. All of it goes into the checkpoint and the digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.incidents.operator_actions import operate
from voicetop.alerts.rules.rules import policies_of
from voicetop.alerts.signals import Effect, Signal
from voicetop.engine.config import EngineConfig

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine


class Detectors(Protocol):
    """A detector. `dump` and `load` transfer its state, so that a console continues where the hub is."""

    def step(self, engine: Engine, at: float) -> Sequence[Signal]:
        """All active signals at this 5-second mark."""

    def urgent(self, engine: Engine, at: float) -> Sequence[Signal]:
        """Urgent signals (compliance, security) since the last heartbeat; mostly none."""

    def learning_s(self, engine: Engine, at: float) -> float:
        """Seconds until normals are learned; 0 once they are."""

    def dump(self) -> bytes:
        """The whole state, canonical."""

    def load(self, state: bytes) -> None:
        """Restore a dumped state."""


class AlertState(Struct, frozen=True):
    """`Alerts` for a checkpoint; `detectors` are their dumps, in order."""

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
        """Process a heartbeat that moved time past `marks` (epoch seconds, multiples of 5; mostly none)."""
        if engine.config is not self._config:
            self._config, self.incidents.policies = engine.config, policies_of(engine.config)
        effects = self._apply_operator_acts(engine, deployment)
        local = engine.feed.local
        troubles = [replace(active.trouble, since=active.since) for active in engine.judge.standing.values()]
        for mark in marks:
            signals = [signal for detector in self.detectors for signal in detector.step(engine, float(mark))]
            effects += self.incidents.step(
                signals, float(mark), deployment=deployment, local=local, troubles=troubles
            )
        urgent = [signal for detector in self.detectors for signal in detector.urgent(engine, engine.at)]
        if urgent:
            effects += self.incidents.step_urgent(urgent, engine.at, deployment=deployment, local=local)
        return effects

    def _apply_operator_acts(self, engine: Engine, deployment: str) -> list[Effect]:
        """Apply operator records since the last heartbeat, in order."""
        incidents = self.incidents
        new = engine.operated - incidents.acted
        if not new:
            return []
        incidents.acted = engine.operated
        effects: list[Effect] = []
        for act in engine.operators[-new:]:
            effects += operate(incidents, act, engine.at, deployment)
        return [*effects, *incidents.step_urgent((), engine.at, deployment=deployment)]

    def learning_s(self, engine: Engine) -> float:
        """Seconds until every detector has learned."""
        return max((detector.learning_s(engine, engine.at) for detector in self.detectors), default=0.0)

    def dump(self) -> bytes:
        """The state as bytes, for the checkpoint and the digest."""
        state = AlertState(self.incidents, tuple(detector.dump() for detector in self.detectors))
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Restore from `dump`; start empty without data. Raises msgspec.DecodeError."""
        if not data:
            self.incidents = Incidents()
            return
        state = _decoder.decode(data)
        self.incidents = state.incidents
        for detector, dumped in zip(self.detectors, state.detectors, strict=False):
            detector.load(dumped)
