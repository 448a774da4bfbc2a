"""Builds the events of one call, with ids that are unique and the same for each run of a seed."""

from __future__ import annotations

from typing import Any, TypeVar

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
    CallEvent,
    CallOutcome,
    CallStep,
    CallUpdate,
    Error,
    Interruption,
    Latency,
    Stage,
    Tool,
    Transcript,
    Turn,
    TurnStart,
    Usage,
)
from voicetop.wire.values import Scalar

LLM_USD_PER_TOKEN = 2.0e-6
LLM_USD_PER_OUTPUT_TOKEN = 8.0e-6
TTS_USD_PER_CHARACTER = 2.8e-5
STT_USD_PER_S = 1.2e-4

Kind = TypeVar("Kind", bound=CallEvent)
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
    """Builds the events of one call: each has its `id` and `source`; `index` is the current turn."""

    __slots__ = ("_event_count", "id", "index", "source")

    def __init__(self, call_id: str, source: str) -> None:
        self.id = call_id
        self.source = source
        self.index = 0
        self._event_count = 0

    def _event(self, kind: type[Kind], ts: float, turn: int = -1, /, **fields: Any) -> Kind:
        self._event_count += 1
        fields["event_id"] = f"{self.id}-{self._event_count}"
        return kind(ts=ts, source=self.source, call_id=self.id, turn=turn, **fields)

    def step_event(self, ts: float, step: str, before: str) -> CallStep:
        return self._event(CallStep, ts, step=step, prev_step=before)

    def update(self, ts: float, segments: dict[str, Scalar], state: str = "") -> CallUpdate:
        return self._event(CallUpdate, ts, segments=segments, state=state)

    def waiting(self, ts: float) -> TurnStart:
        return self._event(TurnStart, ts, self.index)

    def words(self, ts: float, text: str) -> Transcript:
        return self._event(Transcript, ts, self.index, role="user", text=text)

    def utterance(self, ts: float, words_per_minute: float, dbfs: float) -> Audio:
        rate, loudness = round(words_per_minute, 1), round(dbfs, 1)
        return self._event(Audio, ts, self.index, role="user", speech_rate_wpm=rate, loudness_dbfs=loudness)

    def stage(self, ts: float, name: str, state: str) -> Stage:
        provider, model = _PROVIDERS[name]
        return self._event(
            Stage, round(ts, 3), self.index, name=name, state=state, provider=provider, model=model
        )

    def tool_start(self, ts: float, name: str) -> Tool:
        return self._event(
            Tool, round(ts, 3), self.index, name=name, state="start", arguments=_ARGUMENTS[name]
        )

    def tool_end(self, ts: float, name: str, duration_ms: float, *, failed: bool) -> Tool:
        return self._event(
            Tool,
            round(ts, 3),
            self.index,
            name=name,
            state="error" if failed else "ok",
            duration_ms=duration_ms,
            error_type="HTTPStatusError" if failed else "",
            arguments=_ARGUMENTS[name],
        )

    def error(self, ts: float, failure: Failure, *, final: bool, retry_count: int = 0) -> Error:
        return self._event(
            Error,
            round(ts, 3),
            self.index,
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

    def reply(
        self, ts: float, step: str, reply: Reply, user_text: str, answer: str, *, confidence: float
    ) -> Turn:
        return self._event(
            Turn,
            ts,
            self.index,
            e2e_ms=reply.e2e,
            measured_from="vad_stop",
            latency=_latency(reply),
            additive=True,
            user_text=user_text,
            agent_text=answer,
            confidence=round(confidence, 2),
            step=step,
        )

    def failed_reply(self, ts: float, step: str, user_text: str) -> Turn:
        return self._event(Turn, ts, self.index, status="failed", user_text=user_text, step=step)

    def interruption(self, ts: float, playout_ms: float, *, backchannel: bool) -> Interruption:
        return self._event(
            Interruption, round(ts, 3), self.index, by="user", playout_ms=playout_ms, backchannel=backchannel
        )

    def llm_usage(self, ts: float, tokens: int, tokens_out: int, turn: int = -1) -> Usage:
        """The model's usage, for one turn or for the whole call."""
        cost = LLM_USD_PER_TOKEN * tokens + LLM_USD_PER_OUTPUT_TOKEN * tokens_out
        return self._usage("llm", ts, cost, turn, input_tokens=tokens, output_tokens=tokens_out)

    def tts_usage(self, ts: float, characters: int) -> Usage:
        return self._usage("tts", ts, TTS_USD_PER_CHARACTER * characters, characters=characters)

    def stt_usage(self, ts: float, audio_s: float) -> Usage:
        return self._usage("stt", ts, STT_USD_PER_S * audio_s, audio_s=round(audio_s, 1))

    def _usage(self, component: str, ts: float, cost_usd: float, turn: int = -1, **amounts: float) -> Usage:
        provider, model = _PROVIDERS[component]
        amounts["cost_usd"] = round(cost_usd, 6)
        return self._event(Usage, ts, turn, component=component, provider=provider, model=model, **amounts)

    def end(self, ts: float, reason: str, party: str, step: str, duration_s: float) -> CallEnd:
        return self._event(
            CallEnd, ts, reason=reason, party=party, step=step, duration_s=round(duration_s, 1)
        )

    def outcome(
        self, ts: float, label: str, sentiment: float, *, success: bool, escalated: bool
    ) -> CallOutcome:
        verdict = {"success": success, "label": label, "sentiment": sentiment, "escalated": escalated}
        return self._event(CallOutcome, ts, evaluator="judge", **verdict)


def _latency(reply: Reply) -> Latency:
    stages = {
        "vad": reply.vad,
        "stt": reply.stt,
        "eou": reply.eou,
        "llm_ttft": reply.llm,
        "tts_ttfb": reply.tts,
        "output": reply.output,
    }
    return Latency(**stages, tool=reply.tool) if reply.tools else Latency(**stages)
