"""Correct events from a Pipecat call with misleading frames, and from dumps of real calls."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.pipecat.pipecat_dumps import Record, events_of, raw_rows, records_of
from voicetop.adapters.pipecat.call import CallFacts, PipecatCall
from voicetop.wire.events import (
    Audio,
    CallEnd,
    CallStart,
    CallUpdate,
    Error,
    Event,
    Interruption,
    Service,
    Stage,
    Tool,
    Turn,
    TurnStart,
    Usage,
)

LLM = "OpenAILLMService#0"
TTS = "EspeakTTS#0"


def of(kind: type[Event], events: list[Event]) -> list[Any]:
    return [event for event in events if type(event) is kind]


def told_first(events: list[Event]) -> list[Any]:
    """The turns as first told, without what was amended."""
    turns: dict[int, Any] = {}
    for turn in of(Turn, events):
        turns.setdefault(turn.turn, turn)
    return list(turns.values())


def speech(at: float, until: float, text: str = "hello there") -> list[Record]:
    """The caller speaks; Pipecat pushes every frame twice, with an interruption among them."""
    started = [("user_speech_start", at + 0.2 + twin, {"start_secs": 0.2}) for twin in (0.0, 0.00002)]
    stopped = [("user_speech_stop", until + 0.2 + twin, {"stop_secs": 0.2}) for twin in (0.0, 0.00002)]
    middle: list[Record] = [("user_turn_start", at + 0.2, {}), ("interruption", at + 0.21, {})]
    transcript: list[Record] = [("transcript", until + 0.4, {"text": text})] if text else []
    return [*started, *middle, *stopped, *transcript, ("user_turn_stop", until + 0.6, {})]


def reply(at: float, parts: list[tuple[str, float]] | None = None) -> list[Record]:
    """The agent thinks, then speaks for two seconds from `at` on."""
    records: list[Record] = [
        ("llm_start", at - 0.3, {"processor": LLM}),
        ("ttfb", at - 0.2, {"seconds": 0.1, "processor": LLM, "model": "m"}),
        ("llm_text", at - 0.15, {"text": "Good "}),
        ("llm_text", at - 0.14, {"text": "day."}),
        ("llm_end", at - 0.13, {}),
        ("tts_start", at - 0.1, {"processor": TTS, "context": f"ctx-{at}"}),
        ("ttfb", at - 0.05, {"seconds": 0.05, "processor": TTS, "model": "v"}),
    ]
    if parts:
        records.append(("breakdown", at, {"contributions": parts, "measured_from": "user_silence"}))
    return [*records, ("bot_start", at, {}), ("bot_stop", at + 2.0, {})]


def call(*parts: list[Record], until: float = 100.0, how: str = "end", reason: str = "") -> list[Event]:
    records: list[Record] = [("connected", 0.0, {})]
    for part in parts:
        records += part
    return events_of([*records, ("end", until - 1.0, {"how": how, "reason": reason}), ("over", until, {})])


def test_a_turn_is_emitted_once_from_silence_to_first_audio() -> None:
    events = call(speech(10.0, 12.0), reply(14.0, [("endpointing_wait", 0.2), ("llm_inference", 1.8)]))
    [start], [turn] = of(TurnStart, events), of(Turn, events)
    assert (start.ts, start.turn) == (12.0, 0)
    assert (turn.turn, turn.e2e_ms, turn.status, turn.measured_from) == (0, 2000.0, "ok", "vad_stop")
    assert (turn.user_text, turn.agent_text) == ("hello there", "Good day.")
    assert turn.additive
    assert turn.latency.vad + turn.latency.llm_ttft == turn.e2e_ms


def test_the_stage_that_a_caller_waits_for_is_emitted_as_it_changes() -> None:
    stages = of(Stage, call(speech(10.0, 12.0), reply(14.0)))
    assert [(stage.name, stage.state) for stage in stages] == [
        ("stt", "start"), ("stt", "end"), ("eou", "start"), ("eou", "end"),
        ("llm", "start"), ("llm", "end"), ("tts", "start"), ("tts", "end"),
    ]  # fmt: skip
    assert stages[4].provider == "openai"


def test_a_greeting_is_no_turn() -> None:
    events = call(reply(2.0, [("first_request", 0.3)]), speech(10.0, 12.0), reply(13.0))
    assert [turn.turn for turn in of(Turn, events)] == [0]
    assert of(Interruption, events) == []
    assert [service.turn for service in of(Service, events)] == [-1, -1, 0, 0]


def test_only_speech_over_the_agent_is_a_barge_in() -> None:
    cut = reply(13.0)[:-1]
    echo: list[Record] = [("interruption", 14.5, {}), ("bot_stop", 14.6, {})]
    events = call(speech(10.0, 12.0), cut, speech(14.0, 15.0), echo, reply(16.0))
    [interruption] = of(Interruption, events)
    assert (interruption.by, interruption.turn, interruption.playout_ms) == ("user", 0, 1210.0)
    assert [(turn.turn, turn.ts, turn.interrupted) for turn in of(Turn, events)] == [
        (0, 13.0, False), (0, 13.0, True), (1, 16.0, False)
    ]  # fmt: skip


def test_spurious_agent_speech_while_the_caller_speaks_is_no_answer() -> None:
    ghost: list[Record] = [("user_speech_start", 20.2, {"start_secs": 0.2}), ("bot_start", 20.3, {})]
    rest: list[Record] = [("user_speech_stop", 22.2, {"stop_secs": 0.2}), ("bot_stop", 22.5, {})]
    events = call(speech(10.0, 12.0), reply(13.0), ghost, rest, reply(24.0))
    assert [turn.e2e_ms for turn in of(Turn, events)] == [1000.0, 2000.0]


def test_a_failed_turn_does_not_merge_into_the_next_one() -> None:
    failing: list[Record] = [
        ("llm_start", 13.0, {"processor": LLM}),
        ("error", 14.0, {"message": "Error code: 500 - oops", "processor": LLM, "category": "server"}),
        ("llm_end", 14.0, {}),
    ]
    late: list[Record] = [("ttfb", 20.0, {"seconds": 7.0, "processor": LLM, "model": "m"})]
    events = call(speech(10.0, 12.0), failing, speech(20.0, 21.0), late, reply(22.0))
    first, second = of(Turn, events)
    assert (first.turn, first.status, first.e2e_ms != first.e2e_ms) == (0, "failed", True)
    assert (second.turn, second.status, second.e2e_ms) == (1, "ok", 1000.0)
    [error] = of(Error, events)
    assert (error.component, error.category, error.http_status, error.final, error.turn) == (
        "llm", "server", 500, True, 0
    )  # fmt: skip
    assert ("llm", "failed") in [(stage.name, stage.state) for stage in of(Stage, events)]
    assert [service.ttfb_ms for service in of(Service, events) if service.component == "llm"] == [100.0]


def test_a_tts_crash_is_one_failure_and_its_silence_an_echo() -> None:
    crash: list[Record] = [
        ("llm_start", 13.0, {"processor": LLM}),
        ("ttfb", 13.4, {"seconds": 0.0004, "processor": TTS, "model": "v"}),
        ("tts_start", 13.5, {"processor": TTS, "context": "a1"}),
        ("error", 13.6, {"message": "TTS failed: crashed", "processor": TTS, "error_type": "RuntimeError"}),
    ]
    echo: list[Record] = [
        ("error", 16.6, {"message": "TTS context a1 completed with no audio", "processor": TTS})
    ]
    for events in (
        call(speech(10.0, 12.0), crash, echo),
        call(speech(10.0, 12.0), crash, speech(14.0, 15.0), reply(16.0)[:-2], echo),
    ):
        [error] = of(Error, events)
        assert (error.component, error.category) == ("tts", "server")
        assert of(Turn, events)[0].status == "failed"
        assert 0.4 not in [service.ttfb_ms for service in of(Service, events)]


def test_silence_without_an_error_is_a_separate_failure() -> None:
    silent: list[Record] = [
        ("tts_start", 13.5, {"processor": TTS, "context": "a1"}),
        ("error", 16.6, {"message": "TTS context a1 completed with no audio", "processor": TTS}),
    ]
    [error] = of(Error, call(speech(10.0, 12.0), silent))
    assert (error.component, error.category) == ("tts", "no_output")


def test_the_same_crash_in_every_sentence_of_a_turn_fails_the_caller_once_and_in_the_next_turn_again() -> (
    None
):
    crash: list[Record] = [("error", 13.6, {"message": "TTS failed: x", "processor": TTS})] * 3
    events = call(speech(10.0, 12.0), crash, speech(20.0, 21.0), crash)
    assert [error.turn for error in of(Error, events)] == [0, 1]


def test_a_tool_that_raises_is_one_failure_and_the_turn_continues() -> None:
    raised = {
        "message": "Error executing function call [charge]: no",
        "processor": LLM,
        "category": "application",
    }
    tool: list[Record] = [
        ("tool_start", 13.0, {"call": "1", "name": "charge", "arguments": '{"usd": 20}'}),
        ("error", 13.1, {**raised, "error_type": "RuntimeError"}),
        ("tool_end", 13.1, {"call": "1", "error": "RuntimeError: no"}),
    ]
    events = call(speech(10.0, 12.0), tool, reply(14.0))
    [error] = of(Error, events)
    assert (error.component, error.category, error.provider) == ("tool", "application", "charge")
    assert [(event.state, event.error_type) for event in of(Tool, events)] == [
        ("start", ""),
        ("error", "RuntimeError"),
    ]
    assert [turn.status for turn in of(Turn, events)] == ["ok"]


def test_a_tool_failure_that_comes_only_as_a_result_is_reported_each_time() -> None:
    twice: list[Record] = []
    for number in "12":
        twice += [
            ("tool_start", 13.0, {"call": number, "name": "charge"}),
            ("tool_end", 13.1, {"call": number, "error": "E: x"}),
        ]
    assert len(of(Error, call(speech(10.0, 12.0), twice, reply(14.0)))) == 2


def test_a_tool_past_its_deadline_is_a_timeout_and_a_cancelled_one_no_error() -> None:
    tools: list[Record] = [
        ("tool_start", 13.0, {"call": "1", "name": "slow"}),
        ("tool_start", 13.0, {"call": "2", "name": "other"}),
        ("tool_start", 13.0, {"call": "3", "name": "left"}),
        ("tool_cancel", 16.0, {"call": "1", "timed_out": True}),
        ("tool_cancel", 16.0, {"call": "2"}),
    ]
    events = call(speech(10.0, 12.0), tools)
    assert [(tool.name, tool.state) for tool in of(Tool, events)[3:]] == [
        ("slow", "timeout"), ("other", "cancelled"), ("left", "cancelled")
    ]  # fmt: skip
    assert [(error.component, error.category) for error in of(Error, events)] == [("tool", "timeout")]


def test_a_failed_reconnection_attempt_is_a_retry_and_no_final_error() -> None:
    trying: list[Record] = [
        (
            "error",
            13.0,
            {"message": "XTTSService#0 reconnection attempt 2 failed: refused", "processor": "XTTSService#0"},
        )
    ]
    events = call(speech(10.0, 12.0), trying, reply(14.0))
    [error] = of(Error, events)
    assert (error.final, error.recoverable, error.retry_count, error.category) == (
        False,
        True,
        2,
        "connectivity",
    )
    assert of(Turn, events)[0].status == "ok"


def test_speaking_after_a_pause_continues_the_turn() -> None:
    pause: list[Record] = [
        ("user_speech_start", 10.2, {"start_secs": 0.2}),
        ("user_speech_stop", 11.2, {"stop_secs": 0.2}),
        ("user_speech_start", 11.9, {"start_secs": 0.2}),
        ("user_speech_stop", 13.2, {"stop_secs": 0.2}),
        ("user_turn_stop", 13.5, {}),
    ]
    events = call(pause, reply(14.0))
    assert [(start.turn, start.ts) for start in of(TurnStart, events)] == [(0, 11.0), (0, 13.0)]
    [turn] = of(Turn, events)
    assert turn.e2e_ms == 1000.0


def test_speaking_again_before_the_answer_is_a_new_turn_and_the_old_one_is_cancelled() -> None:
    events = call(speech(10.0, 12.0), reply(14.0)[:3], speech(13.5, 15.0), reply(16.0))
    assert [(turn.turn, turn.status) for turn in of(Turn, events)] == [(0, "cancelled"), (1, "ok")]
    assert of(Turn, events)[0].agent_text == ""


def test_after_a_cough_nobody_waits() -> None:
    events = call(speech(10.0, 10.5, text=""), [("tick", 13.0, {}), ("tick", 17.0, {})])
    [turn] = of(Turn, events)
    assert (turn.status, turn.ts) == ("no_reply", 17.0)


def test_a_caller_who_hangs_up_waiting_has_a_turn_without_reply_before_the_end() -> None:
    events = call(speech(10.0, 12.0), until=30.0, reason="caller_hangup")
    assert [type(event) for event in events[-2:]] == [Turn, CallEnd]
    assert of(Turn, events)[0].status == "no_reply"


def test_a_pipeline_without_voice_detection_measures_from_the_end_of_the_turn() -> None:
    turns: list[Record] = [
        ("user_turn_start", 10.0, {}),
        ("user_turn_stop", 12.0, {}),
        ("user_turn_stop", 12.0, {}),
    ]
    [turn] = of(Turn, call(turns, reply(13.0)))
    assert (turn.measured_from, turn.e2e_ms, turn.additive) == ("turn_end", 1000.0, False)


def test_a_pipeline_without_turns_either_measures_from_the_transcript() -> None:
    [turn] = of(Turn, call([("transcript", 12.0, {"text": "hi"})], reply(13.0)))
    assert (turn.measured_from, turn.e2e_ms) == ("transcript", 1000.0)


def test_a_latency_breakdown_of_something_else_is_not_used() -> None:
    [turn] = of(Turn, call(speech(10.0, 12.0), reply(14.0, [("llm_inference", 0.4)])))
    assert (turn.e2e_ms, turn.latency, turn.additive) == (2000.0, None, False)


def test_waiting_for_a_missing_transcript_counts_as_stt() -> None:
    account = [("endpointing_wait", 0.2), ("llm_inference", 0.3), ("pipeline", 1.5)]
    [turn] = of(Turn, call(speech(10.0, 12.0, text=""), reply(14.0, account)))
    assert (turn.latency.stt, turn.e2e_ms) == (400.0, 2000.0)
    assert not turn.additive
    assert turn.latency.output != turn.latency.output  # nothing explains the rest


def test_the_first_end_is_the_reason_and_there_is_one() -> None:
    ends: list[Record] = [
        ("end", 20.0, {"how": "end", "reason": "caller_hangup"}),
        ("end", 21.0, {"how": "cancel", "reason": "idle timeout"}),
        ("over", 22.0, {}),
        ("over", 23.0, {}),
    ]
    [end] = of(CallEnd, events_of([("connected", 0.0, {}), *ends]))
    assert (end.reason, end.party, end.raw_reason, end.duration_s) == (
        "user_hangup",
        "user",
        "caller_hangup",
        22.0,
    )


def test_a_caller_who_disconnects_hung_up_however_the_pipeline_is_then_taken_down() -> None:
    gone: list[Record] = [("disconnected", 20.0, {}), ("end", 20.1, {"how": "cancel"}), ("over", 21.0, {})]
    [end] = of(CallEnd, events_of([("connected", 0.0, {}), *gone]))
    assert (end.reason, end.party) == ("user_hangup", "user")


def test_a_caller_who_comes_back_or_goes_on_speaking_has_not_hung_up() -> None:
    gone: list[Record] = [("disconnected", 5.0, {})]
    back: list[Record] = [("connected", 8.0, {})]
    for still_there in (back, speech(7.0, 9.0)):
        events = call(gone, still_there, how="end")
        assert [(end.reason, end.party) for end in of(CallEnd, events)] == [("completed", "")]


def test_a_pipeline_that_nobody_called_was_not_connected() -> None:
    start, end = events_of([("tick", 1.0, {}), ("end", 5.0, {"how": "end"}), ("over", 6.0, {})])
    assert isinstance(start, CallStart)
    assert isinstance(end, CallEnd)
    assert end.reason == "not_connected"


def test_no_events_after_the_end() -> None:
    call = PipecatCall(CallFacts("c"))
    for kind in ("connected", "over"):
        call.handle(kind, 1.0)
    assert call.handle("user_speech_start", 2.0) == []
    assert call.update(2.0, {"intent": "x"}) == []


def test_a_quiet_call_sends_keepalives() -> None:
    call = PipecatCall(CallFacts("c"))
    call.handle("connected", 0.0)
    assert call.handle("tick", 30.0) == []
    assert call.handle("tick", 61.0) == [CallUpdate(call_id="c", ts=61.0)]
    assert call.handle("tick", 90.0) == []


def test_audio_features_are_emitted_once_per_turn() -> None:
    loud = [(kind, at, fields | ({"loudness_dbfs": -20.5} if kind == "user_speech_stop" else {}))
            for kind, at, fields in speech(10.0, 13.0, "one two three four five six")]  # fmt: skip
    [audio] = of(Audio, call(loud, reply(14.0)))
    assert (audio.role, audio.speech_rate_wpm, audio.loudness_dbfs) == ("user", 120.0, -20.5)


def test_the_detected_language_becomes_a_segment_unless_set() -> None:
    transcript: list[Record] = [("transcript", 12.0, {"text": "hola", "language": "es"})]
    assert [update.segments for update in of(CallUpdate, call(transcript, transcript))] == [
        {"language": "es"}
    ]
    events = events_of([("connected", 0.0, {}), *transcript], segments={"language": "en"})
    assert of(CallUpdate, events) == []


def test_texts_can_be_withheld() -> None:
    records = [
        *speech(10.0, 12.0),
        ("tool_start", 12.5, {"call": "1", "name": "t", "arguments": "{}"}),
        *reply(13.0),
    ]
    events = events_of(records, texts=False)
    [turn] = of(Turn, events)
    assert (turn.user_text, turn.agent_text, of(Tool, events)[0].arguments) == ("", "", "")


def test_unknown_kinds_are_ignored() -> None:
    assert PipecatCall(CallFacts("c")).handle("weather", 1.0, rain=True) == []


# Dumps of three real calls.


@pytest.fixture(params=["call-1", "call-2", "call-3"])
def dump(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, Any]]]:
    return request.param, [row for row in raw_rows() if row["call_id"] == request.param]


def test_every_turn_of_a_real_call_is_emitted_once(dump: tuple[str, list[dict[str, Any]]]) -> None:
    _, rows = dump
    events = events_of(records_of(rows))
    utterances = [row for row in rows if row["source"] == "caller"]
    turns = told_first(events)
    assert [turn.turn for turn in turns] == list(range(len(utterances)))
    assert [start.turn for start in of(TurnStart, events)] == list(range(len(utterances)))
    assert [turn.status for turn in turns] == ["ok", "ok", "failed", "ok", "failed"]


def test_a_real_calls_latencies_are_those_that_pipecat_measured(
    dump: tuple[str, list[dict[str, Any]]],
) -> None:
    _, rows = dump
    measured = [row["args"][0] * 1000.0 for row in rows if row["event"] == "on_latency_measured"]
    answered = [turn for turn in told_first(events_of(records_of(rows))) if turn.status == "ok"]
    assert [turn.e2e_ms for turn in answered] == pytest.approx(measured, abs=50.0)
    for turn in answered:
        stages = [ms for ms in msgspec.structs.astuple(turn.latency) if ms == ms]
        assert turn.additive
        assert sum(stages) == pytest.approx(turn.e2e_ms, abs=0.01)


def test_each_injected_failure_of_a_real_call_is_reported_exactly_once(
    dump: tuple[str, list[dict[str, Any]]],
) -> None:
    _, rows = dump
    errors = of(Error, events_of(records_of(rows)))
    assert [(error.turn, error.component, error.category) for error in errors] == [
        (2, "llm", "server"), (3, "tool", "application"), (4, "tts", "server")
    ]  # fmt: skip


def test_the_barge_ins_of_a_real_call_are_those_over_the_agents_speech(
    dump: tuple[str, list[dict[str, Any]]],
) -> None:
    """The second call has two: its caller began the third sentence when the second answer had just begun."""
    name, rows = dump
    cut = [interruption.turn for interruption in of(Interruption, events_of(records_of(rows)))]
    assert cut == ([0, 1] if name == "call-2" else [0])


def test_a_real_call_ends_once_with_its_reason(dump: tuple[str, list[dict[str, Any]]]) -> None:
    events = events_of(records_of(dump[1]))
    [end] = of(CallEnd, events)
    assert (end.reason, end.raw_reason) == ("user_hangup", "caller_hangup")
    assert events[-1] is end
    assert of(CallStart, events) == events[:1]


def test_the_usage_of_a_real_call_adds_up(dump: tuple[str, list[dict[str, Any]]]) -> None:
    _, rows = dump
    metrics = [data for row in rows if row["event"] == "MetricsFrame" for data in row["frame"]["data"]]
    tokens = sum(data["value"]["prompt_tokens"] for data in metrics if data["type"] == "LLMUsageMetricsData")
    usage = of(Usage, events_of(records_of(rows)))
    assert sum(event.input_tokens for event in usage) == tokens
    assert {event.component for event in usage} == {"stt", "llm", "tts"}
