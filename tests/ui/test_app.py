from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest
from textual.pilot import Pilot

from ui import stories, synthetic, synthetic_alerts
from ui.fake_feed import FakeFeed, Maker
from voicetop.engine.snapshot import Snapshot, View
from voicetop.sources import LinkState
from voicetop.ui.actions.registry import ACTIONS, Place, available
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import text_of
from voicetop.ui.screens.alert import AlertPage
from voicetop.ui.screens.call import CallPage
from voicetop.ui.screens.calls import CallsPage


def shown(app: ConsoleApp) -> str:
    return "\n".join(text_of(line) for line in app.sheet.lines)


def calls_page(app: ConsoleApp) -> CallsPage:
    page = app.screens["calls"]
    assert isinstance(page, CallsPage)
    return page


PLACES: tuple[Place, ...] = ("overview", "calls", "segments", "alerts", "trends", "call", "alert")


def reach(app: ConsoleApp, place: Place) -> None:
    """Show a screen; a call over its list."""
    lists: dict[Place, Place] = {"call": "calls", "alert": "alerts"}
    app.go(lists.get(place, place))
    if place == "alert":
        app.push(AlertPage(app, app.incidents, synthetic_alerts.PAGE))
    if place == "call":
        app.push(CallPage(app, calls_page(app), synthetic.call(0, trouble="stuck")))


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await pilot.pause(0.02)


async def test_the_first_screen_answers_whether_everything_works() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "DEGRADED" in shown(app))
        assert "needs attention" in shown(app)


async def test_without_a_hub_it_says_what_to_type_and_starts_by_itself() -> None:
    feed = FakeFeed(None)
    feed.link = LinkState("reconnecting", tries=2, why="connection refused", where="ws://127.0.0.1:8377")
    app = ConsoleApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "voicetop serve" in shown(app))
        feed.make = synthetic.busy
        feed.link = LinkState("live")
        feed.step()
        await until(pilot, lambda: "● OK" in shown(app))


async def test_every_key_of_the_registry_does_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(ConsoleApp, "do", lambda _, action_id: done.append(action_id))
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(100, 30)) as pilot:
        for place in PLACES:
            reach(app, place)
            for action in available(place):
                for key in action.keys.split(","):
                    await pilot.press(key)
                    assert done.pop() == action.id
        assert not done


@pytest.mark.parametrize(
    "make",
    [
        synthetic.incident,
        None,
        *(pytest.param(m, marks=pytest.mark.soak) for m in (synthetic.empty, synthetic.blind)),
    ],
)
async def test_every_action_may_be_done_twice_on_every_screen_and_in_every_box(make: Maker | None) -> None:
    app = ConsoleApp(FakeFeed(make))
    async with app.run_test(size=(100, 30)) as pilot:
        for start in (
            ("overview",),
            ("calls",),
            ("calls", "ended"),
            ("segments",),
            ("segments", "narrow"),
            ("alerts",),
            ("alerts", "open_alert"),
            ("trends",),
            ("trends", "read"),
            ("maximise",),
            ("freeze",),
            ("help",),
            ("palette",),
            ("open",),
            ("calls", "open"),
            ("copy",),
            ("calls", "columns"),
            ("filter",),
        ):
            for action in ACTIONS:
                app.go("overview")
                for step in (*start, action.id, action.id):
                    if step != "quit" and app.can_do(step):
                        app.do(step)
                        assert len(app.sheet.lines) == 30
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert not app.is_running


async def test_a_screen_that_is_not_there_has_no_key() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(200, 90)) as pilot:
        await pilot.press("6")
        assert app.page.name == "overview"
        assert "Review" not in shown(app)
        await pilot.press("question_mark")
        assert "Review" not in shown(app)


async def test_help_lists_what_the_registry_has_for_this_screen() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 90)) as pilot:
        await pilot.press("2", "question_mark")
        text = shown(app)
        assert "DEGRADED" in text
        for action in ACTIONS:
            if "calls" in action.places:
                assert action.label in text


async def test_the_palette_finds_and_runs_an_action() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p", *"all live", "enter")
        assert app.page.name == "calls"
        await pilot.press("ctrl+p", *"no such thing")
        assert "no matching command" in shown(app)
        await pilot.press("escape")
        assert app.page.name == "calls"


async def test_window_zone_and_theme_change_by_one_key() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("w")
        assert feed.asked[-1].span == "30m"
        assert "30 min" in text_of(app.sheet.lines[0])
        await pilot.press("u")
        assert not app.options.utc
        await pilot.press("T")
        assert "theme colour-blind" in text_of(app.sheet.lines[-1])


# -- calls ----------------------------------------------------------------------------------------------------------


async def test_only_the_rows_in_sight_and_a_page_at_each_side_are_asked_for() -> None:
    feed = FakeFeed(lambda view, tick: synthetic.incident(view, tick, 2000))
    app = ConsoleApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "G")
        page = calls_page(app)
        await until(pilot, lambda: page.offset + len(page.rows) == 2000)
        assert feed.asked[-1].limit <= 4 * 30
        assert "of 2,000" in shown(app)
        last = synthetic.incident(View(), feed.tick, 2000).calls
        assert last.total == 2000
        await pilot.press("home")
        await until(pilot, lambda: page.offset == 0)


async def test_the_cursor_stays_on_its_call_wherever_it_moves() -> None:
    rows = synthetic.fleet(200)

    def make(view: View | None, tick: int) -> Snapshot:
        order = rows[tick:] + rows[:tick]
        base = synthetic.busy(view, tick, 10)
        return msgspec.structs.replace(base, calls=synthetic.calls_panel(order, view or View()))

    feed = FakeFeed(make)
    app = ConsoleApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", *"jjjjjjjjjj")
        page = calls_page(app)
        wanted = rows[9].call_id
        assert page.cursor.call_id == wanted
        for place in (5, 1):
            feed.step(4)
            await until(pilot, lambda place=place: page.cursor.index == place)  # type: ignore[misc]
            line = next(text_of(line) for line in app.sheet.lines if text_of(line).startswith("▸"))
            assert wanted in line


async def test_a_call_that_left_the_list_leaves_the_cursor_on_no_other_call() -> None:
    gone = False
    rows = synthetic.fleet(50)

    def make(view: View | None, tick: int) -> Snapshot:
        kept = [row for row in rows if not (gone and row is rows[2])]
        base = synthetic.busy(view, tick, 10)
        story = stories.find(kept, view or View(), synthetic.AT)
        return msgspec.structs.replace(base, calls=synthetic.calls_panel(kept, view or View()), detail=story)

    feed = FakeFeed(make)
    app = ConsoleApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "j", "j", "j")
        page = calls_page(app)
        assert page.cursor.call_id == rows[2].call_id
        gone = True
        feed.step()
        await until(pilot, lambda: page.cursor.lost)
        assert "▸" not in shown(app)
        await pilot.press("enter")
        await until(pilot, lambda: "no longer kept" in shown(app))
        assert rows[2].call_id in text_of(app.sheet.lines[3])
        await pilot.press("escape", "j")
        assert page.cursor.call_id == rows[4].call_id


async def test_the_filter_works_as_one_types_and_escape_clears_it() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("slash", *"stuck q")
        assert app.page.name == "calls"
        assert feed.asked[-1].text == "stuck q"
        await pilot.press("backspace", "backspace", "enter")
        assert feed.asked[-1].text == "stuck"
        await until(pilot, lambda: "31 of 412 match" in shown(app))
        await pilot.press("slash", "ctrl+u", *"zz")
        await until(pilot, lambda: "no match among 412 calls: zz" in shown(app))
        await pilot.press("escape")
        assert feed.asked[-1].text == ""


async def test_sort_moves_by_column_and_turns_round() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "greater_than_sign")
        assert feed.asked[-1].sort == "step"
        await pilot.press("less_than_sign", "less_than_sign", "r")
        assert (feed.asked[-1].sort, feed.asked[-1].reverse) == ("turn", True)
        assert "TURN▴" in shown(app)


async def test_ended_calls_are_one_key_away() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "t")
        await until(pilot, lambda: "user_hangup" in shown(app))
        assert feed.asked[-1].ended
        await pilot.press("t")
        assert not feed.asked[-1].ended


async def test_a_click_puts_the_cursor_on_a_call() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await pilot.click(offset=(20, 8))
        assert text_of(app.sheet.lines[8]).startswith("▸")


# -- the terminal ---------------------------------------------------------------------------------------------------


async def test_a_storm_of_resizes_leaves_a_whole_screen() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        for width, height in [(80, 24), (5, 2), (300, 80), (41, 9), (1, 1), (200, 50), (80, 24)] * 3:
            await pilot.resize_terminal(width, height)
        await until(pilot, lambda: len(app.sheet.lines) == 24)
        assert "DEGRADED" in shown(app)


async def test_a_frame_is_skipped_while_the_terminal_holds_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bool(app.sheet.lines))
        monkeypatch.setattr("voicetop.ui.terminal.output.has_taken_all", lambda _: False)
        before = shown(app)
        feed.step(40)
        await until(pilot, lambda: app.skipped > 1)
        assert shown(app) == before
        monkeypatch.setattr("voicetop.ui.terminal.output.has_taken_all", lambda _: True)
        await until(pilot, lambda: shown(app) != before)


async def test_only_changed_lines_are_painted() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "DEGRADED" in shown(app))
        lines = list(app.sheet.lines)
        assert app.sheet.show(lines) == 0
        assert app.sheet.show([*lines[:-1], (("x" * 120, "text"),)]) == 1


async def test_no_colour_and_ascii_still_show_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ConsoleApp(FakeFeed(), ascii=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "DEGRADED" in shown(app))
        strips = app.sheet._strips
        assert all(strip.text.isascii() for strip in strips)
        assert all(not segment.style or segment.style.color is None for strip in strips for segment in strip)
        assert any("! DEGRADED" in strip.text for strip in strips)


def test_the_console_imports_neither_numpy_nor_sockets() -> None:
    code = "import sys, voicetop.ui.app; print([m for m in ('numpy', 'websockets', 'plyer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
