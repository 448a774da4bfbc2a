"""The caller's turns, as any framework's adapter drives them."""

from __future__ import annotations

from typing import Any

import pytest

from voicetop.adapters.event_buffer import EventBuffer
from voicetop.adapters.turns import Turns, UserTurn
from voicetop.wire.events import Audio, CallUpdate, Event, Latency, Stage, Turn, TurnStart


def machine(*, texts: bool = True) -> tuple[EventBuffer, Turns]:
    buffer = EventBuffer("c1")
    return buffer, Turns(buffer, texts=texts)


def of(kind: type[Event], buffer: EventBuffer) -> list[Any]:
    return [event for event in buffer.events if type(event) is kind]


def stages(buffer: EventBuffer) -> list[tuple[str, str, float]]:
    return [(event.name, event.state, event.ts) for event in of(Stage, buffer)]


def test_a_reply_closes_the_turn_with_its_time_and_its_words() -> None:
    buffer, turns = machine()
    turns.open().user_texts += ["my bill,", "please"]
    turns.wait(10.0, "vad_stop", "stt")
    turns.release(10.4)
    turns.work("llm", 10.4, "openai", "gpt")
    assert turns.waiting
    turns.waiting.agent_texts += ["Of ", "course."]
    turns.work("tts", 10.9, "cartesia")
    turns.reply(11.2)
    [turn] = of(Turn, buffer)
    assert (turn.status, turn.turn, turn.ts, turn.e2e_ms) == ("ok", 0, 11.2, 1200.0)
    assert (turn.user_text, turn.agent_text, turn.additive) == ("my bill, please", "Of course.", False)
    assert turns.current is None
    assert stages(buffer) == [
        ("stt", "start", 10.0),
        ("stt", "end", 10.4),
        ("llm", "start", 10.4),
        ("llm", "end", 10.9),
        ("tts", "start", 10.9),
        ("tts", "end", 11.2),
    ]


def test_turn_start_is_dated_at_the_end_of_speech_and_belongs_to_the_turn() -> None:
    buffer, turns = machine()
    turns.wait(10.0, "turn_end", "eou")
    turns.reply(11.0)
    turns.wait(20.0, "turn_end", "eou")
    assert [(event.ts, event.turn) for event in of(TurnStart, buffer)] == [(10.0, 0), (20.0, 1)]


def test_a_turn_released_without_words_still_waits_for_the_stt() -> None:
    buffer, turns = machine()
    turns.wait(10.0, "vad_stop", "stt")
    turns.release(15.0)
    assert stages(buffer) == [("stt", "start", 10.0)]
    turns.work("llm", 16.0)
    assert stages(buffer)[1:] == [("stt", "end", 16.0), ("llm", "start", 16.0)]


def test_a_breakdown_is_used_if_it_agrees_with_the_measured_time() -> None:
    for total, taken in ((1050.0, True), (1150.0, False)):
        buffer, turns = machine()
        turns.wait(10.0, "vad_stop", "stt")
        turns.reply(11.0, (total, Latency(llm_ttft=total)))
        [turn] = of(Turn, buffer)
        assert (turn.e2e_ms, turn.additive) == ((total, True) if taken else (1000.0, False))


def test_speaking_again_before_the_release_continues_the_turn() -> None:
    buffer, turns = machine()
    turns.wait(10.0, "vad_stop", "stt")
    turns.resume_speech(10.3)
    assert turns.waiting is None
    turns.reply(10.5)
    assert not of(Turn, buffer)
    turns.wait(12.0, "vad_stop", "stt")
    turns.reply(13.0)
    [turn] = of(Turn, buffer)
    assert (turn.turn, turn.e2e_ms) == (0, 1000.0)
    assert ("vad", "start", 10.3) in stages(buffer)


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (lambda turns: None, "no_reply"),
        (lambda turns: setattr(turns.current, "is_noise", True), "noise"),
        (lambda turns: turns.work("llm", 11.0), "cancelled"),
        (lambda turns: (turns.work("llm", 11.0), turns.fail("llm", 11.5)), "failed"),
    ],
)
def test_an_unanswered_turn_has_a_status(action: Any, status: str) -> None:
    buffer, turns = machine()
    turns.wait(10.0, "vad_stop", "stt")
    action(turns)
    turns.abandon(12.0)
    [turn] = of(Turn, buffer)
    assert (turn.status, turn.ts, turn.agent_text) == (status, 12.0, "")
    assert turns.current is None


def test_a_failure_marks_its_stage_and_only_its_own() -> None:
    buffer, turns = machine()
    turns.wait(10.0, "vad_stop", "stt")
    turns.work("tts", 11.0)
    turns.fail("llm", 11.1)
    assert turns.stages.current == "tts"
    turns.fail("tts", 11.2)
    assert stages(buffer)[-1] == ("tts", "failed", 11.2)


def test_an_unannounced_turn_ends_silently() -> None:
    buffer, turns = machine()
    turns.open()
    turns.abandon(12.0)
    assert not buffer.events
    assert turns.open().index == 1


def test_only_a_waiting_turn_can_be_worked_on_failed_or_released() -> None:
    buffer, turns = machine()
    turns.release(1.0)
    turns.work("llm", 1.0)
    turns.fail("llm", 1.0)
    turns.reply(1.0)
    assert not buffer.events
    turns.wait(2.0, "vad_stop", "stt")
    turns.release(3.0)
    turns.release(4.0)
    assert turns.current
    assert turns.current.released_at == 3.0


def test_without_texts_there_are_no_transcripts_but_audio_features() -> None:
    buffer, turns = machine(texts=False)
    turn = turns.open()
    turn.user_texts, turn.spoke_s, turn.loudness_dbfs = ["one two three"], 1.5, -21.0
    turns.wait(10.0, "vad_stop", "stt")
    turns.reply(11.0)
    [turn] = of(Turn, buffer)
    assert (turn.user_text, turn.agent_text) == ("", "")
    [audio] = of(Audio, buffer)
    assert (audio.speech_rate_wpm, audio.loudness_dbfs, audio.role) == (120.0, -21.0, "user")


def test_a_word_without_duration_has_no_rate() -> None:
    turn = UserTurn(0, user_texts=["hi"], spoke_s=0.2)
    assert turn.speech_rate_wpm != turn.speech_rate_wpm


def test_events_that_belong_to_the_call_have_no_turn() -> None:
    buffer, turns = machine()
    turns.open()
    buffer.add(CallUpdate, 1.0)
    buffer.add(Stage, 2.0, name="llm", state="start")
    buffer.add(Stage, 3.0, name="llm", state="end", turn=7)
    assert [event.turn for event in of(CallUpdate, buffer) + of(Stage, buffer)] == [-1, 0, 7]
    assert len(buffer.take()) == 3
    assert buffer.take() == []
