from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from ui import synthetic
from ui.fake_feed import FakeFeed
from voicetop.engine.snapshot import NAN, Series, Snapshot, TrendsPanel, Trouble, View, Where
from voicetop.sources import LinkState
from voicetop.ui.actions.keymap import USUAL
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import text_of, width_of
from voicetop.ui.renderables import plots, segment_columns, trends
from voicetop.ui.renderables.chart import chart
from voicetop.ui.renderables.header import top_line
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.scope import Scope, narrowed
from voicetop.ui.screens.page import Host, Page
from voicetop.ui.screens.segments import SegmentsPage
from voicetop.ui.screens.trends import TrendsPage
from voicetop.ui.style.display_options import DisplayOptions, to_ascii
from voicetop.wire.text import safe_text

GOLDEN = Path(__file__).parents[1] / "golden"
SIZES = [(80, 24), (120, 40), (200, 50)]
BLAMED = (("intent", "billing"), ("language", "es"), ("version", "v42"))


class Alone:
    """A host that does nothing, for pages painted without an app."""

    where = ()
    keymap = USUAL

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def page_of(kind: str) -> Page:
    host: Host = Alone()  # type: ignore[assignment]
    page = SegmentsPage(host) if kind == "segments" else TrendsPage(host)
    if isinstance(page, SegmentsPage):
        page.dimension = "language"
    return page


def painted(
    kind: str,
    make: Callable[[View], Snapshot],
    width: int,
    height: int,
    options: DisplayOptions | None = None,
) -> list[str]:
    page = page_of(kind)
    snap = make(page.view(View()))
    page.see(snap)
    lines = page.lines(Scene(snap, LinkState("live"), options or DisplayOptions(), snap.view), width, height)
    assert [width_of(line) for line in lines] == [width] * height
    return [text_of(line).rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("state", ["empty", "incident"])
@pytest.mark.parametrize("kind", ["segments", "trends"])
def test_the_screen_looks_as_it_was_last_approved(kind: str, state: str, width: int, height: int) -> None:
    made = "\n".join(painted(kind, getattr(synthetic, state), width, height)) + "\n"
    golden = GOLDEN / f"{kind}-{state}-{width}x{height}.txt"
    if not golden.exists():
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1, 20, 79, 80, 100, 159, 160, 260, 300])
@pytest.mark.parametrize("height", [4, 6, 9, 24, 31, 80])
def test_any_size_gives_exactly_that_many_cells(width: int, height: int) -> None:
    for kind in ("segments", "trends"):
        for make in (synthetic.empty, synthetic.incident):
            assert len(painted(kind, make, width, height)) == height


def test_hostile_words_stay_words() -> None:
    text = safe_text(synthetic.HOSTILE)

    def make(view: View) -> Snapshot:
        base = synthetic.incident(view)
        swap = msgspec.structs.replace
        panel, day = base.segments, base.trends
        return swap(
            synthetic.hostile(text, view),
            dimensions=(text, "language"),
            segments=swap(panel, rows=tuple(swap(row, value=text) for row in panel.rows)) if panel else None,
            trends=swap(day, mix=tuple(swap(row, value=text) for row in day.mix)) if day else None,
        )

    for kind in ("segments", "trends"):
        for size in SIZES:
            assert all(line.isprintable() for line in painted(kind, make, *size))


def test_few_calls_are_said_to_be_too_few_and_the_worst_stands_first() -> None:
    lines = painted("segments", synthetic.incident, 80, 24)
    assert "es" in lines[6]
    assert "3.4×" in lines[6]
    assert any("too few (n=12)" in line for line in lines)
    assert "29 stuck, rest 2 +2" in lines[6], "why it is marked"
    assert any("29 stuck, rest 2; slow 61 %, rest 4.8 %; errors 10 %" in line for line in lines)


def test_columns_go_by_importance_and_intervals_come_with_room() -> None:
    narrow, wide = segment_columns.fit_columns(80), segment_columns.fit_columns(300, marked=True)
    assert [fitted.column.id for fitted in narrow][:3] == ["value", "calls", "p95"]
    assert len(narrow) < len(wide) == len(segment_columns.COLUMNS)
    assert any("±" in line for line in painted("segments", synthetic.incident, 200, 50))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_why_rows_are_marked_is_said_at_every_width(width: int) -> None:
    marked = [fitted.column.id for fitted in segment_columns.fit_columns(width, marked=True)]
    assert {"p95", "explains", "why"} <= set(marked)
    assert "why" not in [fitted.column.id for fitted in segment_columns.fit_columns(width)]


# -- narrowing ------------------------------------------------------------------------------------------------------


def test_a_dimension_has_one_value_at_a_time() -> None:
    assert narrowed((("language", "es"), ("tier", "gold")), "language", "en") == (
        ("tier", "gold"),
        ("language", "en"),
    )


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_breadcrumb_is_always_in_the_top_line(width: int) -> None:
    snap = synthetic.incident(View(where=BLAMED))
    line = text_of(top_line(Scene(snap, LinkState("live"), DisplayOptions(), snap.view), width))
    for value in ("billing", "es", "v42"):
        assert value in line


def shown(app: ConsoleApp) -> str:
    return "\n".join(text_of(line) for line in app.sheet.lines)


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await pilot.pause(0.02)


def narrowing_of(feed: FakeFeed) -> Where:
    """What was asked for last."""
    return feed.asked[-1].where


async def test_enter_narrows_every_screen_again_and_again_and_backspace_widens() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "▸intent" in shown(app))
        await pilot.press("enter")
        assert narrowing_of(feed) == (("intent", "billing"),)
        await until(pilot, lambda: "▸■  es" in shown(app))
        await pilot.press("enter")
        assert narrowing_of(feed) == (("intent", "billing"), ("language", "es"))
        for key in "1", "2", "5":
            await pilot.press(key)
            assert narrowing_of(feed) == (("intent", "billing"), ("language", "es"))
            assert "intent=billing › language=es" in text_of(app.sheet.lines[0])
        await pilot.press("backspace")
        assert narrowing_of(feed) == (("intent", "billing"),)
        await pilot.press("backspace", "backspace")
        assert narrowing_of(feed) == ()
        assert "all calls are shown already" in text_of(app.sheet.lines[-1])


async def test_b_goes_to_what_the_verdict_blames_from_any_screen() -> None:
    for screen in "1235":
        feed = FakeFeed()
        app = ConsoleApp(feed)
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.press(screen, "b")
            assert feed.asked[-1].where == BLAMED
            await pilot.press("b")
            assert "already filtered to the affected segment" in text_of(app.sheet.lines[-1])


def test_blame_says_so_where_it_is_nobody_s() -> None:
    scope = Scope()
    assert "nothing is wrong" in scope.blame(synthetic.busy())
    everybody = (Trouble("errors", synthetic.AT, "degraded"),)
    base = synthetic.incident()
    snap = msgspec.structs.replace(base, verdict=msgspec.structs.replace(base.verdict, troubles=everybody))
    assert "all segments" in scope.blame(snap)
    assert scope.where == ()


def test_what_recovers_can_still_be_looked_at() -> None:
    scope, base = Scope(), synthetic.incident()
    over = msgspec.structs.replace(
        base.verdict, severity="recovering", troubles=(), recovering=base.verdict.troubles
    )
    assert scope.blame(msgspec.structs.replace(base, verdict=over)) == ""
    assert scope.where == base.verdict.troubles[0].where


async def test_the_cursor_stays_on_its_value_and_the_order_can_be_changed() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "▸intent" in shown(app))
        await pilot.press("j", "r")
        assert any(line.startswith("▸●  orders") for line in map(text_of, app.sheet.lines))
        assert "worst first ▴" in shown(app)
        await pilot.press("greater_than_sign")
        assert "by value" in shown(app)
        await pilot.press("right")
        await until(pilot, lambda: "▸language" in shown(app))


# -- freezing -------------------------------------------------------------------------------------------------------


async def test_space_freezes_the_picture_while_the_feed_goes_on() -> None:
    feed = FakeFeed()
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("space")
        await until(pilot, lambda: "❄ FROZEN 14:07:32" in shown(app))
        feed.step(4 * 142)
        await until(pilot, lambda: "2 min 22 s behind" in shown(app))
        assert "n 5,812 turns ─" in shown(app)
        await pilot.press("w")
        assert "no data kept for that moment" in text_of(app.sheet.lines[-1])
        assert feed.asked[-1].span == "5m"
        await pilot.press("L")
        await until(pilot, lambda: "FROZEN" not in shown(app))
        assert "● LIVE" in shown(app)


async def test_the_frozen_line_says_that_the_live_verdict_has_changed() -> None:
    feed = FakeFeed(synthetic.busy)
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("space")
        feed.make = synthetic.incident
        feed.step(40)
        await until(pilot, lambda: "live now: ▲ DEGRADED" in shown(app))
        await pilot.press("space")
        await until(pilot, lambda: "FROZEN" not in shown(app))


# -- charts ---------------------------------------------------------------------------------------------------------


async def test_tab_moves_the_focus_z_shows_one_panel_and_v_reads_its_values() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("tab")
        assert "▸─ response time" in shown(app)
        await pilot.press("tab", "z")
        assert "── errors, % of calls" in shown(app)
        assert "needs attention" not in shown(app)
        await pilot.press("v", "left", "left")
        foot = text_of(app.sheet.lines[-1])
        assert foot.startswith(" v 14:06:30  rate ")
        await pilot.press("escape", "escape", "escape")
        assert "needs attention" in shown(app)
        assert "▸" not in shown(app)


async def test_trends_show_one_panel_at_a_time_on_a_small_screen() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: "1 of 11" in shown(app))
        await pilot.press("right")
        assert "response time by turns" in shown(app)
        await pilot.press("v", "left")
        assert "n " in text_of(app.sheet.lines[-1])
        await pilot.press("escape", "right", "right", "right", "right", "right", "right", "right")
        assert "needs call.outcome events" in shown(app)


def test_the_cursor_names_value_n_and_the_change_beside_it() -> None:
    snap = synthetic.incident(View(trends=True))
    latency = trends.plots(snap)["latency"]
    assert latency.main is not None
    at = plots.moved(latency.main, NAN, 0)
    said = plots.reading(latency, snap.markers, DisplayOptions(), at)
    assert said.startswith("14:00  P95 ≥ 3,910 ms · P50 ")
    assert "n 4,420 turns · ▼" in said
    assert "▼ deploy v42 13:57:32" in said


def test_what_lies_beyond_the_warning_line_stands_out_on_its_bad_side_only() -> None:
    falling = Series(0.0, 60.0, (0.95, 0.95, 0.95, 0.2))
    for low_is_bad in (True, False):
        rows = chart(falling, 40, 10, DisplayOptions(), str, warn=0.5, low_is_bad=low_is_bad)
        tones = [{tone for text, tone in row if "⠀" < max(text) <= "⣿"} for row in rows]
        assert tones[0 if low_is_bad else 7] == {"chart"}
        assert tones[7 if low_is_bad else 0] == {"degraded"}


def test_the_heat_map_shows_two_humps_that_a_percentile_hides() -> None:
    snap = synthetic.incident(View(trends=True))
    assert snap.trends is not None
    assert snap.trends.heat is not None
    heat = snap.trends.heat
    calm, bad = (trends.heat_reading(heat, heat.start + n * heat.step) for n in (50, 94))
    assert calm.count(" at ") == 1
    assert bad.count(" at ") == 2


def test_everything_new_has_an_ascii_form() -> None:
    for kind in ("segments", "trends"):
        for size in SIZES:
            for line in painted(kind, synthetic.incident, *size, options=DisplayOptions(ascii=True)):
                assert "?" not in to_ascii(line).replace("? help", ""), line


def test_an_empty_panel_says_which_event_would_fill_it() -> None:
    snap = msgspec.structs.replace(synthetic.empty(), trends=TrendsPanel())
    for name in trends.PANELS:
        lines = trends.panel(name, snap, DisplayOptions(), 80, 10, at=NAN, focused=False)
        assert any(word in text_of(lines[1]) for word in ("needs", "counts", "appears"))
