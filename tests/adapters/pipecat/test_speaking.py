"""The agent's side of a Pipecat call: which audio is the reply, and what was really said."""

from __future__ import annotations

from typing import Any

from adapters.pipecat.pipecat_dumps import Record, events_of
from voicetop.wire.events import Event, Interruption, Tool, Turn

LLM, TTS = "OpenAILLMService#0", "EspeakTTS#0"


def of(kind: type[Event], events: list[Event]) -> list[Any]:
    return [event for event in events if type(event) is kind]


def call(*parts: list[Record], until: float = 100.0) -> list[Event]:
    records: list[Record] = [("connected", 0.0, {}), ("turns_reported", 0.0, {})]
    for part in parts:
        records += part
    return events_of([*records, ("over", until, {})])


def speech(at: float, until: float, text: str = "hello there") -> list[Record]:
    """The caller speaks a turn."""
    return [
        ("user_speech_start", at + 0.2, {"start_secs": 0.2}),
        ("user_turn_start", at + 0.2, {}),
        ("interruption", at + 0.21, {}),
        ("user_speech_stop", until + 0.2, {"stop_secs": 0.2}),
        ("transcript", until + 0.4, {"text": text}),
        ("user_turn_stop", until + 0.6, {}),
    ]


def begin(at: float, context: str, first: str, *, starts: bool = True) -> list[Record]:
    """The agent's first audio leaves at `at`; in the middle of other audio, nothing reports that it `starts`."""
    return [
        ("llm_start", at - 0.3, {"processor": LLM}),
        ("announce", at - 0.11, {"text": first, "context": context, "backchannel": False}),
        ("tts_start", at - 0.1, {"processor": TTS, "context": context}),
        ("saying", at - 0.01, {"text": first}),
        ("play", at - 0.005, {"context": context}),
        *([("bot_start", at, {})] if starts else []),
        ("audio", at + 0.04, {}),
    ]


def said(at: float, text: str, then: str = "") -> list[Record]:
    """A sentence has been spoken, and the next one begins."""
    records: list[Record] = [("said", at, {"text": text, "spaced": False, "backchannel": False})]
    return [*records, ("saying", at, {"text": then}), ("audio", at + 0.04, {})] if then else records


def told(events: list[Event]) -> list[tuple[int, float, str, bool]]:
    return [(turn.turn, turn.ts, turn.agent_text, turn.interrupted) for turn in of(Turn, events)]


def test_the_turn_comes_at_the_first_audio_and_its_whole_text_at_the_end() -> None:
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One.", "Two."), *said(16.0, "Two.")]
    events = call(speech(10.0, 12.0), answer, [("bot_stop", 16.1, {})])
    assert told(events) == [(0, 14.0, "One.", False), (0, 14.0, "One. Two.", False)]
    first, amended = of(Turn, events)
    assert (amended.e2e_ms, amended.user_text, amended.status) == (first.e2e_ms, "hello there", "ok")


def test_an_interrupted_turn_has_what_was_begun_and_nothing_else() -> None:
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One.", "Two.")]
    announced: list[Record] = [("announce", 14.5, {"text": "Three.", "context": "a", "backchannel": False})]
    cut: list[Record] = [*speech(15.5, 17.0), ("bot_stop", 17.7, {})]
    assert told(call(speech(10.0, 12.0), answer, announced, cut))[:2] == [
        (0, 14.0, "One.", False),
        (0, 14.0, "One. Two.", True),
    ]


def test_words_are_joined_as_they_leave() -> None:
    words: list[Record] = [
        ("said", 14.2 + number / 10, {"text": word, "spaced": spaced, "backchannel": False})
        for number, (word, spaced) in enumerate([("Good", False), ("day", False), ("你", True), ("好", True)])
    ]
    events = call(speech(10.0, 12.0), begin(14.0, "a", "Good day 你好"), words, [("bot_stop", 16.1, {})])
    assert of(Turn, events)[-1].agent_text == "Good day 你好"


def test_texts_that_are_never_reported_as_said_count_once_the_next_begins_or_the_agent_stops() -> None:
    answer: list[Record] = [
        *begin(14.0, "a", "One."),
        ("saying", 15.0, {"text": "Two."}),
        ("audio", 15.04, {}),
        ("bot_stop", 16.0, {}),
    ]
    assert of(Turn, call(speech(10.0, 12.0), answer))[-1].agent_text == "One. Two."


def test_a_sentence_whose_synthesis_failed_was_not_said() -> None:
    silent: list[Record] = [("saying", 15.0, {"text": "Two."})]
    rest = [("said", 15.01, {"text": "Three.", "spaced": False, "backchannel": False})]
    for failed in (
        [],
        said(15.001, "Two."),
    ):  # Pipecat reports it as said if the service caught its own failure
        then: list[Record] = [("saying", 15.005, {"text": "Three."}), ("audio", 15.007, {})]
        answer = [*begin(14.0, "a", "One."), *said(14.9, "One."), *silent, *failed, *then, *rest]
        events = call(speech(10.0, 12.0), answer, [("bot_stop", 16.0, {})])
        assert of(Turn, events)[-1].agent_text == "One. Three."


def test_a_tts_that_is_given_words_reports_its_sentences_after_their_audio() -> None:
    def answer(at: float, context: str, *sentences: str) -> list[Record]:
        words: list[Record] = [
            ("llm_text", at - 0.2, {"text": "One "}),
            ("llm_text", at + 0.1, {"text": "two."}),
        ]
        records = [*begin(at, context, "")[:1], *words[:1], *begin(at, context, "")[2:3]]
        records += [*begin(at, context, "")[4:], words[1]]
        for number, text in enumerate(sentences):
            about = {"text": text, "context": context}
            records.append(("announce", at + number + 0.5, {**about, "backchannel": False}))
            records += [("saying", at + number + 0.9, about), *said(at + number + 0.9, text)]
            records.append(("audio", at + number + 0.94, {}))
        return [*records, ("bot_stop", at + 5.0, {})]

    second = [*speech(20.0, 22.0), *answer(24.0, "b", "Three.", "Four.")]
    events = call(speech(10.0, 12.0), answer(14.0, "a", "One two."), second)
    texts = {turn.turn: turn.agent_text for turn in of(Turn, events)}
    assert texts == {0: "One two.", 1: "Three. Four."}


def test_a_word_that_is_a_sentence_may_be_told_before_its_audio() -> None:
    timed = {"text": "Two.", "spaced": False, "backchannel": False, "timed": True}
    word: list[Record] = [("saying", 15.0, {"text": "Two."}), ("said", 15.0, timed), ("audio", 15.04, {})]
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One."), *word, ("bot_stop", 16.0, {})]
    assert of(Turn, call(speech(10.0, 12.0), answer))[-1].agent_text == "One. Two."


def test_a_sentence_that_is_announced_before_its_words_was_not_said() -> None:
    timed = {"spaced": False, "backchannel": False, "timed": True}
    words: list[Record] = [("said", 14.1, {"text": "One", **timed}), ("said", 14.5, {"text": "two", **timed})]
    early: list[Record] = [("saying", 14.6, {"text": "And four."}), ("audio", 14.7, {})]
    cut: list[Record] = [*speech(14.5, 16.0), ("bot_stop", 16.7, {})]
    events = call(speech(10.0, 12.0), begin(14.0, "a", "One two three."), words, early, cut)
    assert told(events)[1] == (0, 14.0, "One two", True)


def test_noise_in_the_middle_of_an_answer_doesnt_end_its_text() -> None:
    """Where the caller can't interrupt."""
    cough: list[Record] = [
        ("user_speech_start", 14.5, {"start_secs": 0.2}),
        ("user_turn_start", 14.5, {}),
        ("user_speech_stop", 15.0, {"stop_secs": 0.2}),
        ("stt_done", 15.1, {}),
        ("tick", 15.7, {}),
    ]
    answer = [*begin(14.0, "a", "One."), *cough, *said(16.0, "One.", "Two."), *said(17.0, "Two.")]
    events = call(speech(10.0, 12.0), answer, [("bot_stop", 17.1, {})])
    turns = {turn.turn: turn for turn in of(Turn, events)}
    assert (turns[0].agent_text, turns[1].status) == ("One. Two.", "noise")


def test_a_first_word_that_leaves_just_before_its_audio_belongs_to_the_reply() -> None:
    word = {"spaced": False, "backchannel": False, "context": "b"}
    second = begin(24.0, "b", "All right.")
    second.insert(-3, ("said", 23.995, {"text": "All", **word}))
    second += [("said", 24.3, {"text": "right.", **word}), ("bot_stop", 24.5, {})]
    first = [*begin(14.0, "a", "One."), *said(15.0, "One."), ("bot_stop", 15.1, {})]
    events = call(speech(10.0, 12.0), first, speech(20.0, 22.0), second)
    texts = {turn.turn: turn.agent_text for turn in of(Turn, events)}
    assert texts == {0: "One.", 1: "All right."}


def test_words_of_a_cut_off_answer_that_still_come_were_never_said() -> None:
    word = {"spaced": False, "backchannel": False, "context": "a"}
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One.", "Two.")]
    late: list[Record] = [
        ("bot_stop", 15.75, {}),
        ("said", 15.8, {"text": "three", **word}),
        ("tick", 16.5, {}),
    ]
    events = call(speech(10.0, 12.0), answer, speech(15.5, 17.0)[:3], late, speech(15.5, 17.0)[3:])
    assert [turn.agent_text for turn in of(Turn, events) if turn.turn == 0][-1] == "One. Two."


def test_words_that_leave_after_the_end_of_the_audio_amend_it_again() -> None:
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One.")]
    late: list[Record] = [("bot_stop", 15.1, {}), *said(15.2, "Two."), ("tick", 15.5, {})]
    assert of(Turn, call(speech(10.0, 12.0), answer, late))[-1].agent_text == "One. Two."


def test_speech_after_a_tool_continues_the_answer() -> None:
    first = [*begin(14.0, "a", "One moment."), *said(15.0, "One moment."), ("bot_stop", 15.1, {})]
    second = [*begin(18.0, "b", "It is free."), *said(19.0, "It is free."), ("bot_stop", 19.1, {})]
    events = call(speech(10.0, 12.0), first, second)
    assert {turn.turn for turn in of(Turn, events)} == {0}
    assert of(Turn, events)[-1].agent_text == "One moment. It is free."


def test_a_model_that_isnt_spoken_isnt_in_the_text() -> None:
    shadow: list[Record] = [("llm_text", 13.9, {"text": "Never heard."})]
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One."), ("bot_stop", 15.1, {})]
    events = call(speech(10.0, 12.0), shadow, answer, speech(20.0, 21.0), shadow, begin(22.0, "b", "Two."))
    assert not any("Never" in turn.agent_text for turn in of(Turn, events))


def test_the_rest_of_an_interrupted_answer_is_neither_the_reply_nor_hides_it() -> None:
    """Audio on its way starts the output once more, and the reply then has no start of its own."""
    answer = begin(13.0, "a", "One.")
    rest: list[Record] = [("bot_stop", 14.3, {}), ("bot_start", 14.31, {}), ("audio", 14.35, {})]
    events = call(speech(10.0, 12.0), answer, speech(14.0, 15.0)[:3], rest, speech(14.0, 15.0)[3:],
                  begin(16.5, "b", "Two.", starts=False), speech(20.0, 21.0))  # fmt: skip
    turns = {turn.turn: turn for turn in of(Turn, events)}
    assert [(turn.status, turn.e2e_ms) for turn in turns.values()][:2] == [("ok", 1000.0), ("ok", 1540.0)]
    assert [(each.by, each.turn) for each in of(Interruption, events)] == [("user", 0), ("user", 1)]


def test_speech_that_was_on_its_way_before_the_caller_spoke_is_no_reply() -> None:
    """Without interruptions, what was to be said is said to the end."""
    prompt: list[Record] = [
        ("tts_start", 9.0, {"processor": TTS, "context": "p"}),
        ("play", 12.4, {"context": "p"}),
    ]
    prompt += [("bot_start", 12.5, {}), ("bot_stop", 13.0, {})]
    words = [record for record in speech(10.0, 12.0) if record[0] != "interruption"]
    events = call(words, prompt, begin(14.0, "a", "One."))
    assert [turn.e2e_ms for turn in of(Turn, events)] == [2000.0]


def test_a_backchannel_of_the_agent_is_no_reply() -> None:
    mhm: list[Record] = [
        ("announce", 12.7, {"text": "Mm-hmm.", "context": "m", "backchannel": True}),
        ("tts_start", 12.7, {"processor": TTS, "context": "m"}),
        ("play", 12.8, {"context": "m"}),
        ("bot_start", 12.8, {}),
        ("audio", 12.84, {}),
        ("said", 13.1, {"text": "Mm-hmm.", "spaced": False, "backchannel": True}),
        ("bot_stop", 13.1, {}),
    ]
    events = call(speech(10.0, 12.0), mhm, begin(14.0, "a", "One."))
    assert told(events)[:1] == [(0, 14.0, "One.", False)]


def test_an_agent_that_speaks_into_the_callers_speech_interrupts() -> None:
    spoken = speech(20.0, 23.0)
    intrusion = [("tts_start", 21.0, {"processor": TTS, "context": "x"}), ("play", 21.1, {"context": "x"})]
    intrusion += [("bot_start", 21.1, {}), *said(21.4, "Excuse me."), ("bot_stop", 21.5, {})]
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One."), ("bot_stop", 15.1, {})]
    events = call(speech(10.0, 12.0), answer, spoken[:3], intrusion, spoken[3:], begin(24.5, "b", "Two."))
    assert [each.by for each in of(Interruption, events)] == ["agent"]
    assert "Excuse" not in "".join(turn.agent_text for turn in of(Turn, events))


def test_a_caller_who_was_still_speaking_when_the_agent_began_was_interrupted() -> None:
    begun_first: list[Record] = [
        ("user_speech_start", 14.3, {"start_secs": 0.6}),
        ("user_turn_start", 14.3, {}),
        ("interruption", 14.31, {}),
    ]
    events = call(speech(10.0, 12.0), begin(14.0, "a", "One."), begun_first)
    assert [each.by for each in of(Interruption, events)] == ["agent"]
    assert of(Turn, events)[1].interrupted


def test_an_application_that_stops_its_agent_is_no_caller_who_interrupts() -> None:
    answer = [*begin(14.0, "a", "One."), *said(15.0, "One.", "Two."), ("interruption", 15.5, {})]
    events = call(speech(10.0, 12.0), answer, [("bot_stop", 15.6, {})])
    assert of(Interruption, events) == []
    assert told(events)[-1] == (0, 14.0, "One. Two.", False)
    keyed = [*answer[:-1], ("key", 15.4, {}), answer[-1]]
    assert [each.by for each in of(Interruption, call(speech(10.0, 12.0), keyed))] == ["user"]


def test_a_tool_that_the_caller_cut_off_ends_in_its_own_turn() -> None:
    tool: list[Record] = [("tool_start", 13.0, {"call": "1", "name": "slow"})]
    after: list[Record] = [("tool_cancel", 15.3, {"call": "1"})]
    events = call(speech(10.0, 12.0), tool, speech(14.0, 15.0)[:3], after, speech(14.0, 15.0)[3:])
    assert [(each.state, each.turn) for each in of(Tool, events)] == [("start", 0), ("cancelled", 0)]


def test_the_time_of_a_tool_that_timed_out_is_tool_and_the_rest_is_not_told() -> None:
    tool: list[Record] = [
        ("tool_start", 13.0, {"call": "1", "name": "slow"}),
        ("tool_cancel", 16.0, {"call": "1", "timed_out": True}),
    ]
    for pipeline, explained in ((3.02, True), (3.8, False)):
        parts = [("endpointing_wait", 0.2), ("llm_inference", 1.0), ("pipeline", pipeline)]
        breakdown: list[Record] = [
            ("breakdown", 12.0 + pipeline + 1.2, {"contributions": parts, "measured_from": "user_silence"})
        ]
        events = call(speech(10.0, 12.0), tool, breakdown, begin(12.0 + pipeline + 1.2, "a", "One.")[-3:])
        [turn] = [each for each in of(Turn, events) if each.status == "ok"][:1]
        assert (turn.latency.tool, turn.additive) == (3000.0, explained)
        assert (turn.latency.output == turn.latency.output) == explained
