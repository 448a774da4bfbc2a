"""What a Pipecat agent's parts did: services with their times and usage, tool runs. Pure."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

from msgspec import Struct

from voicetop.adapters.event_buffer import EventBuffer
from voicetop.adapters.pipecat.faults import Faults
from voicetop.adapters.pipecat.vocabulary import component_of, provider_of
from voicetop.wire.events import Error, Service, Tool, Usage
from voicetop.wire.values import MAX_TEXT

MAX_RUNS = 50


class Services:
    """Times to first byte and usage.

    Times are held until the agent speaks, because an error may come after the time that its service claims: then
    there was no answer, and no time.
    """

    def __init__(self, buffer: EventBuffer, faults: Faults) -> None:
        self._buffer = buffer
        self._faults = faults
        self._held: list[Service] = []

    def ttfb(
        self,
        at: float,
        *,
        seconds: float,
        processor: str = "",
        component: str = "",
        model: str = "",  # noqa: ARG002 - the model that was asked for
        answered_by: str = "",
    ) -> None:
        """A Pipecat metric. Ignores zeros (placeholders) and STT, which Pipecat cuts off at 2 s; we measure that."""
        component = component or component_of(processor)
        if seconds > 0 and component in ("llm", "tts") and not self._faults.has_failed(processor):
            self.record_answer(at, component, processor, answered_by, seconds)

    def record_answer(self, at: float, component: str, processor: str, model: str, seconds: float) -> None:
        """A service answered after `seconds`; `model` is the one that its response named, empty if it named none.

        For TTS only the first sentence counts: the caller waits for that.
        """
        provider = provider_of(processor)
        if not provider or (component == "tts" and any(held.component == "tts" for held in self._held)):
            return
        self._held.append(
            Service(
                call_id=self._buffer.call_id,
                ts=at,
                turn=self._buffer.turn,
                component=component,
                provider=provider,
                model=model,
                ttfb_ms=round(seconds * 1000.0, 3),
                status="ok",
            )
        )

    def void(self, component: str, processor: str) -> None:
        """The service failed: discard its measurements of this turn."""
        failed = (component, provider_of(processor), self._buffer.turn)
        self._held = [held for held in self._held if (held.component, held.provider, held.turn) != failed]

    def release(self) -> None:
        """The agent speaks, or no longer will: the held times are valid."""
        self._buffer.events += self._held
        self._held = []

    def usage(
        self,
        at: float,
        *,
        processor: str,
        model: str = "",
        answered_by: str = "",
        component: str = "",
        **amounts: Any,
    ) -> None:
        """Tokens, characters or seconds of audio; they add up."""
        self._buffer.add(
            Usage,
            at,
            component=component or component_of(processor),
            provider=provider_of(processor),
            model=answered_by or model,
            **{name: amount for name, amount in amounts.items() if amount},
        )


class Runs:
    """When something ran, in one piece or several at once."""

    def __init__(self) -> None:
        self._runs: deque[tuple[float, float]] = deque(maxlen=MAX_RUNS)

    def add(self, since: float, until: float) -> None:
        """It ran."""
        self._runs.append((since, until))

    def seconds_between(self, since: float, until: float) -> float:
        """How long it ran in that time; several at once count once."""
        covered, total = since, 0.0
        for start, end in sorted(self._runs):
            total += max(0.0, min(end, until) - max(start, covered))
            covered = max(covered, end)
        return total


class _Running(Struct, frozen=True):
    name: str
    since: float
    turn: int


class Tools:
    """Tool calls by id: each starts once and ends once, in the turn that it started in."""

    def __init__(self, buffer: EventBuffer, faults: Faults, *, texts: bool) -> None:
        self._buffer = buffer
        self._faults = faults
        self._texts = texts
        self._running: dict[str, _Running] = {}
        self.ran = Runs()

    def start(self, at: float, *, call: str, name: str, arguments: str = "") -> None:
        """The tool starts."""
        if call not in self._running:
            self._running[call] = _Running(name, at, self._buffer.turn)
            shown = arguments[:MAX_TEXT] if self._texts else ""
            self._buffer.add(Tool, at, name=name, state="start", arguments=shown)

    def end(self, at: float, *, call: str, error: str = "") -> None:
        """It returned, or raised `error` ("RuntimeError: no such card")."""
        running = self._running.pop(call, None)
        if running is None:
            return
        kind = error.partition(":")[0]
        self._settle(at, running, "error" if error else "ok", kind)
        if error and not self._faults.was_tool_reported(running.name):
            self._fail(at, running, "application", error, kind)

    def cancel(self, at: float, *, call: str, timed_out: bool = False) -> None:
        """It ran past its deadline, or is no longer wanted."""
        running = self._running.pop(call, None)
        if running is None:
            return
        self._settle(at, running, "timeout" if timed_out else "cancelled")
        if timed_out:
            self._fail(at, running, "timeout", f"{running.name} ran past its deadline")

    def abandon(self, at: float) -> None:
        """The call has ended: running tools are cancelled."""
        for running in self._running.values():
            self._settle(at, running, "cancelled")
        self._running = {}

    def _settle(
        self,
        at: float,
        running: _Running,
        state: Literal["ok", "error", "timeout", "cancelled"],
        kind: str = "",
    ) -> None:
        self.ran.add(running.since, at)
        took = round((at - running.since) * 1000.0, 3)
        about = {"turn": running.turn, "name": running.name, "state": state}
        self._buffer.add(Tool, at, **about, duration_ms=took, error_type=kind)

    def _fail(self, at: float, running: _Running, category: str, message: str, kind: str = "") -> None:
        self._buffer.add(
            Error,
            at,
            turn=running.turn,
            component="tool",
            category=category,
            error_type=kind,
            provider=running.name,
            message=message[:MAX_TEXT],
        )
