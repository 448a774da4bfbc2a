"""Every action has what runs it, wherever it is available; nothing runs without an action; a key has one meaning."""

from __future__ import annotations

from collections import Counter

import pytest

from ui import synthetic, synthetic_alerts
from ui.fake_feed import FakeFeed
from ui.screens.test_compare import DEPLOY
from ui.synthetic_comparison import moment
from voicetop.ui.actions.registry import ACTIONS, BY_ID, available
from voicetop.ui.app import ConsoleApp
from voicetop.ui.renderables import calls
from voicetop.ui.screens.alert import AlertPage
from voicetop.ui.screens.boxes import HelpBox, PaletteBox
from voicetop.ui.screens.call import CallPage
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.columns_box import ColumnsBox
from voicetop.ui.screens.compare import ComparePage, MarkedTime
from voicetop.ui.screens.copy_box import CopyBox
from voicetop.ui.screens.page import Page
from voicetop.ui.screens.prompt import PromptBox


def pages_of(app: ConsoleApp) -> list[Page]:
    """Every kind of page, in every state that changes what it runs."""
    listed = app.screens["calls"]
    assert isinstance(listed, CallsPage)
    return [
        *app.screens.values(),
        CallPage(app, listed, synthetic.call(0)),
        AlertPage(app, app.incidents, synthetic_alerts.PAGE),
        ComparePage(app, marker=DEPLOY),
        ComparePage(app, mark=MarkedTime(moment(1.0), "acme-prod")),
        HelpBox(app),
        PaletteBox(app),
        PromptBox(app, "word", "hint", lambda _: ""),
        ColumnsBox(app, calls.columns_for(ended=False), app.columns, 80),
        CopyBox(app, lambda *_: None, lambda *_: None),
    ]


def test_every_action_has_a_handler_wherever_it_is_available_and_no_handler_is_without_an_action() -> None:
    app = ConsoleApp(FakeFeed())
    unused = set(BY_ID)
    for page in pages_of(app):
        app.stack.go(page)
        here = {action.id for action in available(page.name)}
        assert here <= set(app.handlers()), page.name
        assert set(page.handlers()) <= here, page.name
        unused -= here
    assert not unused
    assert set(app.handlers()) <= set(BY_ID)


@pytest.mark.parametrize("place", sorted({place for action in ACTIONS for place in action.places}))
def test_a_key_has_one_meaning_on_a_page(place: str) -> None:
    keys = Counter(key for action in ACTIONS if place in action.places for key in action.keys.split(","))
    assert not [key for key, times in keys.items() if times > 1]
