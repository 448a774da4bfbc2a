from __future__ import annotations

from ui import synthetic
from ui.fake_feed import FakeFeed
from ui.test_app import shown, until
from voicetop.ui.app import ConsoleApp
from voicetop.ui.feeds import NamedFeed
from voicetop.ui.lines import text_of, width_of
from voicetop.ui.renderables.feeds import feeds_line
from voicetop.ui.renderables.scene import Scene

SCENES = [
    ("production", Scene(synthetic.incident(), FakeFeed().link)),
    ("staging", Scene(synthetic.busy(), FakeFeed().link)),
    ("eu-west-with-a-long-name", Scene(synthetic.blind(), FakeFeed().link)),
    ("new", Scene()),
]


def test_every_verdict_stands_in_one_line_with_glyph_name_and_word() -> None:
    text = text_of(feeds_line(SCENES, 0, 160, "F"))
    assert text.startswith(" ▸▲ production DEGRADED ")
    for part in ("● staging OK", "? eu-west", "BLIND", "◌ new LEARNING", "F next feed"):
        assert part in text


def test_names_give_way_before_verdicts_do() -> None:
    line = feeds_line(SCENES, 2, 80, "F")
    text = text_of(line)
    assert width_of(line) == 80
    for word in ("DEGRADED", "OK", "BLIND", "LEARNING"):
        assert word in text
    assert "▸?" in text


async def test_a_key_brings_on_the_next_feed_and_the_others_stay_in_sight() -> None:
    calm, bad = FakeFeed(synthetic.busy), FakeFeed(synthetic.incident)
    app = ConsoleApp(calm, title="staging", others=[NamedFeed("production", bad)])
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "production DEGRADED" in shown(app))
        assert text_of(app.sheet.lines[1]).startswith(" ● OK")
        assert bad.asked[-1].limit == 0
        await pilot.press("F")
        await until(pilot, lambda: text_of(app.sheet.lines[1]).startswith(" ▲ DEGRADED"))
        assert "staging OK" in shown(app)
        assert bad.asked[-1].limit > 0
        assert calm.asked[-1].limit == 0
        await pilot.press("2")
        assert bad.asked[-1].limit > 0
        await pilot.press("F")
        await until(pilot, lambda: text_of(app.sheet.lines[1]).startswith(" ● OK"))
        assert app.page.name == "calls"
        assert len(app.sheet.lines) == 36


async def test_with_one_feed_the_key_says_how_to_have_several() -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "DEGRADED" in shown(app))
        await pilot.press("F")
        assert "voicetop URL URL" in text_of(app.sheet.lines[-1])
