from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from ui import synthetic
from ui.fake_feed import FakeFeed
from ui.fake_past import replay
from ui.session_feed import SessionFeed
from ui.synthetic_comparison import BLAMED, calm, incident, moment, picture
from voicetop.engine.snapshot import MarkerNote, Snapshot, View
from voicetop.engine.snapshot.comparison import Comparison
from voicetop.simulator import SimulatedIncident
from voicetop.sources import LinkState
from voicetop.ui.actions.keymap import USUAL
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import text_of, width_of
from voicetop.ui.renderables import compare
from voicetop.ui.renderables.plain_text import panel_text
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.compare import ComparePage, MarkedTime
from voicetop.ui.screens.page import Host
from voicetop.ui.style.display_options import DisplayOptions, to_ascii
from voicetop.wire.events import Marker

GOLDEN = Path(__file__).parents[1] / "golden"
SIZES = [(80, 24), (120, 40), (200, 50)]
DEPLOY = MarkerNote(synthetic.AT - 600, "deploy", "v42")


class Alone:
    """A host that does nothing, for a page painted without an app."""

    where = ()
    keymap = USUAL

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def page(found: Comparison | None, *, deploy: bool = False) -> tuple[ComparePage, Snapshot]:
    """The page as it stands with this comparison."""
    host: Host = Alone()  # type: ignore[assignment]
    made = (
        ComparePage(host, marker=DEPLOY)
        if deploy
        else ComparePage(host, MarkedTime(moment(1.0), "acme-prod"))
    )
    view = made.view(View())
    snap = replace(synthetic.incident(view), comparison=found, markers=(DEPLOY,))
    made.see(snap)
    return made, snap


def painted(
    found: Comparison | None,
    width: int,
    height: int,
    options: DisplayOptions | None = None,
    *,
    deploy: bool = False,
) -> list[str]:
    made, snap = page(found, deploy=deploy)
    lines = made.lines(Scene(snap, LinkState("live"), options or DisplayOptions(), snap.view), width, height)
    assert [width_of(line) for line in lines] == [width] * height
    return [text_of(line).rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("kind", ["incident", "calm", "deploy", "overlap", "nothing"])
def test_the_screen_looks_as_it_was_last_approved(kind: str, width: int, height: int) -> None:
    found = {"calm": calm(), "overlap": incident(overlap_s=200.0), "nothing": None}.get(kind, incident())
    made = "\n".join(painted(found, width, height, deploy=kind in ("deploy", "nothing"))) + "\n"
    golden = GOLDEN / f"compare-{kind}-{width}x{height}.txt"
    if not golden.exists():
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1, 20, 60, 79, 100, 160, 300])
@pytest.mark.parametrize("height", [4, 6, 9, 14, 24, 80])
def test_any_size_gives_exactly_that_many_cells(width: int, height: int) -> None:
    for found in (incident(overlap_s=30.0), calm(), None):
        assert len(painted(found, width, height)) == height


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_that_matters_is_cut(width: int, height: int) -> None:
    text = "\n".join(painted(incident(), width, height))
    for needed in (
        "▲ 7 figures and 2 segments changed beyond noise",
        "742 ms",
        "3,910 ms",
        "+2,035…+2,586",
        "P95 e2e · billing × es",
        "1,656 ms",
        "+3,711…+4,640",
        "412/398",
        "● better  task success",
        "→ changed",
        "A 13:47:32–13:52:32",
        "B 14:02:32–14:07:32",
    ):
        assert needed in text


def test_no_change_beyond_noise_is_said_in_words() -> None:
    text = "\n".join(painted(calm(), 80, 24))
    assert "● no change beyond noise" in text
    assert "worse" not in text


def test_every_finding_has_a_glyph_and_a_word_in_ascii_too() -> None:
    lines = [to_ascii(line) for line in painted(incident(), 200, 50)]
    for said in ("! worse", "* better", "> changed", "- noise", "- too few", "- unknown"):
        assert any(said in line for line in lines)


def test_overlapping_windows_and_unknown_wobble_are_told() -> None:
    text = "\n".join(painted(incident(overlap_s=200.0), 80, 24))
    assert "▲ the windows overlap by 3 min 20 s" in text
    text = "\n".join(painted(replace(incident(), units=0), 120, 40))
    assert "natural variation isn't known yet" in text
    assert "A is later than B" in "\n".join(
        painted(replace(incident(), a=moment(synthetic.AT + 60)), 120, 40)
    )


def test_the_surest_news_stand_first_and_noise_below() -> None:
    rows = [entry.change for entry in compare.entries(incident()) if entry.change is not None]
    order = [row.finding for row in rows]
    assert order[:7] == ["worse"] * 5 + ["better", "changed"]
    assert order[7:9] == ["worse"] * 2
    assert not any(row.news for row in rows[9:])


def test_the_copy_has_all_rows_also_those_out_of_sight() -> None:
    made, snap = page(incident())
    scene = Scene(snap, LinkState("live"), DisplayOptions(), snap.view)
    made.lines(scene, 80, 24)
    text = panel_text(made.plain(scene, snap, 80))
    for name in ("P95 e2e", "turns per minute", "LLM overloaded errors", "P50 tool", "billing × es"):
        assert name in text
    assert "P50 e2e" in made.row_text(scene) or "P95" in made.row_text(scene)
    assert "n 3,778 and 13,853" in made.row_text(scene)


# -- keys --------------------------------------------------------------------------------------------------------------


def shown(app: ConsoleApp) -> str:
    return "\n".join(text_of(line) for line in app.sheet.lines)


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await pilot.pause(0.02)


async def test_a_marks_a_moment_and_shift_c_compares_it_from_any_screen() -> None:
    for screen in "1235":
        feed = FakeFeed(picture)
        app = ConsoleApp(feed)
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.press(screen, "C")
            assert "nothing to compare with yet" in shown(app)
            await pilot.press("a")
            await until(pilot, lambda app=app: app.comparing.mark is not None)  # type: ignore[misc]
            assert "A is 14:07:32" in shown(app)
            assert not feed.asked[-1].moment
            await pilot.press("C")
            await until(pilot, lambda app=app: "changed beyond noise" in shown(app))  # type: ignore[misc]
            assert app.comparing.mark is not None
            assert feed.asked[-1].against == app.comparing.mark.sample
            await pilot.press("escape")
            assert feed.asked[-1].against is None
            assert "changed beyond noise" not in shown(app)


async def test_d_compares_before_and_after_the_last_deploy_and_again_the_one_before() -> None:
    notes = (MarkerNote(synthetic.AT - 3_000, "prompt", "shorter"), DEPLOY)

    def make(view: View | None, tick: int) -> Snapshot:
        return replace(picture(view, tick), markers=notes)

    feed = FakeFeed(make)
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "before v42" in shown(app))
        assert feed.asked[-1].around == DEPLOY.at
        await pilot.press("d")
        await until(pilot, lambda: "before shorter" in shown(app))
        assert feed.asked[-1].around == notes[0].at
        await pilot.press("d")
        assert "no earlier marker" in shown(app)
        await pilot.press("right")
        await until(pilot, lambda: "before v42" in shown(app))
        await pilot.press("w")
        assert feed.asked[-1].span == "30m"


async def test_without_a_marker_d_says_what_else_to_do() -> None:
    feed = FakeFeed(lambda view, tick: replace(picture(view, tick), markers=()))
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("d")
        assert "no deploy or other marker before this moment: a marks one of your own" in shown(app)


async def test_enter_narrows_every_screen_to_the_segment_under_the_cursor() -> None:
    feed = FakeFeed(picture)
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "changed beyond noise" in shown(app))
        await pilot.press("enter")
        assert "this row is all calls" in shown(app)
        await pilot.press(*["j"] * 7)
        assert "all others 1,672 ms → 1,690 ms (noise)" in shown(app)
        await pilot.press("enter")
        assert feed.asked[-1].where == BLAMED
        await pilot.press("k", "G", "home", "pagedown")
        assert "▸" in shown(app)


async def test_a_mark_made_on_the_way_is_that_of_the_moment_it_leads_to() -> None:
    """In a replay, as in the past of a live feed."""
    past = replay(picture, instant=False)
    app = ConsoleApp(past)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("left_curly_bracket", "a")
        await pilot.pause(0.3)
        assert app.comparing.mark is None
        past.arrive()
        await until(pilot, lambda: app.comparing.mark is not None)
        assert app.comparing.mark is not None
        assert app.comparing.mark.sample.at == synthetic.AT + 240.0
        await pilot.press("L")
        past.arrive()
        await pilot.press("C")
        await until(pilot, lambda: "changed beyond noise" in shown(app))
        assert past.asked[-1].against == app.comparing.mark.sample


async def test_a_window_of_another_length_is_marked_anew() -> None:
    feed = FakeFeed(picture)
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: app.comparing.mark is not None)
        await pilot.press("w", "C")
        assert feed.asked[-1].span == "5m"
        await pilot.press("w")
        assert "A was marked with a window of 5 min: mark again for another" in shown(app)


async def test_a_real_incident_that_a_deploy_brought_is_found_with_one_key() -> None:
    segment = {"language": "es"}
    incident_of = SimulatedIncident("seg_latency", at=30.0, duration=3_600.0, segment=segment)
    feed = SessionFeed((incident_of,), calls=150, history=1_800.0)
    feed.run(30)
    feed._put([Marker(ts=feed.at, kind="deploy", label="v42", version="v42")])
    feed.run(250)
    app = ConsoleApp(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "before v42" in shown(app))
        line = next(line for line in shown(app).splitlines() if "e2e · es" in line)
        assert "▲ worse" in line
