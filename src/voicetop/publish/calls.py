"""Publishing by hand: an object for one call that fills in what every event needs.

call = publisher.call("call-1", segments={"intent": "billing"})
call.turn_start()                                the caller stopped speaking and waits
call.turn(e2e_ms=840.0, user_text="…")           the agent's first audio
call.error("tts", "timeout", message="…")
call.end("user_hangup")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from voicetop.clock import Clock
from voicetop.wire.events import (
    Agent,
    CallEnd,
    CallEvent,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Event,
    Interruption,
    Latency,
    Scalar,
    Service,
    Stage,
    Tool,
    Turn,
    TurnStart,
    Usage,
)

Kind = TypeVar("Kind", bound=CallEvent)


class PublishedCall:
    """One call. Every method takes the fields of its event as keywords; `ts` defaults to now.

    Turns are counted automatically: `turn_start` begins the next one, and later events belong to it.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        clock: Clock,
        call_id: str,
        *,
        segments: Mapping[str, Scalar] | None = None,
        agent: Agent | None = None,
        **fields: Any,
    ) -> None:
        self.call_id = call_id
        self.turns = 0
        self._emit = emit
        self._clock = clock
        self._waiting = False
        self._started_at = clock.time()
        self._ended = False
        self._publish(CallStart, segments=dict(segments or {}), agent=agent, **fields)

    def _publish(self, kind: type[Kind], **fields: Any) -> None:
        fields.setdefault("ts", self._clock.time())
        self._emit(kind(call_id=self.call_id, **fields))

    def _in_turn(self, kind: type[Kind], **fields: Any) -> None:
        fields.setdefault("turn", self.turns - 1)
        self._publish(kind, **fields)

    def update(self, segments: Mapping[str, Scalar] | None = None, **fields: Any) -> None:
        """Segments that became known or changed (None removes one), or a `state`."""
        self._publish(CallUpdate, segments=dict(segments or {}), **fields)

    def step(self, step: str, **fields: Any) -> None:
        """The conversation reached a named point."""
        self._publish(CallStep, step=step, **fields)

    def turn_start(self, **fields: Any) -> int:
        """The caller stopped speaking; returns the index of the turn."""
        self.turns += 1
        self._waiting = True
        self._in_turn(TurnStart, **fields)
        return self.turns - 1

    def stage(self, name: str, state: str, **fields: Any) -> None:
        """A stage of the reply starts, ends or fails."""
        self._in_turn(Stage, name=name, state=state, **fields)

    def turn(self, *, latency: Mapping[str, float] | None = None, **fields: Any) -> None:
        """The agent's first audio of its reply, or its failure; `latency` in ms by stage."""
        if not self._waiting:
            self.turns += 1
        self._waiting = False
        fields.setdefault("measured_from", "turn_end")
        self._in_turn(Turn, latency=Latency(**latency) if latency else None, **fields)

    def tool(self, name: str, state: str, **fields: Any) -> None:
        """A tool call starts or ends."""
        self._in_turn(Tool, name=name, state=state, **fields)

    def error(self, component: str, category: str, **fields: Any) -> None:
        """A component failed."""
        self._in_turn(Error, component=component, category=category, **fields)

    def interruption(self, by: str = "user", **fields: Any) -> None:
        """One side spoke over the other."""
        self._in_turn(Interruption, by=by, **fields)

    def usage(self, component: str, **fields: Any) -> None:
        """Tokens, characters or audio used."""
        self._in_turn(Usage, component=component, **fields)

    def service(self, component: str, provider: str, model: str, **fields: Any) -> None:
        """The provider and model that really answered."""
        self._in_turn(Service, component=component, provider=provider, model=model, **fields)

    def outcome(self, success: bool | None, evaluator: str = "agent", **fields: Any) -> None:
        """The call's result; may come after its end."""
        self._publish(CallOutcome, success=success, evaluator=evaluator, **fields)

    def end(self, reason: str, **fields: Any) -> None:
        """The call ended. Only the first end counts."""
        if not self._ended:
            self._ended = True
            fields.setdefault("duration_s", round(self._clock.time() - self._started_at, 3))
            self._publish(CallEnd, reason=reason, **fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end("error" if kind else "completed", raw_reason=kind.__name__ if kind else "")
