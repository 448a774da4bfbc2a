"""Publishing by hand: an object for one call that fills in what every event needs.

call = publisher.call("call-1", segments={"intent": "billing"})
call.turn_start()                                the caller stopped speaking and waits
call.transcript("user", "…")                     their words: shown while they wait
call.turn(e2e_ms=840.0)                          the agent's first audio
call.amend(user_text="…", agent_text="…")        the same turn, once all its words are known
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
    Service,
    Stage,
    Tool,
    Transcript,
    Turn,
    TurnStart,
    Usage,
)
from voicetop.wire.values import Scalar

AMENDABLE_TURNS = 100
"""The turns whose time is remembered, so that `amend` can give it again."""

Kind = TypeVar("Kind", bound=CallEvent)


class PublishedCall:
    """One call. Every method takes the fields of its event as keywords; `ts` defaults to now.

    Turns are counted automatically: `turn_start` begins the next one, and later events belong to it. Give
    `turn` to count them yourself.
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
        self._replied_at: dict[int, float] = {}
        self._publish(CallStart, segments=_copy_of(segments), agent=agent, **fields)

    def _publish(self, kind: type[Kind], **fields: Any) -> None:
        fields.setdefault("ts", self._clock.time())
        self._emit(kind(call_id=self.call_id, **fields))

    def _in_turn(self, kind: type[Kind], **fields: Any) -> None:
        fields.setdefault("turn", self.turns - 1)
        self._publish(kind, **fields)

    def update(self, segments: Mapping[str, Scalar] | None = None, **fields: Any) -> None:
        """Segments that became known or changed (None removes one), or a `state`."""
        self._publish(CallUpdate, segments=_copy_of(segments), **fields)

    def step(self, step: str, **fields: Any) -> None:
        """The conversation reached a named point."""
        self._publish(CallStep, step=step, **fields)

    def turn_start(self, **fields: Any) -> int:
        """The caller stopped speaking; returns the index of the turn."""
        index = int(fields.setdefault("turn", self.turns))
        self.turns = index + 1
        self._waiting = True
        self._replied_at.pop(index, None)
        self._in_turn(TurnStart, **fields)
        return index

    def stage(self, name: str, state: str, **fields: Any) -> None:
        """A stage of the reply starts, ends or fails."""
        self._in_turn(Stage, name=name, state=state, **fields)

    def transcript(self, role: str, text: str, final: bool = True, **fields: Any) -> None:
        """What `role` (user, agent) has said so far in this utterance; not `final`: the words may still change.

        A caller's words belong to the turn that waits for a reply, or to the next one.
        """
        if role == "user" and not self._waiting:
            fields.setdefault("turn", self.turns)
        self._in_turn(Transcript, role=role, text=text, final=final, **fields)

    def turn(self, *, latency: Mapping[str, float] | None = None, **fields: Any) -> int:
        """The agent's first audio of its reply, or its failure; `latency` in ms by stage. Returns its index.

        Tell it when it happens: `amend` adds what becomes known later, such as the words.
        """
        index = int(fields.setdefault("turn", self.turns - self._waiting))
        if index in self._replied_at:
            self.amend(latency=latency, **fields)
            return index
        self.turns = index + 1
        self._waiting = False
        self._remember_reply(index, fields.setdefault("ts", self._clock.time()))
        fields.setdefault("measured_from", "turn_end")
        self._in_turn(Turn, latency=Latency(**latency) if latency else None, **fields)
        return index

    def _remember_reply(self, index: int, ts: float) -> None:
        if len(self._replied_at) >= AMENDABLE_TURNS:
            del self._replied_at[next(iter(self._replied_at))]
        self._replied_at[index] = ts

    def amend(self, *, latency: Mapping[str, float] | None = None, **fields: Any) -> None:
        """Tell the last turn again, or the one whose index is `turn`: what is told replaces, the rest stays.

        It counts once, at the time of its first audio.
        """
        index = fields.setdefault("turn", self.turns - 1)
        fields.setdefault("ts", self._replied_at.get(index, self._clock.time()))
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


def _copy_of(segments: Any) -> Any:
    """Segments that the caller may change afterwards; what are none is left to the link, which says so."""
    return dict(segments) if isinstance(segments, Mapping) else segments or {}
