"""Which severity a terminal's title and status light stand for."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace

from ui import synthetic
from ui.fake_feed import FakeFeed
from voicetop.engine.snapshot import Severity, Snapshot, Verdict, View
from voicetop.notify.desk.terminal import Terminal
from voicetop.ui.feeds import Feeds, NamedFeed
from voicetop.ui.terminal.notices import TerminalNotices, worst_of


def feed(severity: Severity) -> FakeFeed:
    def made(view: View | None = None, tick: int = 0) -> Snapshot:
        return replace(synthetic.busy(view, tick), verdict=Verdict(severity, "…"))

    return FakeFeed(made)


@pytest.mark.parametrize(
    ("severities", "worst"),
    [
        (["ok", "learning"], "learning"),
        (["recovering", "learning", "catching_up"], "recovering"),
        (["recovering", "degraded"], "degraded"),
        (["blind", "degraded", "ok"], "blind"),
        (["down", "blind"], "down"),
        ([], None),
    ],
)
def test_of_several_feeds_it_is_the_worst(severities: list[Severity], worst: Severity | None) -> None:
    assert worst_of(map(feed, severities)) == worst


class Screen:
    """A TerminalApp that keeps what is written to its terminal."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)

    def has_taken_all(self) -> bool:
        return True


@pytest.mark.parametrize("severity", get_args(Severity))
def test_every_severity_has_a_title_and_none_rings(severity: Severity) -> None:
    screen, terminal = Screen(), Terminal(takes_progress=True)
    TerminalNotices(screen, Feeds([NamedFeed("x", feed(severity))]), terminal, "x").poll()  # type: ignore[arg-type]
    title, bell = screen.written[-1].split("\x07")
    assert severity.upper().replace("_", " ") in title
    assert bell == terminal.progress(severity)
