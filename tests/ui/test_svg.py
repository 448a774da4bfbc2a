"""A few pictures of whole screens, colours and all. Renew them with `pytest --snapshot-update` and look at them."""

from __future__ import annotations

from typing import Protocol

import pytest
from textual.app import App

from ui import synthetic
from ui.fake_feed import FakeFeed, Maker
from ui.fake_past import replay
from voicetop.ui.app import ConsoleApp


class Compare(Protocol):
    def __call__(
        self, app: App[None], *, press: tuple[str, ...] = (), terminal_size: tuple[int, int] = (80, 24)
    ) -> bool: ...


@pytest.fixture(autouse=True)
def _a_good_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize(
    ("make", "press", "size", "theme"),
    [
        (synthetic.incident, ("j",), (120, 40), "voicetop"),
        (synthetic.blind, (), (80, 24), "high-contrast"),
        (synthetic.incident, ("2", "j", "j"), (120, 40), "voicetop"),
        (synthetic.incident, ("2", "question_mark"), (100, 30), "light"),
        (synthetic.incident, ("enter", "k", "k", "k", "enter"), (120, 40), "voicetop"),
    ],
    ids=["overview-incident", "overview-blind", "calls-incident", "help", "call-incident"],
)
def test_the_screen_is_painted_as_it_was_last_approved(
    snap_compare: Compare, make: Maker, press: tuple[str, ...], size: tuple[int, int], theme: str
) -> None:
    assert snap_compare(ConsoleApp(FakeFeed(make), theme=theme), press=press, terminal_size=size)


def test_a_replay_is_painted_as_it_was_last_approved(snap_compare: Compare) -> None:
    """Banner and timeline; it stands still at a bookmark."""
    assert snap_compare(ConsoleApp(replay(), title="outage.vtr"), terminal_size=(120, 40))
