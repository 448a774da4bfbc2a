"""How frustrated a caller is: each signal by itself, and fewer of them where the feed tells less."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import Line
from voicetop.engine import frustration
from voicetop.engine.calls import Call, VoiceLevels
from voicetop.wire.events import Audio, CallEnd, CallUpdate, Interruption, Turn


def call(**fields: Any) -> Call:
    return Call(call_id="c1", started=0.0, seen=0.0, **fields)


def voice(rate: float = 100, loud: float = -30.0, start: tuple[float, float] = (100, -30.0)) -> VoiceLevels:
    return VoiceLevels(rate_start=start[0], rate_now=rate, loud_start=start[1], loud_now=loud, told=4)


@pytest.mark.parametrize(
    ("name", "of", "value"),
    [
        ("faster", call(voice=voice(rate=140)), 1.0),
        ("faster", call(voice=voice(rate=120)), 0.5),
        ("faster", call(voice=voice(rate=80)), 0.0),
        ("louder", call(voice=voice(loud=-21.0)), 1.0),
        ("louder", call(voice=voice(loud=-27.0)), 1 / 3),
        ("interrupts", call(barge_ins=2, turns=4), 1.0),
        ("interrupts", call(barge_ins=2, turns=16), 0.25),
        ("repeats", call(repeats=1), 0.5),
        ("waiting", call(slow_ms=3_000.0), 0.25),
    ],
)
def test_each_signal_runs_from_none_to_full(name: str, of: Call, value: float) -> None:
    assert frustration.signals(of)[name] == pytest.approx(value)


def test_the_score_is_the_weighted_mean_of_the_signals_that_are_told() -> None:
    assert sum(frustration.WEIGHTS.values()) == pytest.approx(1)
    assert frustration.score(
        call(voice=voice(140, -21.0), barge_ins=4, turns=4, repeats=2, slow_ms=12_000.0)
    ) == (
        1.0,
        5,
    )
    known = (
        frustration.WEIGHTS["interrupts"] + frustration.WEIGHTS["repeats"] + frustration.WEIGHTS["waiting"]
    )
    score, of = frustration.score(call(repeats=2))
    assert of == 3
    assert score == pytest.approx(frustration.WEIGHTS["repeats"] / known, abs=0.001)
    assert frustration.score(call(voice=VoiceLevels(told=4, rate_start=100, rate_now=120)))[1] == 4


def test_one_utterance_is_no_start_to_compare_with() -> None:
    line = Line()
    line.tell(Audio, "c1", role="user", speech_rate_wpm=150.0, loudness_dbfs=-20.0)
    line.begin("c1")
    line.tell(Audio, "c1", role="user", speech_rate_wpm=150.0, loudness_dbfs=-20.0)
    assert line.row("c1").mood_of == 3
    line.tell(Audio, "c1", role="agent", speech_rate_wpm=150.0, loudness_dbfs=-20.0)
    assert line.row("c1").mood_of == 3
    line.tell(Audio, "c1", role="user", speech_rate_wpm=150.0)
    assert line.row("c1").mood_of == 5


def test_a_caller_who_speeds_up_and_gets_louder_is_seen() -> None:
    line = Line()
    line.begin("c1")
    for rate, loudness in ((100, -30), (100, -30), *[(160, -15)] * 8):
        line.tell(Audio, "c1", role="user", speech_rate_wpm=float(rate), loudness_dbfs=float(loudness))
    mood_now, of = line.row("c1").mood, line.row("c1").mood_of
    assert (round(mood_now, 2), of) == (0.35, 5)


def test_saying_the_same_again_interrupting_and_waiting_make_a_call_need_eyes() -> None:
    line = Line()
    line.begin("c1")
    for n in range(3):
        line.turn("c1", 9_000, turn=n, user_text="I want to cancel my order")
        line.tell(Interruption, "c1", by="user")
    seen = line.see()
    assert (seen.calls.frustrated, seen.needing_eyes[0].eyes) == (1, "frustrated")
    line.tell(CallEnd, "c1", reason="completed")
    assert line.row("c1", ended=True).mood == pytest.approx(seen.needing_eyes[0].mood)


@pytest.mark.parametrize("harmless", [{"backchannel": True}, {"false_positive": True}, {"by": "agent"}])
def test_what_is_no_barge_in_frustrates_nobody(harmless: dict[str, Any]) -> None:
    line = Line()
    line.begin("c1")
    for n in range(4):
        line.turn("c1", 800, turn=n)
        line.tell(Interruption, "c1", **({"by": "user"} | harmless))
    assert line.row("c1").mood == 0
    assert line.see().mood.interruptions.value == 0


def test_a_wait_that_goes_on_frustrates_while_it_lasts() -> None:
    line = Line()
    line.wait("c1")
    line.pass_(2)
    assert line.row("c1").mood == 0
    line.pass_(13)
    assert line.row("c1").mood > 0.2


@pytest.mark.parametrize(
    ("words", "before", "same"),
    [
        ("I want to cancel my order", "I want to cancel my order", True),
        ("I want to cancel my order", "I want to cancel my Order!", False),
        ("no I want to cancel my order", "no I want to cancel my order please", True),
        ("yes", "yes", False),
        ("thank you", "thank you", False),
        ("I want to cancel my order", "", False),
        ("I want to cancel my order", "I want to book a table for two", False),
    ],
)
def test_what_counts_as_the_same_again(words: str, before: str, same: bool) -> None:
    assert frustration.repeats(words, before) == same


def test_interruptions_are_told_per_hundred_turns() -> None:
    line = Line()
    line.hear(*[Turn(ts=line.at, call_id="c1", turn=n, e2e_ms=800.0) for n in range(50)])
    line.hear(*[Interruption(ts=line.at, call_id="c1", by="user")] * 4)
    assert line.see().mood.interruptions.value == 8


def test_a_barge_in_of_ten_minutes_ago_is_not_counted_in_the_last_five_minutes() -> None:
    line = Line()
    line.tell(Interruption, "c1", by="user")
    line.pass_(600, every=100.0)
    line.tell(Interruption, "c1", by="user")
    line.hear(*[Turn(ts=line.at, call_id="c1", turn=n, e2e_ms=800.0) for n in range(50)])
    assert [line.see(span=span).mood.interruptions.value for span in ("5m", "30m")] == [2, 4]


def test_a_barge_in_moves_with_its_call_to_another_segment() -> None:
    line = Line()
    line.begin("c1", intent="other")
    line.turn("c1", 800)
    line.tell(Interruption, "c1", by="user")
    line.tell(Interruption, "c1", by="user")
    line.tell(CallUpdate, "c1", segments={"intent": "billing"})
    seen = [line.see(where=(("intent", intent),)).mood.interruptions for intent in ("other", "billing")]
    assert [(figure.value, figure.n) for figure in seen[1:]] == [(200, 1)]
    assert seen[0].n == 0
