"""One Pipecat call: what its observer saw, in order, becomes events of the protocol. Pure.

`PipecatCall.handle(kind, at, ...)` takes one occurrence (`at` in epoch seconds) and returns its events.
Nothing here imports Pipecat, so that recorded calls can be replayed. The kinds:

    connected                        user_speech_start(start_secs)   user_speech_stop(stop_secs, loudness_dbfs)
    transcript(text, language)       user_turn_start, user_turn_stop bot_start, bot_stop, interruption
    llm_start, llm_text(text), llm_end, tts_start(context)           breakdown(contributions, measured_from)
    tool_start(call, name), tool_end(call, error), tool_cancel(call, timed_out)          error(message, ...)
    usage(...), ttfb(seconds)        disconnected, end(how, reason)   over, tick

Turns are built from speech, because nothing else in Pipecat reports them correctly: an interruption frame comes with
every user turn, a failed turn merges into the next one, speech frames come twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from voicetop.adapters.event_buffer import EventBuffer
from voicetop.adapters.pipecat.faults import Faults
from voicetop.adapters.pipecat.services import Services, Tools
from voicetop.adapters.pipecat.vocabulary import (
    category_of,
    component_of,
    end_reason,
    http_status_in,
    latency_of,
    name_missing_transcript,
    provider_of,
)
from voicetop.adapters.turns import Turns, UserTurn
from voicetop.formatting.numbers import known
from voicetop.wire.events import (
    MAX_TEXT,
    NAN,
    Agent,
    CallEnd,
    CallStart,
    CallUpdate,
    Error,
    Event,
    Interruption,
    Latency,
    Scalar,
)

NO_TRANSCRIPT_S = 5.0
"""A turn that was released without a transcript is closed after this: nothing will come of it any more."""
NOISE_S = 4.0
"""An STT that works has had time for its words so long after the speech: there were none, and nobody waits."""

KEEPALIVE_S = 60.0


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
        self._speaking_since = NAN
        self._bot_since = NAN
        self._interrupted = False
        self._has_vad = False
        self._has_turns = False
        self._stt_works = False
        """It had words for the last speech: a turn without words is noise. A second one in a row may be an STT that has
        fallen silent, whose callers wait."""
        self._noise_since = NAN
        self._breakdown: tuple[float, Latency] | None = None
        self._buffer = EventBuffer(facts.call_id)
        self._faults = Faults()
        self._turns = Turns(self._buffer, texts=facts.texts)
        self._services = Services(self._buffer, self._faults)
        self._tools = Tools(self._buffer, self._faults, texts=facts.texts)
        self._ending: tuple[str, str] | None = None
        self._has_left = False
        self._last_event_at = NAN

    def handle(self, kind: str, at: float, **fields: Any) -> list[Event]:
        """What happened at `at`, as events in order."""
        handler = _HANDLERS.get(kind)
        if handler is None or self.is_over:
            return []
        if kind in _STARTS_CALL and not known(self.started_at):
            self._start(at)
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

    def _disconnected(self, _at: float) -> None:
        """The caller has left; how the pipeline then ends doesn't matter."""
        self._has_left = True

    def _close(self, at: float) -> None:
        """The pipeline has ended: close the last turn and running tools, emit the one call.end."""
        was_connected = known(self.started_at)
        if not was_connected:
            self._start(at)
        self._abandon_turn(at)
        self._tools.abandon(at)
        how, raw = self._ending or ("", "")
        reason, party = end_reason(how, raw)
        if self._has_left and not raw:
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
        turn = self._turns.waiting
        if turn and turn.is_released and not turn.user_texts and not turn.replying:
            over_at = turn.since + NOISE_S if self._stt_works else turn.released_at + NO_TRANSCRIPT_S
            if at > over_at:
                self._abandon_turn(at)
        if at - self._last_event_at > KEEPALIVE_S:
            self._add(CallUpdate, at)

    # The caller speaks.

    def _user_speech_start(self, at: float, start_secs: float = 0.0) -> None:
        self._has_vad = True
        if known(self._speaking_since):
            return  # the copy that was sent the other way
        self._speaking_since = at - start_secs
        if self._turns.current and self._turns.current.is_released:
            self._abandon_turn(at, spoke_again=True)
        self._noise_since = NAN
        self._turns.resume_speech(at)
        self._open_turn()

    def _open_turn(self) -> UserTurn:
        if self._turns.current is None:
            self._faults.begin_turn()
        return self._turns.open()

    def _user_speech_stop(self, at: float, stop_secs: float = 0.0, loudness_dbfs: float = NAN) -> None:
        if not known(self._speaking_since):
            return
        ended = at - stop_secs
        turn = self._open_turn()
        turn.spoke_s += max(0.0, ended - self._speaking_since)
        if known(loudness_dbfs):
            turn.loudness_dbfs = loudness_dbfs
        self._speaking_since = NAN
        self._wait(ended, "vad_stop", "stt")

    def _wait(self, since: float, measured_from: str, stage: str) -> None:
        self._open_turn()
        self._breakdown = None
        self._turns.wait(since, measured_from, stage)

    def _user_turn_start(self, at: float) -> None:
        self._has_turns = True
        if not self._has_vad:
            if self._turns.waiting:
                self._abandon_turn(at, spoke_again=True)
            self._open_turn()

    def _user_turn_stop(self, at: float) -> None:
        """The turn is released: Pipecat decided that the user has finished."""
        self._has_turns = True
        if self._turns.current and not self._turns.waiting and not self._has_vad:
            self._wait(at, "turn_end", "eou")
        self._turns.release(at)

    def _transcript(
        self, at: float, *, text: str = "", processor: str = "", language: str = "", model: str = ""
    ) -> None:
        if not self._has_vad and not self._has_turns and text:
            self._wait(at, "transcript", "eou")
        if text:
            self._stt_works = True
            self._recall_noise()
        turn = self._turns.current
        if turn is not None and text:
            turn.user_texts.append(text)
            if turn.waiting and self._turns.stages.current == "stt":
                self._services.record_answer(at, "stt", processor, model, at - turn.since)
                self._turns.stages.enter("eou", at)
        if language and self.segments.get("language") is None:
            self._buffer.events += self.update(at, {"language": language})

    def _recall_noise(self) -> None:
        """Words came after all for what was taken for noise: the caller has been waiting since that speech."""
        if self._turns.current is None and known(self._noise_since):
            self._wait(self._noise_since, "vad_stop", "eou")
        self._noise_since = NAN

    # The agent works.

    def _llm_start(self, at: float, processor: str = "", model: str = "") -> None:
        self._faults.begin_work(processor)
        self._turns.work("llm", at, provider_of(processor), model)

    def _llm_text(self, _at: float, text: str) -> None:
        if turn := self._turns.waiting:
            turn.agent_texts.append(text)

    def _llm_end(self, at: float) -> None:
        if self._turns.stages.current == "llm":
            self._turns.stages.leave(at)

    def _tts_start(self, at: float, processor: str = "", model: str = "", context: str = "") -> None:
        self._faults.begin_work(processor, context, at)
        self._turns.work("tts", at, provider_of(processor), model)

    def _breakdown_of(
        self, _at: float, contributions: Iterable[tuple[str, float]] = (), measured_from: str | None = None
    ) -> None:
        """The latency observer's breakdown; ignored if it is measured from a greeting."""
        parts = list(contributions)
        turn = self._turns.current
        if turn and turn.is_released and not turn.user_texts:
            parts = name_missing_transcript(parts, turn.released_at - turn.since)
        self._breakdown = latency_of(parts) if parts and measured_from == "user_silence" else None

    def _tool_start(self, at: float, **fields: str) -> None:
        self._turns.stages.leave(at)
        self._tools.start(at, **fields)

    # The agent speaks.

    def _bot_start(self, at: float) -> None:
        self._bot_since = at
        self._interrupted = False
        self._turns.reply(at, self._breakdown)
        self._services.release()

    def _bot_stop(self, _at: float) -> None:
        self._bot_since = NAN

    def _abandon_turn(self, at: float, *, spoke_again: bool = False) -> None:
        turn = self._turns.current
        if turn is None:
            return
        if not turn.user_texts:
            turn.is_noise = spoke_again or self._stt_works
            self._noise_since = turn.since if turn.is_noise else NAN
            self._stt_works = False
        self._turns.abandon(at)
        self._services.release()

    def _interruption(self, at: float) -> None:
        """Pipecat interrupts itself on every user turn; a barge-in is one while the agent speaks, once per speech."""
        if known(self._bot_since) and not self._interrupted:
            self._interrupted = True
            played = max(0.0, round((at - self._bot_since) * 1000.0, 3))
            answered = self._buffer.turn - 1 if self._turns.current else self._buffer.turn
            self._add(Interruption, at, turn=max(-1, answered), by="user", playout_ms=played)

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
        self._stt_works &= component != "stt"
        self._services.void(component, processor)
        if final:
            self._turns.fail(component, at)


_HANDLERS: dict[str, Callable[..., None]] = {
    "connected": PipecatCall._connected,
    "user_speech_start": PipecatCall._user_speech_start,
    "user_speech_stop": PipecatCall._user_speech_stop,
    "user_turn_start": PipecatCall._user_turn_start,
    "user_turn_stop": PipecatCall._user_turn_stop,
    "transcript": PipecatCall._transcript,
    "llm_start": PipecatCall._llm_start,
    "llm_text": PipecatCall._llm_text,
    "llm_end": PipecatCall._llm_end,
    "tts_start": PipecatCall._tts_start,
    "breakdown": PipecatCall._breakdown_of,
    "bot_start": PipecatCall._bot_start,
    "bot_stop": PipecatCall._bot_stop,
    "interruption": PipecatCall._interruption,
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

_STARTS_CALL = frozenset(_HANDLERS) - {
    "disconnected",
    "end",
    "over",
    "tick",
    "ttfb",
    "breakdown",
    "interruption",
}
