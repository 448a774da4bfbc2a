"""Where all detectors sit: a step on each whole 5-second mark of stamp time, and at once on what can't wait.

`Desk.step` takes what happened since the last mark out of the engine's taps and returns the `Signal`s that are on now.
It moves by stamps only, and its state is part of the checkpoint.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from voicetop.alerts.signals import Signal
from voicetop.engine.fold import Engine
from voicetop.engine.taps import Urgency

URGENT_S = 300.0
"""How long a violation or a security event stays on: it is an event and no state, and incidents keep it longer."""


class DeskState(Struct):
    """All that the desk knows, for a checkpoint."""

    urgent: list[Urgency] = field(default_factory=list)


class Desk:
    """The detectors of one session (`alerts.Detectors`)."""

    def __init__(self) -> None:
        self._state = DeskState()

    def step(self, engine: Engine, at: float) -> list[Signal]:
        """All signals that are on at this 5-second mark."""
        engine.ledger.taps.drain()
        state = self._state
        state.urgent = [one for one in state.urgent if one.ts > at - URGENT_S]
        return [_urgent(one) for one in state.urgent]

    def urgent(self, engine: Engine, at: float) -> list[Signal]:  # noqa: ARG002
        """What came since the last heartbeat and can't wait for a mark."""
        new = engine.ledger.taps.hurry()
        self._state.urgent += new
        return [_urgent(one) for one in new]

    def learning_s(self, engine: Engine, at: float) -> float:  # noqa: ARG002
        """Seconds until the normals are learned; 0 where they are."""
        return 0.0

    def dump(self) -> bytes:
        """The state, for a checkpoint."""
        return msgspec.msgpack.encode(self._state)

    def load(self, state: bytes) -> None:
        """Go on from a checkpoint."""
        self._state = msgspec.msgpack.decode(state, type=DeskState)


def _urgent(one: Urgency) -> Signal:
    what = one.label or one.kind
    text = f"compliance violation: {what}" if one.family == "compliance" else f"security: {what}"
    return Signal(one.family, one.family, "critical", text, one.ts, n=1, calls=int(bool(one.call_id)))
