from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
from textual.pilot import Pilot

from ui import stories, synthetic
from ui.fake_feed import FakeFeed
from voicetop.engine.snapshot import NAN, CallDetail, CallRow, Snapshot, View
from voicetop.ui.app import ConsoleApp
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import text_of
from voicetop.ui.screens.call import CallPage
from voicetop.ui.screens.calls import CallsPage

Story = Callable[[CallRow, float], CallDetail | None]


def shown(app: ConsoleApp) -> str:
    return "\n".join(text_of(line) for line in app.sheet.lines)


def call_page(app: ConsoleApp) -> CallPage:
    assert isinstance(app.page, CallPage)
    return app.page


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await pilot.pause(0.02)


def telling(story: Story) -> Callable[[View | None, int], Snapshot]:
    """The incident, with other stories of its calls."""

    def make(view: View | None, tick: int) -> Snapshot:
        made = synthetic.incident(view, tick)
        at = synthetic.AT + tick * 0.25
        told = made.detail and story(made.detail.row, at)
        return msgspec.structs.replace(made, at=at, detail=told)

    return make


async def test_one_key_on_the_overview_opens_the_call_that_needs_eyes_first() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "needs attention" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "overloaded ×3" in shown(app))
        text = shown(app)
        assert "DEGRADED" in text
        assert "■ waiting for LLM acme-llm" in text
        assert "¿sigue ahí?" in text
        await pilot.press("escape")
        assert app.page.name == "overview"


async def test_the_cursor_stands_on_the_newest_turn_and_goes_with_it() -> None:
    turns = 3

    def story(row: CallRow, at: float) -> CallDetail:
        whole = stories.overlapping(msgspec.structs.replace(row, eyes=""), at)
        return msgspec.structs.replace(whole, turns=whole.turns[:turns])

    feed = FakeFeed(telling(story))
    app = ConsoleApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: call_page(app).detail is not None)
        page = call_page(app)
        assert page.blocks[page.at].turn == 2
        turns = 4
        feed.step()
        await until(pilot, lambda: page.blocks[page.at].turn == 3)
        await pilot.press("k")
        turns = 5
        feed.step()
        await until(pilot, lambda: len(page.detail.turns if page.detail else ()) == 5)
        assert page.blocks[page.at].turn == 2


async def test_enter_unfolds_a_turn_to_every_word_and_folds_it_again() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: "overloaded" in shown(app))
        await pilot.press("k", "k", "k")
        assert "por teléfono" not in shown(app)
        await pilot.press("o")
        assert "por teléfono" in shown(app)
        assert "STT confidence" in shown(app)
        await pilot.press("enter")
        assert "por teléfono" not in shown(app)


async def test_every_line_can_be_reached_on_a_small_screen() -> None:
    app = ConsoleApp(FakeFeed(), links={"trace": "https://traces.example.com/{trace_id}"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: "overloaded" in shown(app))
        await pilot.press("g")
        seen = shown(app)
        assert "hola, llamo" in seen
        for _ in range(14):
            await pilot.press("j")
            seen += shown(app)
        for needed in ("1.00 × 0.25", "61.0 %", "after 16 s", "asked twice", "traces.example.com/4bf92f"):
            assert needed in seen
        await pilot.press("pageup", "pageup", "pageup")
        assert "hola, llamo" in shown(app)
        await pilot.press("G")
        assert "trace link" in shown(app)


async def test_the_next_call_of_the_list_is_one_key_away() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "enter")
        first = call_page(app).row.call_id
        rows = synthetic.incident().calls.rows
        assert first == rows[0].call_id
        await pilot.press("J")
        await until(pilot, lambda: call_page(app).detail is not None)
        assert rows[1].call_id in text_of(app.sheet.lines[3])
        await pilot.press("K", "K")
        assert "this is the first call in the list" in text_of(app.sheet.lines[-1])
        assert call_page(app).row.call_id == first
        await pilot.press("J", "escape")
        assert "▸" in next(line for line in shown(app).splitlines() if rows[1].call_id in line)


async def test_an_ended_call_is_found_by_its_id_from_the_overview() -> None:
    app = ConsoleApp(FakeFeed(telling(stories.ended)))
    async with app.run_test(size=(120, 36)) as pilot:
        wanted = synthetic.incident(View(ended=True, sort="ended")).calls.rows[5].call_id
        await pilot.press("slash", *wanted, "enter", "t", "enter")
        await until(pilot, lambda: "ended 14:07" in shown(app))
        assert call_page(app).row.call_id == wanted
        assert "error · no success" in shown(app)


async def test_a_call_that_is_no_longer_held_keeps_its_last_picture_and_says_so() -> None:
    held = True
    feed = FakeFeed(telling(lambda row, at: stories.story(row, at) if held else None))
    app = ConsoleApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: "overloaded" in shown(app))
        held = False
        feed.step()
        await until(pilot, lambda: "no longer kept" in shown(app))
        assert "overloaded" in shown(app)
        assert "as of 14:07:3" in shown(app)
        await pilot.press("J")
        await until(pilot, lambda: "values from the list" in shown(app))
        assert "0 turns" not in shown(app)


async def test_the_wait_of_a_stuck_turn_grows_before_ones_eyes() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: "for LLM 10" in shown(app) or "for LLM 11" in shown(app))
        before = shown(app)
        feed.step(40)
        await until(pilot, lambda: shown(app) != before and "for LLM 2" in shown(app))


# -- follow and columns ---------------------------------------------------------------------------------------------


def sinking(view: View | None, tick: int) -> Snapshot:
    """Every tick all calls sink by thirty places."""
    rows = synthetic.fleet(900)
    shift = tick * 30 % 900
    order = rows[len(rows) - shift :] + rows[: len(rows) - shift]
    base = synthetic.busy(view, tick, 10)
    return msgspec.structs.replace(base, calls=synthetic.calls_panel(order, view or View()))


async def test_follow_scrolls_with_the_call_even_beyond_the_rows_that_were_asked_for() -> None:
    feed = FakeFeed(sinking)
    app = ConsoleApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "j", "j", "f")
        page = app.screens["calls"]
        assert isinstance(page, CallsPage)
        wanted = page.cursor.call_id
        for ticks in (8, 16, 24):
            feed.step(8)
            await until(pilot, lambda place=1 + ticks * 30: page.cursor.index == place)  # type: ignore[misc]
            await until(pilot, lambda: any("▸" in t and wanted in t for t in shown(app).splitlines()))


async def test_without_follow_the_list_stays_and_the_cursor_still_knows_its_call() -> None:
    feed = FakeFeed(sinking)
    app = ConsoleApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "j", "j")
        page = app.screens["calls"]
        assert isinstance(page, CallsPage)
        wanted = page.cursor.call_id
        feed.step(8)
        await until(pilot, lambda: page.cursor.index == 1 + 8 * 30)
        assert page.first == 0
        assert "▸" not in shown(app)
        assert page.cursor.call_id == wanted
        assert feed.asked[-1].call_id == wanted
        feed.step(22)
        await until(pilot, lambda: page.cursor.index == 1)
        assert feed.asked[-1].call_id == ""


async def test_columns_are_chosen_and_remembered(tmp_path: Path) -> None:
    path = tmp_path / "state" / "columns.json"
    app = ConsoleApp(FakeFeed(), columns=HiddenColumns(path))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        assert "STEP" in text_of(app.sheet.lines[4])
        await pilot.press("c", "j", "j", "j", "j", "space", "escape")
        assert "STEP" not in text_of(app.sheet.lines[4])
        assert json.loads(path.read_text()) == {"hidden": ["STEP"]}
    again = ConsoleApp(FakeFeed(), columns=HiddenColumns(path))
    async with again.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        assert "STEP" not in text_of(again.sheet.lines[4])
        await pilot.press("greater_than_sign")
        assert again.requested_view is not None
        assert again.requested_view.sort != "step"


def test_a_memory_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    for said in (b"", b"[1]", b'{"hidden": 3}', b"\xff", b'{"hidden": [1, "AGE"]}'):
        (tmp_path / "columns.json").write_bytes(said)
        assert HiddenColumns(tmp_path / "columns.json").hidden <= {"AGE"}
    (tmp_path / "file").write_text("")
    columns = HiddenColumns(tmp_path / "file" / "columns.json")
    columns.toggle("AGE")
    assert columns.hidden == {"AGE"}


async def test_the_sparkline_stands_where_there_is_room() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.press("2")
        assert "RECENT" in shown(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: len(app.sheet.lines) == 24)
        assert "RECENT" not in shown(app)


def test_a_turn_without_a_reply_is_no_hole_in_the_sparkline() -> None:
    from voicetop.ui.renderables.calls import RECENT
    from voicetop.ui.style.display_options import DisplayOptions

    row = msgspec.structs.replace(synthetic.call(0), recent=(600.0, NAN, 9000.0))
    assert RECENT.write(row, DisplayOptions())[0].strip() == "▂×▇"
    assert RECENT.write(row, DisplayOptions(ascii=True))[0].strip().isascii()
