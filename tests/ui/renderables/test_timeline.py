from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import get_args

import pytest
from msgspec.structs import replace

from ui import synthetic
from ui.fake_past import FIRST, NOTES, note, timeline
from voicetop.engine.snapshot import NAN, Severity
from voicetop.engine.snapshot.timeline import GRAVITY, Note, Timeline
from voicetop.sources import LinkState
from voicetop.ui.feed import PlaybackPosition
from voicetop.ui.lines import Line, text_of, width_of
from voicetop.ui.renderables.banner import banner, live_now
from voicetop.ui.renderables.scene import Kind, Scene, When
from voicetop.ui.renderables.timeline import (
    LEFT,
    STRETCHES,
    beside,
    drawn,
    note_text,
    time_under,
    track_of,
)
from voicetop.ui.style.display_options import SIGNS, DisplayOptions, to_ascii
from voicetop.ui.time.bar import Timebar
from voicetop.wire.text import safe_text

SIZES = [(80, 24), (120, 40), (200, 50)]
STILL = PlaybackPosition()
HINTS = (("L", "live"), ("[", "back"), ("space", "play"), ("g", "go to"))


def bar(line: Timeline, at: float = FIRST + 300, width: int = 80, height: int = 24) -> list[str]:
    lines = Timebar().lines(line, at, DisplayOptions(), width, height)
    assert [width_of(made) for made in lines] == [width] * len(lines)
    return [text_of(made) for made in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_shows_traffic_errors_events_and_where_one_stands(width: int, height: int) -> None:
    upper, *errors, lower = bar(timeline(), FIRST + 330, width, height)[: 2 if height < 30 else 3]
    assert upper.startswith(" status ───")
    for sign in ("▼v42", "▲", "■", "◆", "●", "×", "━", "█"):
        assert sign in upper
    assert "▇" in "".join(errors or [upper])
    assert [upper.index(sign) for sign in ("▼", "▲", "■", "◆", "●", "×")] == sorted(
        upper.index(sign) for sign in ("▼", "▲", "■", "◆", "●", "×")
    )
    assert upper.rstrip().endswith("from 14:07:32")
    assert lower.rstrip().endswith("to   14:17:32")
    here = lower.index("┃")
    assert upper.index("◆") < here < upper.index("●")


def test_trouble_is_drawn_as_long_as_it_lasted() -> None:
    for width, height in ((80, 24), (120, 40)):
        upper = bar(timeline(()), NAN, width, height)[0]
        track = track_of(timeline(()), upper.index(" from") - LEFT)
        degraded, down = (upper.count(sign) * track.step for sign in "━█")
        assert degraded == pytest.approx(120, abs=2 * track.step)
        assert down == pytest.approx(180, abs=2 * track.step)
        assert upper.index("━") < upper.index("█")
        assert to_ascii(upper)[LEFT:].count("#") == upper.count("█")


def test_a_silent_feed_is_drawn_as_what_it_is() -> None:
    blind = replace(timeline(()), gravity=(0,) * 60 + (GRAVITY.index("blind"),) * 20 + (0,) * 40)
    assert "░░░" in bar(blind, NAN)[0]
    assert "..." in to_ascii(bar(blind, NAN)[0])


def test_every_severity_has_a_place_and_all_that_is_wrong_its_own_fill() -> None:
    assert sorted(GRAVITY) == sorted(get_args(Severity))
    calm = {"ok", "idle", "learning", "catching_up"}
    fills = [fill for fill, _ in STRETCHES.values()]
    assert STRETCHES.keys() == set(GRAVITY) - calm
    assert len({*map(to_ascii, fills), to_ascii("─")}) == len(fills) + 1
    for severity in GRAVITY:
        line = replace(timeline(()), gravity=(GRAVITY.index(severity),) * 120, errors=(0,) * 120)
        assert STRETCHES.get(severity, ("─", ""))[0] * 20 in bar(line, NAN)[0]


def test_errors_of_calm_times_stand_in_the_first_line_and_on_tall_screens_in_their_own() -> None:
    short, tall = bar(timeline(())), bar(timeline(()), NAN, 120, 40)
    assert [line.split()[0] for line in short] == ["status", "turns"]
    assert [line.split()[0] for line in tall[:3]] == ["status", "errors", "turns"]
    assert "▇" in short[0][short[0].rindex("█") :]
    assert "▇" not in tall[0]
    assert tall[1].count("▇") > tall[0].count("━")


def test_at_80_by_24_it_costs_two_lines_and_on_tall_screens_says_what_is_near() -> None:
    assert len(bar(timeline())) == 2
    assert len(bar(timeline(), width=80, height=14)) == 1
    *_, near = bar(timeline(), FIRST + 250, 120, 40)
    assert "‹ ■ trouble 14:11:32 · 83 of 97 waiting callers stuck" in near
    assert "› ◆ bookmark 14:12:32 · by ana" in near


def test_a_strip_that_grows_changes_in_its_last_columns_only() -> None:
    def grown(slots: int) -> str:
        turns = tuple(40 + i % 7 for i in range(slots))
        errors = tuple(9 * (i % 5 == 0) for i in range(slots))
        line = Timeline(FIRST, FIRST + slots * 5.0, FIRST, 5.0, turns, errors, NOTES)
        return "".join(made[:100] for made in bar(line, NAN, width=120))

    strips = [grown(slots) for slots in range(100, 200)]
    changes = [sum(a != b for a, b in zip(before, after, strict=True)) for before, after in pairwise(strips)]
    closer = sum(change > 6 for change in changes)
    assert closer <= 20
    assert sorted(changes)[90 - closer] <= 4


def test_hours_told_within_seconds_do_not_flatten_what_came_after() -> None:
    turns = (9_000, *(40 + 20 * (i > 50) for i in range(119)))
    line = Timeline(FIRST, FIRST + 600, FIRST, 5.0, turns, (0,) * 120, ())
    _upper, lower = bar(line, NAN, width=150)
    column = lower[LEFT : lower.index("to  ")]
    assert column[0] == "▇"
    assert column[20] < column[80]


def test_a_strip_of_a_day_says_its_days() -> None:
    line = Timeline(FIRST, FIRST + 86_400, FIRST, 60.0, (5,) * 1440, (0,) * 1440, complete=True)
    upper, lower = bar(line, width=100)
    assert "from 11-22 14:07" in upper
    assert "to   11-23 14:07" in lower


def test_nothing_known_yet_is_an_empty_strip() -> None:
    upper, lower = bar(Timeline(), NAN)
    assert upper.startswith(" status ")
    assert "┃" not in lower


def test_slots_wider_than_columns_and_narrower_ones_keep_their_place() -> None:
    few = drawn(Timeline(0.0, 100.0, 0.0, 50.0, (1, 4), (0, 0), complete=True), 60)
    assert {few.traffic[few.track.column(at)] for at in (0, 20, 48)} == {0.25}
    assert {few.traffic[few.track.column(at)] for at in (52, 80, 99)} == {1.0}
    errors = (0,) * 99 + (4,)
    many = drawn(Timeline(0.0, 100.0, 0.0, 1.0, (0,) * 50 + (4,) * 50, errors, complete=True), 12)
    assert {many.traffic[many.track.column(at)] for at in (0, 20, 40)} == {0.0}
    assert {many.traffic[many.track.column(at)] for at in (60, 80, 99)} == {1.0}
    assert many.errors[many.track.column(99)] > 0.5
    assert not many.errors[many.track.column(80)]


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("span", [91.0, 599.0, 86_400.0, 7 * 86_400.0])
def test_every_moment_has_a_column_and_every_column_a_moment(span: float, complete: bool) -> None:
    line = Timeline(FIRST, FIRST + span, FIRST, 1.0, complete=complete)
    track = track_of(line, 66)
    assert 0 <= track.column(FIRST) <= track.column(FIRST + span) < 66
    assert track.column(FIRST + span) > 44
    for column in range(track.column(FIRST + span)):
        assert track.column(track.moment(column)) == column


def test_the_pointer_finds_the_event_in_its_column_or_the_moment() -> None:
    line = timeline()
    shown = Timebar()
    shown.top = 21
    upper = text_of(shown.lines(line, FIRST, DisplayOptions(), 80, 24)[0])
    at, found = shown.under(upper.index("■"), 21)
    assert found is not None
    assert at == found.at == FIRST + 240
    at, found = shown.under(LEFT, 22)
    assert found is None
    assert FIRST <= at < FIRST + 20
    for x, y in ((0, 21), (79, 21), (LEFT, 20), (LEFT, 23)):
        assert shown.under(x, y)[0] != shown.under(x, y)[0]
    shown.hidden()
    assert shown.under(LEFT, 21)[1] is None
    assert time_under(drawn(line, 10), 10) == (-inf, None)


def test_the_gravest_of_a_column_is_shown() -> None:
    notes = (note(100, "bookmark", "b"), note(100, "trouble", "t", "down"), note(100, "cleared", "c"))
    assert "■" in bar(timeline(notes), FIRST)[0]


def test_events_are_told_with_glyph_word_clock_and_author() -> None:
    assert note_text(NOTES[1], DisplayOptions()) == "▲ trouble 14:09:32 · P95 response 3,910 ms = 2.4× normal"
    assert note_text(NOTES[5], DisplayOptions()) == "◇ note 14:12:32 · acme-llm told us · by ana"
    assert note_text(Note(FIRST, "security", "prompt injection"), DisplayOptions()).startswith("§ security")


def test_the_events_beside_a_moment() -> None:
    assert beside(NOTES, FIRST + 299) == (NOTES[3], NOTES[4])
    assert beside((), FIRST) == (None, None)


def test_hostile_words_stay_within_the_strip() -> None:
    word = safe_text(synthetic.HOSTILE)
    notes = tuple(note(i * 60, kind, word, by=word) for i, kind in enumerate(("marker", "bookmark", "note")))
    for width, height in (*SIZES, (20, 40), (1, 40)):
        for line in bar(timeline(notes), FIRST + 60, width, height):
            assert line.isprintable()


# -- the banner -----------------------------------------------------------------------------------------------------


def top(
    kind: Kind, width: int, position: PlaybackPosition = STILL, *, tick: int = 1200, live: bool = True
) -> str:
    now = Scene(synthetic.incident(None, 2400) if live else synthetic.busy(None, 2400), LinkState("live"))
    old = synthetic.busy(None, tick)
    when = When(
        kind,
        replace(position, at=old.at),
        timeline(),
        "outage.vtr",
        None if kind == "replay" else now,
        HINTS,
    )
    line = banner(Scene(old, LinkState("live"), view=old.view, when=when), when, width)
    assert width_of(line) == width
    assert all(tone.endswith("+") for _, tone in line)
    return text_of(line)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_frozen_says_how_far_behind_and_how_things_stand_now(width: int) -> None:
    said = top("past", width)
    assert said.startswith(" ❄ FROZEN 14:12:32")
    for needed in ("5 min 0 s behind", "▲ DEGRADED", "L live", "5 min ▾"):
        assert needed in said
    calm = top("past", width, live=False)
    assert "5 min 0 s behind live" in calm
    assert ("feed and alerts continue" in calm) == (width > 80)
    assert "since 14:01" in top("past", 120)


def test_a_past_that_is_played_says_so() -> None:
    assert top("past", 120, PlaybackPosition(playing=True, speed=8.0)).startswith(
        " ▶ PAST 14:12:32 UTC · 8× ·"
    )


def test_a_seek_that_is_under_way_is_told_calmly() -> None:
    assert "going to 14:10:52 …" in top("past", 80, PlaybackPosition(seeking=FIRST + 200))
    assert "going to its end …" in top("replay", 80, PlaybackPosition(seeking=inf))


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (PlaybackPosition(), "❄ REPLAY outage.vtr 14:12:32 · paused"),
        (PlaybackPosition(playing=True, speed=8.0, actual_speed=8.1), "▶ REPLAY outage.vtr 14:12:32 · 8× "),
        (PlaybackPosition(playing=True, speed=500.0, actual_speed=213.7), "· 500× (210× reached)"),
        (PlaybackPosition(playing=True, speed=inf, actual_speed=1234.0), "· max (1,200× reached)"),
        (PlaybackPosition(playing=True, speed=inf), "· max "),
        (PlaybackPosition(playing=True, loop=True), "· 1× · loop"),
    ],
)
def test_a_replay_says_its_name_its_moment_and_its_pace(position: PlaybackPosition, said: str) -> None:
    assert said in top("replay", 80, position)


def test_a_replay_always_says_what_it_is_filtered_to() -> None:
    old = synthetic.busy(None, 1200)
    where = (("intent", "billing"), ("language", "es"), ("version", "v42"))
    when = When("replay", replace(STILL, at=old.at), timeline(), "billing-es-v42.vtr", None, HINTS)
    scene = Scene(old, LinkState("live"), view=replace(old.view, where=where), when=when)
    assert "· billing › es › v42" in text_of(banner(scene, when, 80))


def test_a_replay_at_its_end_says_so() -> None:
    assert "14:12:32 · end of recording" in top("replay", 80, PlaybackPosition(why="end of recording"))


def test_a_replay_says_how_far_its_timeline_is_known() -> None:
    old = synthetic.busy(None, 1200)
    half = replace(timeline(complete=False), turns=(1,) * 60, errors=(0,) * 60)
    when = When("replay", PlaybackPosition(at=old.at), half, "outage.vtr")
    assert "timeline loaded to 50 %" in text_of(banner(Scene(old, view=old.view, when=when), when, 120))


def test_wide_screens_have_the_day() -> None:
    assert "outage.vtr 2026-11-22 14:12:32 UTC" in top("replay", 120)


def test_a_recording_that_cannot_be_read_on_says_so() -> None:
    old = synthetic.busy(None, 1200)
    when = When("replay", PlaybackPosition(at=old.at), timeline(), "outage.vtr")
    scene = Scene(
        old, LinkState("ended"), view=old.view, error="outage.vtr is from a later voicetop", when=when
    )
    assert "stopped: outage.vtr is from a later voicetop" in text_of(banner(scene, when, 120))
    assert "· stopped" in text_of(banner(scene, when, 80))


@pytest.mark.parametrize("width", [1, 5, 20, 40, 60, 79])
def test_any_width_holds_the_banner(width: int) -> None:
    for kind in ("past", "held", "replay"):
        top(kind, width)


def test_banner_and_strip_are_ascii_where_asked_for() -> None:
    options = DisplayOptions(ascii=True)
    lines: list[Line] = Timebar().lines(timeline(), FIRST + 310, options, 80, 24)
    upper, lower = (to_ascii(text_of(line)) for line in lines)
    assert upper.isascii()
    for sign in ("vv42", "!", "#", "b", "x", "9"):
        assert sign in upper
    assert "|" in lower
    assert "?" not in upper + lower
    assert to_ascii(top("past", 80)).startswith(" * FROZEN 14:12:32 - 5 min 0 s behind - now ! DEGRADED")


@pytest.mark.parametrize("severity", get_args(Severity))
def test_what_is_wrong_live_is_news_in_the_past(severity: Severity) -> None:
    now = synthetic.incident(None, 2400)
    news = live_now(Scene(replace(now, verdict=replace(now.verdict, severity=severity)), LinkState("live")))
    if severity in ("ok", "idle", "learning", "catching_up"):
        assert news is None
        return
    assert news is not None
    assert news[0][-2] == f"now {SIGNS[severity].text} since 14:01"
    assert news[1] == severity
