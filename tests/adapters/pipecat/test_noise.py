"""Noise on the line: voice detection without words, through the adapter into a session, as a hub hears it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.feeding import START, Line
from engine.oracle import middle
from voicetop.adapters.pipecat.call import CallFacts, PipecatCall
from voicetop.engine.snapshot import Snapshot
from voicetop.wire.events import Event, Stage, Turn, TurnStart

EVERY_S = 15.0
"""From one thing that is heard on a line to the next."""
RELEASE_S = 5.0
"""Pipecat releases a turn without words after this."""


class Calls:
    """Calls of one fleet: what each line hears, turn by turn, and what a hub gets of it."""

    def __init__(self, sounds: list[str]) -> None:
        """One call for each of `sounds`: w words with a reply, n noise, s words that the STT doesn't hear."""
        self.told: list[tuple[float, Any]] = []
        for number, line in enumerate(sounds):
            self._play(PipecatCall(CallFacts(f"c{number}")), START + number * 0.3, line)
        self.told.sort(key=lambda each: each[0])

    def _play(self, call: PipecatCall, at: float, sounds: str) -> None:
        records: list[tuple[str, float, dict[str, object]]] = [("connected", at, {})]
        for number, sound in enumerate(sounds):
            records += _turn(at + 1 + number * EVERY_S, sound)
        end = at + 1 + len(sounds) * EVERY_S
        ticks: list[tuple[str, float, dict[str, object]]] = [
            ("tick", at + 0.5 * n, {}) for n in range(int(2 * (end - at)))
        ]
        records = sorted([*records, *ticks], key=lambda record: record[1])
        for kind, when, fields in [*records, ("disconnected", end, {}), ("over", end, {})]:
            self.told += [(when, event) for event in call.handle(kind, when, **fields)]

    def seen(self, until: float) -> list[Snapshot]:
        """The screen of every second until so many after the start."""
        line, told, screens = Line(), iter(self.told), []
        heard = next(told, None)
        while line.at < START + until:
            while heard is not None and heard[0] <= line.at:
                line.hear(heard[1])
                heard = next(told, None)
            line.beat(line.at + 1)
            screens.append(line.see())
        return screens


def _turn(at: float, sound: str) -> list[tuple[str, float, dict[str, object]]]:
    """One sound of half a second, and what becomes of it."""
    stop = at + 0.7
    records: list[tuple[str, float, dict[str, object]]] = [
        ("user_speech_start", at + 0.2, {"start_secs": 0.2}),
        ("user_turn_start", at + 0.2, {}),
        ("user_speech_stop", stop, {"stop_secs": 0.2}),
    ]
    if sound != "w":
        return [*records, ("user_turn_stop", stop + RELEASE_S, {})]
    return [
        *records,
        ("transcript", stop + 0.2, {"text": "yes please"}),
        ("user_turn_stop", stop + 0.3, {}),
        ("llm_start", stop + 0.3, {"processor": "OpenAILLMService#0"}),
        ("tts_start", stop + 0.7, {"processor": "CartesiaTTSService#0"}),
        ("bot_start", stop + 0.8, {}),
        ("bot_stop", stop + 3.0, {}),
    ]


def test_noise_on_the_line_is_neither_latency_nor_a_stuck_caller() -> None:
    """Five of ninety turns."""
    calls = Calls(["wwwwww"] * 10 + ["wwnwww", "wnwwww", "wwwwnw", "wwwnww", "wwwwwn"])
    screens = calls.seen(120)
    assert {seen.waiting.stuck for seen in screens} == {0}
    last = screens[-1].latency.e2e
    assert (last.p95.value, last.p95.at_least, last.p95.n) == (middle(1_000), False, 85)
    assert (last.p99.value, last.p99.at_least) == (middle(1_000), False)
    noise = [event for _, event in calls.told if type(event) is Turn and event.status == "noise"]
    assert len(noise) == 5


def test_an_stt_that_falls_silent_shows_in_waits() -> None:
    """Half of the callers aren't heard any more from their third turn on: they are waiting."""
    screens = Calls(["wwwwww"] * 8 + ["wwssss"] * 8).seen(105)
    assert max(seen.waiting.waiting for seen in screens) == 8
    assert any(seen.waiting.stuck == 8 for seen in screens)
    assert {stage.stage for seen in screens for stage in seen.waiting.stages if stage.stuck} == {"stt"}
    p95 = screens[-1].latency.e2e.p95
    assert (p95.value > 9_000, p95.at_least) == (True, True)


def test_an_stt_that_never_heard_a_call_has_no_benefit_of_the_doubt() -> None:
    screens = Calls(["s"] * 3).seen(30)
    assert max(seen.waiting.stuck for seen in screens) == 3
    assert screens[-1].latency.e2e.p95.n == 3


def test_an_error_of_the_stt_ends_the_benefit_of_the_doubt() -> None:
    call = PipecatCall(CallFacts("c1"))
    for kind, at, fields in [*_turn(10.0, "w"), *_turn(20.0, "s")]:
        call.handle(kind, at, **fields)
    call.handle("error", 25.8, message="connection closed", processor="DeepgramSTTService#0")
    [turn] = [event for event in call.handle("tick", 31.0) if type(event) is Turn]
    assert turn.status == "failed"


def test_words_that_come_late_after_all_begin_the_wait_where_the_speech_ended() -> None:
    call = PipecatCall(CallFacts("c1"))
    told: list[Event] = []
    late: list[tuple[str, float, dict[str, object]]] = [
        ("tick", 29.0, {}),
        ("transcript", 30.0, {"text": "yes please"}),
        ("llm_start", 30.1, {"processor": "OpenAILLMService#0"}),
        ("bot_start", 31.0, {}),
    ]
    for kind, at, fields in [*_turn(10.0, "w"), *_turn(20.0, "s"), *late]:
        told += call.handle(kind, at, **fields)
    starts = [(event.turn, event.ts) for event in told if type(event) is TurnStart]
    assert starts == [(0, 10.5), (1, 20.5), (2, 20.5)]
    turns = [(event.turn, event.status, event.e2e_ms) for event in told if type(event) is Turn]
    assert turns[1][:2] == (1, "noise")
    assert turns[2] == (2, "ok", 10_500.0)
    assert [event.name for event in told if type(event) is Stage][-1] == "llm"


def test_a_caller_who_speaks_again_ends_a_turn_without_words_uncounted() -> None:
    call = PipecatCall(CallFacts("c1"))
    told: list[Event] = []
    for kind, at, fields in [*_turn(10.0, "s"), *_turn(17.0, "w")]:
        told += call.handle(kind, at, **fields)
    assert [(event.turn, event.status) for event in told if type(event) is Turn] == [(0, "noise"), (1, "ok")]


def _cut_off(then: list[tuple[str, float, dict[str, object]]]) -> list[Any]:
    """A cough at 12.0 makes Pipecat drop the answer to words of 10.0 to 10.5; then what follows."""
    call = PipecatCall(CallFacts("c1"))
    told: list[Any] = []
    words, cough = _turn(10.0, "w")[:6], _turn(12.0, "s")[:3]
    ticks: list[tuple[str, float, dict[str, object]]] = [("tick", 13.0 + at, {}) for at in range(4)]
    for kind, at, fields in [*words, *cough, *ticks, *then]:
        told += call.handle(kind, at, **fields)
    return told


def test_noise_that_makes_pipecat_drop_an_answer_doesnt_end_the_wait_for_it() -> None:
    told = _cut_off(
        [
            ("user_turn_stop", 17.5, {}),
            ("llm_start", 17.6, {"processor": "OpenAILLMService#0"}),
            ("bot_start", 19.0, {}),
        ]
    )
    starts = [(event.turn, event.ts) for event in told if type(event) is TurnStart]
    assert starts == [(0, 10.5), (1, 12.5), (2, 10.5)]
    turns = [(event.turn, event.status, event.user_text) for event in told if type(event) is Turn]
    assert turns == [(0, "cancelled", "yes please"), (1, "noise", ""), (2, "ok", "yes please")]
    [answered] = [event for event in told if type(event) is Turn and event.status == "ok"]
    assert answered.e2e_ms == pytest.approx(8_500.0)


def test_a_caller_whose_answer_was_dropped_for_noise_and_never_came_waited_in_vain() -> None:
    told = _cut_off([("user_turn_stop", 17.5, {}), ("tick", 40.0, {}), ("over", 50.0, {})])
    assert [event.status for event in told if type(event) is Turn] == ["cancelled", "noise", "no_reply"]
    ended = _cut_off([("over", 13.0, {})])
    assert [event.status for event in ended if type(event) is Turn] == ["cancelled", "noise", "no_reply"]


def test_the_wait_that_noise_prolonged_is_on_the_screen() -> None:
    line = Line(at=10.0 + START)
    for event in _cut_off([("user_turn_stop", 17.5, {})]):
        line.beat(max(line.at, event.ts + START))
        line.hear(replace(event, ts=event.ts + START))
    line.beat(40.0 + START)
    seen = line.see()
    assert seen.waiting.waiting == 1
    assert seen.waiting.longest_s == pytest.approx(29.5)
    assert seen.feed.attention == 0
