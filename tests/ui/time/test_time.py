from __future__ import annotations

from datetime import UTC, datetime

import pytest
from textual import events

from ui import synthetic
from ui.fake_feed import FakeFeed
from ui.fake_past import FIRST, LAST, live_feed, note, replay, timeline
from ui.test_app import PLACES, reach, shown, until
from voicetop.errors import UsageError
from voicetop.ui.app import ConsoleApp
from voicetop.ui.feed import FeedHandle
from voicetop.ui.feeds import NamedFeed
from voicetop.ui.lines import text_of
from voicetop.ui.screens.prompt import PromptBox
from voicetop.ui.time.entry import parse_time_entry
from zones import machine_zone

TIME = ("step_back", "step_on", "minute_back", "minute_on", "go_to", "event_next", "event_before", "live")
PACE = ("faster", "slower", "loop", "bookmark", "note", "freeze")


def top(app: ConsoleApp) -> str:
    return text_of(app.sheet.lines[0])


def foot(app: ConsoleApp) -> str:
    return text_of(app.sheet.lines[-1])


async def test_space_stands_still_at_now_while_the_feed_goes_on_and_a_key_is_live_again() -> None:
    feed, past = live_feed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("space")
        await until(pilot, lambda: top(app).startswith(" ❄ FROZEN 14:17:32 UTC"))
        feed.step(4 * 142)
        await until(pilot, lambda: "2 min 22 s behind" in top(app))
        assert "live now: ▲ DEGRADED since 14:01" in top(app)
        assert past.position.at == LAST
        await pilot.press("L")
        await until(pilot, lambda: "● LIVE" in top(app))
        assert "errors ──" not in shown(app)


async def test_the_whole_product_works_in_the_past() -> None:
    feed, past = live_feed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("left_curly_bracket")
        await until(pilot, lambda: "FROZEN 14:16:32" in top(app))
        await pilot.press("w", "2", "greater_than_sign", "slash", *"stuck", "enter")
        await until(pilot, lambda: "31 of 412 match" in shown(app))
        assert (past.view.span, past.view.sort, past.view.text) == ("30m", "step", "stuck")
        await pilot.press("enter")
        await until(pilot, lambda: bool(past.view.call_id) and "── turns" in shown(app))
        await pilot.press("escape", "3")
        await until(pilot, lambda: "▸" in text_of(app.sheet.lines[3]))
        await pilot.press("enter", "5")
        await until(pilot, lambda: bool(past.view.where) and past.view.trends)
        assert feed.asked[-1].limit == 0


async def test_keys_step_by_seconds_minutes_and_events_and_say_where() -> None:
    feed, past = live_feed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("right_square_bracket")
        assert "this is live; [ goes back" in foot(app)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: past.position.at == LAST - 10)
        await pilot.press("left_curly_bracket", "right_square_bracket")
        await until(pilot, lambda: past.position.at == LAST - 65)
        await pilot.press("E")
        assert foot(app).startswith(" × gap 14:15:32 · 12 events are missing")
        await pilot.press("E", "E")
        assert foot(app).startswith(" ◆ bookmark 14:12:32 · by ana · and 1 more at this moment")
        await pilot.press("e")
        assert foot(app).startswith(" ● cleared 14:14:32 · P95")
        await pilot.press("right_curly_bracket", "right_curly_bracket", "right_curly_bracket")
        await until(pilot, lambda: "this returns to live" in foot(app))
        await pilot.press("e")
        assert "E goes to the previous event" in foot(app)


async def test_g_goes_to_a_moment_that_is_typed_and_a_mistake_stays_to_be_mended() -> None:
    feed, past = live_feed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "g", *"25:99", "enter")
        assert isinstance(app.page, PromptBox)
        assert "not a time of day: 14:05 or 14:05:30" in foot(app)
        await pilot.press("ctrl+u", *"14:10", "enter")
        await until(pilot, lambda: "FROZEN 14:10:00" in top(app))
        assert not isinstance(app.page, PromptBox)
        await pilot.press("g", *"12:00", "enter")
        assert "no data before 14:07:32" in foot(app)
        assert past.position.at == FIRST
        await pilot.press("g", "q", "escape", "g", "enter")
        assert not isinstance(app.page, PromptBox)
        assert past.position.at == FIRST
        await pilot.press("g", *"0s ago", "enter")
        assert "this returns to live" in foot(app)


async def test_what_is_typed_in_one_go_behind_g_is_all_of_the_moment() -> None:
    feed, _past = live_feed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        theme = app.sheet.ink.theme.name
        for character in "g2026-11-22T14:10Z":
            app.post_message(events.Key(character, character))
        await until(pilot, lambda: isinstance(app.page, PromptBox) and app.page.entry.text.endswith("Z"))
        assert isinstance(app.page, PromptBox)
        assert app.page.entry.text == "2026-11-22T14:10Z"
        assert app.sheet.ink.theme.name == theme


async def test_a_seek_is_told_and_no_key_waits_for_it() -> None:
    feed, past = live_feed(instant=False)
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("left_curly_bracket", "left_square_bracket")
        assert "going to 14:16:27 …" in top(app)
        assert "FROZEN 14:17:32" in top(app)
        await pilot.press("2")
        assert not isinstance(app.page, PromptBox)
        past.arrive()
        await until(pilot, lambda: "FROZEN 14:16:27" in top(app) and "going" not in top(app))


async def test_the_past_can_be_played_until_it_has_caught_up() -> None:
    feed, past = live_feed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("left_curly_bracket", "plus", "space")
        await until(pilot, lambda: top(app).startswith(" ▶ PAST 14:16:32 UTC · 2×"))
        past.move(at=LAST - 0.5)
        await until(pilot, lambda: "● LIVE" in top(app))
        assert "this returns to live" in foot(app)
        assert not past.position.playing


async def test_a_replay_is_played_paused_hurried_looped_and_ended_by_keys() -> None:
    past = replay()
    app = ConsoleApp(past, title="recordings/outage.vtr")
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "❄ REPLAY outage.vtr 2026-11-22 14:12:32 UTC · paused" in top(app))
        assert "┃" in shown(app)
        await pilot.press("space", "plus", "plus", "plus")
        await until(pilot, lambda: "▶ REPLAY" in top(app) and "· 8×" in top(app))
        await pilot.press("minus", "l")
        await until(pilot, lambda: "· 4×" in top(app) and "loop" in top(app))
        await pilot.press("space", "L")
        await until(pilot, lambda: "14:17:32 UTC · end of recording" in top(app))
        await until(pilot, lambda: "end of recording" in foot(app))
        await pilot.press("m")
        assert past.kept == [("bookmark", "", LAST, "")]
        assert "bookmark at 14:17:32: saved with" in foot(app)


async def test_a_bookmark_is_of_the_moment_and_a_note_of_the_call_that_is_open() -> None:
    feed, past = live_feed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("m")
        assert feed.kept[0][0] == "bookmark"
        assert feed.kept[0][2] != feed.kept[0][2]
        assert "sent to the hub" in foot(app)
        await pilot.press("left_square_bracket")
        reach(app, "call")
        await pilot.press("n", "enter", *"stuck?", "enter")
        call_id = app.page.about
        assert feed.kept[1] == ("note", "stuck?", LAST - 5, call_id)
        assert call_id
        feed.why_not = "a viewer's token takes no notes: nothing was sent"
        await pilot.press("m")
        assert "a viewer's token" in foot(app)
        assert not past.kept


async def test_a_click_on_the_strip_goes_there() -> None:
    past = replay()
    app = ConsoleApp(past)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "┃" in shown(app))
        upper = text_of(app.sheet.lines[-3])
        await pilot.click(offset=(upper.index("■"), 21))
        assert past.position.at == FIRST + 240
        assert "waiting callers stuck" in foot(app)
        await pilot.click(offset=(8, 22))
        assert past.position.at < FIRST + 20


@pytest.mark.parametrize("kind", ["live", "replay", "nothing kept"])
async def test_every_key_of_time_may_be_pressed_on_every_screen(kind: str) -> None:
    feed: FeedHandle = replay() if kind == "replay" else live_feed()[0] if kind == "live" else FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(80, 24)):
        for place in PLACES:
            reach(app, place)
            for action in (*TIME, *PACE, *TIME):
                assert app.can_do(action)
                app.do(action)
                assert len(app.sheet.lines) == 24
                if app.page.name == "prompt":
                    app.close()


async def test_every_feed_has_a_past_of_its_own() -> None:
    feed, past = live_feed()
    other, others = live_feed(synthetic.busy)
    app = ConsoleApp(feed, title="one", others=[NamedFeed("two", other)])
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("left_curly_bracket")
        await until(pilot, lambda: "FROZEN 14:16:32" in top(app))
        await pilot.press("F")
        await until(pilot, lambda: "● LIVE" in top(app))
        assert past.asked[-1].limit == 0
        assert not others.asked
        await pilot.press("F")
        await until(pilot, lambda: "FROZEN 14:16:32" in top(app))


async def test_what_stops_a_past_is_said_once() -> None:
    past = replay()
    app = ConsoleApp(past)
    async with app.run_test(size=(120, 36)) as pilot:
        past.move(why="outage.vtr can't be read from 14:12:40 on")
        await until(pilot, lambda: "can't be read from 14:12:40" in foot(app))
        await pilot.press("2")
        await pilot.pause(0.3)
        assert "can't be read" not in foot(app)


async def test_hostile_bookmarks_harm_nothing() -> None:
    past = replay()
    hostile = synthetic.HOSTILE + "\x1b]0;pwned\x07"
    past.timeline = timeline((note(100, "marker", hostile), note(310, "bookmark", hostile, by=hostile)))
    app = ConsoleApp(past, title=hostile)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("e")
        await until(pilot, lambda: "bookmark" in shown(app))
        for line in app.sheet._strips:
            assert line.text.isprintable()


@pytest.mark.parametrize("theme", ["voicetop", "high-contrast", "colour-blind", "light", "mono"])
async def test_the_past_is_told_apart_in_every_theme_and_without_colours(
    theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ConsoleApp(replay(), theme=theme, ascii=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "* REPLAY" in app.sheet._strips[0].text)
        assert all(strip.text.isascii() for strip in app.sheet._strips)
        first = app.sheet._strips[0]
        assert all(segment.style and segment.style.reverse for segment in first)


# -- moments as they are typed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("14:10", datetime(2026, 11, 22, 14, 10, tzinfo=UTC).timestamp()),
        ("3m ago", LAST - 180),
        ("-90s", LAST - 90),
        ("+10s", FIRST + 10),
        ("2026-11-22T14:05Z", datetime(2026, 11, 22, 14, 5, tzinfo=UTC).timestamp()),
    ],
)
def test_moments_are_understood_as_people_type_them(text: str, moment: float) -> None:
    assert parse_time_entry(text, first=FIRST, last=LAST, utc=True) == moment


@pytest.mark.parametrize(
    ("zone", "text", "utc", "moment"),
    [
        ("Europe/Berlin", "23:50", False, "2026-10-24T23:50+02:00"),
        ("Europe/Berlin", "03:30", False, "2026-10-25T03:30+01:00"),
        ("Europe/Berlin", "23:50", True, "2026-10-24T23:50+00:00"),
        ("Asia/Kolkata", "23:50", False, "2026-10-24T23:50+05:30"),
    ],
)
def test_a_typed_time_is_that_of_the_screen(zone: str, text: str, utc: bool, moment: str) -> None:
    first, last = (datetime(2026, 10, day, 9, tzinfo=UTC).timestamp() for day in (24, 25))
    with machine_zone(zone):
        at = parse_time_entry(text, first=first, last=last, utc=utc)
    assert at == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize(
    "text", ["", "soon", "25:99", "5x ago", "-", "9999999999999h ago", "'quoted' is", "0" * 400]
)
def test_a_mistake_is_one_short_line_that_shows_how_to_type_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_time_entry(text, first=FIRST, last=LAST, utc=True)
    said = str(caught.value)
    assert len(said) <= 64
    assert said.startswith(("not ", "out of range"))
