"""The caller's side of a Pipecat call: what is a turn, what are its words, what is noise."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.pipecat.pipecat_dumps import Record, events_of
from adapters.pipecat.test_speaking import begin, call, of, said, speech
from voicetop.wire.events import Event, Interruption, Stage, Transcript, Turn, TurnStart

STT_READY: list[Record] = [("stt_ready", 0.0, {"seconds": 0.5})]


def ticks(since: float, until: float) -> list[Record]:
    return [("tick", since + number * 0.25, {}) for number in range(int((until - since) * 4))]


def sound(at: float, seconds: float = 0.5) -> list[Record]:
    """Voice without words: Pipecat gives up after 5 s."""
    return [
        ("user_speech_start", at + 0.2, {"start_secs": 0.2}),
        ("user_turn_start", at + 0.2, {}),
        ("user_speech_stop", at + seconds + 0.2, {"stop_secs": 0.2}),
    ]


def ended(records: list[Record], until: float = 60.0) -> list[tuple[str, float]]:
    """(status, seconds waited) of each turn."""
    records = sorted([("connected", 0.0, {}), *records], key=lambda each: each[1])
    events = events_of([*records, ("over", until, {})])
    starts = {start.turn: start.ts for start in of(TurnStart, events)}
    return [(turn.status, turn.ts - starts[turn.turn]) for turn in of(Turn, events)]


def test_the_first_sound_without_words_is_noise_as_soon_as_the_stt_has_had_time() -> None:
    [(status, waited)] = ended(STT_READY + sound(10.0) + ticks(10.0, 20.0))
    assert status == "noise"
    assert waited <= 2.25


def test_an_stt_that_reports_to_be_done_leaves_no_doubt() -> None:
    records = [*sound(10.0), ("stt_done", 10.9, {}), *ticks(10.0, 20.0)]
    [(status, waited)] = ended(records)
    assert status == "noise"
    assert waited < 1.2


def test_a_slow_stt_gets_more_time_but_never_ten_seconds() -> None:
    spoken = [record for record in speech(10.0, 12.0) if record[0] != "transcript"]
    slow: list[Record] = [("transcript", 14.5, {"text": "hello"}), ("llm_start", 14.6, {"processor": "L"})]
    records = [*STT_READY, *spoken, *slow, ("bot_start", 15.0, {}), ("bot_stop", 16.0, {})]
    waits = ended([*records, *sound(30.0), *ticks(16.0, 45.0)])
    assert [status for status, _ in waits] == ["ok", "noise"]
    assert 3.5 < waits[1][1] <= 4.25


def test_long_speech_that_an_stt_in_doubt_doesnt_hear_is_a_wait() -> None:
    records = [*STT_READY, *sound(10.0, 3.0), ("user_turn_stop", 18.0, {}), *ticks(10.0, 40.0)]
    [(status, waited)] = ended(records)
    assert status == "no_reply"
    assert waited < 7.0  # Pipecat gave up after 5 s


def test_the_third_sound_in_a_row_is_a_wait() -> None:
    records = [*STT_READY]
    for at in (10.0, 20.0, 30.0):
        records += [*sound(at), ("user_turn_stop", at + 5.5, {})]
    assert [status for status, _ in ended([*records, *ticks(0.0, 50.0)])] == ["noise", "noise", "no_reply"]


def test_words_are_told_as_soon_as_they_are_known() -> None:
    events = call(speech(10.0, 12.0, "my bill"), begin(14.0, "a", "One."))
    [words] = of(Transcript, events)
    assert (words.turn, words.ts, words.role, words.text, words.final) == (0, 12.4, "user", "my bill", True)
    assert events.index(words) < events.index(of(Turn, events)[0])


def test_words_that_may_change_are_told_at_a_bounded_rate() -> None:
    interims: list[Record] = [("interim", 10.5 + n / 100, {"text": f"w{n}"}) for n in range(150)]
    events = call(speech(10.0, 12.0)[:3], interims)
    told = of(Transcript, events)
    assert 3 <= len(told) <= 4
    assert not any(each.final for each in told)
    same: list[Record] = [("interim", 10.5 + n, {"text": "w"}) for n in range(5)]
    assert len(of(Transcript, call(speech(10.0, 12.0)[:3], same))) == 1


def test_without_texts_no_words_are_told() -> None:
    records = [*speech(10.0, 12.0), ("interim", 12.1, {"text": "h"}), *begin(14.0, "a", "One.")]
    assert of(Transcript, events_of(records, texts=False)) == []


def test_without_voice_detection_the_first_utterance_is_one_turn_with_its_words() -> None:
    first: list[Record] = [
        ("interim", 11.0, {"text": "what"}),
        ("user_turn_start", 11.0, {}),
        ("transcript", 12.0, {"text": "what does it cost"}),
        ("transcript", 12.4, {"text": "now"}),
        ("user_turn_stop", 13.0, {}),
    ]
    reverse: list[Record] = [
        ("transcript", 22.0, {"text": "and tomorrow"}),
        ("user_turn_start", 22.0, {}),
        ("interruption", 22.0, {}),
        ("user_turn_stop", 22.6, {}),
    ]
    first += [*begin(14.0, "a", "Ten."), ("bot_stop", 15.0, {})]
    events = events_of([("connected", 0.0, {}), *first, *reverse, *begin(24.0, "b", "Nine.")])
    turns = {turn.turn: turn for turn in of(Turn, events)}
    assert [(turn.user_text, turn.status, turn.measured_from) for turn in turns.values()] == [
        ("what does it cost now", "ok", "transcript"),
        ("and tomorrow", "ok", "transcript"),
    ]
    assert turns[0].e2e_ms == pytest.approx(1600.0)


def test_words_before_anything_is_known_of_turns_are_not_two_turns() -> None:
    records: list[Record] = [
        ("connected", 0.0, {}),
        ("transcript", 12.0, {"text": "hello"}),
        ("user_turn_start", 12.001, {}),
        ("interruption", 12.002, {}),
        ("user_turn_stop", 12.6, {}),
        *begin(14.0, "a", "Hi."),
    ]
    assert [(turn.turn, turn.user_text) for turn in of(Turn, events_of(records))] == [(0, "hello")]


def backchannel(at: float, words: str = "mhm") -> list[Record]:
    return [
        ("user_speech_start", at + 0.2, {"start_secs": 0.2}),
        ("user_speech_stop", at + 0.6, {"stop_secs": 0.2}),
        ("transcript", at + 0.8, {"text": words}),
    ]


ANSWER = [*begin(14.0, "a", "One."), *said(17.0, "One.", "Two."), ("bot_stop", 18.0, {})]


def test_a_backchannel_of_the_caller_is_no_turn_and_no_wait() -> None:
    events = call(speech(10.0, 12.0), ANSWER[:-3], backchannel(15.0), ticks(15.0, 20.0), ANSWER[-3:])
    assert [(each.turn, each.by, each.backchannel) for each in of(Interruption, events)] == [
        (0, "user", True)
    ]
    assert [start.turn for start in of(TurnStart, events)] == [0]
    assert {turn.status for turn in of(Turn, events)} == {"ok"}
    assert not any(turn.interrupted for turn in of(Turn, events))


def test_what_pipecat_itself_takes_for_a_backchannel_is_one_at_once() -> None:
    frame: list[Record] = [*backchannel(15.0)[:2], ("backchannel", 15.7, {})]
    [mhm] = of(Interruption, call(speech(10.0, 12.0), ANSWER[:-3], frame))
    assert (mhm.ts, mhm.backchannel) == (15.7, True)


def test_a_sound_over_the_agent_is_nothing() -> None:
    events = call(speech(10.0, 12.0), ANSWER[:-3], backchannel(15.0)[:2], ticks(15.0, 20.0))
    assert (of(Interruption, events), len(of(TurnStart, events))) == ([], 1)


def test_speech_over_the_agent_is_a_turn_from_its_end_once_pipecat_says_so() -> None:
    words = [
        *backchannel(15.0, "stop it right now"),
        ("user_turn_start", 15.81, {}),
        ("interruption", 15.82, {}),
    ]
    events = call(
        speech(10.0, 12.0), ANSWER[:-3], words, [("user_turn_stop", 16.5, {})], begin(17.0, "b", "Ok.")
    )
    turns: dict[int, Any] = {turn.turn: turn for turn in of(Turn, events)}
    assert (turns[0].interrupted, turns[1].user_text) == (True, "stop it right now")
    assert turns[1].e2e_ms == pytest.approx(1600.0)


def test_a_cough_while_the_agent_thinks_doesnt_end_the_wait() -> None:
    events = call(speech(10.0, 12.0), backchannel(13.0)[:2], begin(14.0, "a", "One."))
    assert [(turn.status, turn.e2e_ms) for turn in of(Turn, events)] == [("ok", 2000.0)]


def test_words_that_come_after_the_reply_amend_the_turn() -> None:
    spoken = [record for record in speech(10.0, 12.0) if record[0] != "transcript"]
    late: list[Record] = [("transcript", 14.5, {"text": "hello"})]
    assert of(Turn, call(spoken, begin(14.0, "a", "One."), late))[-1].user_text == "hello"
    events = call(speech(10.0, 12.0), begin(14.0, "a", "One."), late, ticks(14.5, 18.0))
    assert of(Turn, events)[-1].user_text == "hello there hello"


def test_a_caller_who_hangs_up_while_a_model_works_has_waited_in_vain() -> None:
    events = call(speech(10.0, 12.0), [("llm_start", 13.0, {"processor": "L"})], until=20.0)
    assert [turn.status for turn in of(Turn, events)] == ["no_reply"]


def test_a_backchannel_is_dated_when_it_was_said() -> None:
    events = call(speech(10.0, 12.0), ANSWER[:-3], backchannel(15.0), ticks(15.0, 20.0), ANSWER[-3:])
    [mhm] = of(Interruption, events)
    assert mhm.ts == pytest.approx(15.4)


def words_of(events: list[Event]) -> dict[int, str]:
    return {turn.turn: turn.user_text for turn in of(Turn, events)}


def muted(at: float, until: float) -> tuple[list[Record], list[Record]]:
    return [("mute", at, {})], [("unmute", until, {})]


def test_what_is_said_to_a_muted_agent_is_in_no_turn() -> None:
    mute, unmute = muted(14.0, 18.2)
    ignored: list[Record] = [
        ("interim", 15.5, {"text": "stop"}),
        ("transcript", 16.0, {"text": "stop it"}),
    ]
    rest = [*speech(20.0, 22.0, "and now"), *begin(24.0, "b", "Done.")]
    answer = [*ANSWER[:-3], *ignored, *ANSWER[-3:]]
    events = call(speech(10.0, 12.0), mute, answer, unmute, ticks(18.0, 20.0), rest)
    assert words_of(events) == {0: "hello there", 1: "and now"}
    assert [start.ts for start in of(TurnStart, events)] == [12.0, 22.0]
    assert of(Interruption, events) == []


def test_nobody_waits_because_of_what_was_said_over_a_greeting_that_mutes_callers() -> None:
    mute, unmute = muted(1.0, 4.0)
    greeting = [("bot_start", 1.0, {}), ("transcript", 2.5, {"text": "hello?"}), ("bot_stop", 4.0, {})]
    events = call(mute, greeting, unmute, speech(10.0, 12.0), begin(14.0, "a", "One."))
    assert words_of(events) == {0: "hello there"}
    assert [start.ts for start in of(TurnStart, events)] == [12.0]


def test_words_for_a_tool_that_mutes_callers_leave_their_wait_alone() -> None:
    mute, unmute = muted(13.0, 17.0)
    over = [*sound(14.0), ("transcript", 15.5, {"text": "are you there"})]
    over = [record for record in over if record[0] != "user_turn_start"]
    events = call(speech(10.0, 12.0), mute, over, unmute, begin(18.0, "a", "One."))
    [turn] = of(Turn, events)
    assert (turn.user_text, turn.e2e_ms) == ("hello there", pytest.approx(6000.0))


def test_words_that_were_never_final_make_a_turn_that_is_no_noise() -> None:
    """Pipecat gives up on the transcript after 5 s, and the agent asks again."""
    heard = [*STT_READY, *sound(10.0), ("interim", 10.6, {"text": "hello there"}), *ticks(10.5, 15.5)]
    stop: list[Record] = [("user_turn_stop", 15.6, {})]
    [(status, waited)] = ended([*heard, *stop, *ticks(15.75, 30.0)])
    assert (status, waited < 7.0) == ("no_reply", True)
    again = [record for record in begin(16.0, "a", "What did you say?") if record[0] != "llm_start"]
    events = events_of(
        [("connected", 0.0, {}), *heard, *stop, ("llm_start", 15.61, {"processor": "L"}), *again]
    )
    [turn] = of(Turn, events)
    assert (turn.status, turn.e2e_ms) == ("ok", pytest.approx(5500.0))


def test_a_caller_who_repeats_the_same_words_is_heard_again() -> None:
    interim: Record = ("interim", 30.6, {"text": "hello"})
    first = [("interim", 10.6, {"text": "hello"}), *speech(10.0, 12.0), *begin(14.0, "a", "One.")]
    events = call(first, [("bot_stop", 16.0, {})], sound(30.0), [interim], ticks(31.0, 34.0))
    assert [each.turn for each in of(Transcript, events) if not each.final] == [0, 1]


def test_a_final_transcript_without_words_takes_them_back() -> None:
    heard = [*STT_READY, *sound(10.0), ("interim", 10.6, {"text": "hm"}), ("transcript", 10.9, {"text": " "})]
    [(status, waited)] = ended([*heard, *ticks(11.0, 20.0)])
    assert (status, waited < 1.2) == ("noise", True)


def test_an_stt_that_is_faster_than_voice_detection_isnt_waited_for() -> None:
    spoken = [record for record in speech(10.0, 12.0) if record[0] != "transcript"]
    spoken.insert(3, ("transcript", 12.15, {"text": "my bill"}))
    parts = [("endpointing_wait", 0.2), ("llm_inference", 0.5), ("speech_synthesis", 0.9), ("pipeline", 0.4)]
    measured: Record = ("breakdown", 14.0, {"contributions": parts, "measured_from": "user_silence"})
    events = call(spoken, begin(14.0, "a", "One.")[:-2], [measured, ("bot_start", 14.0, {})])
    assert [stage.name for stage in of(Stage, events) if stage.state == "start"] == ["eou", "llm", "tts"]
    [turn] = of(Turn, events)
    assert (turn.latency.eou, turn.additive) == (pytest.approx(400.0), True)


# Models that hear the caller by themselves.

REALTIME: list[Record] = [("realtime", 0.0, {"processor": "OpenAIRealtimeLLMService#0", "model": "m"})]


def spoken_to_model(at: float, until: float, *, vad: bool) -> list[Record]:
    start: list[Record] = [("user_turn_start", at + 0.3, {}), ("interruption", at + 0.3, {})]
    stop: list[Record] = [("user_turn_stop", until + 0.5, {})]
    if vad:
        start.insert(0, ("user_speech_start", at + 0.2, {"start_secs": 0.2}))
        stop.insert(0, ("user_speech_stop", until + 0.2, {"stop_secs": 0.2}))
    return start + stop


def answered_by_model(at: float, text: str) -> list[Record]:
    return [
        ("llm_start", at - 0.1, {"processor": "OpenAIRealtimeLLMService#0", "model": "m"}),
        ("tts_start", at - 0.05, {"processor": "OpenAIRealtimeLLMService#0", "context": ""}),
        ("play", at - 0.01, {"context": ""}),
        ("bot_start", at, {}),
        ("said", at + 0.01, {"text": text, "spaced": True, "backchannel": False}),
    ]


def late(at: float, text: str) -> Record:
    return ("transcript", at, {"text": text, "component": "llm"})


@pytest.mark.parametrize("vad", [True, False])
def test_late_words_to_a_realtime_model_belong_to_the_turn_that_they_were_said_in(*, vad: bool) -> None:
    first = [*spoken_to_model(10.0, 12.0, vad=vad), *answered_by_model(13.0, "One.")]
    first += [late(13.4, "tell me"), late(13.5, "a story"), ("bot_stop", 15.0, {})]
    soon = [*spoken_to_model(20.0, 22.0, vad=vad), late(22.7, "stop it"), *answered_by_model(23.0, "Two.")]
    events = call(REALTIME, first, soon, [("bot_stop", 24.0, {})])
    assert words_of(events) == {0: "tell me a story", 1: "stop it"}
    assert [start.ts for start in of(TurnStart, events)] == ([12.0, 22.0] if vad else [12.5, 22.5])
    assert [each.turn for each in of(Transcript, events)] == [0, 0, 1]
    assert of(Interruption, events) == []


def test_callers_of_a_realtime_model_wait_for_the_model_however_long() -> None:
    events = call(REALTIME, spoken_to_model(10.0, 12.0, vad=True), ticks(13.0, 60.0))
    told = [(stage.name, stage.provider) for stage in of(Stage, events) if stage.state == "start"]
    assert told == [("eou", ""), ("llm", "openai")]
    [turn] = of(Turn, events)
    assert (turn.status, turn.ts) == ("no_reply", 100.0)


def test_a_cough_that_a_realtime_model_takes_for_no_turn_is_noise() -> None:
    cough = [record for record in sound(10.0) if record[0] != "user_turn_start"]
    [turn] = of(Turn, call(REALTIME, cough, ticks(11.0, 20.0)))
    assert (turn.status, turn.ts - 10.5 < 4.5) == ("noise", True)


def test_what_a_realtime_model_takes_until_its_first_sound_is_its_time() -> None:
    parts = [("endpointing_wait", 0.2), ("llm_inference", 0.1), ("pipeline", 0.7)]
    answer = answered_by_model(13.0, "One.")
    answer.insert(2, ("llm_text", 12.95, {"text": "One."}))
    answer.insert(3, ("breakdown", 13.0, {"contributions": parts, "measured_from": "user_silence"}))
    [turn] = of(Turn, call(REALTIME, spoken_to_model(10.0, 12.0, vad=True), answer))[:1]
    stages = (turn.latency.vad, turn.latency.eou, turn.latency.llm_ttft)
    assert stages == (200.0, pytest.approx(300.0), pytest.approx(450.0))
    assert turn.latency.stt != turn.latency.stt


def test_words_make_the_turns_of_a_realtime_model_that_reports_none() -> None:
    first = [("transcript", 12.3, {"text": "tell me", "component": "llm"}), late(12.5, "a story")]
    first += [*answered_by_model(13.0, "One."), ("bot_stop", 15.0, {})]
    second = [*answered_by_model(23.0, "Two."), late(23.2, "stop it"), ("bot_stop", 25.0, {})]
    third = [late(32.3, "and now"), *answered_by_model(33.0, "Three."), ("bot_stop", 35.0, {})]
    events = call(REALTIME, first, second, third)
    turns = {turn.turn: (turn.user_text, turn.agent_text, turn.e2e_ms) for turn in of(Turn, events)}
    assert turns[0] == ("tell me a story stop it", "One.Two.", pytest.approx(500.0))
    assert turns[1] == ("and now", "Three.", pytest.approx(700.0))
