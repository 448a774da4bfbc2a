"""One Pipecat call: what its observer saw, in order, becomes events of the protocol. Pure.

`PipecatCall.handle(kind, at, ...)` takes one occurrence (`at` in epoch seconds) and returns its events.
Nothing here imports Pipecat, so that recorded calls can be replayed. The kinds:

    connected, stt_ready(seconds), turns_reported, realtime          disconnected, end(how, reason), over, tick
    user_speech_start(start_secs), user_speech_stop(stop_secs, loudness_dbfs)            user_turn_start, user_turn_stop
    transcript(text, language), interim(text), backchannel, stt_done                key, mute, unmute
    llm_start, llm_text(text), llm_end, announce(text, context), tts_start(context)      usage(...), ttfb(seconds)
    tool_start(call, name), tool_end(call, error), tool_cancel(call, timed_out)          error(message, ...)
    play(context), saying(text), said(text), audio                   (what leaves the output)
    bot_start, bot_stop, interruption                                breakdown(contributions, measured_from)

Turns are built from speech, because nothing else in Pipecat reports them correctly: an interruption frame comes with
every user turn, a failed turn merges into the next one, speech frames come twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from voicetop.adapters.event_buffer import EventBuffer
from voicetop.adapters.pipecat.faults import Faults
from voicetop.adapters.pipecat.hearing import Hearing
from voicetop.adapters.pipecat.services import Runs, Services, Tools
from voicetop.adapters.pipecat.speaking import Speaking
from voicetop.adapters.pipecat.vocabulary import (
    category_of,
    component_of,
    end_reason,
    http_status_in,
    latency_of,
    name_wait_for_release,
    provider_of,
)
from voicetop.adapters.turns import Turns
from voicetop.formatting.numbers import known
from voicetop.wire.events import (
    NAN,
    Agent,
    CallEnd,
    CallStart,
    CallUpdate,
    Error,
    Event,
)
from voicetop.wire.values import MAX_TEXT, Scalar

KEEPALIVE_S = 60.0
LEAVING_S = 1.0
"""Frames of a caller who has left may still be on their way for so long."""


class CallFacts(Struct, frozen=True):
    """What is known of a call before it begins."""

    call_id: str
    segments: Mapping[str, Scalar] = {}
    agent: Agent | None = None
    direction: str = ""
    caller: str = ""
    texts: bool = True


class PipecatCall:
    """The state of one call. Unknown kinds are ignored."""

    def __init__(self, facts: CallFacts) -> None:
        self.facts = facts
        self.segments: dict[str, Scalar] = dict(facts.segments)
        self.started_at = NAN
        self.is_over = False
        buffer, faults = EventBuffer(facts.call_id), Faults()
        self._buffer, self._faults = buffer, faults
        self._turns = Turns(buffer, texts=facts.texts)
        self._services = Services(buffer, faults)
        self._tools = Tools(buffer, faults, texts=facts.texts)
        self._speaking = Speaking(buffer, self._turns, self._services)
        self._hearing = Hearing(
            buffer, self._turns, self._speaking, self._services, faults, texts=facts.texts
        )
        self._speaking.caller_spoke_since = self._hearing.caller_speaks_since
        self._speaking.caller_wants_floor = self._hearing.wants_floor
        self._llm_awaited = Runs()
        self._llm_since = NAN
        self._realtime: dict[str, str] = {}
        self._ending: tuple[str, str] | None = None
        self._left_at = NAN
        self._last_event_at = NAN

    def handle(self, kind: str, at: float, **fields: Any) -> list[Event]:
        """What happened at `at`, as events in order."""
        handler = _HANDLERS.get(kind)
        if handler is None or self.is_over:
            return []
        if kind in _STARTS_CALL and not known(self.started_at):
            self._start(at)
        if kind in _ARE_THERE and at - self._left_at > LEAVING_S:
            self._left_at = NAN
        handler(self, at, **fields)
        events = self._buffer.take()
        if events:
            self._last_event_at = at
        return events

    def update(self, at: float, segments: Mapping[str, Scalar], state: str = "") -> list[Event]:
        """Segments that the application learned, or a state (held, transferring, active)."""
        self.segments |= segments
        if self.is_over or not known(self.started_at):
            return []
        return [CallUpdate(call_id=self.facts.call_id, ts=at, segments=dict(segments), state=state)]

    def _add(self, kind: type[Any], at: float, **fields: Any) -> None:
        self._buffer.add(kind, at, **fields)

    # The call.

    def _start(self, at: float) -> None:
        self.started_at = at
        self._add(
            CallStart,
            at,
            platform="pipecat",
            segments=dict(self.segments),
            agent=self.facts.agent,
            direction=self.facts.direction,
            caller=self.facts.caller,
        )

    def _connected(self, _at: float) -> None:
        """`handle` emits the start itself."""

    def _end(self, _at: float, how: str, reason: str = "") -> None:
        """The first end is the reason; what follows it (a cancel, because the end takes long) is not."""
        if self._ending is None:
            self._ending = (how, reason)

    def _disconnected(self, at: float) -> None:
        """The caller has left, unless they come back; how the pipeline then ends doesn't matter."""
        self._left_at = at

    def _close(self, at: float) -> None:
        """The pipeline has ended: close the last turn and running tools, emit the one call.end."""
        was_connected = known(self.started_at)
        if not was_connected:
            self._start(at)
        self._speaking.stop(at)
        self._hearing.abandon(at, over=True)
        self._tools.abandon(at)
        how, raw = self._ending or ("", "")
        reason, party = end_reason(how, raw)
        if known(self._left_at) and not raw:
            reason, party, raw = "user_hangup", "user", "client disconnected"
        if not was_connected and reason in ("completed", "cancelled"):
            reason = "not_connected"
        self._add(
            CallEnd,
            at,
            reason=reason,
            party=party,
            duration_s=round(at - self.started_at, 3),
            raw_reason=raw
            or {"end": "EndFrame", "stop": "StopFrame", "cancel": "CancelFrame"}.get(how, "no end frame"),
        )
        self.is_over = True

    def _tick(self, at: float) -> None:
        """Only time has passed."""
        self._hearing.tick(at)
        self._speaking.amend()
        if at - self._last_event_at > KEEPALIVE_S:
            self._add(CallUpdate, at)

    # The caller speaks.

    def _turns_reported(self, _at: float) -> None:
        """There is a part that reports turns."""
        self._hearing.has_turns = True

    def _is_realtime(self, _at: float, **model: str) -> None:
        """The model hears the caller by itself, and speaks."""
        self._realtime, self._hearing.hears_itself = model, True

    def _mute(self, _at: float) -> None:
        self._hearing.is_muted = True

    def _unmute(self, _at: float) -> None:
        self._hearing.is_muted = False

    def _key(self, at: float) -> None:
        """The caller pressed a key of the telephone."""
        self._hearing.pressed_at = at

    def _turn_stop(self, at: float) -> None:
        """From now on a realtime model works, though it reports the start of its response with the first of it."""
        self._hearing.turn_stop(at)
        if self._realtime and self._turns.waiting:
            self._llm_start(at, **self._realtime)

    def _transcript(
        self,
        at: float,
        *,
        text: str = "",
        processor: str = "",
        language: str = "",
        component: str = "",
        model: str = "",  # noqa: ARG002 - the model that was asked for
    ) -> None:
        if text.strip():
            self._hearing.words(at, text.strip(), processor, from_stt=component != "llm")
        else:
            self._hearing.no_words(at)
        if language and self.segments.get("language") is None:
            self._buffer.events += self.update(at, {"language": language})

    def _interim(self, at: float, text: str) -> None:
        if text.strip():
            self._hearing.interim_words(at, text.strip())

    # The agent works.

    def _llm_start(self, at: float, processor: str = "", model: str = "") -> None:
        self._faults.begin_work(processor)
        self._hearing.work_begins(at)
        if not (self._realtime and known(self._llm_since)):
            self._llm_since = at
        self._turns.work("llm", at, provider_of(processor), model)

    def _llm_text(self, at: float, text: str) -> None:
        self._llm_answers(at)
        self._speaking.wrote(text)

    def _llm_answers(self, at: float) -> None:
        """The first that comes of a request."""
        if known(self._llm_since):
            self._llm_awaited.add(self._llm_since, at)
            self._llm_since = NAN

    def _llm_end(self, at: float) -> None:
        self._llm_answers(at)
        if self._turns.stages.current == "llm":
            self._turns.stages.leave(at)

    def _tts_start(self, at: float, processor: str = "", model: str = "", context: str = "") -> None:
        self._faults.begin_work(processor, context, at)
        self._speaking.synthesize(at, context)
        if not self._speaking.is_backchannel(context):
            self._turns.work("tts", at, provider_of(processor), model)

    def _breakdown_of(
        self, at: float, contributions: Iterable[tuple[str, float]] = (), measured_from: str | None = None
    ) -> None:
        """The latency observer's breakdown; ignored if it is measured from a greeting."""
        parts = list(contributions)
        turn = self._turns.current
        if not parts or measured_from != "user_silence" or turn is None:
            self._speaking.breakdown = None
            return
        if turn.is_released and (self._hearing.needs_no_words or not turn.user_texts):
            awaited = "turn_detection" if self._hearing.needs_no_words else "transcription"
            parts = name_wait_for_release(parts, turn.released_at - turn.since, awaited)
        tools_s = self._tools.ran.seconds_between(turn.since, at)
        self._speaking.breakdown = latency_of(
            parts, tools_s, self._llm_awaited.seconds_between(turn.since, at)
        )

    def _tool_start(self, at: float, **fields: str) -> None:
        self._llm_answers(at)
        self._turns.stages.leave(at)
        self._tools.start(at, **fields)

    # Errors.

    def _error(
        self,
        at: float,
        *,
        message: str,
        processor: str = "",
        category: str = "",
        component: str = "",
        error_type: str = "",
        http_status: int = 0,
    ) -> None:
        status = http_status or http_status_in(message)
        fault = self._faults.classify(
            at,
            message=message,
            processor=processor,
            component=component or component_of(processor),
            category=category_of(category, error_type, message, status),
            error_type=error_type,
        )
        if fault is None:
            return
        if fault.component in ("stt", "llm", "tts"):
            self._void_measurements(at, fault.component, processor, final=fault.final)
        self._add(
            Error,
            at,
            component=fault.component,
            category=fault.category,
            error_type=error_type,
            recoverable=not fault.final,
            final=fault.final,
            retry_count=fault.retry_count,
            provider=fault.tool or provider_of(processor),
            http_status=status,
            message=message[:MAX_TEXT],
        )

    def _void_measurements(self, at: float, component: str, processor: str, *, final: bool) -> None:
        """Discard what the failed service claims to have measured, and fail the turn it worked for."""
        if component == "stt":
            self._hearing.stt_failed()
        self._services.void(component, processor)
        if final:
            self._turns.fail(component, at)


_HANDLERS: dict[str, Callable[..., None]] = {
    "connected": PipecatCall._connected,
    "stt_ready": lambda call, _at, /, seconds: call._hearing.stt_is_there(seconds),
    "turns_reported": PipecatCall._turns_reported,
    "user_speech_start": lambda call, at, /, **fields: call._hearing.speech_start(at, **fields),
    "user_speech_stop": lambda call, at, /, **fields: call._hearing.speech_stop(at, **fields),
    "user_turn_start": lambda call, at, /: call._hearing.turn_start(at),
    "user_turn_stop": PipecatCall._turn_stop,
    "realtime": PipecatCall._is_realtime,
    "key": PipecatCall._key,
    "mute": PipecatCall._mute,
    "unmute": PipecatCall._unmute,
    "transcript": PipecatCall._transcript,
    "interim": PipecatCall._interim,
    "backchannel": lambda call, at, /: call._hearing.backchannel(at),
    "stt_done": lambda call, at, /: call._hearing.stt_finished(at),
    "llm_start": PipecatCall._llm_start,
    "llm_text": PipecatCall._llm_text,
    "llm_end": PipecatCall._llm_end,
    "announce": lambda call, at, /, **fields: call._speaking.announced(at, **fields),
    "tts_start": PipecatCall._tts_start,
    "breakdown": PipecatCall._breakdown_of,
    "play": lambda call, at, /, context: call._speaking.play(at, context),
    "saying": lambda call, _at, /, **fields: call._speaking.saying(**fields),
    "said": lambda call, _at, /, **fields: call._speaking.said(**fields),
    "audio": lambda call, at, /: call._speaking.hear(at),
    "bot_start": lambda call, at, /: call._speaking.start(at),
    "bot_stop": lambda call, at, /: call._speaking.stop(at),
    "interruption": lambda call, at, /: call._speaking.interrupt(at),
    "ttfb": lambda call, at, /, **fields: call._services.ttfb(at, **fields),
    "usage": lambda call, at, /, **fields: call._services.usage(at, **fields),
    "tool_start": PipecatCall._tool_start,
    "tool_end": lambda call, at, /, **fields: call._tools.end(at, **fields),
    "tool_cancel": lambda call, at, /, **fields: call._tools.cancel(at, **fields),
    "error": PipecatCall._error,
    "disconnected": PipecatCall._disconnected,
    "end": PipecatCall._end,
    "over": PipecatCall._close,
    "tick": PipecatCall._tick,
}

_ARE_THERE = frozenset({"connected", "user_speech_start", "user_turn_start"})
"""What only a caller who hasn't left can do: it was somebody else who did, or they are back."""

_STARTS_CALL = frozenset(_HANDLERS) - {
    "disconnected",
    "end",
    "over",
    "tick",
    "ttfb",
    "breakdown",
    "interruption",
    "stt_ready",
    "turns_reported",
    "realtime",
    "mute",
    "unmute",
}
