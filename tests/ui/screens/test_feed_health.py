"""Feed health: a line per source, and below what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from ui import synthetic
from ui.fake_feed import FakeFeed
from ui.screens.test_screens import Alone
from voicetop.engine.snapshot import FeedHealthPanel, Snapshot, SourceHealth, SourceTrouble, View
from voicetop.sources import LinkState
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import text_of, width_of
from voicetop.ui.renderables.feed_health import remedies
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.feed_health import FeedHealthPage
from voicetop.ui.screens.page import Host
from voicetop.ui.style.display_options import DisplayOptions

GOLDEN = Path(__file__).parents[1] / "golden"
SIZES = [(80, 24), (120, 40), (200, 50)]


def healthy(at: float, number: int = 1) -> SourceHealth:
    return SourceHealth(
        f"agent-{number}",
        since=at - 3_700,
        seen=at - 0.25,
        events=81_204,
        events_per_s=22.0,
        calls_told=41,
        calls_held=41,
    )


def troubled(at: float) -> tuple[SourceHealth, ...]:
    one = healthy(at)
    return (
        replace(
            one,
            name="agent-7f9c4d-xkz2p",
            state="silent",
            seen=at - 42,
            events_per_s=0.0,
            troubles=(
                SourceTrouble(
                    "silent for 42 s", "check that this agent is running and can reach the hub", now=True
                ),
            ),
        ),
        replace(
            one,
            name="agent-9",
            state="attention",
            skew_s=40.0,
            calls_told=12,
            calls_held=9,
            refused=3,
            repaired=1_204,
            ignored=17,
            queue=812,
            dropped=1_234,
            troubles=(
                SourceTrouble(
                    "1,204 texts cut: `tool.result` has 32,000 characters, more than 20,000",
                    "send at most 20,000 characters of text, and 512 of a name",
                    now=True,
                    sample='{"type":"tool","name":"lookup","result":"Ada Lovelace, 12 St James\'s Square, …"}',
                    at=at - 3,
                ),
                SourceTrouble(
                    "it says it has 12 calls; live here: 9",
                    "some calls are missing: send call.start first, and again after the hub was restarted",
                    now=True,
                ),
                SourceTrouble(
                    "17 events ignored: late turn.start", "send turn.start when the caller stops speaking"
                ),
            ),
        ),
        replace(
            one, name="", state="note", calls_told=-1, calls_held=3, troubles=(SourceTrouble("no name", "x"),)
        ),
        *(healthy(at, number) for number in range(2, 6)),
        replace(
            one, name="agent-6", state="left", seen=at - 300, events_per_s=0.0, calls_told=0, calls_held=0
        ),
    )


def snapshot(state: str, view: View | None = None) -> Snapshot:
    snap = synthetic.busy(view)
    sources = troubled(snap.at) if state == "troubled" else tuple(healthy(snap.at, n) for n in range(1, 4))
    if state == "none":
        sources = ()
    states = [source.state for source in sources]
    panel = FeedHealthPanel(
        sources,
        of=len(sources),
        silent=states.count("silent"),
        attention=states.count("attention"),
        left=states.count("left"),
    )
    return replace(snap, health=panel)


def page_with(snap: Snapshot) -> FeedHealthPage:
    host: Host = Alone()  # type: ignore[assignment]
    page = FeedHealthPage(host)
    page.see(snap)
    return page


def lines_of(page: FeedHealthPage, snap: Snapshot, width: int, height: int) -> list[str]:
    scene = Scene(snap, LinkState("live"), DisplayOptions(), snap.view)
    lines = page.lines(scene, width, height)
    assert [width_of(line) for line in lines] == [width] * height
    return [text_of(line).rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("state", ["well", "troubled", "none"])
def test_the_screen_looks_as_it_was_last_approved(state: str, width: int, height: int) -> None:
    snap = snapshot(state)
    made = "\n".join(lines_of(page_with(snap), snap, width, height)) + "\n"
    golden = GOLDEN / f"feed-{state}-{width}x{height}.txt"
    if not golden.exists():
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1, 20, 79, 80, 100, 160, 300])
@pytest.mark.parametrize("height", [4, 6, 9, 24, 80])
def test_any_size_gives_exactly_that_many_cells(width: int, height: int) -> None:
    for state in ("troubled", "none"):
        snap = snapshot(state)
        page = page_with(snap)
        lines_of(page, snap, width, height)
        page.handlers()["source"]()
        lines_of(page, snap, width, height)


def test_the_selected_source_has_its_remedies_below_and_enter_shows_all_of_them() -> None:
    snap = snapshot("troubled")
    page = page_with(snap)
    page.handlers()["down"]()
    text = "\n".join(lines_of(page, snap, 80, 24))
    assert "▸▲ agent-9" in text
    assert "→ send at most 20,000 characters of text, and 512 of a name" in text
    assert 'latest, at 14:07:29: {"type":"tool"' in text
    page.handlers()["source"]()
    text = "\n".join(lines_of(page, snap, 80, 24))
    assert "17 events ignored: late turn.start" in text
    assert "agent-2" not in text
    page.handlers()["back"]()
    assert "agent-2" in "\n".join(lines_of(page, snap, 80, 24))


def test_a_source_that_is_looked_at_alone_shows_every_trouble_before_any_sample() -> None:
    snap = snapshot("troubled")
    assert snap.health is not None
    kinds = ("cut", "dropped", "converted", "character", "json")
    troubles = tuple(
        SourceTrouble(f"3 {kind}", f"mend {kind}", now=True, sample="x" * 200, at=snap.at) for kind in kinds
    )
    source = replace(snap.health.sources[1], troubles=troubles)
    snap = replace(snap, health=replace(snap.health, sources=(source,)))
    page = page_with(snap)
    page.handlers()["source"]()
    text = "\n".join(lines_of(page, snap, 80, 20))
    assert all(f"→ mend {kind}" in text for kind in kinds)
    assert "latest" not in text
    assert "more line" not in text
    assert "latest" in "\n".join(lines_of(page, snap, 80, 60))


def test_the_cursor_stays_with_its_source_when_the_order_changes() -> None:
    snap = snapshot("troubled")
    page = page_with(snap)
    page.handlers()["down"]()
    assert snap.health is not None
    turned = replace(snap, health=replace(snap.health, sources=snap.health.sources[::-1]))
    page.see(turned)
    assert page.chosen is not None
    assert page.chosen.name == "agent-9"


async def test_one_key_opens_it_from_every_screen_and_asks_for_the_panel() -> None:
    feed = FakeFeed(lambda view, _: snapshot("troubled", view))
    app = ConsoleApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        for key in ("1", "2", "3", "4", "5"):
            await pilot.press(key, "H")
            assert app.page.name == "feed"
            assert feed.view.health
        assert "feed health" in "\n".join(text_of(line) for line in app.frame(80, 24))


def test_a_source_in_trouble_is_named_in_the_header_of_every_screen() -> None:
    snap = snapshot("well")
    assert "▲ feed" not in lines_of(page_with(snap), snap, 80, 24)[0]
    snap = replace(snap, feed=replace(snap.feed, attention=2))
    assert "▲ feed" in lines_of(page_with(snap), snap, 80, 24)[0]


def test_a_state_that_is_too_long_for_its_line_goes_on_in_the_next() -> None:
    snap = synthetic.busy()
    gone = replace(healthy(snap.at), name="agent-of-a-long-name", state="left")
    lines = [text_of(line).rstrip() for line in remedies(gone, DisplayOptions(), 60, 9)]
    assert lines == [
        " ○ agent-of-a-long-name",
        "   has left: it said goodbye, with no live calls · 81,204",
        "   events",
    ]
