"""What the keys do about incidents, on the list and on a page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from ui import synthetic_alerts
from ui.fake_feed import FakeFeed
from ui.fake_past import replay
from ui.screens.test_alerts import ALERTING, AT, SHELF, console, painted, small
from voicetop.alerts.runbooks import SHIPPED
from voicetop.engine.snapshot import IncidentRow, Snapshot
from voicetop.sources import LinkState
from voicetop.ui.actions.keymap import USUAL
from voicetop.ui.actions.registry import available
from voicetop.ui.actions.responding import IncidentActions
from voicetop.ui.app import ConsoleApp
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import text_of
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.alert import AlertPage
from voicetop.ui.screens.alerts import AlertsPage
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.overview import OverviewPage
from voicetop.ui.screens.page import Host
from voicetop.ui.style.display_options import DisplayOptions


async def press(app: ConsoleApp, *keys: str) -> None:
    pilot = app.run_test(size=(120, 40))
    async with pilot as run:
        await run.press(*keys)


async def acts_of(*keys: str) -> list[tuple[str, str, str, float]]:
    feed = FakeFeed(small)
    await press(console(feed), *keys)
    return feed.acts


async def test_a_takes_and_gives_back() -> None:
    assert [act[:2] for act in await acts_of("4", "a")] == [("ack", "i7")]
    assert [act[:2] for act in await acts_of("4", "right", "a")] == [("unack", "i8")]


def a_list(**host: object) -> AlertsPage:
    """The page by itself, under a console that does nothing."""
    silent = {"changed": lambda: None, "say": lambda _: None}
    made = SimpleNamespace(keymap=USUAL, columns=HiddenColumns(), **silent, **host)
    incidents = SimpleNamespace(runbook=SHELF.find, operate=lambda *_, **__: None)
    page = AlertsPage(cast("Host", made), cast("IncidentActions", incidents))
    page.see(ALERTING())
    return page


def changed(incident: IncidentRow, **to: object) -> Snapshot:
    """The picture with one incident that has become another's affair."""
    rest = [row for row in synthetic_alerts.PANEL.incidents if row.id != incident.id]
    became = msgspec.structs.replace(incident, **to)
    panel = msgspec.structs.replace(synthetic_alerts.PANEL, incidents=(*rest, became))
    return msgspec.structs.replace(ALERTING(), alerts=panel)


def test_what_was_taken_stays_under_the_cursor_until_it_is_moved() -> None:
    """Whoever takes an incident goes on with it: silences it, notes, opens its runbook."""
    page = a_list()
    page.handlers()["acknowledge"]()
    page.see(changed(synthetic_alerts.PAGE, state="acknowledged", acked_by="ana"))
    assert page.incident is not None
    assert (page.incident.id, page.incident.state) == ("i7", "acknowledged")
    page.handlers()["down"]()
    assert "i7" not in page.ids
    assert page.incident.id != "i7"
    page.handlers()["right"]()
    assert "i7" in page.ids


def test_a_key_never_meets_another_incident_that_slipped_under_the_cursor() -> None:
    page = a_list()
    page.handlers()["down"]()
    stood = page.incident
    assert stood is not None
    page.see(changed(stood, state="resolved", resolved=AT))
    assert page.incident is not None
    assert (page.incident.id, page.incident.state) == (stood.id, "resolved")


async def test_s_asks_for_an_end_and_silences_rule_and_segment() -> None:
    (act,) = await acts_of("4", "s", *"1h", "space", *"known", "enter")
    assert act[:3] == ("silence", "rule=waiting intent=billing language=es version=v42", "known")
    assert act[3] == pytest.approx(AT + 3600, abs=60)


async def test_a_wrong_end_is_said_and_can_be_mended() -> None:
    acts = await acts_of("4", "s", *"soon", "enter", *["backspace"] * 4, *"2h", "enter")
    assert [act[0] for act in acts] == ["silence"]


async def test_s_ends_a_silence_by_its_incident_or_in_the_list_of_silences() -> None:
    assert [act[:2] for act in await acts_of("4", "right", "right", "s")] == [("unsilence", "s2")]
    assert [act[:2] for act in await acts_of("4", "left", "s")] == [("unsilence", "s2")]


async def test_resolving_asks_why_first() -> None:
    assert await acts_of("4", "R", "escape") == []
    (act,) = await acts_of("4", "R", *"over", "enter")
    assert act[:3] == ("resolve", "i7", "over")


async def test_n_notes_on_the_incident() -> None:
    (act,) = await acts_of("4", "enter", "n", *"hi", "enter")
    assert act[:3] == ("note", "i7", "hi")


async def test_x_ticks_a_step_and_takes_it_back() -> None:
    assert [act[:3] for act in await acts_of("4", "enter", "x")] == [("runbook_tick", "i7", "1")]
    keys = ("4", "right", "enter", "down", "x")
    assert [act[:3] for act in await acts_of(*keys)] == [("runbook_tick", "i8", "-2")]


async def test_what_is_over_or_has_not_fired_is_not_acted_upon() -> None:
    assert await acts_of("4", "left", "left", "a", "s", "R") == []
    assert await acts_of("4", "down", "down", "a", "x") == []


async def test_a_refusal_is_told() -> None:
    feed = FakeFeed(small)
    feed.why_not = "this token may only look: nothing was sent"
    app = console(feed)
    async with app.run_test(size=(120, 40)) as run:
        await run.press("4", "a")
        assert app.message == feed.why_not


async def test_enter_on_a_step_goes_to_its_panel_for_the_incidents_segment() -> None:
    app = console()
    async with app.run_test(size=(120, 40)) as run:
        await run.press("4", "enter", "enter")
        assert isinstance(app.page, CallsPage)
        assert app.requested_view is not None
        assert app.requested_view.where == synthetic_alerts.PAGE.where
        assert app.requested_view.text == "stuck"
        await run.press("4", "enter", "down", "down", "enter")
        assert isinstance(app.page, OverviewPage)
        assert app.requested_view.where == (), "the capacity is everybody's"


async def test_escape_leads_back_to_the_runbook_as_it_was_left() -> None:
    app = console()
    async with app.run_test(size=(120, 40)) as run:
        await run.press("4", "enter", "down", "enter")
        assert app.page.name == "overview"
        assert "Esc returns to the runbook" in app.message
        await run.press("v", "escape")
        assert app.page.name == "overview", "the first Esc ends what was begun here"
        await run.press("escape")
        assert isinstance(app.page, AlertPage)
        assert app.page.place == 1
        assert app.scope.where == ()
        await run.press("enter", "1", "escape")
        assert app.page.name == "overview", "whoever went on by a key of their own came from nowhere"


async def test_live_values_are_of_those_whom_the_incident_is_about() -> None:
    app = console()
    async with app.run_test(size=(120, 40)) as run:
        await run.press("4", "enter")
        assert app.requested_view is not None
        assert app.requested_view.where == synthetic_alerts.PAGE.where
        assert app.scope.where == (), "the screens are narrowed as before"
    everybodys = ALERTING()
    lines = a_list().lines(Scene(everybodys, LinkState("live"), DisplayOptions(), everybodys.view), 200, 50)
    text = "\n".join(text_of(line) for line in lines)
    assert "P95 ≥" not in text, "a figure of everybody's beside one segment's trouble would mislead"
    assert "412 of 600 tested" in text


def test_at_80_columns_a_long_rule_leaves_room_for_the_keys() -> None:
    row = msgspec.structs.replace(synthetic_alerts.PAGE, rule="preset.waiting")
    panel = msgspec.structs.replace(synthetic_alerts.PANEL, incidents=(row,))
    snap = msgspec.structs.replace(ALERTING(), alerts=panel)
    assert any(
        "Enter open · a acknowledge · s silence" in line for line in painted(snap, "active", "", (80, 24))
    )
    assert any("rule preset.waiting" in line for line in painted(snap, "active", "", (120, 40)))


async def test_every_step_of_every_shipped_runbook_can_be_entered() -> None:
    app = console()
    async with app.run_test(size=(120, 40)) as run:
        for path in sorted(SHIPPED.glob("*.md")):
            for step in app.incidents.runbook(path.stem).steps:
                if step.door is not None:
                    app.incidents.enter(step.door, synthetic_alerts.PAGE.where)
                    assert app.page.name in ("overview", "calls", "segments", "trends")
        await run.pause()


async def test_b_narrows_to_what_the_incident_is_about() -> None:
    app = console()
    async with app.run_test(size=(120, 40)) as run:
        await run.press("4", "b")
        assert app.scope.where == synthetic_alerts.PAGE.where


async def test_the_cursor_stays_on_its_incident_when_others_come() -> None:
    feed = FakeFeed(small)
    app = console(feed)
    async with app.run_test(size=(120, 40)) as run:
        await run.press("4", "down")
        page = app.page
        assert isinstance(page, AlertsPage)
        assert page.incident is not None
        assert page.incident.id == "i9"
        new = msgspec.structs.replace(synthetic_alerts.PAGE, id="i10")
        panel = msgspec.structs.replace(
            synthetic_alerts.PANEL, incidents=(new, *synthetic_alerts.PANEL.incidents)
        )
        page.see(msgspec.structs.replace(ALERTING(), alerts=panel))
        assert page.incident.id == "i9"


async def test_every_key_of_the_screens_does_something_or_says_why_not() -> None:
    for place, opened in (("alerts", ()), ("alert", ("open_alert",))):
        app = console(FakeFeed(small))
        async with app.run_test(size=(80, 24)) as run:
            for action in available(place):  # type: ignore[arg-type]
                if action.id in ("quit", "copy", "copy_link"):
                    continue
                app.go("alerts")
                for opening in opened:
                    app.do(opening)
                assert app.page.name == place, action.id
                await run.press(action.keys.split(",")[0])
                assert app.is_running, action.id


async def test_the_past_offers_only_what_can_be_done_there() -> None:
    """Nothing is sent from a replay but notes, so no line promises more."""
    app = ConsoleApp(replay(ALERTING), runbooks=SHELF)
    async with app.run_test(size=(120, 40)) as run:
        await run.press("4")
        text = "\n".join(text_of(line) for line in app.sheet.lines)
        assert "Enter open ──" in text
        await run.press("enter")
        foot = text_of(app.sheet.lines[-1])
        assert "n note" in foot
        assert not any(key in foot for key in ("a take", "s silence", "x tick", "R resolve"))
