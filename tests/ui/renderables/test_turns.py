from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ui import stories, synthetic
from voicetop.engine.snapshot import NAN, CallDetail, CallEventItem, TurnRow
from voicetop.ui.lines import LINK, text_of, width_of
from voicetop.ui.links import links_of
from voicetop.ui.renderables import waterfall
from voicetop.ui.renderables.call import call_screen, scrolled, state_text
from voicetop.ui.renderables.wrapping import wrapped
from voicetop.ui.style.display_options import DisplayOptions, to_ascii
from voicetop.wire.text import safe_text

GOLDEN = Path(__file__).parents[1] / "golden"
SIZES = [(80, 24), (120, 40), (200, 50)]
ROW = synthetic.call(0, trouble="stuck")
STUCK = stories.story(ROW, synthetic.AT)
KINDS = {
    "stuck": STUCK,
    "ended": stories.ended(ROW, synthetic.AT),
    "overlap": stories.overlapping(ROW, synthetic.AT),
    "bare": CallDetail(row=ROW, started=NAN),
}
TEMPLATES = {
    "trace": "https://traces.example.com/t/{trace_id}",
    "audio": "https://audio.example.com/{call_id}",
}


def painted(
    detail: CallDetail,
    width: int,
    height: int,
    *,
    unfolded: tuple[int, ...] = (),
    options: DisplayOptions | None = None,
    note: str = "",
) -> list[str]:
    links = links_of(detail, TEMPLATES)
    made = call_screen(
        detail,
        options or DisplayOptions(),
        width,
        height,
        unfolded=frozenset(unfolded),
        links=links,
        note=note,
    )
    lines = scrolled(made, height, width, 0, 0)
    assert [width_of(line) for line in lines] == [width] * height
    return [text_of(line).rstrip() for line in lines]


def turn(**told: object) -> TurnRow:
    return msgspec.convert({"index": 0, "at": synthetic.AT, **told}, TurnRow)


def bar(made: TurnRow, scale: float = 2000.0, width: int = 40) -> str:
    line = waterfall.bar(made, scale, width)
    assert width_of(line) == width
    return text_of(line).rstrip()


# -- the waterfall --------------------------------------------------------------------------------------------------


def test_stages_that_sum_follow_each_other_on_the_scale() -> None:
    made = turn(
        e2e_ms=1000.0, stages=(("stt", 250.0), ("llm_ttft", 500.0), ("tts_ttfb", 250.0)), additive=True
    )
    assert bar(made) == "▓STT▓███LLM████░TTS░"
    assert len(bar(made)) == 20


def test_what_the_stages_leave_unexplained_is_dotted() -> None:
    made = turn(e2e_ms=2000.0, stages=(("llm_ttft", 1000.0),), additive=True)
    assert bar(made).count("·") == 20


def test_a_stage_too_short_for_its_name_keeps_its_texture() -> None:
    assert bar(turn(e2e_ms=150.0, stages=(("tts_ttfb", 150.0),), additive=True)) == "░░░"


def test_stages_that_overlap_are_all_drawn_from_the_start_and_say_so() -> None:
    made = turn(e2e_ms=1000.0, stages=(("llm_ttft", 900.0), ("tts_ttfb", 400.0)))
    line = waterfall.bar(made, 2000.0, 40)
    assert [(len(text), tone) for text, tone in line[:3]] == [(8, "tts"), (10, "llm"), (2, "faint")]
    assert "stages overlap" in "\n".join(painted(KINDS["overlap"], 120, 40))
    assert "their start times are unknown" in "\n".join(painted(KINDS["overlap"], 120, 60, unfolded=(1,)))


def test_what_goes_beyond_the_scale_ends_in_an_arrow() -> None:
    made = turn(e2e_ms=9000.0, stages=(("llm_ttft", 9000.0),), additive=True)
    assert bar(made).endswith("▶")
    assert len(bar(made)) == 40


def test_a_wait_grows_with_its_stuck_stage() -> None:
    lengths = [len(bar(turn(waiting_s=s, stage="llm"))) for s in (0.2, 0.8, 1.4, 30.0)]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == 40
    assert "LLM" in bar(turn(waiting_s=1.4, stage="llm"))
    assert bar(turn(waiting_s=1.4)).endswith("·▶")


def test_one_slow_turn_does_not_crush_the_others() -> None:
    turns = [turn(e2e_ms=800.0) for _ in range(6)]
    assert waterfall.top([*turns, turn(e2e_ms=60_000.0)]) == 4000.0
    assert waterfall.top([*turns, turn(e2e_ms=2600.0)]) == 3000.0
    assert waterfall.top([*turns, turn(waiting_s=40.0)]) == 2000.0
    assert waterfall.top([]) == 2000.0


def test_the_scale_has_round_figures_where_they_stand() -> None:
    text = text_of(waterfall.axis(4000.0, 48))
    assert [text.index(f"{n} s") + 3 for n in (1, 2, 3, 4)] == [12, 24, 36, 48]
    assert text_of(waterfall.axis(2000.0, 24)).split()[-2:] == ["2", "s"]


# -- the ladder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_call_looks_as_it_was_last_approved(kind: str, width: int, height: int) -> None:
    made = "\n".join(painted(KINDS[kind], width, height - 4)) + "\n"
    golden = GOLDEN / f"call-{kind}-{width}x{height}.txt"
    if not golden.exists():
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_that_matters_is_cut(width: int, height: int) -> None:
    text = "\n".join(painted(STUCK, width, 90))
    for needed in (
        "waiting for LLM",
        "■ waits",
        "overloaded ×3",
        "HTTP 429",
        "gave up",
        "get_invoices",
        "8841",
    ):
        assert needed in text
    for needed in (
        "into the reply",
        "13:59:27",
        "1,829 ms",
        "repeats",
        "1.00 × 0.25",
        "(unset)",
    ):
        assert needed in text
    for needed in ("61.0 %", "no success", "from the start", "after 16 s", "traces.example.com", "STT"):
        assert needed in text


def test_an_unfolded_turn_has_every_word_and_every_stage() -> None:
    text = " ".join(" ".join(painted(STUCK, 80, 60, unfolded=(2, 3))).split())
    for part in ("si yo solo hice", "que me dijeron por teléfono", "que es el envío", "STT confidence 0.93"):
        assert part in text
    assert "182 words per minute" in text
    assert "step lookup" in text


@pytest.mark.parametrize("width", [1, 7, 20, 39, 59, 60, 79, 80, 99, 100, 119, 157, 158, 160, 300])
@pytest.mark.parametrize("height", [1, 2, 5, 20, 46, 76])
def test_any_size_gives_exactly_that_many_cells(width: int, height: int) -> None:
    for detail in KINDS.values():
        assert len(painted(detail, width, height, unfolded=(2, 5))) == height


def test_ascii_mode_is_ascii() -> None:
    spoken = msgspec.structs.replace(
        STUCK,
        turns=tuple(msgspec.structs.replace(t, user_text="hello", agent_text="hi") for t in STUCK.turns),
    )
    for detail in (spoken, KINDS["bare"]):
        for line in painted(detail, 120, 60, options=DisplayOptions(ascii=True)):
            assert to_ascii(line).isascii()
            assert "?" not in to_ascii(line)


def test_hostile_text_keeps_every_line_in_its_width() -> None:
    text = safe_text(synthetic.HOSTILE * 4)
    item = CallEventItem(synthetic.AT, text, text, text, 3.0, bad=True)
    turns: tuple[TurnRow, ...] = (
        turn(user_text=text, agent_text=text, step=text, status=text, stages=((text, 100.0),), e2e_ms=3.0),
        turn(index=1, user_text=text, waiting_s=3.0, stage=text, measured_from=text),
    )
    turns = tuple(msgspec.structs.replace(t, items=(item,)) for t in turns)
    row = msgspec.structs.replace(
        ROW, call_id=text, caller=text, step=text, stage=text, state=text, segments=((text, text),)
    )
    made = msgspec.structs.replace(
        STUCK, row=row, turns=turns, source=text, trace_id=text, platform=text, opinions=((text, text),)
    )
    for width, height in SIZES:
        painted(made, width, height, unfolded=(0, 1))


# -- how it stands --------------------------------------------------------------------------------------------------


def test_an_ended_call_says_when_why_and_how_it_came_out() -> None:
    assert state_text(KINDS["ended"].row, DisplayOptions())[0] == "▲ ended 14:07:02 · error · no success"


def test_a_lost_call_says_that_no_end_was_heard() -> None:
    lost = msgspec.structs.replace(ROW, state="lost", eyes="lost", waiting_s=NAN)
    assert "no end" in state_text(lost, DisplayOptions())[0]


def test_a_story_that_is_not_whole_says_so() -> None:
    rationed = msgspec.structs.replace(STUCK, whole=False)
    assert "incomplete" in painted(rationed, 120, 20)[2]
    none = msgspec.structs.replace(rationed, turns=())
    assert any("turns not kept" in line for line in painted(none, 120, 20))


def test_a_note_goes_before_everything_else() -> None:
    assert painted(STUCK, 80, 20, note="no longer kept")[2] == " ? no longer kept"


# -- links ----------------------------------------------------------------------------------------------------------


def test_links_come_from_the_config_with_what_the_feed_says_quoted() -> None:
    hostile = msgspec.structs.replace(STUCK, trace_id="a/b?c=\x1b]8;;evil\x07 ü")
    (link, _) = links_of(hostile, TEMPLATES)
    assert link.url == "https://traces.example.com/t/a%2Fb%3Fc%3D%1B%5D8%3B%3Bevil%07%20%C3%BC"


def test_a_link_that_needs_a_trace_is_left_out_without_one() -> None:
    bare = msgspec.structs.replace(STUCK, trace_id="")
    assert [link.name for link in links_of(bare, TEMPLATES)] == ["audio"]


def test_only_links_of_the_config_lead_anywhere() -> None:
    made = call_screen(STUCK, DisplayOptions(), 120, 90, links=links_of(STUCK, TEMPLATES))
    tones = [tone for part in made.blocks for line in part.lines for _, tone in line if LINK in tone]
    assert [tone.partition(LINK)[2].partition("/t/")[0] for tone in tones] == [
        "https://traces.example.com",
        f"https://audio.example.com/{ROW.call_id}",
    ]


def test_words_are_wrapped_without_losing_any() -> None:
    assert wrapped("uno dos tres", 7) == ["uno dos", "tres"]
    assert wrapped("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert wrapped("漢字漢字", 5) == ["漢字", "漢字"]
    assert wrapped("", 5) == [""]


@pytest.mark.parametrize(
    ("status", "words"), [("noise", "· noise"), ("unknown", "? unknown"), ("no_reply", "■ no reply")]
)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_turn_without_a_reply_says_why(status: str, words: str, width: int, height: int) -> None:
    detail = msgspec.structs.replace(KINDS["bare"], turns=(turn(status=status),))
    assert any(words in text for text in painted(detail, width, height))
