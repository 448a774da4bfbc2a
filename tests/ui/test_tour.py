from __future__ import annotations

from typing import cast

from ui import synthetic, synthetic_alerts
from ui.fake_feed import FakeFeed
from ui.test_app import shown, until
from voicetop.clock import ManualClock
from voicetop.ui.actions.registry import BY_ID
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import text_of, width_of
from voicetop.ui.renderables.tour import tour_lines
from voicetop.ui.screens.page import Host
from voicetop.ui.tour import KEYS, STAY_S, STOPS, WAIT_S, Tour


class Person:
    def __init__(self) -> None:
        self.did: list[str] = []
        self.said = "of before"

    def can_do(self, action_id: str) -> bool:
        return True

    def do(self, action_id: str) -> None:
        self.did.append(action_id)

    def say(self, text: str) -> None:
        self.said = text

    def key_of(self, action_id: str) -> str:
        return f"<{action_id}>"


def test_a_tour_takes_about_a_minute_and_ends_by_itself() -> None:
    person, now = Person(), 0.0
    tour, snap = Tour(cast("Host", person)), synthetic_alerts.alerting()
    captions = []
    while tour.step(now, snap):
        if tour.caption not in captions:
            captions.append(tour.caption)
        now += 0.25
    assert 45 <= now <= 75
    assert len(captions) == len(STOPS)
    assert {"blame", "segments", "calls", "open", "alerts", "open_alert", "trends"} <= set(person.did)
    assert person.did.index("event_before") < person.did.index("live")
    assert person.said == ""


def test_it_waits_for_what_it_speaks_of_but_not_forever() -> None:
    person, now = Person(), 0.0
    tour, calm = Tour(cast("Host", person)), synthetic.busy()
    while tour.step(now, calm) and "blame" not in person.did and now < 300:
        now += 0.25
    assert "blame" not in person.did
    assert "calls" in person.did
    assert WAIT_S < now < 100


def test_it_does_not_begin_before_the_first_picture() -> None:
    person = Person()
    tour = Tour(cast("Host", person))
    assert tour.step(0.0, None)
    assert tour.step(100.0, None)
    assert not person.did
    assert "when data arrives" in tour.caption


def test_every_caption_names_actions_and_keys_that_exist() -> None:
    for stop in STOPS:
        assert all(action in BY_ID for action in stop.actions)
        assert "{" not in stop.caption.format(**dict.fromkeys(KEYS, "x"))


def test_a_caption_fits_80_columns_in_two_lines() -> None:
    for number, stop in enumerate(STOPS, 1):
        caption = stop.caption.format(**dict.fromkeys(KEYS, "ctrl+p"))
        lines = tour_lines(caption, f"{number} of {len(STOPS)}", 80)
        assert [width_of(line) for line in lines] == [80, 80]
        assert "…" not in "".join(map(text_of, lines)), caption


async def test_any_key_takes_over_and_escape_does_nothing_else() -> None:
    clock = ManualClock()
    app = ConsoleApp(FakeFeed())
    app.clock = clock
    app.begin_tour()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "simulated fleet" in shown(app))
        assert len(app.sheet.lines) == 24
        await clock.advance(STAY_S + 1)
        await until(pilot, lambda: "tour 2 of" in shown(app))
        await pilot.press("escape")
        assert app.tour is None
        assert "tour" not in shown(app)
        app.begin_tour()
        await until(pilot, lambda: "tour 1 of" in shown(app))
        await pilot.press("2")
        assert (app.tour, app.page.name) == (None, "calls")
