"""The events of one call, made so that every id is unique and the same each time a seed is run."""

from __future__ import annotations

from voicetop.simulator.reply import (
    LLM,
    LLM_MODEL,
    STT,
    STT_MODEL,
    TTS,
    TTS_MODEL,
    Failure,
    Reply,
)
from voicetop.wire.events import (
    Audio,
    CallEnd,
    CallOutcome,
    CallStep,
    CallUpdate,
    Error,
    Interruption,
    Latency,
    Scalar,
    Stage,
    Tool,
    Turn,
    TurnStart,
    Usage,
)

LLM_USD_PER_TOKEN = 2.0e-6
LLM_USD_PER_OUTPUT_TOKEN = 8.0e-6
TTS_USD_PER_CHARACTER = 2.8e-5
STT_USD_PER_S = 1.2e-4

_PROVIDERS = {"stt": (STT, STT_MODEL), "llm": (LLM, LLM_MODEL), "tts": (TTS, TTS_MODEL), "tool": ("crm", "")}
_ARGUMENTS = {
    "get_invoices": '{"account":"…8841","months":2}',
    "get_account": '{"account":"…8841","fields":["address","login"]}',
    "find_order": '{"order":"A-20931","status":true}',
    "line_status": '{"line":"dsl-4417","history_h":24}',
    "create_return": '{"order":"A-20931","item":2,"reason":"size"}',
    "quote": '{"plan":"L","lines":4}',
    "free_slots": '{"from":"monday","days":3}',
    "search_help": '{"query":"letter about new terms","top":3}',
}


class EventBuilder:
    """Makes the events of one call: `id` and `source` go on each, `index` is the present turn."""

    __slots__ = ("_told", "id", "index", "source")

    def __init__(self, call_id: str, source: str) -> None:
        self.id = call_id
        self.source = source
        self.index = 0
        self._told = 0

    def _event_id(self) -> str:
        self._told += 1
        return f"{self.id}-{self._told}"

    def step_event(self, ts: float, step: str, before: str) -> CallStep:
        return CallStep(
            ts=ts, event_id=self._event_id(), source=self.source, call_id=self.id, step=step, prev_step=before
        )

    def update(self, ts: float, segments: dict[str, Scalar], state: str = "") -> CallUpdate:
        return CallUpdate(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            segments=segments,
            state=state,
        )

    def waiting(self, ts: float) -> TurnStart:
        return TurnStart(
            ts=ts, event_id=self._event_id(), source=self.source, call_id=self.id, turn=self.index
        )

    def utterance(self, ts: float, words_per_minute: float, dbfs: float) -> Audio:
        return Audio(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            role="user",
            speech_rate_wpm=round(words_per_minute, 1),
            loudness_dbfs=round(dbfs, 1),
        )

    def stage(self, ts: float, name: str, state: str) -> Stage:
        provider, model = _PROVIDERS[name]
        return Stage(
            ts=round(ts, 3),
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            name=name,
            state=state,
            provider=provider,
            model=model,
        )

    def tool_start(self, ts: float, name: str) -> Tool:
        return Tool(
            ts=round(ts, 3),
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            name=name,
            state="start",
            arguments=_ARGUMENTS[name],
        )

    def tool_end(self, ts: float, name: str, duration_ms: float, *, failed: bool) -> Tool:
        return Tool(
            ts=round(ts, 3),
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            name=name,
            state="error" if failed else "ok",
            duration_ms=duration_ms,
            error_type="HTTPStatusError" if failed else "",
            arguments=_ARGUMENTS[name],
        )

    def error(self, ts: float, failure: Failure, *, final: bool, retry_count: int = 0) -> Error:
        return Error(
            ts=round(ts, 3),
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            component=failure.component,
            category=failure.category,
            error_type=failure.error_type,
            provider=failure.provider,
            message=failure.message,
            http_status=failure.http_status,
            recoverable=not final,
            final=final,
            retry_count=retry_count,
        )

    def reply(self, ts: float, step: str, reply: Reply, said: str, answer: str, *, confidence: float) -> Turn:
        return Turn(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            e2e_ms=reply.e2e,
            measured_from="vad_stop",
            latency=_latency(reply),
            additive=True,
            user_text=said,
            agent_text=answer,
            confidence=round(confidence, 2),
            step=step,
        )

    def failed_reply(self, ts: float, step: str, said: str) -> Turn:
        return Turn(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            status="failed",
            user_text=said,
            step=step,
        )

    def interruption(self, ts: float, playout_ms: float, *, backchannel: bool) -> Interruption:
        return Interruption(
            ts=round(ts, 3),
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=self.index,
            by="user",
            playout_ms=playout_ms,
            backchannel=backchannel,
        )

    def llm_usage(self, ts: float, tokens: int, tokens_out: int, turn: int = -1) -> Usage:
        """What the model used, for one turn or for the whole call."""
        return Usage(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            turn=turn,
            component="llm",
            provider=LLM,
            model=LLM_MODEL,
            input_tokens=tokens,
            output_tokens=tokens_out,
            cost_usd=round(LLM_USD_PER_TOKEN * tokens + LLM_USD_PER_OUTPUT_TOKEN * tokens_out, 6),
        )

    def tts_usage(self, ts: float, characters: int) -> Usage:
        return Usage(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            component="tts",
            provider=TTS,
            model=TTS_MODEL,
            characters=characters,
            cost_usd=round(TTS_USD_PER_CHARACTER * characters, 6),
        )

    def stt_usage(self, ts: float, audio_s: float) -> Usage:
        return Usage(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            component="stt",
            provider=STT,
            model=STT_MODEL,
            audio_s=round(audio_s, 1),
            cost_usd=round(STT_USD_PER_S * audio_s, 6),
        )

    def end(self, ts: float, reason: str, party: str, step: str, duration_s: float) -> CallEnd:
        return CallEnd(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            reason=reason,
            party=party,
            step=step,
            duration_s=round(duration_s, 1),
        )

    def outcome(
        self, ts: float, label: str, sentiment: float, *, success: bool, escalated: bool
    ) -> CallOutcome:
        return CallOutcome(
            ts=ts,
            event_id=self._event_id(),
            source=self.source,
            call_id=self.id,
            evaluator="judge",
            success=success,
            label=label,
            sentiment=sentiment,
            escalated=escalated,
        )


def _latency(reply: Reply) -> Latency:
    if not reply.tools:
        return Latency(
            vad=reply.vad,
            stt=reply.stt,
            eou=reply.eou,
            llm_ttft=reply.llm,
            tts_ttfb=reply.tts,
            output=reply.output,
        )
    return Latency(
        vad=reply.vad,
        stt=reply.stt,
        eou=reply.eou,
        llm_ttft=reply.llm,
        tool=reply.tool,
        tts_ttfb=reply.tts,
        output=reply.output,
    )
